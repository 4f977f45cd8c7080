package readiness_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tradewind/functions/status"
	"tradewind/functions/status/internal/readiness"
	"tradewind/shared/discovery"
	"tradewind/shared/health"
	"tradewind/shared/httpkit"
	"tradewind/shared/logs"
	"tradewind/shared/trace"
)

// resolver finds one address, or fails.
type resolver struct {
	base *url.URL
	err  error
}

func (r resolver) Resolve(_ context.Context, service string) (discovery.Address, error) {
	return discovery.Address{Base: r.base, Host: service + ".test.internal"}, r.err
}

const patience = 200 * time.Millisecond

// ask asks a service that answers with a handler.
func ask(t *testing.T, h http.HandlerFunc) ([]status.Check, *readiness.Fault) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	base, err := url.Parse(server.URL + "/_alb/tradewind")
	if err != nil {
		t.Fatal(err)
	}
	return readiness.New(resolver{base: base}, patience).Ask(t.Context(), "order-service")
}

func text(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

// What is wrong is said in words that tell nothing of the inside.
func TestAsk(t *testing.T) {
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		want   string // the cause; empty where the service is ready
	}{
		"ready":                    {text(200, `{"status":"pass","checks":{"table":{"status":"pass"}}}`), ""},
		"with a concern":           {text(200, `{"status":"warn"}`), ""},
		"no checks":                {text(200, `{"status":"pass"}`), ""},
		"a check fails":            {text(503, `{"status":"fail","checks":{"table":{"status":"pass"},"events":{"status":"fail"}}}`), "events: fail"},
		"two checks fail":          {text(503, `{"status":"fail","checks":{"table":{"status":"fail"},"events":{"status":"fail"}}}`), "events: fail, table: fail"},
		"a check fails, with 200":  {text(200, `{"status":"pass","checks":{"table":{"status":"fail"}}}`), "table: fail"},
		"it says so with 200":      {text(200, `{"status":"fail"}`), "says that it fails"},
		"many checks":              {text(503, `{"checks":{"a":{"status":"fail"},"b":{"status":"fail"},"c":{"status":"fail"},"d":{"status":"fail"},"e":{"status":"fail"},"f":{"status":"fail"}}}`), "a: fail, b: fail, c: fail, d: fail, e: fail"},
		"a check that is no word":  {text(503, `{"checks":{"arn:aws:dynamodb:eu-west-1":{"status":"fail"},"":{"status":"fail"}}}`), "answered 503"},
		"the balancer's own":       {text(502, `<html><center><h1>502 Bad Gateway</h1></center></html>`), "answered 502"},
		"an unknown path":          {text(404, `{"status":404,"title":"Not Found","code":"not_found"}`), "answered 404"},
		"moved":                    {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, "answered 302"},
		"no report":                {text(200, "OK"), "answered without a report"},
		"another JSON":             {text(200, `{"message":"hello"}`), "answered without a report"},
		"nothing":                  {text(200, ""), "answered without a report"},
		"too late":                 {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "no answer within 0.2 s"},
		"the rest comes too late":  {func(w http.ResponseWriter, r *http.Request) { promise(w); <-r.Context().Done() }, "no answer within 0.2 s"},
		"it breaks off":            {func(w http.ResponseWriter, _ *http.Request) { promise(w); panic(http.ErrAbortHandler) }, "its answer broke off"},
		"it hangs up":              {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "could not be reached"},
		"an answer without an end": {endless, "answered without a report"},
	} {
		t.Run(name, func(t *testing.T) {
			_, fault := ask(t, tt.answer)
			switch {
			case fault == nil && tt.want != "":
				t.Errorf("ready, want %s", tt.want)
			case fault != nil && fault.Cause != tt.want:
				t.Errorf("%q (%v), want %q", fault.Cause, fault, tt.want)
			}
		})
	}
}

