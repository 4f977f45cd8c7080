// Package relay publishes a table's outbox items on the event bus. It runs on
// the table's stream, filtered to the insertion of outbox items.
//
// It exists because a service cannot write its table and the bus in one step;
// the stream repeats until the bus has taken what the table holds.
//
// What callers can rely on: entries go out in the order of the stream, an entry
// the bus refuses for good goes whole to the relay's dead-letter queue and holds
// nothing up, and the relay returns an error, so that the batch comes again,
// only when it could place an entry in neither. So an event may be published
// twice and is never dropped.
package relay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// Limits of one PutEvents call
// (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html).
const (
	maxEntries = 10
	maxBytes   = 256 << 10
)

// margin is kept of the function's time for parking what is left.
const margin = 2 * time.Second

// Bus is what the relay needs of EventBridge.
type Bus interface {
	PutEvents(context.Context, *eventbridge.PutEventsInput, ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error)
}

// Queue is what the relay needs of SQS.
type Queue interface {
	SendMessage(context.Context, *sqs.SendMessageInput, ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
}

// Config says where a relay publishes and where it parks. All fields are
// required.
type Config struct {
	Bus     Bus
	BusName string
	Queue   Queue
	DLQ     string // URL of the relay's dead-letter queue
	Log     *slog.Logger
}

// Relay is a Lambda handler for DynamoDB stream events.
type Relay struct{ cfg Config }

// New returns a relay.
func New(cfg Config) *Relay { return &Relay{cfg} }

// streamEvent holds what the relay reads of a DynamoDB stream event.
type streamEvent struct {
	Records []struct {
		EventName string `json:"eventName"`
		DynamoDB  struct {
			SequenceNumber string          `json:"SequenceNumber"`
			NewImage       map[string]attr `json:"NewImage"`
		} `json:"dynamodb"`
	} `json:"Records"`
}

type attr struct {
	S string `json:"S"`
}

// entry is an event on its way.
type entry struct {
	types.PutEventsRequestEntry
	eventID string
	refused string // the bus's error code
}

func (e entry) size() int {
	return len(*e.Source) + len(*e.DetailType) + len(*e.Detail) + 14 // + time
}

// Invoke publishes the outbox items of a stream event.
func (r *Relay) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	var ev streamEvent
	if err := json.Unmarshal(payload, &ev); err != nil {
		return nil, fmt.Errorf("relay: the event is not of a DynamoDB stream: %w", err)
	}
	var entries []entry
	for _, rec := range ev.Records {
		image := rec.DynamoDB.NewImage
		if rec.EventName != "INSERT" || image["entity"].S != "outbox" {
			continue // the filter passes none; a wrong filter must not publish state
		}
		entries = append(entries, entry{
			eventID: image["eventId"].S,
			PutEventsRequestEntry: types.PutEventsRequestEntry{
				EventBusName: &r.cfg.BusName,
				Source:       aws.String(image["source"].S),
				DetailType:   aws.String(image["detailType"].S),
				Detail:       aws.String(image["detail"].S),
			},
		})
	}
	for len(entries) > 0 {
		n := fit(entries)
		if err := r.place(ctx, entries[:n]); err != nil {
			return nil, err
		}
		entries = entries[n:]
	}
	return []byte(`{"batchItemFailures":[]}`), nil
}

// fit returns how many of the first entries go into one call; at least one.
func fit(entries []entry) int {
	bytes := 0
	for i, e := range entries {
		bytes += e.size()
		if i == maxEntries || (i > 0 && bytes > maxBytes) {
			return i
		}
	}
	return len(entries)
}

