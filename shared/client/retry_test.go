package client_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tradewind/shared/apperr"
	"tradewind/shared/apperr/apperrtest"
	"tradewind/shared/client"
	"tradewind/shared/discovery"
)

// TestWhatIsRepeated has a service that fails once.
func TestWhatIsRepeated(t *testing.T) {
	reset := errors.New("connection reset by peer")
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	tests := map[string]struct {
		method, key string
		body        string
		fault       any // a status or an error
		want        int // exchanges
		stopped     string
	}{
		"GET":                      {"GET", "", "", 503, 2, ""},
		"HEAD":                     {"HEAD", "", "", 502, 2, ""},
		"OPTIONS":                  {"OPTIONS", "", "", 504, 2, ""},
		"PUT":                      {"PUT", "", `{"onHand":3}`, 503, 2, ""},
		"DELETE":                   {"DELETE", "", "", 503, 2, ""},
		"POST with a key":          {"POST", "k", `{"a":1}`, 503, 2, ""},
		"PATCH with a key":         {"PATCH", "k", `{"a":1}`, reset, 2, ""},
		"GET, cut off":             {"GET", "", "", reset, 2, ""},
		"GET, throttled":           {"GET", "", "", 429, 2, ""},
		"POST":                     {"POST", "", `{"a":1}`, 503, 1, "not repeatable"},
		"POST, cut off":            {"POST", "", `{"a":1}`, reset, 1, "not repeatable"},
		"POST, throttled":          {"POST", "", `{"a":1}`, 429, 1, "not repeatable"},
		"POST, never sent":         {"POST", "", `{"a":1}`, refused, 2, ""},
		"PATCH":                    {"PATCH", "", `{"a":1}`, 503, 1, "not repeatable"},
		"a method of somebody's":   {"CHARGE", "", "", 503, 1, "not repeatable"},
		"GET, a defect":            {"GET", "", "", 500, 1, ""},
		"GET, not implemented":     {"GET", "", "", 501, 1, ""},
		"GET, refused":             {"GET", "", "", 404, 1, ""},
		"POST with a key, refused": {"POST", "k", "{}", 409, 1, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				first := true
				service := &catalog{answer: func(*http.Request) (*http.Response, error) {
					if first {
						first = false
						if err, ok := test.fault.(error); ok {
							return nil, err
						}
						return response(test.fault.(int), ""), nil
					}
					return response(http.StatusOK, ""), nil
				}}
				c, o := newClient(service, client.Config{})
				r := request(t.Context(), t, test.method, product, test.body)
				if test.key != "" {
					r.Header.Set("Idempotency-Key", test.key)
				}
				res, err := c.Do(r)
				if err == nil {
					res.Body.Close()
				}
				if got := service.exchanges(); got != test.want || o.last().Tries != test.want || o.last().Stopped != test.stopped {
					t.Errorf("%d exchanges, want %d; record %+v", got, test.want, o.last())
				}
				for i, sent := range service.bodies {
					if sent != test.body {
						t.Errorf("try %d sent %q, want %q", i+1, sent, test.body)
					}
				}
				if test.want == 2 && (err != nil || res.StatusCode != http.StatusOK) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

// TestNeverSent: with one of two instances gone, no call fails, however many begin at
// once and however little was saved, because what was never sent is repeated for
// nothing. A service that is gone altogether is still asked three times a call at most.
func TestNeverSent(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	synctest.Test(t, func(t *testing.T) {
		service := &catalog{answer: func(r *http.Request) (*http.Response, error) {
			time.Sleep(time.Millisecond)
			if r.URL.Host == "one" {
				return nil, refused
			}
			return response(http.StatusOK, ""), nil
		}}
		c, _ := newClient(service, client.Config{Resolver: discovery.NewPool(discovery.PoolConfig{Source: twoPlaces{}})})
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if status, err := get(t.Context(), t, c); status != http.StatusOK {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
	synctest.Test(t, func(t *testing.T) {
		service := &catalog{answer: func(*http.Request) (*http.Response, error) { return nil, refused }}
		c, o := newClient(service, client.Config{})
		if _, err := get(t.Context(), t, c); err == nil || service.exchanges() != 3 || o.last().Stopped != "tries" {
			t.Errorf("%d exchanges, %v, %+v", service.exchanges(), err, o.last())
		}
	})
}

// TestBodyThatIsThereOnce cannot be sent again, whatever the method.
func TestBodyThatIsThereOnce(t *testing.T) {
	service := answers(http.StatusServiceUnavailable)
	c, o := newClient(service, client.Config{})
	r, err := http.NewRequestWithContext(t.Context(), "PUT", product, io.MultiReader(strings.NewReader("{}")))
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if service.exchanges() != 1 || o.last().Stopped != "not repeatable" {
		t.Errorf("%d exchanges, stopped %q", service.exchanges(), o.last().Stopped)
	}
}

// TestLastAnswer: who failed to the end is heard.
func TestLastAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := answers(http.StatusServiceUnavailable)
		c, o := newClient(service, client.Config{})
		earn(t, c, service, 40)
		status, err := get(t.Context(), t, c)
		if status != http.StatusServiceUnavailable || err != nil {
			t.Errorf("got %d, %v", status, err)
		}
		if got := o.last(); got.Tries != 3 || got.Stopped != "tries" || got.Outcome != client.Failed || got.Status != 503 || got.Waited == 0 {
			t.Errorf("record %+v", got)
		}
	})
}

// earn makes calls that go well, so that there is something to spend on repeats.
func earn(t *testing.T, c *client.Client, service *catalog, calls int) {
	t.Helper()
	fails := service.answer
	service.answer = func(*http.Request) (*http.Response, error) { return response(http.StatusOK, ""), nil }
	for range calls {
		if _, err := get(t.Context(), t, c); err != nil {
			t.Fatal(err)
		}
	}
	service.answer = fails
	service.mu.Lock()
	service.bodies, service.times = nil, nil
	service.mu.Unlock()
}

// TestBackoff: the time before a repeat is anything up to a bound that doubles.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var longest [2]time.Duration
		service := answers(http.StatusServiceUnavailable)
		for range 200 {
			c, _ := newClient(service, client.Config{})
			earn(t, c, service, 40)
			if _, err := get(t.Context(), t, c); err != nil {
				t.Fatal(err)
			}
			for i := range longest {
				longest[i] = max(longest[i], service.times[i+1].Sub(service.times[i]))
			}
		}
		for i, bound := range []time.Duration{50 * time.Millisecond, 100 * time.Millisecond} {
			if longest[i] > bound || longest[i] < bound*8/10 {
				t.Errorf("longest wait %d of 200 was %v, want nearly %v", i+1, longest[i], bound)
			}
		}
	})
}

