package up

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"tradewind/events"
	"tradewind/localstack/internal/await"
	"tradewind/localstack/internal/shop"
)

const (
	patience = 60 * time.Second
	look     = 50 * time.Millisecond
)

// notices is how many notifications a confirmed order's customer gets: that it was
// received, and that it is confirmed.
const notices = 2

// firstOrder is an order that was confirmed, and what came with it.
type firstOrder struct {
	Order         shop.Order
	Took          time.Duration // from the request to the confirmation, seen from outside
	History       []shop.Change
	Payment       shop.Payment
	Stock         []stockChange // a line of the order each
	Notifications []shop.Notification
}

// stockChange is a product's units on hand before and after.
type stockChange struct {
	Name          string
	Before, After int
}

// placeFirstOrder orders the first two of the products as the customer and returns when the
// order is confirmed and has had its effects everywhere. An order that ends in any
// other way is an error.
func placeFirstOrder(ctx context.Context, customer *shop.Client, products []shop.Product, note func(string)) (firstOrder, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var r firstOrder
	request := shop.NewOrder{
		PaymentMethod: shop.CardOK,
		ShippingAddress: shop.Address{
			Line1: "1 Harbour Road", City: "Lisbon", PostalCode: "1100-001", Country: "PT",
		},
	}
	for i, p := range products[:min(2, len(products))] {
		line, err := customer.Stock(ctx, p.ID)
		if err != nil {
			return r, err
		}
		request.Items = append(request.Items, events.Line{ProductID: p.ID, Quantity: i + 1})
		r.Stock = append(r.Stock, stockChange{Name: p.Name, Before: line.OnHand})
	}

	start := time.Now()
	order, err := customer.PlaceOrder(ctx, rand.Text(), request)
	if err != nil {
		return r, err
	}
	note(order.ID)
	if r.Order, err = settled(ctx, customer, order.ID); err != nil {
		return r, err
	}
	r.Took = time.Since(start)
	if r.Order.Status != shop.Confirmed {
		return r, fmt.Errorf("order %s is %s%s, not confirmed", order.ID, r.Order.Status, reason(r.Order))
	}
	note("effects of " + order.ID)
	return r, r.effects(ctx, customer, request.Items)
}

// settled waits until an order is no longer pending, and returns it.
func settled(ctx context.Context, c *shop.Client, orderID string) (shop.Order, error) {
	var order shop.Order
	err := await.Until(ctx, look, "order "+orderID+" to be settled", func(ctx context.Context) (err error) {
		if order, err = c.Order(ctx, orderID); err == nil && order.Status == shop.Pending {
			err = fmt.Errorf("order %s is pending", orderID)
		}
		return err
	})
	return order, err
}

// effects waits for what a confirmation causes: the payment is there already, the
// stock and the customer's messages follow.
func (r *firstOrder) effects(ctx context.Context, customer *shop.Client, lines []events.Line) error {
	payments, err := customer.Payments(ctx, r.Order.ID)
	if err != nil {
		return err
	}
	if len(payments) != 1 || payments[0].Status != shop.Captured || payments[0].Amount != r.Order.Total {
		return fmt.Errorf("order %s of %s is confirmed with payments %+v", r.Order.ID, money(r.Order.Total), payments)
	}
	r.Payment = payments[0]
	for i, l := range lines {
		want := r.Stock[i].Before - l.Quantity
		err := await.Until(ctx, look, "the units to leave the stock", func(ctx context.Context) error {
			line, err := customer.Stock(ctx, l.ProductID)
			if err == nil && line.OnHand != want {
				err = fmt.Errorf("%d on hand, not %d", line.OnHand, want)
			}
			r.Stock[i].After = line.OnHand
			return err
		})
		if err != nil {
			return err
		}
	}
	err = await.Until(ctx, look, "the customer's notifications", func(ctx context.Context) error {
		all, err := customer.Notifications(ctx)
		r.Notifications = slices.DeleteFunc(all, func(n shop.Notification) bool { return n.OrderID != r.Order.ID })
		if err == nil && len(r.Notifications) < notices {
			err = fmt.Errorf("%d of %d notifications", len(r.Notifications), notices)
		}
		return err
	})
	if err != nil {
		return err
	}
	r.History, err = customer.History(ctx, r.Order.ID)
	return err
}

// Print writes what happened to the order, in the order it happened.
func (r firstOrder) Print(w io.Writer) {
	fmt.Fprintf(w, "\norder %s, %s\n", r.Order.ID, money(r.Order.Total))
	for _, change := range r.History {
		fmt.Fprintf(w, "  %6d ms  %-10s %s\n", change.OccurredAt.Sub(r.Order.CreatedAt).Milliseconds(), change.Status, change.Cause)
	}
	fmt.Fprintf(w, "  paid      %s %s (%s)\n", r.Payment.Status, money(r.Payment.Amount), r.Payment.ID)
	for _, s := range r.Stock {
		fmt.Fprintf(w, "  stock     %s: %d on hand before, %d after\n", s.Name, s.Before, s.After)
	}
	slices.SortFunc(r.Notifications, func(a, b shop.Notification) int { return a.CreatedAt.Compare(b.CreatedAt) })
	for _, n := range r.Notifications {
		fmt.Fprintf(w, "  %-9s %s (%s)\n", n.Channel, n.Subject, n.Status)
	}
}

// money writes an amount for people.
func money(m events.Money) string {
	return fmt.Sprintf("%d.%02d %s", m.Amount/100, m.Amount%100, m.Currency)
}

func reason(o shop.Order) string {
	if o.Cancellation == nil {
		return ""
	}
	return strings.TrimRight(fmt.Sprintf(" (%s %s", o.Cancellation.Reason, o.Cancellation.Detail), " ") + ")"
}
