// Package notificationstest is the notifications service in a test's own
// process, without a mailer, wired as its functions are but for the table and
// the clock. It exists for tests of several services together, which may not
// reach into each other.
package notificationstest

import (
	"time"

	event "tradewind/events/notifications"
	"tradewind/functions/notifications"
	eventhandlers "tradewind/functions/notifications/internal/consumer"
	"tradewind/functions/notifications/internal/dynamo"
	"tradewind/shared/eventbus"
	"tradewind/shared/logs"
	"tradewind/shared/table"
)

// Service is the running service.
type Service struct {
	*notifications.Service
	Consumer *eventbus.Subscriber
}

// New returns the service over a table.
func New(t *table.Table, now func() time.Time) Service {
	svc := notifications.NewService(dynamo.New(t, eventbus.NewPublisher(event.Source, now)), nil, "", now)
	c := eventbus.NewSubscriber(now, logs.Discard())
	eventhandlers.Register(c, svc)
	return Service{svc, c}
}
