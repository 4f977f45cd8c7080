package integration

import (
	"context"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tradewind/localstack/internal/await"
	"tradewind/localstack/internal/fnproc"
	"tradewind/localstack/internal/shop"
)

const (
	// recovers is how long after the end of an outage orders may still be refused: as
	// long as a circuit is left open, and the probe after it.
	recovers = 30 * time.Second
	// answers is how long an order takes at most: what it has for all that it asks, and
	// something for the way on a busy machine.
	answers = 3*time.Second + 2*time.Second
)

// standIn plays a service that is broken. Whether it is well, others ask too, and that
// is not counted.
type standIn struct {
	calls  atomic.Int32
	broken http.HandlerFunc
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/health/") {
		w.Header().Set("Content-Type", "application/health+json")
		fmt.Fprint(w, `{"status":"pass","checks":{}}`)
		return
	}
	s.calls.Add(1)
	s.broken(w, r)
}

// prefixes begin the codes of what is refused for want of a service.
var prefixes = map[string]string{"users": "user", "catalog": "catalog"}

// outage breaks a service that orders asks. An order is refused soon, and says when to
// come again; after some of them the broken service is left alone; what was answered
// before is answered again; and when it is back, the order that was refused is placed,
// once, under the key that it had all the while.
func outage(t *testing.T, p *platform, lb *loadBalancer, service string) {
	c, product := p.customer(t), p.product(t, 10)
	before := placedWithin(t, c, "before", product, recovers)
	broken := &standIn{broken: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }}
	back := lb.detour(t, service, broken)

	// A few environments of the function may take turns, and each finds out for itself.
	const enough = 3
	alone, tries, quickest := 0, 0, answers
	for alone < enough {
		if tries++; tries > 300 {
			t.Fatalf("after %d orders the service is still called, %d times by now", tries, broken.calls.Load())
		}
		calls := broken.calls.Load()
		took := unavailable(t, c, "after", product, prefixes[service])
		if broken.calls.Load() > calls {
			alone, quickest = 0, answers
			continue
		}
		alone++
		quickest = min(quickest, took)
	}
	if quickest > time.Second {
		t.Errorf("an order without a call takes %v, and that was the quickest", quickest)
	}
	t.Logf("left alone after %d orders and %d calls", tries-enough, broken.calls.Load())
	again := ask(t, c.Client, http.MethodPost, "/api/orders", shop.Header("Idempotency-Key", "before"), order(product.ID, 1, shop.CardOK))
	var same shop.Order
	if err := again.Decode(&same); err != nil || again.Status != http.StatusCreated || again.Header.Get("Idempotency-Replayed") != "true" || same.ID != before.ID {
		t.Errorf("a repeat of what was answered before: %d %v %s", again.Status, again.Header, again.Body)
	}

	back()
	began := time.Now()
	after := placedWithin(t, c, "after", product, recovers)
	t.Logf("placed again after %v", time.Since(began).Round(100*time.Millisecond))
	if all, err := c.Orders(t.Context(), ""); err != nil || len(all) != 2 || after.ID == before.ID {
		t.Errorf("%d orders, want one from before and one from after; %v", len(all), err)
	}
	c.ends(t, after.ID, shop.Confirmed, soon)
}

// slowness has a service not answer at all.
func slowness(t *testing.T, p *platform, lb *loadBalancer, service string) {
	c, product := p.customer(t), p.product(t, 10)
	// Whoever left it alone for an outage has to have come back.
	placedWithin(t, c, "before", product, recovers)
	hanging := &standIn{broken: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }}
	back := lb.detour(t, service, hanging)
	for hanging.calls.Load() == 0 {
		took := unavailable(t, c, "after", product, prefixes[service])
		t.Logf("refused after %v", took.Round(10*time.Millisecond))
	}
	back()
	placedWithin(t, c, "after", product, recovers)
}

// killedNeighbours kills the functions of the services that orders asks, again and
// again. An order is placed or refused for now; nothing else comes of it.
func killedNeighbours(t *testing.T, p *platform) {
	if !fnproc.Supported() {
		t.Skip("functions can be killed only where they are processes of this machine")
	}
	c, product := p.customer(t), p.product(t, 50)
	stop, killed := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for {
			select {
			case <-stop:
				killed <- n
				return
			case <-time.After(mathrand.N(60 * time.Millisecond)):
				n += fnproc.Kill(p.outputs.Endpoint, p.function("users", "api")) + fnproc.Kill(p.outputs.Endpoint, p.function("catalog", "api"))
			}
		}
	}()
	placed, refusals := 0, 0
	for i := range 20 {
		resp := ask(t, c.Client, http.MethodPost, "/api/orders", shop.Header("Idempotency-Key", "killed-"+strconv.Itoa(i)), order(product.ID, 1, shop.CardOK))
		switch resp.Status {
		case http.StatusCreated:
			placed++
		case http.StatusServiceUnavailable:
			refusals++
			refused(t, resp, http.StatusServiceUnavailable)
		default:
			t.Errorf("order %d: %d %s", i, resp.Status, resp.Body)
		}
	}
	close(stop)
	if n := <-killed; n == 0 {
		t.Error("nothing was killed")
	}
	t.Logf("%d placed, %d refused", placed, refusals)
	placedWithin(t, c, "after", product, recovers)
	if all, err := c.Orders(t.Context(), ""); err != nil || len(all) != placed+1 {
		t.Errorf("%d orders, want %d; %v", len(all), placed+1, err)
	}
}

// unavailable asks for an order that must be refused for now, and returns how long that
// took.
func unavailable(t *testing.T, c customer, key string, product shop.Product, prefix string) time.Duration {
	t.Helper()
	began := time.Now()
	resp := ask(t, c.Client, http.MethodPost, "/api/orders", shop.Header("Idempotency-Key", key), order(product.ID, 1, shop.CardOK))
	took := time.Since(began)
	problem := refused(t, resp, http.StatusServiceUnavailable)
	if problem.Code != prefix+"_unavailable" && problem.Code != prefix+"_timeout" {
		t.Errorf("code %q", problem.Code)
	}
	if after, err := strconv.Atoi(resp.Header.Get("Retry-After")); err != nil || after < 1 || after > int(recovers.Seconds()) {
		t.Errorf("Retry-After %q", resp.Header.Get("Retry-After"))
	}
	if took > answers {
		t.Errorf("refused after %v, want %v at most", took, answers)
	}
	if t.Failed() {
		t.FailNow() // or it fails three hundred times
	}
	return took
}

// placedWithin tries to place an order until it is taken.
func placedWithin(t *testing.T, c customer, key string, product shop.Product, patience time.Duration) shop.Order {
	t.Helper()
	var o shop.Order
	err := await.Until(within(t, patience), look, "an order to be taken", func(ctx context.Context) (err error) {
		o, err = c.PlaceOrder(ctx, key, order(product.ID, 1, shop.CardOK))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}