func TestRetryAfter(t *testing.T) {
	tests := map[string]struct {
		value       func() string
		status      int
		tries       int
		least, most time.Duration
		stopped     string
	}{
		"seconds":       {func() string { return "1" }, 503, 2, time.Second, 1050 * time.Millisecond, ""},
		"a throttle's":  {func() string { return "1" }, 429, 2, time.Second, 1050 * time.Millisecond, ""},
		"a date":        {func() string { return time.Now().Add(2 * time.Second).UTC().Format(http.TimeFormat) }, 503, 2, 2 * time.Second, 2050 * time.Millisecond, ""},
		"a past date":   {func() string { return time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat) }, 503, 2, 0, 50 * time.Millisecond, ""},
		"too late":      {func() string { return "60" }, 503, 1, 0, 0, "deadline"},
		"for ever":      {func() string { return "99999999999999999" }, 503, 1, 0, 0, "deadline"},
		"nonsense":      {func() string { return "soon" }, 503, 2, 0, 50 * time.Millisecond, ""},
		"before it was": {func() string { return "-5" }, 503, 2, 0, 50 * time.Millisecond, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				first := true
				service := &catalog{answer: func(*http.Request) (*http.Response, error) {
					if first {
						first = false
						return response(test.status, "", "Retry-After", test.value()), nil
					}
					return response(http.StatusOK, ""), nil
				}}
				c, o := newClient(service, client.Config{Timeout: 10 * time.Second})
				start := time.Now()
				if _, err := get(t.Context(), t, c); err != nil {
					t.Fatal(err)
				}
				took := time.Since(start)
				if got := o.last(); got.Tries != test.tries || took < test.least || took > test.most || got.Stopped != test.stopped {
					t.Errorf("took %v, record %+v", took, got)
				}
			})
		})
	}
}

