// Package outbox stores events next to the state change that caused them, in
// the same transaction, so that a change is never saved without its event, nor
// an event published without its change.
//
// Delivery is at least once, in order per aggregate but for retries, unordered
// across aggregates: consumers use package inbox. A relay on the table's stream
// publishes what is stored here; nothing else may call PutEvents, but an operator's
// tool that does the relay's work once more.
//
// Callers must keep: the operations go into the same Commit as the state, under
// the partition key of the aggregate, so that the stream keeps their order.
package outbox

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"tradewind/events"
	"tradewind/shared/id"
	"tradewind/shared/table"
	"tradewind/shared/trace"
)

// Entity marks outbox items; the relay's stream filter passes nothing else.
const Entity = "outbox"

const (
	// lifetime keeps items for a reconciler that looks for events a bus lost.
	lifetime = 7 * 24 * time.Hour
	// MaxDetail is the largest event in bytes. EventBridge takes more since
	// 2026, but an SQS message of 256 KiB must hold it with its wrapping.
	MaxDetail = 240 << 10
)

// Record is an outbox item: an event that is ready to be put on the bus.
type Record struct {
	table.Key
	Entity     string `dynamodbav:"entity"`
	EventID    string `dynamodbav:"eventId"`
	Source     string `dynamodbav:"source"`
	DetailType string `dynamodbav:"detailType"`
	// Detail is the envelope as JSON.
	Detail    string `dynamodbav:"detail"`
	ExpiresAt int64  `dynamodbav:"expiresAt"`
}

// Outbox makes the records of one service's events.
type Outbox struct {
	source string
	now    func() time.Time
}

// New returns the outbox of a service, named as its events' source.
func New(source string, now func() time.Time) *Outbox { return &Outbox{source, now} }

// Ops returns the operations that store events in the partition pk. The
// context's trace goes into their metadata. An event that is too large fails
// the commit: better no change than one that nobody hears of.
func (o *Outbox) Ops(ctx context.Context, pk string, evs ...events.Event) []table.Op {
	ops := make([]table.Op, len(evs))
	for i, ev := range evs {
		record, err := o.record(ctx, pk, ev)
		if err != nil {
			ops[i] = table.Fail(fmt.Errorf("event %s of %s: %w", ev.EventType(), ev.Subject(), err))
			continue
		}
		ops[i] = table.Create(record, fmt.Errorf("event id %s is taken", record.EventID))
	}
	return ops
}

func (o *Outbox) record(ctx context.Context, pk string, ev events.Event) (Record, error) {
	data, err := json.Marshal(ev)
	if err != nil {
		return Record{}, err
	}
	now := o.now()
	t := trace.From(ctx)
	eventID := id.New("evt")
	detail, err := json.Marshal(events.Envelope{
		Metadata: events.Metadata{
			EventID:       eventID,
			OccurredAt:    events.Timestamp(now),
			SchemaVersion: ev.SchemaVersion(),
			CorrelationID: t.CorrelationID,
			CausationID:   t.CausationID,
			Traceparent:   t.Parent,
			Subject:       ev.Subject(),
		},
		Data: data,
	})
	if err != nil {
		return Record{}, err
	}
	if len(detail) > MaxDetail {
		return Record{}, fmt.Errorf("%d bytes are more than the %d an event may have: let it carry less, such as the id by which its consumers can ask for the rest",
			len(detail), MaxDetail)
	}
	return Record{
		Key:        table.Key{PK: pk, SK: table.Prefixed("OUTBOX", eventID)},
		Entity:     Entity,
		EventID:    eventID,
		Source:     o.source,
		DetailType: ev.EventType(),
		Detail:     string(detail),
		ExpiresAt:  now.Add(lifetime).Unix(),
	}, nil
}

// erasePage is how many records are looked up at a time.
const erasePage = 50

// Erase deletes the records in the partition pk but those of the types to keep:
// for an aggregate whose personal data must go before the records expire. What
// is not published yet still will be, for the stream has it. It may be repeated.
func Erase(ctx context.Context, t *table.Table, pk string, keep ...string) error {
	ctx = table.WithGuard(ctx, nil) // a step, not the effect
	after := ""
	for {
		records, next, err := table.List[Record](ctx, t, table.Query{PK: pk, SKPrefix: "OUTBOX#", Limit: erasePage, After: after})
		if err != nil {
			return fmt.Errorf("outbox of %s: %w", pk, err)
		}
		var ops []table.Op
		for _, r := range records {
			if !slices.Contains(keep, r.DetailType) {
				ops = append(ops, table.Discard(r.Key))
			}
		}
		if len(ops) > 0 {
			if err := t.Commit(ctx, nil, ops...); err != nil {
				return fmt.Errorf("erase outbox of %s: %w", pk, err)
			}
		}
		if after = next; after == "" {
			return nil
		}
	}
}
