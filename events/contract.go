package events

import (
	"fmt"
	"maps"
	"slices"
)

// Contract declares one version of an event type. Publishers list theirs beside
// the types, package contracts has all of them, and everything else is derived:
// the JSON Schemas, the rules that bring events to queues, the AsyncAPI document,
// the catalogue page, and what the tests hold publishers and consumers to.
//
// What the version means and what its fields hold is said by the comments of its
// Go type, which the documents repeat.
type Contract struct {
	Event     Event  // the zero value of the version's Go type
	Publisher string // the service that publishes it: the source on the bus

	// Causes are what it is published upon: types of events that the publisher
	// consumes, Request, Clock. None: this version is not published, not yet or
	// no more.
	Causes []string

	// Consumers are the services that rely on this version.
	Consumers Consumers
}

// Consumers says what each consuming service does with an event, in words that
// go on after its name: "inventory" "reserves the stock".
type Consumers map[string]string

// What events are published upon, other than events.
const (
	Request = "request" // a call of the publisher's API
	Clock   = "clock"   // a schedule of the publisher's own
)

// Publishes completes the contracts of a publisher.
func Publishes(service string, contracts ...Contract) []Contract {
	for i := range contracts {
		contracts[i].Publisher = service
	}
	return contracts
}

// Services returns the consumers' names in order.
func (c Consumers) Services() []string { return slices.Sorted(maps.Keys(c)) }

// Type is the event's detail type.
func (c Contract) Type() string { return c.Event.EventType() }

// Version is the version of the type's schema.
func (c Contract) Version() int { return c.Event.SchemaVersion() }

// Name tells the contract from all others, for people: "order.created v1".
func (c Contract) Name() string { return fmt.Sprintf("%s v%d", c.Type(), c.Version()) }

// File is the name of what is kept of the contract in files, without extension:
// "order.created.v1".
func (c Contract) File() string { return fmt.Sprintf("%s.v%d", c.Type(), c.Version()) }
