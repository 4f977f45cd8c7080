package cloudmap_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/servicediscovery"
	"github.com/google/go-cmp/cmp"

	"tradewind/functions/status/internal/cloudmap"
	"tradewind/shared/awsclient"
	"tradewind/shared/logs"
)

// registry is a Cloud Map with three services, the first of which has two instances.
// It answers page by page.
type registry struct {
	t       *testing.T
	refuse  map[string]string // operation and service to the error
	marked  []string
	filters string
}

var pages = map[string]string{
	"ListServices":          `{"Services":[{"Id":"srv-1","Name":"order-service"}],"NextToken":"2"}`,
	"ListServices 2":        `{"Services":[{"Id":"srv-2","Name":"user-service"},{"Id":"srv-3","Name":"other-service"}]}`,
	"ListInstances srv-1":   `{"Instances":[{"Id":"a"}],"NextToken":"2"}`,
	"ListInstances srv-1 2": `{"Instances":[{"Id":"b"}]}`,
	"ListInstances srv-2":   `{"Instances":[{"Id":"balancer"}]}`,
	"ListInstances srv-3":   `{"Instances":[{"Id":"nobody's"}]}`,
}

func (r *registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	_, operation, _ := strings.Cut(req.Header.Get("X-Amz-Target"), ".")
	var in struct {
		ServiceID  string `json:"ServiceId"`
		InstanceID string `json:"InstanceId"`
		NextToken  string
		Status     string
		Filters    json.RawMessage
	}
	if err := json.NewDecoder(req.Body).Decode(&in); err != nil {
		r.t.Error(err)
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	asked := strings.TrimSpace(operation + " " + in.ServiceID)
	if kind := r.refuse[strings.TrimSpace(asked+" "+in.InstanceID)]; kind != "" {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"__type":%q,"Message":"refused"}`, kind)
		return
	}
	if in.Filters != nil {
		r.filters = string(in.Filters)
	}
	if operation == "UpdateInstanceCustomHealthStatus" {
		r.marked = append(r.marked, in.ServiceID+" "+in.InstanceID+" "+in.Status)
		return
	}
	page, ok := pages[strings.TrimSpace(asked+" "+in.NextToken)]
	if !ok {
		r.t.Errorf("asked for %s %s", asked, in.NextToken)
	}
	fmt.Fprint(w, page)
}

// mark tells a registry that one service is well and the other is not.
func mark(t *testing.T, r *registry) error {
	t.Helper()
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	env := map[string]string{
		"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_ENDPOINT_URL": server.URL,
	}
	client := servicediscovery.NewFromConfig(awsclient.Config(func(name string) string { return env[name] }, "SERVICEDISCOVERY"))
	healthy := map[string]bool{"order-service": false, "user-service": true, "new-service": true}
	return cloudmap.New(client, "ns-1", logs.Discard()).Mark(t.Context(), healthy)
}

func TestMark(t *testing.T) {
	r := &registry{t: t}
	if err := mark(t, r); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"srv-1 a UNHEALTHY", "srv-1 b UNHEALTHY", "srv-2 balancer HEALTHY"}, r.marked); diff != "" {
		t.Error(diff)
	}
	if want := `[{"Name":"NAMESPACE_ID","Values":["ns-1"]}]`; r.filters != want {
		t.Errorf("services of %s", r.filters)
	}
}

func TestMarkFails(t *testing.T) {
	for name, tt := range map[string]struct {
		operation, kind string
		marked          []string
		fails           string // part of the error
	}{
		"the services cannot be listed": {"ListServices", "InvalidInput", nil, "InvalidInput"},
		"an instance is gone": {
			"UpdateInstanceCustomHealthStatus srv-1 a", "InstanceNotFound", []string{"srv-1 b UNHEALTHY", "srv-2 balancer HEALTHY"}, "",
		},
		"a service is gone": {"ListInstances srv-1", "ServiceNotFound", []string{"srv-2 balancer HEALTHY"}, "order-service"},
		"a service has no such health": {
			"UpdateInstanceCustomHealthStatus srv-1 a", "CustomHealthNotFound", []string{"srv-2 balancer HEALTHY"}, "order-service",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := &registry{t: t, refuse: map[string]string{tt.operation: tt.kind}}
			err := mark(t, r)
			if (err == nil) != (tt.fails == "") || err != nil && !strings.Contains(err.Error(), tt.fails) {
				t.Errorf("got %v", err)
			}
			if diff := cmp.Diff(tt.marked, r.marked); diff != "" {
				t.Error(diff)
			}
		})
	}
}