// TestStorm: a service that fails for everybody gets hardly more calls than there
// are requests, with or without its breaker.
func TestStorm(t *testing.T) {
	tests := map[string]func(n int) int{
		"all fail":         func(int) int { return 503 },
		"every third":      func(n int) int { return 200 + 303*b2i(n%3 == 0) },
		"every fifth":      func(n int) int { return 200 + 303*b2i(n%5 == 0) },
		"good, then a row": func(n int) int { return 200 + 303*b2i(n > 500) },
	}
	for name, status := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := 0
				service := &catalog{answer: func(*http.Request) (*http.Response, error) {
					n++
					return response(status(n), ""), nil
				}}
				c, o := newClient(service, client.Config{})
				const requests = 1000
				for i := 1; i <= requests; i++ {
					_, _ = get(t.Context(), t, c)
					if i >= 10 && service.exchanges()*10 > i*12 {
						t.Fatalf("%d exchanges for %d requests", service.exchanges(), i)
					}
				}
				tries := 0
				for _, call := range o.calls {
					tries += call.Tries
				}
				if tries != service.exchanges() {
					t.Errorf("the records have %d tries, the service %d", tries, service.exchanges())
				}
				t.Logf("%d exchanges for %d requests", service.exchanges(), requests)
			})
		})
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// TestSlow has a dependency that takes five seconds: the caller is told after three.
func TestSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, o := newClient(hangs(5*time.Second), client.Config{})
		start := time.Now()
		_, err := get(t.Context(), t, c)
		e, ok := errors.AsType[*apperr.Error](err)
		if !ok || e.Kind != apperr.Unavailable || e.Code != "catalog_timeout" || e.RetryAfter <= 0 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took < 2*time.Second || took > 3*time.Second {
			t.Errorf("took %v", took)
		}
		if o.last().Outcome != client.TimedOut || o.last().Tries != 2 {
			t.Errorf("record %+v", o.last())
		}
	})
}

// TestDeadlinesNest: a try ends before its call, a call before its caller.
func TestDeadlinesNest(t *testing.T) {
	tests := map[string]struct {
		caller, timeout, try time.Duration
		want                 time.Duration
	}{
		"the caller's": {time.Second, 0, 0, 900 * time.Millisecond},
		"the call's":   {time.Minute, 2 * time.Second, 5 * time.Second, 2 * time.Second},
		"the try's":    {time.Minute, 2 * time.Second, time.Second, time.Second},
		"nearly over":  {110 * time.Millisecond, 0, 0, 10 * time.Millisecond},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				var first time.Duration
				service := hangs(time.Hour)
				wait := service.answer
				service.answer = func(r *http.Request) (*http.Response, error) {
					if d, ok := r.Context().Deadline(); ok && first == 0 {
						first = d.Sub(start)
					}
					return wait(r)
				}
				c, _ := newClient(service, client.Config{Timeout: test.timeout, TryTimeout: test.try})
				ctx, cancel := context.WithTimeout(t.Context(), test.caller)
				defer cancel()
				if _, err := get(ctx, t, c); !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
					t.Errorf("got %v, the caller's context %v: nothing is left to answer with", err, ctx.Err())
				}
				if first != test.want {
					t.Errorf("the first try had %v, want %v", first, test.want)
				}
			})
		})
	}
}

