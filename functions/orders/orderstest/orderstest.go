// Package orderstest is the orders service in a test's own process, wired as
// its functions are but for the table, the catalog and the clock. It exists for
// tests of several services together, which may not reach into each other.
package orderstest

import (
	"time"

	event "tradewind/events/orders"
	"tradewind/functions/orders"
	eventhandlers "tradewind/functions/orders/internal/consumer"
	"tradewind/functions/orders/internal/dynamo"
	"tradewind/functions/orders/internal/sweeper"
	"tradewind/shared/eventbus"
	"tradewind/shared/id"
	"tradewind/shared/logs"
	"tradewind/shared/table"
)

// Service is the running service.
type Service struct {
	*orders.Service
	Consumer *eventbus.Subscriber
	Sweeper  *sweeper.Sweeper
}

// New returns the service over a table. Orders time out after timeout.
func New(t *table.Table, catalog orders.Catalog, accounts orders.Accounts, timeout time.Duration, now func() time.Time) Service {
	svc := orders.NewService(dynamo.New(t, eventbus.NewPublisher(event.Source, now)), catalog, accounts, orders.SandboxMethods, now, id.New)
	c := eventbus.NewSubscriber(now, logs.Discard())
	eventhandlers.Register(c, svc)
	return Service{svc, c, sweeper.New(svc, timeout, logs.Discard())}
}
