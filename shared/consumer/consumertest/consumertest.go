// Package consumertest holds the handlers of a service to the contracts of the
// events: who consumes what is declared with the events, the rules on the bus are
// made of that, and a handler that is missing or too many would only show as dead
// letters, or as code that never runs.
package consumertest

import (
	"slices"
	"testing"

	"tradewind/events"
	"tradewind/shared/consumer"
)

// TakesWhatIsDeclared compares what handlers are registered for with what the
// contracts (all of them, or a service's) say that the service consumes.
func TakesWhatIsDeclared(t testing.TB, c *consumer.Consumer, service string, contracts []events.Contract) {
	t.Helper()
	var declared, taken []string
	for _, contract := range contracts {
		if _, consumes := contract.Consumers[service]; consumes {
			declared = append(declared, contract.Name())
		}
	}
	for _, ev := range c.Takes() {
		name := events.Contract{Event: ev}.Name()
		if slices.Contains(taken, name) {
			t.Errorf("%s has two handlers for %s: the last one gets them all", service, name)
		}
		taken = append(taken, name)
	}
	for _, name := range declared {
		if !slices.Contains(taken, name) {
			t.Errorf("the contracts say that %s consumes %s, and it has no handler: each would end in its dead-letter queue", service, name)
		}
	}
	for _, name := range taken {
		if !slices.Contains(declared, name) {
			t.Errorf("%s has a handler for %s, and no rule will bring it: add %s to the contract's Consumers", service, name, service)
		}
	}
}
