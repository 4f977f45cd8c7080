package integration

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"tradewind/localstack/internal/await"
	"tradewind/localstack/internal/fnproc"
	"tradewind/localstack/internal/shop"
	"tradewind/localstack/internal/tier"
)

const (
	scarce    = 10    // units for all orders of a burst
	maxMemory = 1.5e9 // bytes that the endpoint and its functions may have resident
)

// TestBurst places many orders at the same moment, for a product of which there are few.
// All are answered, exactly the units there are get sold, and the endpoint stays alive.
// It has the platform to itself, for a burst holds up everything else.
func TestBurst(t *testing.T) {
	p := connectAlone(t)
	if p.outputs.Endpoint == "" || !fnproc.Supported() {
		t.Skip("memory is measured only where functions are processes of this machine")
	}
	p.possible(t)
	buyers := make([]customer, 20)
	for i := range buyers {
		buyers[i] = p.customer(t)
	}
	for range tier.Size(1, 10) {
		t.Run("200", func(t *testing.T) {
			answers := burst(t, p, buyers, 200)
			if answers["201"] != 200 {
				t.Errorf("not 200 × 201: %v", answers)
			}
		})
	}
	if tier.IsFull() {
		// So many do not all get their turn before the gateway gives up. A refusal is an
		// answer as well, if it tells the client to come again.
		t.Run("1000", func(t *testing.T) {
			answers := burst(t, p, buyers, 1000)
			if answers["201"] < 200 {
				t.Errorf("only %d orders were accepted", answers["201"])
			}
			maps.DeleteFunc(answers, func(what string, _ int) bool { return what == "201" || what == "503, come again" })
			if len(answers) > 0 {
				t.Errorf("answered otherwise than 201 or 503 with Retry-After: %v", answers)
			}
		})
	}
	t.Run("invariants", p.audit)
}

// burst has buyers place so many orders at the same moment, waits until those accepted
// are decided, and returns how often each answer was given.
func burst(t *testing.T, p *platform, buyers []customer, orders int) map[string]int {
	t.Helper()
	product := p.product(t, scarce)
	memory := p.memory(t)
	var (
		start    = make(chan struct{})
		all      sync.WaitGroup
		mu       sync.Mutex
		answers  = map[string]int{}
		accepted = map[string]customer{} // by the order's id
	)
	for i := range orders {
		c := buyers[i%len(buyers)]
		all.Go(func() {
			<-start
			resp, err := c.Do(t.Context(), shop.Request{
				Method: http.MethodPost, Path: "/api/orders", Header: shop.Header("Idempotency-Key", rand.Text()),
				Body: order(product.ID, 1, shop.CardOK),
			})
			var o shop.Order
			var what string
			switch {
			case err != nil:
				what = err.Error()
			case resp.Status == http.StatusCreated:
				what, err = "201", resp.Decode(&o)
			default:
				if what = fmt.Sprint(resp.Status); resp.Header.Get("Retry-After") != "" {
					what += ", come again"
				}
			}
			mu.Lock()
			defer mu.Unlock()
			answers[what]++
			if o.ID != "" {
				accepted[o.ID] = c
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	began := time.Now()
	close(start)
	all.Wait()
	answered := time.Since(began)

	ends := map[string]int{}
	err := await.Until(within(t, redelivered), time.Second, "the orders to be decided", func(ctx context.Context) error {
		for id, c := range accepted {
			o, err := c.Order(ctx, id)
			if err != nil {
				return err
			}
			if o.Status == shop.Pending {
				return errors.New("order " + id + " is pending")
			}
			delete(accepted, id)
			end := o.Status
			if o.Cancellation != nil {
				end += " " + o.Cancellation.Reason
			}
			ends[end]++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	processes, peak := memory()
	t.Logf("%d at once: answers %v after %.1f s, decided %v after %.1f s, %d processes with %.2f GB",
		orders, answers, answered.Seconds(), ends, time.Since(began).Seconds(), processes, float64(peak)/1e9)
	if ends[shop.Confirmed] != scarce || ends[shop.Cancelled+" out_of_stock"] != answers["201"]-scarce {
		t.Errorf("of %d orders for %d units: %v", answers["201"], scarce, ends)
	}
	if peak > maxMemory {
		t.Errorf("the endpoint and its functions used %.2f GB, more than %.2f", float64(peak)/1e9, maxMemory/1e9)
	}
	return answers
}

// memory watches what the endpoint and its functions use until the test ends or the
// most is asked for: of processes, and of memory.
func (p *platform) memory(t *testing.T) (most func() (processes int, resident int64)) {
	t.Helper()
	of := fnproc.Find(p.outputs.Endpoint, p.function("orders", "api"))
	if len(of) == 0 {
		t.Fatal("no function of the endpoint is running")
	}
	group, err := syscall.Getpgid(of[0])
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	done := make(chan struct{})
	var processes int
	var resident int64
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			n, bytes := fnproc.Group(group)
			processes, resident = max(processes, n), max(resident, bytes)
			time.Sleep(look)
		}
	}()
	return func() (int, int64) {
		stop()
		<-done
		return processes, resident
	}
}
