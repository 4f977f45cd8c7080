// Package contracts lists the contracts of all publishers: who publishes what,
// upon what, and who consumes it.
//
// It exists for what looks at the platform as a whole: the rules of package infra,
// the documents, the tests. A service does without it, and the import rules see to
// that: it would carry every contract in its binaries.
//
// A new publisher is one more line of All.
package contracts

import (
	"slices"

	"tradewind/events"
	"tradewind/events/catalog"
	"tradewind/events/inventory"
	"tradewind/events/notifications"
	"tradewind/events/orders"
	"tradewind/events/payments"
	"tradewind/events/status"
	"tradewind/events/users"
)

// All returns every contract, publisher by publisher in the order in which the
// documents show them.
func All() []events.Contract {
	return slices.Concat(
		users.Published(),
		catalog.Published(),
		orders.Published(),
		inventory.Published(),
		payments.Published(),
		notifications.Published(),
		status.Published(),
	)
}

// ConsumedBy returns the contracts that a service relies on.
func ConsumedBy(service string) []events.Contract {
	return slices.DeleteFunc(All(), func(c events.Contract) bool {
		_, consumes := c.Consumers[service]
		return !consumes
	})
}
