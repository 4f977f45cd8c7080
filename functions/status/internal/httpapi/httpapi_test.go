package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	event "tradewind/events/status"
	"tradewind/functions/status"
	"tradewind/functions/status/internal/dynamo"
	"tradewind/functions/status/internal/httpapi"
	"tradewind/shared/health"
	"tradewind/shared/lambdahttp"
	"tradewind/shared/logs"
	"tradewind/shared/openapi/openapitest"
	"tradewind/shared/outbox"
	"tradewind/shared/table"
	"tradewind/shared/table/tabletest"
)

var (
	names = []string{"order-service", "user-service", status.Self}
	noon  = time.Date(2026, 11, 12, 12, 0, 0, 0, time.UTC)
)

type house struct {
	handler *openapitest.Handler
	monitor *status.Monitor
	table   *tabletest.Memory
	now     time.Time
	checks  map[string][]status.Check // by the service that says so
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{table: &tabletest.Memory{}, now: noon}
	clock := func() time.Time { return h.now }
	h.monitor = status.NewMonitor(dynamo.New(table.New(h.table), outbox.New(event.Source, clock)), names, clock)
	h.handler = openapitest.New(t, status.OpenAPI, httpapi.Routes(h.monitor, logs.Discard()))
	return h
}

// probe notes a round of probes, a minute after the last, in which those services fail
// that are named.
func (h *house) probe(t *testing.T, failing ...string) {
	t.Helper()
	h.now = h.now.Add(time.Minute)
	for _, name := range names {
		p := status.Probe{Run: h.now.String(), At: h.now, Latency: 12345 * time.Microsecond, Checks: h.checks[name]}
		for _, f := range failing {
			if f == name {
				p.Fault = "answered 502"
			}
		}
		if _, err := h.monitor.Observe(t.Context(), name, p); err != nil {
			t.Fatal(err)
		}
	}
}

func (h *house) get(path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	return w
}

func TestHealth(t *testing.T) {
	h := newHouse(t)
	h.handler.DemandAll()
	h.get("/health/openapi.json")
	expect := func(when string, code int, want string) {
		t.Helper()
		w := h.get("/health")
		if w.Code != code || w.Header().Get("Content-Type") != "application/health+json" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v", when, w.Code, w.Header())
		}
		if after := w.Header().Get("Retry-After"); (after == "60") != (code == http.StatusServiceUnavailable) {
			t.Errorf("%s: Retry-After %q", when, after)
		}
		var got struct {
			Status   string
			Services []struct{ Name, Status, State, Cause string }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		text := got.Status
		for _, s := range got.Services {
			text += strings.TrimRight(fmt.Sprintf("; %s %s %s %s", strings.TrimSuffix(s.Name, "-service"), s.Status, s.State, s.Cause), " ")
		}
		if text != want {
			t.Errorf("%s:\n got %s\nwant %s", when, text, want)
		}
	}
	expect("before the first probe", 200, "warn; order unknown unknown not probed yet; user unknown unknown not probed yet; status unknown unknown not probed yet")
	h.probe(t)
	expect("all well", 200, "pass; order pass healthy; user pass healthy; status pass healthy")
	h.probe(t, "order-service")
	expect("one failed", 200, "warn; order fail healthy answered 502; user pass healthy; status pass healthy")
	h.probe(t, "order-service")
	expect("one is degraded", 200, "warn; order fail degraded answered 502; user pass healthy; status pass healthy")
	h.probe(t, "order-service", "user-service")
	expect("all but this one fail", 503, "fail; order fail degraded answered 502; user fail healthy answered 502; status pass healthy")
	h.probe(t)
	expect("one is back", 200, "warn; order pass degraded; user pass healthy; status pass healthy")
	h.probe(t)
	expect("all are", 200, "pass; order pass healthy; user pass healthy; status pass healthy")
	h.checks = map[string][]status.Check{"user-service": {
		{Name: "users", Status: status.Warn, Backlog: &status.Backlog{Waiting: 5, Oldest: 61 * time.Second}},
	}}
	h.probe(t)
	expect("work of one waits", 200, "warn; order pass healthy; user warn healthy users: 5 waiting, the oldest for 61 s; status pass healthy")
	h.now = h.now.Add(time.Hour)
	const unknown = "unknown unknown not probed in the last 3 min"
	expect("the prober stands still", 200, "warn; order "+unknown+"; user "+unknown+"; status "+unknown)
}

