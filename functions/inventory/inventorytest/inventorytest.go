// Package inventorytest is the inventory service in a test's own process, wired
// as its functions are but for the table and the clock. It exists for tests of
// several services together, which may not reach into each other.
package inventorytest

import (
	"time"

	event "tradewind/events/inventory"
	"tradewind/functions/inventory"
	eventhandlers "tradewind/functions/inventory/internal/consumer"
	"tradewind/functions/inventory/internal/dynamo"
	"tradewind/shared/eventbus"
	"tradewind/shared/id"
	"tradewind/shared/logs"
	"tradewind/shared/table"
)

// Service is the running service.
type Service struct {
	*inventory.Service
	Consumer *eventbus.Subscriber
}

// New returns the service over a table.
func New(t *table.Table, now func() time.Time) Service {
	svc := inventory.NewService(dynamo.New(t, eventbus.NewPublisher(event.Source, now)), now, id.New)
	c := eventbus.NewSubscriber(now, logs.Discard())
	eventhandlers.Register(c, svc)
	return Service{svc, c}
}
