// Package eventbus is what a service imports to speak with the others: it publishes
// its events and handles theirs.
//
// It exists so that there is one place to learn it from, and one to import. The work
// is done by packages of one idea each: outbox stores events with the change that
// caused them, relay publishes what is stored, consumer and inbox handle each event
// once.
//
// # Publishing
//
// A publisher makes the operations that store events, and the service puts them into
// the transaction of the change: an event is published if and only if the change was
// made. Nothing else puts events on the bus. Event types are contracts; package
// events tells how one is declared and how it may change.
//
//	ops := publisher.Ops(ctx, pk, orders.CreatedV1{…})
//	err := tbl.Commit(ctx, order, append(ops, table.Create(item, errTaken))...)
//
// An event that is too large for the bus fails the commit, before anything is
// written.
//
// # Subscribing
//
// A subscriber is a Lambda handler with one function for each event type and version;
// the rule that brings the events is made of the contract's Consumers.
//
//	eventbus.On(subscriber, func(ctx context.Context, m events.Metadata, e orders.CreatedV1) error { … })
//
// What comes again is handled once, if what the function changes is one commit. What
// comes too early returns an error and comes again; what comes too late returns nil.
// Older versions are lifted to the one that is handled, fields that it does not have
// are passed over, newer versions wait in the dead-letter queue.
//
// Callers must keep: a function that only publishes, as those behind routes do, imports
// outbox by itself. A subscriber comes with a client for its dead-letter queue, which
// would make such a function larger for nothing.
package eventbus

import (
	"context"
	"log/slog"
	"time"

	"tradewind/events"
	"tradewind/shared/consumer"
	"tradewind/shared/env"
	"tradewind/shared/inbox"
	"tradewind/shared/outbox"
)

// Publisher makes the operations that store a service's events for publication.
type Publisher = outbox.Outbox

// Subscriber is a Lambda handler for the events a service consumes.
type Subscriber = consumer.Consumer

// NewPublisher returns the publisher of a service, named as its events' source.
func NewPublisher(source string, now func() time.Time) *Publisher { return outbox.New(source, now) }

// FromEnv returns a subscriber that handles nothing yet, as a function is configured.
func FromEnv(vars *env.Vars) *Subscriber { return consumer.FromEnv(vars, inbox.New(time.Now)) }

// NewSubscriber returns a subscriber that leaves its failures to the queue: for tests.
func NewSubscriber(now func() time.Time, log *slog.Logger) *Subscriber {
	return consumer.New(inbox.New(now), log)
}

// On registers what handles an event type and version. It runs again from its start
// when its commit was refused as stale.
func On[E events.Event](s *Subscriber, handle func(context.Context, events.Metadata, E) error) {
	consumer.On(s, handle)
}
