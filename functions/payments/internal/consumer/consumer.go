// Package consumer tells the payments service which orders to charge and which
// to refund.
package consumer

import (
	"context"

	"tradewind/events"
	"tradewind/events/inventory"
	"tradewind/events/orders"
	"tradewind/functions/payments"
	"tradewind/shared/eventbus"
)

// Register makes c handle the events that move an order's money.
func Register(c *eventbus.Subscriber, svc *payments.Service) {
	eventbus.On(c, func(ctx context.Context, m events.Metadata, e inventory.StockReservedV1) error {
		return svc.StockReserved(ctx, payments.Order{
			ID: e.OrderID, UserID: e.UserID, Total: e.Total, Method: e.PaymentMethod, Since: m.OccurredAt.Time(),
		})
	})
	eventbus.On(c, func(ctx context.Context, m events.Metadata, e orders.CancelledV1) error {
		return svc.OrderCancelled(ctx, payments.Order{
			ID: e.OrderID, UserID: e.UserID, Total: e.Total, Since: m.OccurredAt.Time(),
		})
	})
}