// The answer to the letter, once.
func TestHealthBody(t *testing.T) {
	h := newHouse(t)
	h.checks = map[string][]status.Check{"user-service": {
		{Name: "orders", Status: status.Pass, Backlog: &status.Backlog{Waiting: 0, Oldest: 0}}, {Name: "table", Status: status.Pass},
	}}
	h.probe(t)
	h.probe(t, "order-service")
	h.probe(t, "order-service")
	var got, want any
	if err := json.Unmarshal(h.get("/health").Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	well := `{"name": "%s", "status": "pass", "state": "healthy", "sinceAt": "2026-11-12T12:01:00.000Z", "lastProbeAt": "2026-11-12T12:03:00.000Z",
		"latencyMs": 12, %s "history": [{"state": "healthy", "sinceAt": "2026-11-12T12:01:00.000Z"}]}`
	checks := `"checks": {"orders": {"status": "pass", "waiting": 0, "observedValue": 0, "observedUnit": "s"}, "table": {"status": "pass"}},`
	text := `{"status": "warn", "services": [
		{"name": "order-service", "status": "fail", "state": "degraded", "sinceAt": "2026-11-12T12:02:00.000Z", "lastProbeAt": "2026-11-12T12:03:00.000Z",
		 "latencyMs": 12, "cause": "answered 502", "history": [
			{"state": "degraded", "sinceAt": "2026-11-12T12:02:00.000Z", "cause": "answered 502"},
			{"state": "healthy", "sinceAt": "2026-11-12T12:01:00.000Z"}]},
		` + fmt.Sprintf(well, "user-service", checks) + "," + fmt.Sprintf(well, "status-service", "") + "]}"
	if err := json.Unmarshal([]byte(text), &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRefusals(t *testing.T) {
	h := newHouse(t)
	for _, path := range []string{"/", "/nope", "/healthy", "/health/", "/health/order-service", "/health/live", "/health/ready", "/api/orders"} {
		if w := h.get(path); w.Code != http.StatusNotFound {
			t.Errorf("GET %s: %d", path, w.Code)
		}
	}
	if w := h.get("/health", "Accept", "text/html"); w.Code != http.StatusNotAcceptable {
		t.Errorf("as HTML: %d", w.Code)
	}
	for _, accept := range []string{"application/health+json", "application/json", "*/*"} {
		if w := h.get("/health", "Accept", accept); w.Code != http.StatusOK {
			t.Errorf("as %s: %d", accept, w.Code)
		}
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		w := httptest.NewRecorder()
		h.handler.ServeHTTP(w, httptest.NewRequest(method, "/health", nil))
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %d, Allow %q", method, w.Code, w.Header().Get("Allow"))
		}
	}
}

// A table that does not answer is a fault of this service, and says nothing of others.
func TestUnavailable(t *testing.T) {
	h := newHouse(t)
	clock := func() time.Time { return noon }
	monitor := status.NewMonitor(dynamo.New(table.New(silent{}), outbox.New(event.Source, clock)), names, clock)
	h.handler = openapitest.New(t, status.OpenAPI, httpapi.Routes(monitor, logs.Discard()))
	w := h.get("/health")
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Content-Type") != "application/problem+json" || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
}

// silent is a database that does not answer in time.
type silent struct{ table.Backend }

func (silent) Query(context.Context, table.Query, int) ([]table.Item, error) {
	return nil, context.DeadlineExceeded
}

// What this service says of itself is for who comes through the load balancer.
func TestInsideAndOutside(t *testing.T) {
	h := newHouse(t)
	broken := health.Check{Name: "table", Ask: func(context.Context) error { return errors.New("no answer") }}
	function := lambdahttp.New(httpapi.Handler(h.monitor, logs.Discard(), broken))
	gateway := `{"version":"2.0","rawPath":%q,"requestContext":{"http":{"method":"GET"}}}`
	balancer := `{"path":%q,"httpMethod":"GET","requestContext":{"elb":{"targetGroupArn":"arn"}},"headers":{"user-agent":"ELB-HealthChecker/2.0"}}`
	for _, tt := range []struct {
		event, path string
		want        int
	}{
		{gateway, "/health", 200}, {gateway, "/health/openapi.json", 200}, {gateway, "/health/live", 404}, {gateway, "/health/ready", 404}, {gateway, "/docs/events", 200}, {gateway, "/docs/events/asyncapi.json", 200}, {gateway, "/docs/events/", 404}, {gateway, "/nope", 404},
		{balancer, "/health", 200}, {balancer, "/health/openapi.json", 200}, {balancer, "/health/live", 200}, {balancer, "/health/ready", 503}, {balancer, "/nope", 404},
	} {
		out, err := function.Invoke(t.Context(), fmt.Appendf(nil, tt.event, tt.path))
		var answer struct{ StatusCode int }
		if err != nil || json.Unmarshal(out, &answer) != nil || answer.StatusCode != tt.want {
			t.Errorf("GET %s by %.20s…: %v %s", tt.path, tt.event, err, out)
		}
	}
}
