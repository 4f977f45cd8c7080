package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"tradewind/localstack/internal/await"
	"tradewind/localstack/internal/fixtures"
	"tradewind/localstack/internal/shop"
	"tradewind/localstack/internal/usererr"
)

const (
	products = 10        // ordered in turn, so that no stock line is what limits
	units    = 1_000_000 // of each
	parallel = 4         // calls at a time while all that is made

	patience = 15 * time.Minute // until the last order is decided, if not by its answer
)

// plan is what to do.
type plan struct {
	clients int
	lasts   time.Duration
}

// record is what was seen.
type record struct {
	mu       sync.Mutex
	began    time.Time
	answered []time.Duration // how long each acceptance took
	refused  map[string]int  // by what was answered
	last     []string        // each client's last order
	health   map[string]int  // by what /health said
	orders   []shop.Order    // at the end
}

func run(ctx context.Context, p plan, outputs string, out io.Writer) error {
	if p.clients < 1 || p.lasts <= 0 {
		return usererr.New(nil, "name more than zero of each", "%d clients for %s are no load", p.clients, p.lasts)
	}
	if err := os.Setenv("TRADEWIND_OUTPUTS", outputs); err != nil {
		return err
	}
	platform, err := fixtures.Connect(ctx, nil)
	if err != nil {
		return usererr.New(err, "start it with make run, in another terminal", "no platform to load: %v", err)
	}
	defer platform.Close()
	customers, items, err := prepare(ctx, p, platform)
	if err != nil {
		return usererr.New(err, "is make run still up, in another terminal?", "cannot prepare the load: %v", err)
	}

	r := &record{began: time.Now(), refused: map[string]int{}, last: make([]string, p.clients), health: map[string]int{}}
	watched, stop := context.WithCancel(ctx)
	defer stop()
	var watcher sync.WaitGroup
	watcher.Go(func() { r.watch(watched, platform.Anyone) })
	fmt.Fprintf(out, "%d clients place orders for %s\n", p.clients, p.lasts)
	r.load(ctx, p, customers, items)
	decided, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := r.settle(decided, customers); err != nil {
		return err
	}
	stop()
	watcher.Wait()
	return r.report(out, p)
}

// prepare makes the clients, each a customer of its own, and what they order.
func prepare(ctx context.Context, p plan, platform *fixtures.Platform) ([]fixtures.Customer, []string, error) {
	customers, items := make([]fixtures.Customer, p.clients), make([]string, products)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i := range items {
		group.Go(func() error {
			product, err := platform.Product(ctx, units)
			items[i] = product.ID
			return err
		})
	}
	for i := range customers {
		group.Go(func() (err error) {
			customers[i], err = platform.Customer(ctx, fmt.Sprintf("Client %d", i+1))
			return err
		})
	}
	return customers, items, group.Wait()
}

// load has every client place one order after the other.
func (r *record) load(ctx context.Context, p plan, customers []fixtures.Customer, items []string) {
	var clients sync.WaitGroup
	for i, c := range customers {
		clients.Go(func() {
			for n := i; time.Since(r.began) < p.lasts && ctx.Err() == nil; n++ {
				start := time.Now()
				o, err := c.PlaceOrder(ctx, rand.Text(), fixtures.Order(items[n%len(items)], 1, shop.CardOK))
				r.answer(i, o.ID, time.Since(start), err)
			}
		})
	}
	clients.Wait()
}

func (r *record) answer(client int, order string, took time.Duration, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		r.answered, r.last[client] = append(r.answered, took), order
		return
	}
	what := err.Error()
	if problem, ok := errors.AsType[*shop.Problem](err); ok {
		what = fmt.Sprintf("%d %s", problem.Status, problem.Code)
	}
	r.refused[what]++
}

// settle waits until every order is decided, and reads them. To read all takes long and
// adds to the load, so it waits for the last of each client first.
func (r *record) settle(ctx context.Context, customers []fixtures.Customer) error {
	return await.Until(ctx, time.Second, "all orders to be decided", func(ctx context.Context) error {
		for i, c := range customers {
			if r.last[i] == "" {
				continue
			}
			if o, err := c.Order(ctx, r.last[i]); err != nil || o.Status == shop.Pending {
				return cmp.Or(err, fmt.Errorf("order %s is pending", r.last[i]))
			}
		}
		r.orders = nil
		for i, c := range customers {
			orders, err := c.Orders(ctx, "")
			if err != nil {
				return err
			}
			for _, o := range orders {
				if o.Status == shop.Pending {
					r.last[i] = o.ID
					return fmt.Errorf("order %s is pending", o.ID)
				}
			}
			r.orders = append(r.orders, orders...)
		}
		return nil
	})
}

// watch asks for the platform's health each second.
func (r *record) watch(ctx context.Context, anyone *shop.Client) {
	for {
		said := health(ctx, anyone)
		if ctx.Err() != nil {
			return
		}
		r.mu.Lock()
		r.health[said]++
		r.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// health returns what /health says: the platform's status, and why it is not pass.
func health(ctx context.Context, anyone *shop.Client) string {
	resp, err := anyone.Do(ctx, shop.Request{Method: http.MethodGet, Path: "/health"})
	if err != nil {
		return "no answer"
	}
	var said struct {
		Status   string
		Services []struct{ Name, Status, Cause string }
	}
	if err := resp.Decode(&said); err != nil {
		return fmt.Sprintf("answer %d", resp.Status)
	}
	text := said.Status
	for _, s := range said.Services {
		if s.Status != "pass" {
			text += fmt.Sprintf(", %s %s (%s)", strings.TrimSuffix(s.Name, "-service"), s.Status, s.Cause)
		}
	}
	return text
}
