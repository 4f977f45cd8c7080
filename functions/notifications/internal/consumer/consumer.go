// Package consumer tells the notifications service what happened that people
// should hear of, and who they are.
package consumer

import (
	"context"

	"tradewind/events"
	"tradewind/events/inventory"
	"tradewind/functions/notifications"
	"tradewind/shared/eventbus"
)

// Register makes c handle the events that people are told of.
func Register(c *eventbus.Subscriber, svc *notifications.Service) {
	eventbus.On(c, plain(svc.Registered))
	eventbus.On(c, plain(svc.Updated))
	eventbus.On(c, plain(svc.Deleted))
	eventbus.On(c, plain(svc.OrderCreated))
	eventbus.On(c, plain(svc.OrderConfirmed))
	eventbus.On(c, plain(svc.OrderCancelled))
	eventbus.On(c, plain(svc.PaymentRefunded))
	eventbus.On(c, func(ctx context.Context, m events.Metadata, e inventory.StockDepletedV1) error {
		return svc.StockDepleted(ctx, e, m.EventID)
	})
}

// plain makes a handler of a use case that needs nothing but the event's data.
func plain[E events.Event](handle func(context.Context, E) error) func(context.Context, events.Metadata, E) error {
	return func(ctx context.Context, _ events.Metadata, e E) error { return handle(ctx, e) }
}
