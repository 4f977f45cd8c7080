// Package consumer handles domain events that arrive through an SQS queue, each
// once, with one event's failure never touching another's.
//
// It exists because the rules of the trade are the same for every consumer:
// answer with the messages that failed (and with an empty list, not null, when
// none did), repeat what lost a race, acknowledge what was done before, leave
// time to answer.
//
// Callers must keep: a handler returns nil when the event needs no more work,
// also when it is too late for it; an error when it should come again, also
// when it is too early. The queue moves a message to its dead-letter queue after
// the number of deliveries the infrastructure sets.
package consumer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"tradewind/events"
	"tradewind/shared/apperr"
	"tradewind/shared/function"
	"tradewind/shared/inbox"
	"tradewind/shared/table"
	"tradewind/shared/trace"
)

// margin is kept of the function's time, so that a slow handler costs its own
// message a redelivery and not the whole batch.
const margin = 500 * time.Millisecond

// Consumer is a Lambda handler for SQS batches of EventBridge events.
type Consumer struct {
	inbox    *inbox.Inbox
	log      *slog.Logger
	handlers map[string]func(context.Context, events.Metadata, json.RawMessage) error
}

// New returns a consumer that handles nothing yet; see On.
func New(box *inbox.Inbox, log *slog.Logger) *Consumer {
	return &Consumer{box, log, map[string]func(context.Context, events.Metadata, json.RawMessage) error{}}
}

// On registers the handler of an event type and version. The handler runs again
// from its start when its commit was refused as stale.
func On[E events.Event](c *Consumer, handle func(context.Context, events.Metadata, E) error) {
	var zero E
	c.handlers[handlerKey(zero.EventType(), zero.SchemaVersion())] = func(ctx context.Context, m events.Metadata, data json.RawMessage) error {
		var ev E
		if err := json.Unmarshal(data, &ev); err != nil {
			return apperr.Wrap(err, apperr.Invalid, "event_malformed", "The event's data does not fit its contract.")
		}
		return table.Again(ctx, func() error { return handle(ctx, m, ev) })
	}
}

// Handles reports whether the consumer takes an event type and version.
func (c *Consumer) Handles(eventType string, version int) bool {
	return c.handlers[handlerKey(eventType, version)] != nil
}

func handlerKey(eventType string, version int) string {
	return fmt.Sprintf("%s v%d", eventType, version)
}

type sqsEvent struct {
	Records []message `json:"Records"`
}

type message struct {
	MessageID string `json:"messageId"`
	Body      string `json:"body"`
}

// busEvent is what an EventBridge rule puts into a queue.
type busEvent struct {
	DetailType string          `json:"detail-type"`
	Detail     events.Envelope `json:"detail"`
}

type failure struct {
	ItemIdentifier string `json:"itemIdentifier"`
}

type batchResult struct {
	BatchItemFailures []failure `json:"batchItemFailures"`
}

// Invoke handles a batch. Its messages are worked on at the same time: the
// queue keeps no order, and one that waits must not make others wait.
func (c *Consumer) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	var batch sqsEvent
	if err := json.Unmarshal(payload, &batch); err != nil {
		return nil, fmt.Errorf("consumer: the event is not an SQS batch: %w", err)
	}
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-margin))
		defer cancel()
	}
	failed := make([]bool, len(batch.Records))
	var wg sync.WaitGroup
	for i, m := range batch.Records {
		wg.Go(func() { failed[i] = !c.handle(ctx, m) })
	}
	wg.Wait()
	result := batchResult{BatchItemFailures: []failure{}}
	for i, m := range batch.Records {
		if failed[i] {
			result.BatchItemFailures = append(result.BatchItemFailures, failure{m.MessageID})
		}
	}
	return json.Marshal(result)
}

// handle works on one message and reports whether it is done with.
func (c *Consumer) handle(ctx context.Context, m message) (done bool) {
	start := time.Now()
	ctx, name, err := c.dispatch(ctx, m)
	attrs := []slog.Attr{
		slog.String("event", name),
		slog.String("eventId", trace.From(ctx).CausationID),
		slog.String("messageId", m.MessageID),
		slog.Int64("micros", time.Since(start).Microseconds()),
	}
	switch {
	case err == nil:
		c.log.LogAttrs(ctx, slog.LevelInfo, "event handled", attrs...)
	case errors.Is(err, table.ErrDone):
		c.log.LogAttrs(ctx, slog.LevelInfo, "event was handled before", attrs...)
	default:
		level := slog.LevelWarn
		if kind := apperr.KindOf(err); kind == apperr.Internal || kind == apperr.Invalid {
			level = slog.LevelError
		}
		c.log.LogAttrs(ctx, level, "event failed", append(attrs, slog.String("error", err.Error()))...)
		return false
	}
	return true
}

// dispatch calls the event's handler. What it learns of the event goes into its
// results at once, so that the log line of a panic has it too.
func (c *Consumer) dispatch(ctx context.Context, m message) (traced context.Context, name string, err error) {
	traced = ctx
	defer func() {
		if p := recover(); p != nil {
			function.LogPanic(traced, c.log, p)
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	var ev busEvent
	if err := json.Unmarshal([]byte(m.Body), &ev); err != nil {
		return traced, name, apperr.Wrap(err, apperr.Invalid, "event_malformed", "The message is not an event.")
	}
	meta := ev.Detail.Metadata
	name = handlerKey(ev.DetailType, meta.SchemaVersion)
	t := trace.New(meta.CorrelationID, meta.Traceparent)
	t.CausationID = meta.EventID
	traced = trace.With(ctx, t)
	if meta.EventID == "" {
		return traced, name, apperr.New(apperr.Invalid, "event_malformed", "The event has no id.")
	}
	handle := c.handlers[name]
	if handle == nil {
		return traced, name, apperr.New(apperr.Invalid, "event_unknown", "No handler takes this event type and version.")
	}
	return traced, name, handle(c.inbox.Guard(traced, meta.EventID), meta, ev.Detail.Data)
}
