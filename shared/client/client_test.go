package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"tradewind/shared/client"
	"tradewind/shared/env"
	"tradewind/shared/trace"
)

// balancer starts a load balancer that answers with handle, and returns a client
// for the services behind it.
func balancer(t *testing.T, path string, timeout time.Duration, handle http.HandlerFunc) *http.Client {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	address, err := url.Parse(server.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	c := client.New(client.Config{Balancer: address, Domain: "dev.internal", Timeout: timeout})
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func request(t *testing.T, method, address string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAddress(t *testing.T) {
	tests := map[string]struct{ base, address, want string }{
		"path":              {"", "http://catalog-service/api/products/prd_1", "catalog-service.dev.internal /api/products/prd_1"},
		"query":             {"", "http://catalog-service/api/products?limit=1&q=a%26b", "catalog-service.dev.internal /api/products?limit=1&q=a%26b"},
		"escaped":           {"", "http://catalog-service/api/products/a%2Fb%20c", "catalog-service.dev.internal /api/products/a%2Fb%20c"},
		"base path":         {"/_alb/lb", "http://user-service/api/users/usr_1", "user-service.dev.internal /_alb/lb/api/users/usr_1"},
		"port is not meant": {"", "http://user-service:8080/api/users", "user-service.dev.internal /api/users"},
		"root":              {"/", "http://user-service", "user-service.dev.internal /"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got string
			c := balancer(t, test.base, time.Second, func(_ http.ResponseWriter, r *http.Request) { got = r.Host + " " + r.RequestURI })
			r := request(t, "GET", test.address, nil)
			res, err := c.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if got != test.want {
				t.Errorf("called %s, want %s", got, test.want)
			}
			if r.URL.String() != test.address || r.Host != r.URL.Host {
				t.Errorf("the caller's request was changed to %s %s", r.Host, r.URL)
			}
		})
	}
}

func TestTrace(t *testing.T) {
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	var got http.Header
	c := balancer(t, "", time.Second, func(_ http.ResponseWriter, r *http.Request) { got = r.Header })
	call := func(ctx context.Context) {
		t.Helper()
		r := request(t, "POST", "http://user-service/", strings.NewReader("{}")).WithContext(ctx)
		r.Header.Set("Idempotency-Key", "k")
		res, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if len(r.Header) != 1 {
			t.Errorf("the caller's headers were changed to %v", r.Header)
		}
	}
	call(trace.With(t.Context(), trace.Trace{CorrelationID: "c-1", Parent: parent}))
	for name, want := range map[string]string{trace.CorrelationHeader: "c-1", trace.ParentHeader: parent, "Idempotency-Key": "k"} {
		if got.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.Get(name), want)
		}
	}
	call(t.Context())
	for _, name := range []string{trace.CorrelationHeader, trace.ParentHeader} {
		if _, sent := got[name]; sent {
			t.Errorf("%s was sent although there is none", name)
		}
	}
}

func TestRedirectIsReturned(t *testing.T) {
	calls := 0
	c := balancer(t, "", time.Second, func(w http.ResponseWriter, r *http.Request) {
		calls++
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	})
	res, err := c.Do(request(t, "GET", "http://user-service/", nil))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusFound || calls != 1 {
		t.Errorf("got %d after %d calls, want 302 after one", res.StatusCode, calls)
	}
}

// TestTimeout has a service that does not answer, and one that does not finish.
func TestTimeout(t *testing.T) {
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	tests := map[string]struct {
		timeout, context time.Duration
		handle           http.HandlerFunc
	}{
		"no answer": {50 * time.Millisecond, time.Minute, func(http.ResponseWriter, *http.Request) { <-hang }},
		"half an answer": {50 * time.Millisecond, time.Minute, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			<-hang
		}},
		"context": {time.Minute, 50 * time.Millisecond, func(http.ResponseWriter, *http.Request) { <-hang }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(test.handle)
			t.Cleanup(server.CloseClientConnections)
			address, _ := url.Parse(server.URL)
			c := client.New(client.Config{Balancer: address, Domain: "dev.internal", Timeout: test.timeout})
			ctx, cancel := context.WithTimeout(t.Context(), test.context)
			defer cancel()
			start := time.Now()
			res, err := c.Do(request(t, "GET", "http://user-service/", nil).WithContext(ctx))
			if err == nil {
				_, err = io.ReadAll(res.Body)
				res.Body.Close()
			}
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
			}
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestFromEnv(t *testing.T) {
	vars := env.From(func(string) string { return "" })
	client.FromEnv(vars)
	for _, name := range []string{"ALB_URL", "STAGE"} {
		if err := vars.Err(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got error %v, want one that names %s", err, name)
		}
	}
	set := map[string]string{"ALB_URL": "http://balancer", "STAGE": "dev"}
	vars = env.From(func(name string) string { return set[name] })
	if c := client.FromEnv(vars); vars.Err() != nil || c.Timeout != 3*time.Second {
		t.Errorf("got timeout %v, error %v; want 3s, none", c.Timeout, vars.Err())
	}
}

// A call names the service; where it is, the client knows.
func ExampleNew() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s for %s", r.Host, r.URL, r.Header.Get("X-Correlation-Id"))
	}))
	defer server.Close()
	balancer, _ := url.Parse(server.URL)
	c := client.New(client.Config{Balancer: balancer, Domain: "dev.internal", Timeout: 3 * time.Second})

	ctx := trace.With(context.Background(), trace.Trace{CorrelationID: "c-1"})
	r, _ := http.NewRequestWithContext(ctx, "GET", "http://catalog-service/api/products/prd_1", nil)
	res, err := c.Do(r)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(res.Body, 1<<10))
	fmt.Println(string(body))

	// Output: catalog-service.dev.internal /api/products/prd_1 for c-1
}
