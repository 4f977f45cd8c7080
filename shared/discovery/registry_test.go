package discovery_test

import (
	stdcmp "cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tradewind/shared/awsclient"
	"tradewind/shared/discovery"
	"tradewind/shared/env"
)

// cloudMap starts a registry that answers with handle and returns the source that
// asks it.
func cloudMap(t *testing.T, handle http.HandlerFunc) discovery.Source {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	return discovery.CloudMap(awsclient.Config(awsEnv(server.URL), "SERVICEDISCOVERY"), "tradewind-dev", "dev.internal")
}

func awsEnv(endpoint string) func(string) string {
	return func(name string) string {
		return map[string]string{
			"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token",
			"AWS_ENDPOINT_URL_SERVICEDISCOVERY": endpoint,
		}[name]
	}
}

// places shows a listing as text.
func places(l discovery.Listing) []string {
	var out []string
	for _, i := range l.Instances {
		out = append(out, i.Base.String()+" "+i.Host)
	}
	return out
}

func TestCloudMap(t *testing.T) {
	var targets []string
	var bodies []map[string]any
	source := cloudMap(t, func(w http.ResponseWriter, r *http.Request) {
		if auth := r.Header.Get("Authorization"); !strings.Contains(auth, "Credential=AKID/") || !strings.Contains(auth, "/eu-west-1/servicediscovery/aws4_request") {
			t.Errorf("signed as %q", auth)
		}
		if r.Header.Get("X-Amz-Security-Token") != "token" || r.Header.Get("Content-Type") != "application/x-amz-json-1.1" {
			t.Errorf("headers %v", r.Header)
		}
		_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		targets = append(targets, operation)
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		bodies = append(bodies, body)
		if operation == "DiscoverInstancesRevision" {
			fmt.Fprint(w, `{"InstancesRevision":7}`)
			return
		}
		fmt.Fprint(w, `{"InstancesRevision":7,"Instances":[
			{"InstanceId":"1","HealthStatus":"HEALTHY","Attributes":{"AWS_INSTANCE_IPV4":"10.0.0.1","AWS_INSTANCE_PORT":"8080"}},
			{"InstanceId":"2","HealthStatus":"UNKNOWN","Attributes":{"AWS_INSTANCE_IPV4":"10.0.0.2"}},
			{"InstanceId":"3","HealthStatus":"HEALTHY","Attributes":{"url":"http://127.0.0.1:4566/_alb/tradewind-local","host":"catalog-service.local.internal"}},
			{"InstanceId":"4","HealthStatus":"HEALTHY","Attributes":{"url":"https://x.lambda-url.eu-west-1.on.aws/","host":"x.lambda-url.eu-west-1.on.aws"}},
			{"InstanceId":"5","HealthStatus":"HEALTHY","Attributes":{"url":"http://10.0.0.3"}},
			{"InstanceId":"6","HealthStatus":"UNHEALTHY","Attributes":{"AWS_INSTANCE_IPV4":"10.0.0.6"}}]}`)
	})
	got, err := source.Lookup(t.Context(), service, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"http://10.0.0.1:8080 catalog-service.dev.internal",
		"http://10.0.0.2:80 catalog-service.dev.internal",
		"http://127.0.0.1:4566/_alb/tradewind-local catalog-service.local.internal",
		"https://x.lambda-url.eu-west-1.on.aws/ x.lambda-url.eu-west-1.on.aws",
		"http://10.0.0.3 catalog-service.dev.internal",
	}
	if diff := cmp.Diff(want, places(got)); diff != "" || got.Revision != 7 {
		t.Errorf("revision %d, instances (-want +got):\n%s", got.Revision, diff)
	}
	if got, err := source.Lookup(t.Context(), service, 7); err != nil || !got.Unchanged {
		t.Errorf("of the same revision: %+v, %v", got, err)
	}
	if got, err := source.Lookup(t.Context(), service, 6); err != nil || got.Unchanged || len(got.Instances) != 5 {
		t.Errorf("of another revision: %+v, %v", got, err)
	}
	if diff := cmp.Diff([]string{"DiscoverInstances", "DiscoverInstancesRevision", "DiscoverInstancesRevision", "DiscoverInstances"}, targets); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"NamespaceName": "tradewind-dev", "ServiceName": service, "HealthStatus": "HEALTHY", "MaxResults": 100.0}, bodies[0]); diff != "" {
		t.Errorf("listing was asked for with (-want +got):\n%s", diff)
	}
}

