package client_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tradewind/shared/apperr"
	"tradewind/shared/client"
	"tradewind/shared/discovery"
)

// twoPlaces is a source with two instances.
type twoPlaces struct{}

func (twoPlaces) Lookup(context.Context, string, int64) (discovery.Listing, error) {
	return discovery.Listing{Instances: []discovery.Instance{
		{Base: &url.URL{Scheme: "http", Host: "one"}, Host: "h"}, {Base: &url.URL{Scheme: "http", Host: "two"}, Host: "h"},
	}}, nil
}

// open makes calls until the circuit is, and returns how many it took.
func open(t *testing.T, c *client.Client) int {
	t.Helper()
	for n := 1; n <= 100; n++ {
		_, _ = get(t.Context(), t, c)
		if c.States()[0].Breaker == "open" {
			return n
		}
	}
	t.Fatal("the circuit does not open")
	return 0
}

func TestBreakerOpens(t *testing.T) {
	tests := map[string]struct {
		before int // calls that go well
		fails  func() *catalog
	}{
		"at once":           {0, func() *catalog { return answers(http.StatusServiceUnavailable) }},
		"after a good time": {5000, func() *catalog { return answers(http.StatusInternalServerError) }},
		"it hangs":          {100, func() *catalog { return hangs(time.Hour) }},
		"it is gone":        {100, func() *catalog { return refuses() }},
		"it never ends":     {100, func() *catalog { return never() }},
		"it limps":          {0, func() *catalog { return alternates(http.StatusServiceUnavailable, http.StatusOK) }},
		"it says too much":  {0, func() *catalog { return tooMuch() }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				service := test.fails()
				c, o := newClient(service, client.Config{})
				earn(t, c, service, test.before)
				if n := open(t, c); n > 20 {
					t.Errorf("the circuit opened after %d calls", n)
				}
				exchanges, start := service.exchanges(), time.Now()
				_, err := get(t.Context(), t, c)
				if took := time.Since(start); took > 0 {
					t.Errorf("a call with an open circuit took %v", took)
				}
				e, ok := errors.AsType[*apperr.Error](err)
				if !ok || e.Kind != apperr.Unavailable || e.Code != "catalog_unavailable" || !errors.Is(err, client.ErrOpen) {
					t.Errorf("got %v", err)
				}
				if ok && (e.RetryAfter < time.Second || e.RetryAfter > 12*time.Second) {
					t.Errorf("retry after %v", e.RetryAfter)
				}
				for c.States()[0].Breaker == "open" { // what is nearly over is not over
					_, err := get(t.Context(), t, c)
					if e, ok := errors.AsType[*apperr.Error](err); ok && errors.Is(err, client.ErrOpen) && e.RetryAfter < time.Second {
						t.Errorf("retry after %v", e.RetryAfter)
					}
					time.Sleep(100 * time.Millisecond)
				}
				if service.exchanges() != exchanges {
					t.Errorf("%d exchanges with an open circuit", service.exchanges()-exchanges)
				}
				if got := o.last(); got.Outcome != client.Rejected || got.Tries != 0 {
					t.Errorf("record %+v", got)
				}
			})
		})
	}
}

func refuses() *catalog {
	return &catalog{answer: func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") }}
}

func alternates(statuses ...int) *catalog {
	n := 0
	return &catalog{answer: func(*http.Request) (*http.Response, error) {
		n++
		return response(statuses[n%len(statuses)], ""), nil
	}}
}

// TestBreakerStaysClosed: a service that says no works.
func TestBreakerStaysClosed(t *testing.T) {
	for _, status := range []int{200, 302, 400, 401, 403, 404, 409, 412, 422, 429, 501} {
		synctest.Test(t, func(t *testing.T) {
			c, _ := newClient(answers(status), client.Config{})
			for range 100 {
				_, _ = get(t.Context(), t, c)
			}
			if got := c.States()[0]; got.Breaker != "closed" || !got.Since.IsZero() {
				t.Errorf("%d: %+v", status, got)
			}
		})
	}
}

// TestCallerIsNoFailure: callers who go away, or come without time, say nothing of
// the service.
func TestCallerIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := newClient(hangs(time.Second), client.Config{})
		for range 50 {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Millisecond, cancel)
			_, _ = get(ctx, t, c)
			ctx, cancel = context.WithTimeout(t.Context(), 120*time.Millisecond)
			_, _ = get(ctx, t, c)
			cancel()
		}
		if got := c.States()[0].Breaker; got != "closed" {
			t.Errorf("breaker %s", got)
		}
	})
}

