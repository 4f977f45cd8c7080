package discovery_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tradewind/shared/discovery"
)

// prober is a probe whose answer a test sets.
type prober struct {
	mu    sync.Mutex
	err   error
	takes time.Duration
	asked []string
}

func (p *prober) probe(ctx context.Context, at discovery.Instance) error {
	p.mu.Lock()
	p.asked = append(p.asked, at.Base.Host)
	err, takes := p.err, p.takes
	p.mu.Unlock()
	select {
	case <-time.After(takes):
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *prober) answers(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
}

func (p *prober) probes() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.asked)
}

func probingPool(probe *prober, hosts ...string) *discovery.Pool {
	r := &registry{}
	r.lists(1, hosts...)
	return discovery.NewPool(discovery.PoolConfig{Source: r, TTL: time.Hour, Probe: probe.probe})
}

// fail lets one call fail and returns whose it was.
func fail(t *testing.T, p *discovery.Pool) string {
	t.Helper()
	a, err := p.Resolve(t.Context(), service)
	if err != nil {
		t.Fatal(err)
	}
	a.Done(false)
	return a.Base.Host
}

// TestOneCallMeetsTheDead: who failed gets no call before it has answered a probe, which
// it is asked for every few seconds, and the same calls as ever after that.
func TestOneCallMeetsTheDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		probe := &prober{err: errors.New("connection refused")}
		p := probingPool(probe, "a", "b")
		dead := fail(t, p)
		for range 600 { // ten minutes
			if resolve(t, p) == dead {
				t.Fatal("a second call met it")
			}
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if n := probe.probes(); n < 100 || n > 120 {
			t.Errorf("%d probes in ten minutes, want one every five seconds", n)
		}
		for _, asked := range probe.asked {
			if asked != dead {
				t.Fatalf("%s was probed, which is well", asked)
			}
		}
		probe.answers(nil)
		time.Sleep(5 * time.Second)
		resolve(t, p)
		synctest.Wait()
		for range 200 {
			if resolve(t, p) == dead {
				return
			}
		}
		t.Errorf("%s works again and is not called", dead)
	})
}

// TestListedTwice: what is listed twice is one, and fails once.
func TestListedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := probingPool(&prober{err: errors.New("connection refused")}, "a", "a", "b", "b")
		dead := fail(t, p)
		for range 100 {
			if resolve(t, p) == dead {
				t.Fatal("a second call met it")
			}
		}
	})
}

// TestAllFailed: somebody must be called, the probes say what they may.
func TestAllFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		probe := &prober{err: errors.New("connection refused")}
		p := probingPool(probe, "a", "b")
		if first, second := fail(t, p), fail(t, p); first == second {
			t.Fatal("one failed twice while there was another")
		}
		called := map[string]bool{}
		for range 100 {
			called[fail(t, p)] = true
		}
		if len(called) != 2 {
			t.Errorf("only %v is called", called)
		}
	})
}

// TestOnlyInstance gets the calls, and they tell more than a probe.
func TestOnlyInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		probe := &prober{}
		p := probingPool(probe, "a")
		fail(t, p)
		time.Sleep(time.Minute)
		resolve(t, p)
		synctest.Wait()
		if n := probe.probes(); n != 0 {
			t.Errorf("%d probes", n)
		}
	})
}

// TestProbeIsLate: a probe that hangs holds nobody up, and one that was answered while
// another call failed says nothing any more.
func TestProbeIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		probe := &prober{takes: time.Minute}
		p := probingPool(probe, "a", "b")
		dead := fail(t, p)
		time.Sleep(6 * time.Second)
		before := time.Now()
		if resolve(t, p) == dead || time.Since(before) > 0 {
			t.Error("the call waited for the probe, or believed it")
		}
		time.Sleep(10 * time.Second)
		if resolve(t, p) == dead {
			t.Error("a probe that never ended was believed")
		}
		time.Sleep(time.Minute)
	})
	synctest.Test(t, func(t *testing.T) {
		probe := &prober{takes: 500 * time.Millisecond}
		p := probingPool(probe, "a", "b")
		first, err := p.Resolve(t.Context(), service) // still under way
		if err != nil {
			t.Fatal(err)
		}
		second, err := p.Resolve(t.Context(), service)
		if err != nil {
			t.Fatal(err)
		}
		for second.Base.Host != first.Base.Host { // two calls to one instance
			if second, err = p.Resolve(t.Context(), service); err != nil {
				t.Fatal(err)
			}
		}
		first.Done(false)
		time.Sleep(6 * time.Second)
		_ = resolve(t, p) // begins the probe
		time.Sleep(100 * time.Millisecond)
		second.Done(false)
		time.Sleep(time.Second)
		for range 50 {
			if resolve(t, p) == first.Base.Host {
				t.Fatal("called although it failed after the probe had begun")
			}
		}
	})
}

func TestLive(t *testing.T) {
	var got []string
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Method+" "+r.Host+r.URL.Path)
		if r.Header.Get("Authorization") != "" {
			t.Error("a probe carries a token")
		}
		w.WriteHeader(status)
	}))
	defer server.Close()
	for path, want := range map[string]string{"": "/health/live", "/": "/health/live", "/_alb/local": "/_alb/local/health/live"} {
		base, err := url.Parse(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		at := discovery.Instance{Base: base, Host: "catalog-service.dev.internal"}
		got = nil
		status = http.StatusOK
		if err := discovery.Live(t.Context(), at); err != nil {
			t.Error(err)
		}
		status = http.StatusNotFound // what a balancer says of a service that it does not know
		if err := discovery.Live(t.Context(), at); err == nil {
			t.Error("404 is taken for life")
		}
		if len(got) != 2 || got[0] != "GET catalog-service.dev.internal"+want {
			t.Errorf("asked %q, want %s", got, want)
		}
	}
	server.Close()
	base, _ := url.Parse(server.URL)
	if err := discovery.Live(t.Context(), discovery.Instance{Base: base, Host: "catalog-service.dev.internal"}); err == nil {
		t.Error("nobody answers, and it is alive")
	}
}
