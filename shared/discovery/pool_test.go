package discovery_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tradewind/shared/discovery"
)

const service = "catalog-service"

// registry is a Source whose answer a test sets.
type registry struct {
	mu     sync.Mutex
	answer func(ctx context.Context, revision int64) (discovery.Listing, error)
	asked  []int64
}

func (r *registry) Lookup(ctx context.Context, _ string, revision int64) (discovery.Listing, error) {
	r.mu.Lock()
	r.asked = append(r.asked, revision)
	answer := r.answer
	r.mu.Unlock()
	return answer(ctx, revision)
}

// revisions returns those that the lookups so far have named.
func (r *registry) revisions() []int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.asked)
}

func (r *registry) lookups() int { return len(r.revisions()) }

func (r *registry) set(answer func(ctx context.Context, revision int64) (discovery.Listing, error)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

func (r *registry) lists(revision int64, hosts ...string) {
	r.set(func(context.Context, int64) (discovery.Listing, error) { return listing(revision, hosts...), nil })
}

func (r *registry) fails(err error) {
	r.set(func(context.Context, int64) (discovery.Listing, error) { return discovery.Listing{}, err })
}

func listing(revision int64, hosts ...string) discovery.Listing {
	l := discovery.Listing{Revision: revision}
	for _, host := range hosts {
		l.Instances = append(l.Instances, discovery.Instance{Base: &url.URL{Scheme: "http", Host: host}, Host: service + ".dev.internal"})
	}
	return l
}

func newPool(hosts ...string) (*discovery.Pool, *registry) {
	r := &registry{}
	r.lists(1, hosts...)
	return discovery.NewPool(discovery.PoolConfig{Source: r, TTL: 10 * time.Second, MaxStale: time.Minute}), r
}

// resolve returns where a call would go, and ends that call.
func resolve(t *testing.T, p *discovery.Pool) string {
	t.Helper()
	a, err := p.Resolve(t.Context(), service)
	if err != nil {
		t.Fatal(err)
	}
	a.Done(true)
	return a.Base.Host
}

func TestListingIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, r := newPool("a")
		for range 100 {
			resolve(t, p)
		}
		if r.lookups() != 1 {
			t.Errorf("%d lookups for calls at the same time, want 1", r.lookups())
		}
		// Ahead of its end it is looked up again, beside the calls.
		for range 10 * 60 {
			before := time.Now()
			resolve(t, p)
			if took := time.Since(before); took > 0 {
				t.Fatalf("a call waited for %v", took)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if r.lookups() < 6 || r.lookups() > 10 {
			t.Errorf("%d lookups in a minute with a TTL of 10 s", r.lookups())
		}
	})
}

// TestListingEnds is what a frozen execution environment wakes up to: what it knew
// may be an hour old, and must not be used without asking.
func TestListingEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, r := newPool("old")
		resolve(t, p)
		time.Sleep(time.Hour)
		r.lists(2, "new")
		if got := resolve(t, p); got != "new" {
			t.Errorf("called %s an hour later, want new", got)
		}
	})
}

func TestTTLOfTheSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, r := newPool("old")
		l := listing(1, "old")
		l.TTL = time.Minute
		r.set(func(context.Context, int64) (discovery.Listing, error) { return l, nil })
		resolve(t, p)
		time.Sleep(40 * time.Second)
		resolve(t, p)
		if r.lookups() != 1 {
			t.Errorf("%d lookups within a TTL of a minute", r.lookups())
		}
	})
}

func TestOneLookupForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, r := newPool()
		r.set(func(context.Context, int64) (discovery.Listing, error) {
			time.Sleep(200 * time.Millisecond)
			return listing(1, "a"), nil
		})
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { resolve(t, p) })
		}
		wg.Wait()
		if r.lookups() != 1 {
			t.Errorf("%d lookups for 100 callers, want 1", r.lookups())
		}
	})
}

// TestCallerLeaves: the lookup is for all, so it does not end with the one who began.
func TestCallerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, r := newPool()
		r.set(func(ctx context.Context, _ int64) (discovery.Listing, error) {
			select {
			case <-time.After(200 * time.Millisecond):
				return listing(1, "a"), nil
			case <-ctx.Done():
				return discovery.Listing{}, ctx.Err()
			}
		})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := p.Resolve(ctx, service); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
		}
		if got := resolve(t, p); got != "a" || r.lookups() != 1 {
			t.Errorf("called %s after %d lookups, want a after 1", got, r.lookups())
		}
	})
}