// TestBreakerProbes: after a while one call is let through, however many there are,
// and decides.
func TestBreakerProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := answers(http.StatusServiceUnavailable)
		c, o := newClient(service, client.Config{})
		open(t, c)
		for range 5 { // in trouble for a minute
			time.Sleep(12 * time.Second)
			if got := c.States()[0].Breaker; got != "half-open" {
				t.Fatalf("breaker %s", got)
			}
			before := service.exchanges()
			fails := service.answer
			service.answer = func(r *http.Request) (*http.Response, error) {
				time.Sleep(100 * time.Millisecond)
				return fails(r)
			}
			var wg sync.WaitGroup
			for range 50 {
				wg.Go(func() { _, _ = get(t.Context(), t, c) })
			}
			wg.Wait()
			service.answer = fails
			if n := service.exchanges() - before; n != 1 {
				t.Errorf("%d probes, want 1", n)
			}
		}

		service.answer = answers(http.StatusOK).answer
		recovered := time.Now()
		for {
			if _, err := get(t.Context(), t, c); err == nil {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		if took := time.Since(recovered); took > 30*time.Second || c.States()[0].Breaker != "closed" {
			t.Errorf("closed %v after the recovery: %+v", took, c.States())
		}
		if since := c.States()[0].Since; since.Before(recovered) {
			t.Errorf("closed since %v", since)
		}
		want := []string{"catalog-service closed open", "catalog-service open half-open", "catalog-service half-open open"}
		if !slices.Equal(o.breakers[:3], want) || o.breakers[len(o.breakers)-1] != "catalog-service half-open closed" {
			t.Errorf("the observer heard %q", o.breakers)
		}
	})
}

// TestLateResults: what was under way when the circuit opened is no probe.
func TestLateResults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := answers(http.StatusServiceUnavailable)
		c, _ := newClient(service, client.Config{Timeout: time.Minute, TryTimeout: time.Minute, OpenFor: 10 * time.Second})
		fails := service.answer
		service.answer = func(*http.Request) (*http.Response, error) {
			time.Sleep(15 * time.Second)
			return response(http.StatusOK, ""), nil
		}
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() { _, _ = get(t.Context(), t, c) })
		}
		synctest.Wait()
		service.answer = fails
		open(t, c)
		time.Sleep(13 * time.Second)
		if got := c.States()[0].Breaker; got != "half-open" {
			t.Fatalf("breaker %s", got)
		}
		wg.Wait()
		if got := c.States()[0].Breaker; got != "half-open" {
			t.Errorf("the breaker is %s by calls from before", got)
		}
	})
}

// TestProbeIsCancelled: a probe that came to nothing is made again by the next call.
func TestProbeIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := answers(http.StatusServiceUnavailable)
		c, _ := newClient(service, client.Config{})
		open(t, c)
		time.Sleep(13 * time.Second)
		service.answer = hangs(time.Hour).answer
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		_, _ = get(ctx, t, c)
		service.answer = answers(http.StatusOK).answer
		if status, err := get(t.Context(), t, c); status != http.StatusOK || c.States()[0].Breaker != "closed" {
			t.Errorf("got %v, breaker %+v", err, c.States())
		}
	})
}

// TestBreakersAreApart: one service's trouble is not another's.
func TestBreakersAreApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := newClient(answers(http.StatusServiceUnavailable), client.Config{})
		open(t, c)
		res, err := c.Do(request(t.Context(), t, "GET", "http://user-service/", ""))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if got := c.States(); len(got) != 2 || got[0].Breaker != "open" || got[1].Service != "user-service" || got[1].Breaker != "closed" {
			t.Errorf("states %+v", got)
		}
	})
}

func TestBulkhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := hangs(time.Second)
		c, o := newClient(service, client.Config{Parallel: 2})
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				if _, err := get(t.Context(), t, c); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		start := time.Now()
		_, err := get(t.Context(), t, c)
		if e, ok := errors.AsType[*apperr.Error](err); !ok || e.Code != "catalog_unavailable" || !errors.Is(err, client.ErrBusy) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took != 100*time.Millisecond || service.exchanges() != 2 || o.last().Outcome != client.Crowded {
			t.Errorf("took %v, record %+v", took, o.last())
		}
		// Others are not held up.
		res, err := c.Do(request(t.Context(), t, "GET", "http://user-service/", ""))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		wg.Wait()
		// Who comes when it is nearly over waits a moment.
		wg.Go(func() { _, _ = get(t.Context(), t, c) })
		wg.Go(func() { _, _ = get(t.Context(), t, c) })
		time.Sleep(950 * time.Millisecond)
		if _, err := get(t.Context(), t, c); err != nil {
			t.Errorf("got %v", err)
		}
		wg.Wait()
	})
}

// TestConcurrency throws everything at one client.
func TestConcurrency(t *testing.T) {
	var n int
	var mu sync.Mutex
	service := &catalog{answer: func(r *http.Request) (*http.Response, error) {
		mu.Lock()
		n++
		turn := n % 7
		mu.Unlock()
		switch turn {
		case 0:
			return response(http.StatusServiceUnavailable, ""), nil
		case 1:
			return nil, errors.New("connection reset by peer")
		case 2:
			select {
			case <-time.After(3 * time.Millisecond):
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
		}
		return response(http.StatusOK, "{}"), nil
	}}
	c, _ := newClient(service, client.Config{
		Resolver: discovery.NewPool(discovery.PoolConfig{Source: twoPlaces{}}), Parallel: 4,
	})
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for j := range 50 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(100+j)*time.Millisecond)
				if (i+j)%9 == 0 {
					cancel()
				}
				_, _ = get(ctx, t, c)
				_ = c.States()
				cancel()
			}
		})
	}
	wg.Wait()
}