// place publishes entries, repeating what failed for the moment until the time
// is nearly up, and parks the rest.
func (r *Relay) place(ctx context.Context, entries []entry) error {
	publishing := ctx
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		publishing, cancel = context.WithDeadline(ctx, deadline.Add(-margin))
		defer cancel()
	}
	var parked []entry
	for attempt := 0; len(entries) > 0; attempt++ {
		if attempt > 0 && !sleep(publishing, attempt) {
			parked = append(parked, entries...)
			break
		}
		again, never, err := r.put(publishing, entries)
		parked = append(parked, never...)
		entries = again
		if err != nil {
			r.cfg.Log.WarnContext(ctx, "the call to the bus failed", "entries", len(entries), "attempt", attempt, "error", err)
		}
	}
	for _, e := range parked {
		if err := r.park(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// put makes one call and sorts what failed: again holds what may be repeated,
// never what the bus will not take.
func (r *Relay) put(ctx context.Context, entries []entry) (again, never []entry, err error) {
	in := &eventbridge.PutEventsInput{Entries: make([]types.PutEventsRequestEntry, len(entries))}
	for i, e := range entries {
		in.Entries[i] = e.PutEventsRequestEntry
	}
	out, err := r.cfg.Bus.PutEvents(ctx, in)
	if err != nil {
		for i := range entries {
			entries[i].refused = err.Error()
		}
		if !refusedForGood(err) {
			return entries, nil, err
		}
		if len(entries) == 1 {
			return nil, entries, err
		}
		// One entry spoils the call for all: find it.
		for i := range entries {
			a, n, _ := r.put(ctx, entries[i:i+1])
			again, never = append(again, a...), append(never, n...)
		}
		return again, never, err
	}
	if len(out.Entries) != len(entries) {
		return entries, nil, fmt.Errorf("the bus answered for %d of %d entries", len(out.Entries), len(entries))
	}
	for i, result := range out.Entries {
		code := aws.ToString(result.ErrorCode)
		if code == "" {
			continue
		}
		e := entries[i]
		e.refused = code + ": " + aws.ToString(result.ErrorMessage)
		if transient(code) {
			again = append(again, e)
		} else {
			never = append(never, e)
		}
	}
	return again, never, nil
}

// refusedForGood reports whether a whole call was refused for what is in it.
func refusedForGood(err error) bool {
	var api interface{ ErrorCode() string }
	return errors.As(err, &api) && api.ErrorCode() == "ValidationException"
}

// transient reports whether the bus may take an entry later. Codes that are not
// known are taken for final: parking loses nothing.
func transient(code string) bool {
	switch code {
	case "ThrottlingException", "InternalFailure", "InternalException", "ServiceUnavailable":
		return true
	}
	return false
}

// parkedEvent is what stands in the dead-letter queue: the entry whole, so that
// it can be published as it was, and why it is there.
type parkedEvent struct {
	Source     string          `json:"source"`
	DetailType string          `json:"detailType"`
	Detail     json.RawMessage `json:"detail"`
	Cause      string          `json:"cause"`
}

func (r *Relay) park(ctx context.Context, e entry) error {
	detail := json.RawMessage(*e.Detail)
	if !json.Valid(detail) {
		detail, _ = json.Marshal(*e.Detail)
	}
	body, err := json.Marshal(parkedEvent{*e.Source, *e.DetailType, detail, e.refused})
	if err != nil {
		return fmt.Errorf("relay: encode event %s: %w", e.eventID, err)
	}
	if _, err := r.cfg.Queue.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &r.cfg.DLQ, MessageBody: aws.String(string(body))}); err != nil {
		return fmt.Errorf("relay: event %s is neither published (%s) nor parked: %w", e.eventID, e.refused, err)
	}
	r.cfg.Log.ErrorContext(ctx, "event parked", "eventId", e.eventID, "detailType", *e.DetailType, "cause", e.refused)
	return nil
}

// sleep waits before a repeat, with full jitter under a bound that doubles from
// 100 ms to 3.2 s; false when the time is up.
func sleep(ctx context.Context, attempt int) bool {
	timer := time.NewTimer(rand.N(100 * time.Millisecond << min(attempt-1, 5)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}
