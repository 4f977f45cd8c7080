package client_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tradewind/shared/client"
	"tradewind/shared/discovery"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// catalog is a service in memory: a transport that answers.
type catalog struct {
	answer func(r *http.Request) (*http.Response, error)

	mu     sync.Mutex
	bodies []string
	times  []time.Time
}

func (s *catalog) RoundTrip(r *http.Request) (*http.Response, error) {
	var sent []byte
	if r.Body != nil {
		sent, _ = io.ReadAll(r.Body)
		_ = r.Body.Close()
	}
	s.mu.Lock()
	s.bodies = append(s.bodies, string(sent))
	s.times = append(s.times, time.Now())
	s.mu.Unlock()
	return s.answer(r)
}

// exchanges returns how often the service was reached.
func (s *catalog) exchanges() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.times)
}

// answers returns a service with the same answer to everything.
func answers(status int, header ...string) *catalog {
	return &catalog{answer: func(*http.Request) (*http.Response, error) { return response(status, "{}", header...), nil }}
}

// inTurn returns a service that answers with each status once, then with the last.
func inTurn(statuses ...int) *catalog {
	var mu sync.Mutex
	return &catalog{answer: func(*http.Request) (*http.Response, error) {
		mu.Lock()
		defer mu.Unlock()
		status := statuses[0]
		if len(statuses) > 1 {
			statuses = statuses[1:]
		}
		return response(status, "{}"), nil
	}}
}

// hangs returns a service that answers after a time, for who waits.
func hangs(d time.Duration) *catalog {
	return &catalog{answer: func(r *http.Request) (*http.Response, error) {
		select {
		case <-time.After(d):
			return response(http.StatusOK, "{}"), nil
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}}
}

func response(status int, body string, header ...string) *http.Response {
	res := &http.Response{
		StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
	for i := 0; i < len(header); i += 2 {
		res.Header.Set(header[i], header[i+1])
	}
	return res
}

// place is where the tests' services are.
var place = discovery.LoadBalancer(&url.URL{Scheme: "http", Host: "lb"}, "dev.internal")

// records notes what a client's observer hears.
type records struct {
	mu       sync.Mutex
	calls    []client.Call
	breakers []string
}

func (o *records) last() client.Call {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.calls[len(o.calls)-1]
}

// ended returns how many calls have.
func (o *records) ended() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.calls)
}

func (o *records) observer() client.Observer {
	return client.Observer{
		Call: func(_ context.Context, c client.Call) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.calls = append(o.calls, c)
		},
		Breaker: func(service, from, to string) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.breakers = append(o.breakers, service+" "+from+" "+to)
		},
	}
}

// newClient returns a client of a service in memory, with cfg for the rest.
func newClient(service http.RoundTripper, cfg client.Config) (*client.Client, *records) {
	o := &records{}
	cfg.Transport, cfg.Observer = service, o.observer()
	if cfg.Resolver == nil {
		cfg.Resolver = place
	}
	return client.New(cfg), o
}

const product = "http://catalog-service/api/products/prd_1"

func request(ctx context.Context, t testing.TB, method, address, body string) *http.Request {
	t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(ctx, method, address, reader)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// get makes a call and returns its status, 0 for an error.
func get(ctx context.Context, t testing.TB, c *client.Client) (int, error) {
	t.Helper()
	res, err := c.Do(request(ctx, t, "GET", product, ""))
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Errorf("read the body: %v", err)
	}
	return res.StatusCode, nil
}
