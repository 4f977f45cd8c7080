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
	"tradewind/shared/discovery"
	"tradewind/shared/env"
	"tradewind/shared/identity"
	"tradewind/shared/trace"
)

func TestAddress(t *testing.T) {
	tests := map[string]struct{ base, address, want string }{
		"path":                {"http://lb", "http://catalog-service/api/products/prd_1", "catalog-service.dev.internal http://lb/api/products/prd_1"},
		"query":               {"http://lb", "http://catalog-service/api/products?limit=1&q=a%26b", "catalog-service.dev.internal http://lb/api/products?limit=1&q=a%26b"},
		"escaped":             {"http://lb", "http://catalog-service/api/products/a%2Fb%20c", "catalog-service.dev.internal http://lb/api/products/a%2Fb%20c"},
		"base path":           {"http://lb:4566/_alb/x", "http://user-service/api/users/usr_1", "user-service.dev.internal http://lb:4566/_alb/x/api/users/usr_1"},
		"base path, escaped":  {"http://lb/_alb/x", "http://user-service/api/users/a%2Fb", "user-service.dev.internal http://lb/_alb/x/api/users/a%2Fb"},
		"escaped base":        {"http://lb/a%2Fb", "http://user-service/api/users", "user-service.dev.internal http://lb/a%2Fb/api/users"},
		"base ends in slash":  {"http://lb/", "http://user-service/api/users", "user-service.dev.internal http://lb/api/users"},
		"root":                {"http://lb", "http://user-service", "user-service.dev.internal http://lb/"},
		"secure place":        {"https://lb", "http://user-service/", "user-service.dev.internal https://lb/"},
		"to the letter":       {"http://lb", "http://user-service/api//users/../x", "user-service.dev.internal http://lb/api//users/../x"},
		"fragments stay here": {"http://lb", "http://user-service/x#part", "user-service.dev.internal http://lb/x"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			base, err := url.Parse(test.base)
			if err != nil {
				t.Fatal(err)
			}
			var got string
			service := &catalog{answer: func(r *http.Request) (*http.Response, error) {
				got = r.Host + " " + r.URL.String()
				return response(http.StatusOK, ""), nil
			}}
			c, _ := newClient(service, client.Config{Resolver: discovery.LoadBalancer(base, "dev.internal")})
			r := request(t.Context(), t, "GET", test.address, "")
			res, err := c.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if got != test.want {
				t.Errorf("called %s, want %s", got, test.want)
			}
			if r.URL.String() != test.address || res.Request != r {
				t.Errorf("the caller's request was changed to %s", r.URL)
			}
		})
	}
}

// TestOnlyServices: whatever is no service of the platform is not called, so nothing
// of a call can get there.
func TestOnlyServices(t *testing.T) {
	service := answers(http.StatusOK)
	c, _ := newClient(service, client.Config{})
	ctx := client.WithToken(t.Context(), "Bearer secret")
	for _, address := range []string{
		"http://example.com/", "http://catalog-service.example.com/", "http://169.254.169.254/latest/meta-data",
		"http://localhost/", "http://catalog-service:8080/", "https://catalog-service/", "http://user:pw@catalog-service/",
		"http:///api", "http://-service/", "http://Catalog-service/",
	} {
		body := &closes{Reader: strings.NewReader("{}")}
		r := request(ctx, t, "POST", address, "")
		r.Body = body
		res, err := c.Do(r)
		if err == nil {
			res.Body.Close()
			t.Errorf("%s was called", address)
		}
		if !body.closed {
			t.Errorf("%s: the request's body was not closed", address)
		}
		if err != nil && strings.Contains(err.Error(), "pw") {
			t.Errorf("error %v", err)
		}
	}
	if n := service.exchanges(); n > 0 {
		t.Errorf("%d exchanges", n)
	}
}

type closes struct {
	io.Reader
	closed bool
}

func (b *closes) Close() error { b.closed = true; return nil }

func TestTrace(t *testing.T) {
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	var got http.Header
	service := &catalog{answer: func(r *http.Request) (*http.Response, error) {
		got = r.Header
		return response(http.StatusOK, ""), nil
	}}
	c, _ := newClient(service, client.Config{})
	call := func(ctx context.Context, header ...string) {
		t.Helper()
		r := request(ctx, t, "POST", "http://user-service/", "{}")
		r.Header.Set("Idempotency-Key", "k")
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		own := len(r.Header)
		res, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if len(r.Header) != own {
			t.Errorf("the caller's headers were changed to %v", r.Header)
		}
	}
	call(trace.With(t.Context(), trace.Trace{CorrelationID: "c-1", Parent: parent}))
	for name, want := range map[string]string{trace.CorrelationHeader: "c-1", trace.ParentHeader: parent, "Idempotency-Key": "k"} {
		if got.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.Get(name), want)
		}
	}
	call(trace.With(t.Context(), trace.Trace{CorrelationID: "c-1"}), trace.CorrelationHeader, "the call's own")
	if got.Get(trace.CorrelationHeader) != "the call's own" {
		t.Errorf("sent %v", got)
	}
	call(t.Context())
	for _, name := range []string{trace.CorrelationHeader, trace.ParentHeader, "Authorization"} {
		if _, sent := got[name]; sent {
			t.Errorf("%s was sent although there is none", name)
		}
	}
}