func TestStale(t *testing.T) {
	down := errors.New("the registry is down")
	tests := map[string]struct {
		answer func(ctx context.Context, revision int64) (discovery.Listing, error)
		want   error
	}{
		"down":  {func(context.Context, int64) (discovery.Listing, error) { return discovery.Listing{}, down }, down},
		"empty": {func(context.Context, int64) (discovery.Listing, error) { return listing(2), nil }, discovery.ErrNoInstance},
		"slow": {func(ctx context.Context, _ int64) (discovery.Listing, error) {
			<-ctx.Done()
			return discovery.Listing{}, ctx.Err()
		}, context.DeadlineExceeded},
		"outdated": {func(context.Context, int64) (discovery.Listing, error) { return listing(4, "older"), nil }, nil},
		"unchanged": {func(context.Context, int64) (discovery.Listing, error) {
			return discovery.Listing{Unchanged: true}, nil
		}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, r := newPool()
				r.lists(5, "a")
				resolve(t, p)
				r.set(test.answer)
				for start := time.Now(); time.Since(start) < 67*time.Second; time.Sleep(500 * time.Millisecond) {
					if got := resolve(t, p); got != "a" {
						t.Fatalf("called %s after %v", got, time.Since(start))
					}
				}
				if test.want == nil {
					return
				}
				time.Sleep(5 * time.Second) // ten seconds of TTL and a minute beyond are over
				if _, err := p.Resolve(t.Context(), service); !errors.Is(err, test.want) || !strings.Contains(err.Error(), service) {
					t.Errorf("got %v, want %v", err, test.want)
				}
				r.lists(1, "b") // a registry that was made anew counts from one
				time.Sleep(time.Second)
				if got := resolve(t, p); got != "b" {
					t.Errorf("called %s after the registry came back", got)
				}
			})
		})
	}
}

// TestHangingRegistry: who knows where a service was waits for a registry that hangs
// once, and for a minute goes on without it.
func TestHangingRegistry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, r := newPool("a")
		resolve(t, p)
		time.Sleep(10 * time.Second)
		r.set(func(ctx context.Context, _ int64) (discovery.Listing, error) {
			<-ctx.Done()
			return discovery.Listing{}, ctx.Err()
		})
		for i := range 400 {
			before := time.Now()
			resolve(t, p)
			if took := time.Since(before); took > 0 && i > 0 || took > time.Second {
				t.Errorf("call %d waited for %v", i, took)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n := r.lookups(); n < 15 || n > 25 {
			t.Errorf("%d lookups in 40 s, each of one second with one between", n)
		}
		r.lists(2, "b")
		time.Sleep(3 * time.Second)
		resolve(t, p)
		time.Sleep(time.Second)
		if got := resolve(t, p); got != "b" {
			t.Errorf("called %s when the registry was back", got)
		}
	})
}

// TestRegistryInTrouble: what fails is not asked by every call.
func TestRegistryInTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, r := newPool()
		r.fails(errors.New("throttled"))
		for range 100 {
			if _, err := p.Resolve(t.Context(), service); err == nil || !strings.Contains(err.Error(), "throttled") {
				t.Fatalf("got %v", err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if r.lookups() > 11 {
			t.Errorf("%d lookups in 10 s of failure, want at most one a second", r.lookups())
		}
	})
}

// TestFrozenLookup: one that was under way when the environment froze never ends in
// time, and must not be waited for.
func TestFrozenLookup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, r := newPool()
		thaw := make(chan struct{})
		r.set(func(context.Context, int64) (discovery.Listing, error) {
			<-thaw
			return listing(9, "late"), nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _ = p.Resolve(ctx, service)
		time.Sleep(time.Hour)
		r.lists(2, "a")
		if got := resolve(t, p); got != "a" {
			t.Errorf("called %s, want a", got)
		}
		close(thaw)
		synctest.Wait()
		if got := resolve(t, p); got != "a" {
			t.Errorf("called %s after the frozen lookup's answer, want a", got)
		}
	})
}

// TestRevision: instances are asked for when the revision has changed, and now and
// then all the same, for their health does not change it.
func TestRevision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, r := newPool()
		r.set(func(_ context.Context, revision int64) (discovery.Listing, error) {
			if revision == 7 {
				return discovery.Listing{Unchanged: true}, nil
			}
			return listing(7, "a"), nil
		})
		for range 55 {
			resolve(t, p)
			time.Sleep(time.Second)
		}
		full, known := 0, 0
		for _, revision := range r.revisions() {
			switch revision {
			case 0:
				full++
			case 7:
				known++
			}
		}
		if full != 2 || known < 3 {
			t.Errorf("lookups named the revisions %v, want every fourth to ask for all", r.revisions())
		}
	})
}

// TestUnchangedSinceNothing: a source that says so to who knows nothing is asked again.
func TestUnchangedSinceNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, r := newPool()
		r.set(func(context.Context, int64) (discovery.Listing, error) {
			return discovery.Listing{Unchanged: true}, nil
		})
		if _, err := p.Resolve(t.Context(), service); err == nil {
			t.Error("found")
		}
		r.lists(1, "a")
		time.Sleep(time.Second)
		if got := resolve(t, p); got != "a" {
			t.Errorf("called %s", got)
		}
	})
}

