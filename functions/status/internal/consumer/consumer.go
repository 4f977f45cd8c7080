// Package consumer brings the registry in line whenever a service of the platform
// went from one state to another.
package consumer

import (
	"context"

	"tradewind/events"
	event "tradewind/events/status"
	"tradewind/functions/status"
	"tradewind/shared/eventbus"
)

// Register makes c handle this service's own events. What they say is not looked at:
// they tell that there is something to look for.
func Register(c *eventbus.Subscriber, m *status.Monitor, r status.Registry) {
	eventbus.On(c, func(ctx context.Context, _ events.Metadata, _ event.DegradedV1) error { return m.Announce(ctx, r) })
	eventbus.On(c, func(ctx context.Context, _ events.Metadata, _ event.RecoveredV1) error { return m.Announce(ctx, r) })
}
