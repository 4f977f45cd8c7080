// Package inbox makes each event take effect once per consumer, however often
// it is delivered. The record of an event is created in the same transaction as
// the event's effect; a duplicate fails on it.
//
// Callers must keep: handlers of events commit at most once, and tie effects
// outside of the table (a charge, a mail) to a natural key, for those happen
// before the commit and may be repeated.
package inbox

import (
	"context"
	"time"

	"tradewind/shared/table"
)

// Lifetime is how long an event is known. It outlasts a replay from the archive (14
// days) that waits in the queue (4) and in the dead-letter queue (14).
const Lifetime = 35 * 24 * time.Hour

// Inbox keeps the records of a consumer in its service's table.
type Inbox struct{ now func() time.Time }

// New returns an inbox.
func New(now func() time.Time) *Inbox { return &Inbox{now} }

// Guard returns a context under which the first commit takes the event as done.
// A commit for an event that is done already returns table.ErrDone.
func (b *Inbox) Guard(ctx context.Context, eventID string) context.Context {
	return table.WithGuard(ctx, &guard{b.now, eventID})
}

type guard struct {
	now     func() time.Time
	eventID string
}

type record struct {
	table.Key
	HandledAt string `dynamodbav:"handledAt"`
	ExpiresAt int64  `dynamodbav:"expiresAt"`
}

func (g *guard) Record(any) (table.Op, error) {
	now := g.now()
	return table.CreateOrRenew(record{
		Key:       table.Key{PK: table.Prefixed("INBOX", g.eventID), SK: "INBOX"},
		HandledAt: now.UTC().Format(time.RFC3339),
		ExpiresAt: now.Add(Lifetime).Unix(),
	}, now, table.ErrDone), nil
}

func (g *guard) Committed() {}