func TestTooMuch(t *testing.T) {
	p, r := newPool()
	hosts := make([]string, 100_000)
	for i := range hosts {
		hosts[i] = fmt.Sprintf("host-%d", i)
	}
	all := listing(1, hosts...)
	r.set(func(context.Context, int64) (discovery.Listing, error) { return all, nil })
	seen := map[string]bool{}
	for range 10_000 {
		seen[resolve(t, p)] = true
	}
	if len(seen) != 100 {
		t.Errorf("%d of 100,000 instances are kept, want 100", len(seen))
	}
	var err error
	for i := range 100 {
		_, err = p.Resolve(t.Context(), fmt.Sprintf("s%d-service", i))
	}
	if err == nil || !strings.Contains(err.Error(), "more than 64 services") {
		t.Errorf("got %v for the hundredth service", err)
	}
}

// TestLessBusy holds calls open: no instance gets far more of them than another.
func TestLessBusy(t *testing.T) {
	p, _ := newPool("a", "b", "c", "d")
	busy := map[string]int{}
	for range 400 {
		a, err := p.Resolve(t.Context(), service)
		if err != nil {
			t.Fatal(err)
		}
		busy[a.Base.Host]++
	}
	for host, n := range busy {
		// At random each would have 100 with a deviation of 9; of two choices, it is
		// a few.
		if n < 90 || n > 110 {
			t.Errorf("%s has %d of 400 calls", host, n)
		}
	}
}

// TestEndedCallsDoNotCount: who had many calls and has none now is the less busy one.
func TestEndedCallsDoNotCount(t *testing.T) {
	p, _ := newPool("a", "b")
	var calls []discovery.Address
	for range 20 {
		a, err := p.Resolve(t.Context(), service)
		if err != nil {
			t.Fatal(err)
		}
		calls = append(calls, a)
	}
	for _, a := range calls {
		if a.Base.Host == "a" {
			a.Done(true)
		}
	}
	for range 5 {
		if a, err := p.Resolve(t.Context(), service); err != nil || a.Base.Host != "a" {
			t.Errorf("called %v, %v; want a", a.Base, err)
		}
	}
}

// TestCallsGoOnAcrossLookups: what is in flight counts after a refresh too.
func TestCallsGoOnAcrossLookups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, r := newPool("a")
		for range 50 {
			if _, err := p.Resolve(t.Context(), service); err != nil {
				t.Fatal(err)
			}
		}
		r.lists(2, "a", "b")
		time.Sleep(time.Minute)
		for range 50 {
			a, err := p.Resolve(t.Context(), service)
			if err != nil || a.Base.Host != "b" {
				t.Fatalf("got %v, %v; want the one without 50 calls", a.Base, err)
			}
		}
	})
}

func TestFailedRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPool("a", "b")
		var failed string
		for range 20 {
			a, err := p.Resolve(t.Context(), service)
			if err != nil {
				t.Fatal(err)
			}
			if failed != "" && a.Base.Host == failed {
				t.Fatalf("%s was chosen right after its failure", failed)
			}
			if failed == "" {
				failed = a.Base.Host
				a.Done(false)
				continue
			}
			a.Done(true)
		}
		time.Sleep(6 * time.Second)
		for range 200 {
			if resolve(t, p) == failed {
				return
			}
		}
		t.Errorf("%s is still not chosen", failed)
	})
}

// TestAnswerEndsRest: an instance that answers is as good as any, whatever failed before.
func TestAnswerEndsRest(t *testing.T) {
	p, _ := newPool("a", "b")
	calls := map[string][]discovery.Address{}
	for range 20 {
		a, err := p.Resolve(t.Context(), service)
		if err != nil {
			t.Fatal(err)
		}
		calls[a.Base.Host] = append(calls[a.Base.Host], a)
	}
	calls["a"][0].Done(false)
	for _, a := range calls["a"][1:] {
		a.Done(true)
	}
	if a, err := p.Resolve(t.Context(), service); err != nil || a.Base.Host != "a" {
		t.Errorf("called %v, %v; want a", a.Base, err)
	}
}

func TestConcurrency(t *testing.T) {
	p, r := newPool("a", "b", "c")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 500 {
				a, err := p.Resolve(t.Context(), service)
				if err != nil {
					t.Error(err)
					return
				}
				a.Done((n+i)%3 > 0)
				if n%100 == 0 {
					r.lists(int64(n), "a", "b")
				}
			}
		})
	}
	wg.Wait()
}

func ExamplePool() {
	// Registered is what a registry would answer.
	registered := &registry{}
	registered.lists(1, "10.0.0.7:8080")
	pool := discovery.NewPool(discovery.PoolConfig{Source: registered})

	address, err := pool.Resolve(context.Background(), "catalog-service")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(address.Base.JoinPath("/api/products"), "as", address.Host)
	address.Done(true) // when the call has ended

	// Output: http://10.0.0.7:8080/api/products as catalog-service.dev.internal
}
