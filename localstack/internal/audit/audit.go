// Package audit checks the order saga's invariants on a platform at rest. It uses
// the public API, so it sees what customers see and does not depend on how the
// platform is built. Suites end with it.
//
// The invariants are those of the contract's fourth chapter, with the same
// numbers. 4 and 5 concern events, which customers do not see; violations of them
// show as violations of the others and as messages in dead-letter queues (see
// [DeadLetters]). Where the queues can be read, wait for [Quiet] first.
//
// [Snapshot] covers what the API does not show: it digests every item of every
// table, so that a suite can prove that a refused request left no trace.
package audit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"tradewind/localstack/internal/await"
	"tradewind/localstack/internal/shop"
)

const (
	parallel = 8
	look     = 100 * time.Millisecond
)

// Scope is what to look at. No order for its products may come from others than
// its customers.
type Scope struct {
	Customers []*shop.Client // each signed in
	Opening   map[string]int // product id to the units it had before any order
}

// AtRest waits until the platform has come to rest without a violation. When ctx
// ends before, the error lists the violations that remain.
func AtRest(ctx context.Context, s Scope) error {
	return await.Until(ctx, look, "the invariants to hold", func(ctx context.Context) error {
		violations, err := Check(ctx, s)
		if err == nil && len(violations) > 0 {
			err = errors.New(strings.Join(violations, "\n"))
		}
		return err
	})
}

// Check looks once and returns what does not hold. While events are on their way,
// that is no fault; see AtRest.
func Check(ctx context.Context, s Scope) ([]string, error) {
	books := make([]book, len(s.Customers))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, c := range s.Customers {
		group.Go(func() (err error) {
			books[i], err = read(groupCtx, c)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var violations []string
	sold := map[string]int{}
	for _, b := range books {
		for _, e := range b {
			violations = append(violations, e.violations()...)
			if e.order.Status == shop.Confirmed {
				for _, item := range e.order.Items {
					sold[item.ProductID] += item.Quantity
				}
			}
		}
	}
	for id, opening := range s.Opening {
		line, err := s.stock(ctx, id)
		if err != nil {
			return nil, err
		}
		violations = append(violations, stockViolations(line, opening, sold[id])...)
	}
	return violations, nil
}

// stock is public: any client will do.
func (s Scope) stock(ctx context.Context, productID string) (shop.Stock, error) {
	if len(s.Customers) == 0 {
		return shop.Stock{}, errors.New("audit: no customers")
	}
	return s.Customers[0].Stock(ctx, productID)
}

// book is everything one customer can see of their orders.
type book []entry

type entry struct {
	order         shop.Order
	history       []shop.Change
	payments      []shop.Payment
	notifications []shop.Notification
}

func read(ctx context.Context, c *shop.Client) (book, error) {
	orders, err := c.Orders(ctx, "")
	if err != nil {
		return nil, err
	}
	notifications, err := c.Notifications(ctx)
	if err != nil {
		return nil, err
	}
	b := make(book, len(orders))
	for i, o := range orders {
		b[i].order = o
		if b[i].payments, err = c.Payments(ctx, o.ID); err != nil {
			return nil, err
		}
		if b[i].history, err = c.History(ctx, o.ID); err != nil {
			return nil, err
		}
		for _, n := range notifications {
			if n.OrderID == o.ID {
				b[i].notifications = append(b[i].notifications, n)
			}
		}
	}
	return b, nil
}

// violations are of the invariants that speak of one order.
func (e entry) violations() []string {
	var found []string
	say := func(invariant int, format string, args ...any) {
		found = append(found, fmt.Sprintf("invariant %d: order %s %s", invariant, e.order.ID, fmt.Sprintf(format, args...)))
	}

	count := map[string]int{}
	for _, p := range e.payments {
		count[p.Status]++
		if p.Amount != e.order.Total {
			say(3, "has a payment of %v, its total is %v", p.Amount, e.order.Total)
		}
		if p.Refund != nil && p.Refund.Amount != e.order.Total {
			say(3, "has a refund of %v, its total is %v", p.Refund.Amount, e.order.Total)
		}
	}
	taken, refunded := count[shop.Captured], count[shop.Refunded]
	switch e.order.Status {
	case shop.Confirmed:
		if taken != 1 || refunded > 0 {
			say(3, "is confirmed with %d captured and %d refunded payments", taken, refunded)
		}
	case shop.Cancelled:
		if taken > 0 || refunded > 1 {
			say(3, "is cancelled with %d captured and %d refunded payments", taken, refunded)
		}
	default:
		say(1, "is still %s", e.order.Status)
	}

	states := map[string]bool{}
	for _, change := range e.history {
		states[change.Status] = true
	}
	if !states[e.order.Status] {
		say(1, "is %s, which its history lacks", e.order.Status)
	}
	templates := map[string]int{}
	for _, n := range e.notifications {
		if templates[n.Template]++; templates[n.Template] == 2 {
			say(6, "was told about more than once: %s", n.Template)
		}
	}
	if want := len(states) + refunded; len(templates) != want {
		say(6, "went through %d changes with %d notifications", want, len(templates))
	}
	return found
}

func stockViolations(line shop.Stock, opening, sold int) []string {
	var found []string
	say := func(format string, args ...any) {
		found = append(found, fmt.Sprintf("invariant 2: product %s %s", line.ProductID, fmt.Sprintf(format, args...)))
	}
	if line.Reserved < 0 || line.Reserved > line.OnHand || line.Available != line.OnHand-line.Reserved {
		say("has %d on hand, %d reserved, %d available", line.OnHand, line.Reserved, line.Available)
	}
	if line.Reserved != 0 {
		say("has %d units reserved with every order settled", line.Reserved)
	}
	if line.OnHand != opening-sold {
		say("has %d on hand, of %d with %d sold", line.OnHand, opening, sold)
	}
	return found
}
