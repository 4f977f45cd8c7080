// Package paymentstest is the payments service in a test's own process, with the
// sandbox for a provider, wired as its functions are but for the table and the
// clock. It exists for tests of several services together, which may not reach
// into each other.
package paymentstest

import (
	"time"

	event "tradewind/events/payments"
	"tradewind/functions/payments"
	eventhandlers "tradewind/functions/payments/internal/consumer"
	"tradewind/functions/payments/internal/dynamo"
	"tradewind/functions/payments/internal/sandbox"
	"tradewind/shared/eventbus"
	"tradewind/shared/id"
	"tradewind/shared/logs"
	"tradewind/shared/table"
)

// Service is the running service.
type Service struct {
	*payments.Service
	Consumer *eventbus.Subscriber
	// Provider is who moves the money, with its own books.
	Provider *sandbox.Provider
}

// New returns the service over a table, with the provider's books in another. A
// call to the provider takes at most limit.
func New(t, books *table.Table, limit time.Duration, now func() time.Time) Service {
	provider := sandbox.New(books, now)
	svc := payments.NewService(dynamo.New(t, eventbus.NewPublisher(event.Source, now)), provider, limit, now, id.New)
	c := eventbus.NewSubscriber(now, logs.Discard())
	eventhandlers.Register(c, svc)
	return Service{svc, c, provider}
}
