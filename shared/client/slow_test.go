package client_test

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tradewind/shared/client"
)

// TestSlowDependency has a service that takes five seconds for a minute, and callers who
// have four: as a server with many of them at once, and as functions do, each with one.
// What localstack/tools/slow shows of real functions holds here to the millisecond.
func TestSlowDependency(t *testing.T) {
	const deadline = 4 * time.Second
	tests := map[string]struct {
		callers int
		every   time.Duration // a caller calls, unless it still waits
	}{
		"many at once":      {100, 4 * time.Second},
		"one after another": {1, 200 * time.Millisecond},
		"one now and then":  {1, 3 * time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var slow atomic.Bool
				service := &catalog{answer: func(r *http.Request) (*http.Response, error) {
					wait := 20 * time.Millisecond
					if slow.Load() {
						wait = 5 * time.Second
					}
					select {
					case <-time.After(wait):
						return response(http.StatusOK, "{}"), nil
					case <-r.Context().Done():
						return nil, r.Context().Err()
					}
				}}
				c, o := newClient(service, client.Config{})
				var mu sync.Mutex
				var took []time.Duration
				answered := 0
				run := func(d time.Duration) {
					var wg sync.WaitGroup
					end := time.Now().Add(d)
					for i := range test.callers {
						wg.Go(func() {
							time.Sleep(test.every * time.Duration(i) / time.Duration(test.callers))
							for time.Now().Before(end) {
								start := time.Now()
								ctx, cancel := context.WithTimeout(t.Context(), deadline)
								status, _ := get(ctx, t, c)
								cancel()
								mu.Lock()
								took = append(took, time.Since(start))
								if status == http.StatusOK {
									answered++
								}
								// Whenever one looks, and whoever is still at it.
								if n := service.exchanges(); len(took) > 100 && n*10 > (len(took)+test.callers)*12 {
									t.Errorf("%d exchanges for %d requests", n, len(took))
								}
								mu.Unlock()
								time.Sleep(test.every - time.Since(start))
							}
						})
					}
					wg.Wait()
				}

				run(20 * time.Second)
				if answered != len(took) {
					t.Fatalf("%d of %d requests were answered by a service without a fault", answered, len(took))
				}
				slow.Store(true)
				before, openedAfter := o.ended(), make(chan int, 1)
				go func() {
					for c.States()[0].Breaker == "closed" {
						time.Sleep(time.Millisecond)
					}
					openedAfter <- o.ended() - before
				}()
				run(time.Minute)
				opened := <-openedAfter
				if opened > 20 {
					t.Errorf("the circuit opened after %d calls, want 20 at most", opened)
				}
				probes := 0
				for _, change := range o.breakers {
					if change == "catalog-service half-open open" {
						probes++
					}
				}
				if probes < 2 {
					t.Errorf("%d probes in a minute: %q", probes, o.breakers)
				}
				slices.Sort(took)
				if p99 := took[len(took)*99/100]; p99 >= deadline {
					t.Errorf("the 99th of a hundred callers was told after %v, with %v to go", p99, deadline)
				}

				slow.Store(false)
				run(30 * time.Second)
				if state := c.States()[0]; state.Breaker != "closed" {
					t.Errorf("30 s after the recovery: %+v", state)
				}
				t.Logf("opened after %d calls, %d probes, %d exchanges for %d requests", opened, probes, service.exchanges(), len(took))
			})
		})
	}
}