// What a service says of its checks is passed on, and nothing else that an answer holds.
func TestChecks(t *testing.T) {
	backlog := func(waiting int, oldest time.Duration) *status.Backlog {
		return &status.Backlog{Waiting: waiting, Oldest: oldest}
	}
	for name, tt := range map[string]struct {
		checks string
		want   []status.Check
	}{
		"none": {`{}`, nil},
		"by name": {
			`{"table":{"status":"pass"},"events":{"status":"fail"},"orders":{"status":"warn"}}`,
			[]status.Check{{Name: "events", Status: status.Fail}, {Name: "orders", Status: status.Warn}, {Name: "table", Status: status.Pass}},
		},
		"a backlog": {
			`{"orders":{"status":"warn","waiting":212,"observedValue":41,"observedUnit":"s"}}`,
			[]status.Check{{Name: "orders", Status: status.Warn, Backlog: backlog(212, 41*time.Second)}},
		},
		"nothing waits": {
			`{"orders":{"status":"pass","waiting":0,"observedValue":0,"observedUnit":"s"}}`,
			[]status.Check{{Name: "orders", Status: status.Pass, Backlog: backlog(0, 0)}},
		},
		"in another unit":        {`{"a":{"status":"pass","waiting":1,"observedValue":1,"observedUnit":"ms"}}`, []status.Check{{Name: "a", Status: status.Pass}}},
		"without a number":       {`{"a":{"status":"pass","waiting":"many","observedValue":{},"observedUnit":1}}`, []status.Check{{Name: "a", Status: status.Pass}}},
		"with impossible ones":   {`{"a":{"status":"pass","waiting":-1,"observedValue":1e300,"observedUnit":"s"}}`, []status.Check{{Name: "a", Status: status.Pass}}},
		"a name that is no word": {`{"arn:aws:dynamodb":{"status":"pass"}}`, nil},
		"another status":         {`{"a":{"status":"up"}}`, []status.Check{{Name: "a", Status: status.Pass}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, _ := ask(t, text(200, `{"status":"pass","checks":`+tt.checks+`}`))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	many := `{"status":"pass","checks":{"c0":{"status":"pass"}`
	for i := range 50 {
		many += fmt.Sprintf(`,"c%d":{"status":"pass"}`, i+1)
	}
	if got, _ := ask(t, text(200, many+"}}")); len(got) != 10 {
		t.Errorf("%d of 51 checks are kept", len(got))
	}
}

func endless(w http.ResponseWriter, _ *http.Request) {
	for err := error(nil); err == nil; {
		_, err = fmt.Fprint(w, strings.Repeat("x", 1000))
	}
}

// promise begins an answer and promises more.
func promise(w http.ResponseWriter) {
	w.Header().Set("Content-Length", "100")
	fmt.Fprint(w, `{"status":`)
	w.(http.Flusher).Flush()
}

var inside = regexp.MustCompile(`(?i)127\.0\.0\.1|dial|tcp|refused|http:|lookup`)

func TestNoAddress(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	nobody := &url.URL{Scheme: "http", Host: closed.Addr().String()}
	for name, tt := range map[string]struct {
		resolver resolver
		want     string
	}{
		"nobody is registered":      {resolver{err: fmt.Errorf("find order-service: %w", discovery.ErrNoInstance)}, "not registered"},
		"the registry fails":        {resolver{err: errors.New("registry: dial tcp 10.0.0.1: refused")}, "its address was not found"},
		"nobody listens":            {resolver{base: nobody}, "could not be reached"},
		"the address is no address": {resolver{base: &url.URL{Scheme: "http", Host: "a b"}}, "its address was not found"},
	} {
		t.Run(name, func(t *testing.T) {
			_, fault := readiness.New(tt.resolver, patience).Ask(t.Context(), "order-service")
			if fault == nil || fault.Cause != tt.want || inside.MatchString(fault.Cause) {
				t.Fatalf("got %+v", fault)
			}
			if fault.Err == nil || !strings.Contains(fault.Error(), fault.Err.Error()) || !errors.Is(fault, fault.Err) {
				t.Errorf("the log is not told why: %v", fault)
			}
		})
	}
}

// A real service's own answer is understood, by the name that the balancer knows.
func TestAskAService(t *testing.T) {
	var broken error
	rt := health.Handle(httpkit.NewRouter(logs.Discard()), health.Check{Name: "table", Ask: func(context.Context) error { return broken }})
	var seen *http.Request
	serve := func(w http.ResponseWriter, r *http.Request) {
		seen = r
		http.StripPrefix("/_alb/tradewind", rt).ServeHTTP(w, r)
	}
	checks, fault := ask(t, serve)
	if diff := cmp.Diff([]status.Check{{Name: "table", Status: status.Pass}}, checks); diff != "" || fault != nil {
		t.Fatal(fault, diff)
	}
	if seen.Host != "order-service.test.internal" || seen.Header.Get("Authorization") != "" {
		t.Errorf("asked as %s with %v", seen.Host, seen.Header)
	}
	broken = errors.New("no answer")
	rt = health.Handle(httpkit.NewRouter(logs.Discard()), health.Check{Name: "table", Ask: func(context.Context) error { return broken }})
	if _, fault := ask(t, serve); fault == nil || fault.Cause != "table: fail" {
		t.Errorf("got %v", fault)
	}
}

// A probe can be found in the service's log.
func TestTraced(t *testing.T) {
	var id string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { id = r.Header.Get("X-Correlation-Id") }))
	defer server.Close()
	base, _ := url.Parse(server.URL)
	run := trace.New("", "")
	_, fault := readiness.New(resolver{base: base}, patience).Ask(trace.With(t.Context(), run), "order-service")
	if id != run.CorrelationID {
		t.Errorf("the correlation id is %q: %v", id, fault)
	}
}