func TestNoTimeLeft(t *testing.T) {
	service := answers(http.StatusOK)
	c, o := newClient(service, client.Config{})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := get(ctx, t, c); apperrtest.Code(err) != "catalog_timeout" || service.exchanges() > 0 || o.last().Tries != 0 {
		t.Errorf("got %v after %d exchanges", err, service.exchanges())
	}
}

func TestCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, o := newClient(hangs(time.Hour), client.Config{})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(300*time.Millisecond, cancel)
		start := time.Now()
		_, err := get(ctx, t, c)
		if _, classified := errors.AsType[*apperr.Error](err); classified || !errors.Is(err, context.Canceled) || time.Since(start) != 300*time.Millisecond {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
		if o.last().Outcome != client.Cancelled {
			t.Errorf("record %+v", o.last())
		}
	})
}

func TestCancelledBefore(t *testing.T) {
	service := answers(http.StatusOK)
	c, o := newClient(service, client.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := get(ctx, t, c); !errors.Is(err, context.Canceled) || service.exchanges() > 0 || o.last().Outcome != client.Cancelled {
		t.Errorf("got %v after %d exchanges", err, service.exchanges())
	}
}

// TestSavings: good times do not pay for a storm.
func TestSavings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := alternates(http.StatusServiceUnavailable, http.StatusOK, http.StatusOK)
		c, _ := newClient(service, client.Config{})
		earn(t, c, service, 5000)
		repeats := 0
		for range 100 {
			before := service.exchanges()
			_, _ = get(t.Context(), t, c)
			repeats += service.exchanges() - before - 1
		}
		if repeats < 10 || repeats > 21 {
			t.Errorf("%d repeats in 100 calls, want ten saved and one for every ten calls", repeats)
		}
	})
}

// TestWordsOfTheNetwork: the end of a try is a timeout, whatever the connection calls
// it.
func TestWordsOfTheNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := errors.New("use of closed connection")
		service := &catalog{answer: func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, closed
		}}
		c, _ := newClient(service, client.Config{})
		if _, err := get(t.Context(), t, c); apperrtest.Code(err) != "catalog_timeout" || !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, closed) {
			t.Errorf("got %v", err)
		}
	})
}

// TestBodyOfNoTry is closed like any other.
func TestBodyOfNoTry(t *testing.T) {
	c, _ := newClient(answers(http.StatusOK), client.Config{})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	body := &closes{Reader: strings.NewReader("{}")}
	r, err := http.NewRequestWithContext(ctx, "POST", product, body)
	if err != nil {
		t.Fatal(err)
	}
	if res, err := c.Do(r); err == nil {
		res.Body.Close()
		t.Error("called without time")
	}
	if !body.closed {
		t.Error("the request's body is open")
	}
}

// TestCancelledBetweenTries goes away while nothing is under way.
func TestCancelledBetweenTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := answers(http.StatusServiceUnavailable, "Retry-After", "2")
		c, _ := newClient(service, client.Config{})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err := get(ctx, t, c); !errors.Is(err, context.Canceled) || service.exchanges() != 1 {
			t.Errorf("got %v after %d exchanges", err, service.exchanges())
		}
	})
}

// TestNextTryGoesElsewhere: each try has an address of its own, and the instance that
// failed is told apart.
func TestNextTryGoesElsewhere(t *testing.T) {
	pool := discovery.NewPool(discovery.PoolConfig{Source: twoPlaces{}})
	down := ""
	service := &catalog{answer: func(r *http.Request) (*http.Response, error) {
		if down == "" {
			down = r.URL.Host
		}
		if r.URL.Host == down {
			return nil, errors.New("connection refused")
		}
		return response(http.StatusOK, ""), nil
	}}
	c, o := newClient(service, client.Config{Resolver: pool})
	for i := range 50 {
		if status, err := get(t.Context(), t, c); status != http.StatusOK {
			t.Fatalf("call %d: %v", i, err)
		}
	}
	// Once it was chosen and failed, it rests.
	if n := service.exchanges(); n != 51 || o.calls[0].Tries != 2 {
		t.Errorf("%d exchanges for 50 calls, want one more", n)
	}
}
