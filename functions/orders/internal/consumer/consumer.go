// Package consumer tells the orders service what the other services decided
// about its orders, and whom to forget.
package consumer

import (
	"context"
	"fmt"
	"strings"

	"tradewind/events"
	"tradewind/events/inventory"
	"tradewind/events/payments"
	"tradewind/events/users"
	"tradewind/functions/orders"
	"tradewind/shared/eventbus"
)

// Register makes c handle the events that the service consumes.
func Register(c *eventbus.Subscriber, svc *orders.Service) {
	eventbus.On(c, func(ctx context.Context, _ events.Metadata, e inventory.StockRejectedV1) error {
		return svc.Fail(ctx, e.OrderID, orders.OutOfStock, shortages(e.Shortages), e.EventType())
	})
	eventbus.On(c, func(ctx context.Context, _ events.Metadata, e payments.CapturedV1) error {
		return svc.Paid(ctx, e.OrderID, e.Amount, e.EventType())
	})
	eventbus.On(c, func(ctx context.Context, _ events.Metadata, e payments.DeclinedV1) error {
		return svc.Fail(ctx, e.OrderID, orders.PaymentDeclined, e.DeclineCode, e.EventType())
	})
	eventbus.On(c, func(ctx context.Context, _ events.Metadata, e payments.RefundedV1) error {
		return svc.Refunded(ctx, e.OrderID, e.EventType())
	})
	eventbus.On(c, func(ctx context.Context, _ events.Metadata, e users.DeletedV1) error {
		return svc.ForgetUser(ctx, e.UserID)
	})
}

// shortages says what was missing, for the customer to read.
func shortages(list []inventory.ShortageV1) string {
	parts := make([]string, len(list))
	for i, s := range list {
		parts[i] = fmt.Sprintf("%s: %d wanted, %d available", s.ProductID, s.Requested, s.Available)
	}
	return strings.Join(parts, "; ")
}