// TestToken makes calls while it handles requests: the token of a caller who has
// proved who they are goes along, and no other.
func TestToken(t *testing.T) {
	claims := map[string]string{"token_use": "access", "username": "usr_1"}
	tests := map[string]struct {
		claims map[string]string
		sent   []string
		own    string // set on the call by the code that makes it
		want   string
	}{
		"verified":       {claims, []string{"Bearer abc"}, "", "Bearer abc"},
		"not verified":   {nil, []string{"Bearer abc"}, "", ""},
		"an ID token":    {map[string]string{"token_use": "id", "username": "usr_1"}, []string{"Bearer abc"}, "", ""},
		"none":           {claims, nil, "", ""},
		"two":            {claims, []string{"Bearer abc", "Bearer def"}, "", ""},
		"the call's own": {claims, []string{"Bearer abc"}, "Bearer other", "Bearer other"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := "no call"
			service := &catalog{answer: func(r *http.Request) (*http.Response, error) {
				got = strings.Join(r.Header["Authorization"], ", ")
				return response(http.StatusOK, ""), nil
			}}
			c, _ := newClient(service, client.Config{})
			h := c.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				out := request(r.Context(), t, "GET", product, "")
				if test.own != "" {
					out.Header.Set("Authorization", test.own)
				}
				res, err := c.Do(out)
				if err != nil {
					t.Error(err)
					return
				}
				res.Body.Close()
			}))
			r := httptest.NewRequest("GET", "/", nil)
			r.Header["Authorization"] = test.sent
			h.ServeHTTP(httptest.NewRecorder(), r.WithContext(identity.WithClaims(r.Context(), test.claims)))
			if got != test.want {
				t.Errorf("sent %q, want %q", got, test.want)
			}
		})
	}
}

func TestHandlerFlushes(t *testing.T) {
	flushes := 0
	c := client.New(client.Config{Resolver: place, Observer: client.Observer{Flush: func() { flushes++ }}})
	h := c.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/panic" {
			panic("oops")
		}
	}))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	func() {
		defer func() { _ = recover() }()
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/panic", nil))
	}()
	if flushes != 2 {
		t.Errorf("%d flushes for two requests", flushes)
	}
	client.New(client.Config{Resolver: place}).Handler(h).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
}

func TestDiscoveryFails(t *testing.T) {
	down := errors.New("the registry is down")
	service := answers(http.StatusOK)
	c, o := newClient(service, client.Config{Resolver: resolver(func(context.Context, string) (discovery.Address, error) { return discovery.Address{}, down })})
	for range 30 {
		if _, err := get(t.Context(), t, c); !errors.Is(err, down) {
			t.Fatalf("got %v", err)
		}
	}
	if got := c.States(); len(got) != 1 || got[0].Breaker != "closed" {
		t.Errorf("states %v: the service itself did nothing wrong", got)
	}
	if o.last().Outcome != client.NoAnswer || service.exchanges() > 0 {
		t.Errorf("outcome %q", o.last().Outcome)
	}
}

type resolver func(context.Context, string) (discovery.Address, error)

func (f resolver) Resolve(ctx context.Context, service string) (discovery.Address, error) {
	return f(ctx, service)
}

func TestManyServices(t *testing.T) {
	c, _ := newClient(answers(http.StatusOK), client.Config{})
	for i := range 100 {
		res, err := c.Do(request(t.Context(), t, "GET", fmt.Sprintf("http://s%d-service/", i), ""))
		if err == nil {
			res.Body.Close()
		}
		if (err == nil) != (i < 64) {
			t.Fatalf("service %d: %v", i, err)
		}
	}
	if got := len(c.States()); got != 64 {
		t.Errorf("%d states", got)
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
	set := map[string]string{"ALB_URL": "http://127.0.0.1:1", "STAGE": "dev", "CALL_TIMEOUT": "1s", "LOG_LEVEL": "error"}
	vars = env.From(func(name string) string { return set[name] })
	c := client.FromEnv(vars)
	if vars.Err() != nil {
		t.Fatal(vars.Err())
	}
	start := time.Now()
	if _, err := get(t.Context(), t, c); err == nil || time.Since(start) > 10*time.Second {
		t.Errorf("a call to nowhere: %v after %v", err, time.Since(start))
	}
	c.CloseIdleConnections()
	set["CALL_TIMEOUT"] = "soon"
	client.FromEnv(vars)
	if vars.Err() == nil {
		t.Error("a timeout of soon is accepted")
	}
}

// A call names the service; where it is, the client knows.
func ExampleNew() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s for %s", r.Host, r.URL, r.Header.Get("X-Correlation-Id"))
	}))
	defer server.Close()
	balancer, _ := url.Parse(server.URL)
	c := client.New(client.Config{Resolver: discovery.LoadBalancer(balancer, "dev.internal")})
	defer c.CloseIdleConnections()

	ctx := trace.With(context.Background(), trace.Trace{CorrelationID: "c-1"})
	r, _ := http.NewRequestWithContext(ctx, "GET", "http://catalog-service/api/products/prd_1", nil)
	res, err := c.Do(r)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	fmt.Println(string(body))

	// Output: catalog-service.dev.internal /api/products/prd_1 for c-1
}