// Who must find out whether a service has recovered finds its unhealthy instances too.
func TestCloudMapAll(t *testing.T) {
	var asked map[string]any
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			t.Error(err)
		}
		fmt.Fprint(w, `{"Instances":[
			{"HealthStatus":"HEALTHY","Attributes":{"url":"http://10.0.0.1"}},
			{"HealthStatus":"UNHEALTHY","Attributes":{"url":"http://10.0.0.2"}}]}`)
	}))
	t.Cleanup(server.Close)
	variables := awsEnv(server.URL)
	vars := env.From(func(name string) string {
		return stdcmp.Or(map[string]string{"STAGE": "dev", "DISCOVERY_MODE": "registry"}[name], variables(name))
	})
	source := discovery.CloudMapAll(awsclient.Config(variables, "SERVICEDISCOVERY"), "tradewind-dev", "dev.internal")
	got, err := source.Lookup(t.Context(), service, 0)
	want := []string{"http://10.0.0.1 catalog-service.dev.internal", "http://10.0.0.2 catalog-service.dev.internal"}
	if diff := cmp.Diff(want, places(got)); diff != "" || err != nil || asked["HealthStatus"] != "ALL" {
		t.Errorf("asked for %v: %v\n%s", asked["HealthStatus"], err, diff)
	}

	found := map[string]bool{}
	for range 100 {
		address, err := discovery.AllFromEnv(vars).Resolve(t.Context(), service)
		if err != nil || vars.Err() != nil {
			t.Fatal(err, vars.Err())
		}
		found[address.Base.Host] = true
	}
	if len(found) != 2 {
		t.Errorf("found %v", found)
	}
}

func TestCloudMapNonsense(t *testing.T) {
	instance := func(attributes string) string {
		return `{"Instances":[{"HealthStatus":"HEALTHY","Attributes":{` + attributes + `}}],"InstancesRevision":1}`
	}
	tests := map[string]struct {
		status int
		body   string
		want   string // part of the error; "" is a listing without instances
	}{
		"no instances":     {200, `{}`, ""},
		"no attributes":    {200, instance(``), ""},
		"no address":       {200, instance(`"AWS_INSTANCE_IPV4":"ten","AWS_INSTANCE_PORT":"80"`), ""},
		"no port":          {200, instance(`"AWS_INSTANCE_IPV4":"10.0.0.1","AWS_INSTANCE_PORT":"http"`), ""},
		"port too large":   {200, instance(`"AWS_INSTANCE_IPV4":"10.0.0.1","AWS_INSTANCE_PORT":"65536"`), ""},
		"six":              {200, instance(`"AWS_INSTANCE_IPV4":"::1"`), ""},
		"no URL":           {200, instance(`"url":"::"`), ""},
		"a file":           {200, instance(`"url":"file:///etc/passwd"`), ""},
		"a password":       {200, instance(`"url":"http://user:secret@10.0.0.1"`), ""},
		"a query":          {200, instance(`"url":"http://10.0.0.1/?x="`), ""},
		"a header":         {200, instance(`"url":"http://10.0.0.1","host":"x\r\nX-Admin: yes"`), ""},
		"a path as host":   {200, instance(`"url":"http://10.0.0.1","host":"x/y"`), ""},
		"another health":   {200, strings.Replace(instance(`"AWS_INSTANCE_IPV4":"10.0.0.1"`), "HEALTHY", "LIMPING", 1), ""},
		"not JSON":         {200, `<html>`, "DiscoverInstances: invalid character"},
		"empty":            {200, ``, "unexpected end"},
		"of another shape": {200, `[]`, "cannot unmarshal"},
		"refused":          {400, `{"__type":"com.amazonaws.servicediscovery#ServiceNotFound","message":"x"}`, `400 Bad Request "com.amazonaws.servicediscovery#ServiceNotFound"`},
		"refused somehow":  {503, `<html>`, "503 Service Unavailable"},
		"too much":         {200, `{"Instances":[` + strings.Repeat(" ", 2<<20), "larger than 1 MiB"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			source := cloudMap(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			})
			got, err := source.Lookup(t.Context(), service, 0)
			switch {
			case test.want == "" && (err != nil || len(got.Instances) > 0):
				t.Errorf("got %v, %v; want nothing", places(got), err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}

func TestCloudMapWithoutCredentials(t *testing.T) {
	source := discovery.CloudMap(awsclient.Config(func(string) string { return "" }, "SERVICEDISCOVERY"), "n", "d")
	if _, err := source.Lookup(t.Context(), service, 0); err == nil || !strings.Contains(err.Error(), "AWS_ACCESS_KEY_ID") {
		t.Errorf("got %v, want an error that names the variable", err)
	}
}

// TestCloudMapAtEndpoint asks a running endpoint's registry, which knows nothing of
// the namespace: that it says so proves signature, protocol and host name.
func TestCloudMapAtEndpoint(t *testing.T) {
	endpoint := os.Getenv("DYNAMODB_ENDPOINT")
	if endpoint == "" {
		t.Skip("DYNAMODB_ENDPOINT is not set: no local endpoint is running")
	}
	cfg := awsclient.Config(awsEnv(endpoint), "SERVICEDISCOVERY")
	defer cfg.HTTPClient.(*http.Client).CloseIdleConnections()
	source := discovery.CloudMap(cfg, "no-such-namespace", "dev.internal")
	_, err := source.Lookup(t.Context(), service, 0)
	if err != nil && strings.Contains(err.Error(), "InternalFailure") {
		t.Skip("this endpoint has no registry")
	}
	if err == nil || !strings.Contains(err.Error(), "NotFound") {
		t.Errorf("got %v, want a NotFound of the registry", err)
	}
}
