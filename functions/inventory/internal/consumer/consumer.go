// Package consumer tells the inventory service of new products, and of what
// becomes of orders.
package consumer

import (
	"context"

	"tradewind/events"
	"tradewind/events/catalog"
	"tradewind/events/orders"
	"tradewind/functions/inventory"
	"tradewind/shared/eventbus"
	"tradewind/shared/table"
)

// Register makes c handle the events that move the stock.
func Register(c *eventbus.Subscriber, svc *inventory.Service) {
	eventbus.On(c, func(ctx context.Context, _ events.Metadata, e catalog.ProductCreatedV1) error {
		return svc.Open(ctx, e.ProductID)
	})
	eventbus.On(c, func(ctx context.Context, _ events.Metadata, e orders.CreatedV1) error {
		return insist(ctx, func() error { return svc.OrderCreated(ctx, order(e)) })
	})
	eventbus.On(c, func(ctx context.Context, _ events.Metadata, e orders.ConfirmedV1) error {
		return insist(ctx, func() error { return svc.OrderConfirmed(ctx, e.OrderID) })
	})
	eventbus.On(c, func(ctx context.Context, _ events.Metadata, e orders.CancelledV1) error {
		return insist(ctx, func() error { return svc.OrderCancelled(ctx, e.OrderID) })
	})
}

// insist repeats a stale change some more times within each of the repeats that
// the kit makes of every handler, up to sixty in all. A product that everybody
// wants is one item that all orders change, some fifty times a second: losing a
// dozen races is normal there, and a message that gave up would come back only
// after its visibility timeout, and after a few of those lie in the dead-letter
// queue.
func insist(ctx context.Context, change func() error) error { return table.Again(ctx, change) }

func order(e orders.CreatedV1) inventory.Order {
	o := inventory.Order{ID: e.OrderID, UserID: e.UserID, Total: e.Total, PaymentMethod: e.PaymentMethod}
	for _, item := range e.Items {
		o.Lines = append(o.Lines, events.Line{ProductID: item.ProductID, Quantity: item.Quantity})
	}
	return o
}
