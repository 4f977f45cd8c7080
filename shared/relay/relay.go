// Package relay publishes a table's outbox items on the event bus. It runs on
// the table's stream, filtered to the insertion of outbox items.
//
// It exists because a service cannot write its table and the bus in one step;
// the stream repeats until the bus has taken what the table holds.
//
// What callers can rely on: entries go out in the order of the stream. One that the
// bus refuses for good goes whole into quarantine and holds nothing up. One that it may
// take later, because it throttles or is not there, the relay reports as failed, and
// Lambda sends it and all behind it again for as long as the stream keeps them. So an
// event may be published twice and is never dropped.
package relay

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"tradewind/shared/quarantine"
)

// margin is kept of the function's time for parking what the bus will never take.
const margin = 2 * time.Second

// maxSettled bounds the memory of events that need no more work.
const maxSettled = 10_000

// Config says where a relay publishes and where it parks. All fields are
// required.
type Config struct {
	Bus     Bus
	BusName string
	Dead    *quarantine.Queue
	Log     *slog.Logger
}

// Relay is a Lambda handler for DynamoDB stream events, one at a time.
type Relay struct {
	dead      *quarantine.Queue
	log       *slog.Logger
	publisher Publisher

	// settled are the events that need no more work and come again nevertheless, by
	// id: they stand behind one that failed. They most often come to the same process,
	// and a bus that throttles should not get again what it took. Nothing rests on it.
	settled map[string]bool
}

// New returns a relay.
func New(cfg Config) *Relay {
	return &Relay{
		dead: cfg.Dead, log: cfg.Log, settled: map[string]bool{},
		publisher: Publisher{Bus: cfg.Bus, BusName: cfg.BusName, Log: cfg.Log},
	}
}

// streamEvent holds what the relay reads of a DynamoDB stream event.
type streamEvent struct {
	Records []struct {
		EventName string `json:"eventName"`
		DynamoDB  struct {
			Created  float64         `json:"ApproximateCreationDateTime"` // in seconds
			Sequence string          `json:"SequenceNumber"`
			NewImage map[string]attr `json:"NewImage"`
		} `json:"dynamodb"`
	} `json:"Records"`
}

type attr struct {
	S string `json:"S"`
}

type answer struct {
	BatchItemFailures []failure `json:"batchItemFailures"`
}

type failure struct {
	ItemIdentifier string `json:"itemIdentifier"` // a sequence number
}

// Invoke publishes the outbox items of a stream event. It reports the first one that is
// left to do: Lambda takes all before it as done, and sends it and all behind it again
// (https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html).
func (r *Relay) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	var ev streamEvent
	if err := json.Unmarshal(payload, &ev); err != nil {
		return nil, fmt.Errorf("relay: the event is not of a DynamoDB stream: %w", err)
	}
	entries := ev.entries()
	done := r.relay(ctx, entries)
	for _, e := range entries[:done] {
		delete(r.settled, e.EventID)
	}
	result := answer{BatchItemFailures: []failure{}}
	if done < len(entries) {
		result.BatchItemFailures = []failure{{entries[done].sequence}}
	}
	return json.Marshal(result)
}

// entries returns the outbox items among the records. The mapping's filter passes
// nothing else; a wrong filter must not publish state.
func (ev streamEvent) entries() []Entry {
	var entries []Entry
	for _, rec := range ev.Records {
		image := rec.DynamoDB.NewImage
		if rec.EventName != "INSERT" || image["entity"].S != "outbox" {
			continue
		}
		e := Entry{
			EventID: image["eventId"].S, Source: image["source"].S, DetailType: image["detailType"].S, Detail: image["detail"].S,
			sequence: rec.DynamoDB.Sequence, index: len(entries),
		}
		if s := rec.DynamoDB.Created; s > 0 {
			e.Since = time.UnixMilli(int64(s * 1000))
		}
		entries = append(entries, e)
	}
	return entries
}

// relay publishes entries and parks what the bus will never take. It returns how many
// of them, from the first on, are done. One that comes again is not parked: it would
// leave a copy each time.
func (r *Relay) relay(ctx context.Context, entries []Entry) int {
	var left []Entry
	for _, e := range entries {
		if !r.settled[e.EventID] {
			left = append(left, e)
		}
	}
	publishing := ctx
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		publishing, cancel = context.WithDeadline(ctx, deadline.Add(-margin))
		defer cancel()
	}
	published := r.publisher.Publish(publishing, left)
	r.settle(published.Taken...)
	done := len(entries)
	if again := published.Again; len(again) > 0 {
		done = again[0].index
		r.log.WarnContext(ctx, "events are not published so far", "events", len(again), "of", len(entries),
			"eventId", again[0].EventID, "cause", again[0].Refusal)
	}
	slices.SortFunc(published.Never, func(a, b Entry) int { return a.index - b.index })
	for _, e := range published.Never {
		if e.index > done {
			break
		}
		if err := r.park(ctx, e); err != nil {
			r.log.ErrorContext(ctx, "event is neither published nor parked", "eventId", e.EventID, "detailType", e.DetailType,
				"cause", e.Refusal, "error", quarantine.Redact(err.Error()))
			return e.index
		}
		r.settle(e)
	}
	return done
}

func (r *Relay) settle(entries ...Entry) {
	if len(r.settled) > maxSettled {
		clear(r.settled) // of batches that came again to other processes
	}
	for _, e := range entries {
		if e.EventID != "" {
			r.settled[e.EventID] = true
		}
	}
}

// Parked is the body under which an event stands in a relay's dead-letter queue: the
// entry whole, in the form in which the bus would have delivered it.
type Parked struct {
	Source     string          `json:"source"`
	DetailType string          `json:"detail-type"`
	Detail     json.RawMessage `json:"detail"`
}

func (r *Relay) park(ctx context.Context, e Entry) error {
	detail := json.RawMessage(e.Detail)
	if !json.Valid(detail) {
		detail, _ = json.Marshal(e.Detail)
	}
	body, err := json.Marshal(Parked{e.Source, e.DetailType, detail})
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	note := quarantine.Note{
		EventType: e.DetailType, EventID: e.EventID, Subject: subject(e.Detail),
		Cause: e.Refusal, Attempts: e.Attempts, FirstSeen: e.Since,
	}
	if err := r.dead.Put(ctx, quarantine.Letter{Body: string(body), Note: note}); err != nil {
		return err
	}
	r.log.ErrorContext(ctx, "event parked", "eventId", e.EventID, "detailType", e.DetailType, "cause", e.Refusal)
	return nil
}

func subject(detail string) string {
	var d struct {
		Metadata struct {
			Subject string `json:"subject"`
		} `json:"metadata"`
	}
	_ = json.Unmarshal([]byte(detail), &d) // what cannot be read has none
	return d.Metadata.Subject
}
