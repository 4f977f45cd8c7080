// Package consumer handles domain events that arrive through an SQS queue, each
// once, with one event's failure never touching another's.
//
// It exists because the rules of the trade are the same for every consumer:
// answer with the messages that failed (and with an empty list, not null, when
// none did), repeat what lost a race, acknowledge what was done before, put into
// quarantine what cannot be processed, leave time to answer.
//
// A handler takes one version of an event type, and with it the versions before
// from which that one knows its upcast (see package events). A newer version, or a
// type that nobody takes, is a failure: nothing is guessed and nothing dropped, it
// waits in the dead-letter queue for the function that takes it. Fields that a
// type does not have are passed over, for a published version may gain some.
//
// Callers must keep: a handler returns nil when the event needs no more work,
// also when it is too late for it; an error when it should come again, also
// when it is too early; an Invalid error when no repeat can help. The last goes
// into the dead-letter queue at once, any other after the number of deliveries the
// infrastructure sets, by the function itself, which knows why. What it could not
// put there the queue moves, without a reason.
package consumer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"tradewind/events"
	"tradewind/shared/apperr"
	"tradewind/shared/function"
	"tradewind/shared/inbox"
	"tradewind/shared/quarantine"
	"tradewind/shared/table"
	"tradewind/shared/trace"
)

// What is kept of the function's time. A slow handler costs its own message a
// redelivery and not the whole batch, and there is a moment to put it into
// quarantine.
const (
	margin = 500 * time.Millisecond // of the handlers
	answer = 100 * time.Millisecond // of the quarantine
)

// Consumer is a Lambda handler for SQS batches of EventBridge events.
type Consumer struct {
	inbox    *inbox.Inbox
	log      *slog.Logger
	handlers map[version]handler
	takes    []events.Event

	dead     *quarantine.Queue // nil: failures are left to the queue
	receives int               // after which a failure is final
}

// version is one version of an event type.
type version struct {
	eventType string
	number    int
}

func versionOf(ev events.Event) version { return version{ev.EventType(), ev.SchemaVersion()} }

func (v version) String() string { return v.eventType + " v" + strconv.Itoa(v.number) }

// handler is what was registered for a version.
type handler struct {
	version int
	run     func(context.Context, events.Metadata, json.RawMessage) error
}

// New returns a consumer that handles nothing yet; see On.
func New(box *inbox.Inbox, log *slog.Logger) *Consumer {
	return &Consumer{inbox: box, log: log, handlers: map[version]handler{}}
}

// Quarantine makes c put what it cannot process into a dead-letter queue, at once
// where no repeat can help, else when a message fails after so many deliveries.
func (c *Consumer) Quarantine(dead *quarantine.Queue, receives int) {
	c.dead, c.receives = dead, receives
}

// On registers the handler of an event type and version. It also gets the versions
// before, lifted, down to the next one that has a handler of its own. The handler
// runs again from its start when its commit was refused as stale.
func On[E events.Event](c *Consumer, handle func(context.Context, events.Metadata, E) error) {
	var zero E
	h := handler{zero.SchemaVersion(), func(ctx context.Context, m events.Metadata, data json.RawMessage) error {
		ev, err := events.Read[E](m.SchemaVersion, data)
		if err != nil {
			return apperr.Wrap(err, apperr.Invalid, "event_malformed", "The event's data does not fit its contract.")
		}
		return table.Again(ctx, func() error { return handle(ctx, m, ev) })
	}}
	c.takes = append(c.takes, zero)
	c.handlers[versionOf(zero)] = h
	var older events.Event = zero
	for {
		upcaster, ok := older.(events.Upcaster)
		if !ok {
			return
		}
		older = upcaster.Upcast().Older()
		if nearest, taken := c.handlers[versionOf(older)]; taken && nearest.version < h.version {
			return
		}
		c.handlers[versionOf(older)] = h
	}
}

// Takes returns the zero values of the events that handlers were registered for.
func (c *Consumer) Takes() []events.Event { return c.takes }

type sqsEvent struct {
	Records []message `json:"Records"`
}

type message struct {
	MessageID         string               `json:"messageId"`
	Body              string               `json:"body"`
	Attributes        map[string]string    `json:"attributes"`
	MessageAttributes map[string]attribute `json:"messageAttributes"`
}

type attribute struct {
	StringValue string `json:"stringValue"`
}

// receives says how often the message was delivered.
func (m message) receives() int {
	n, _ := strconv.Atoi(m.Attributes["ApproximateReceiveCount"]) // 0 where it is not told
	return n
}

// note says what is known of the message before it is handled: also of the time
// before it was sent back from quarantine.
func (m message) note() quarantine.Note {
	before := quarantine.Read(func(name string) string { return m.MessageAttributes[name].StringValue })
	n := quarantine.Note{Attempts: m.receives(), FirstSeen: before.FirstSeen, Redrives: before.Redrives}
	if ms, err := strconv.ParseInt(m.Attributes["ApproximateFirstReceiveTimestamp"], 10, 64); err == nil && n.FirstSeen.IsZero() {
		n.FirstSeen = time.UnixMilli(ms)
	}
	return n
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
	handling, cancel := before(ctx, margin)
	defer cancel()
	parting, cancel := before(ctx, answer)
	defer cancel()
	failed := make([]bool, len(batch.Records))
	var wg sync.WaitGroup
	for i, m := range batch.Records {
		wg.Go(func() { failed[i] = !c.handle(handling, parting, m) })
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

// before returns a context that ends a moment before ctx does.
func before(ctx context.Context, moment time.Duration) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		return context.WithDeadline(ctx, deadline.Add(-moment))
	}
	return context.WithCancel(ctx)
}

// handle works on one message and reports whether it is done with. The handler has
// the time of ctx, the quarantine that of parting.
func (c *Consumer) handle(ctx, parting context.Context, m message) (done bool) {
	start := time.Now()
	note := m.note()
	ctx, name, err := c.dispatch(ctx, m, &note)
	attrs := []slog.Attr{
		slog.String("event", name),
		slog.String("eventId", trace.From(ctx).CausationID),
		slog.String("messageId", m.MessageID),
		slog.Int64("micros", time.Since(start).Microseconds()),
	}
	switch {
	case err == nil:
		c.log.LogAttrs(ctx, slog.LevelInfo, "event handled", attrs...)
		return true
	case errors.Is(err, table.ErrDone):
		c.log.LogAttrs(ctx, slog.LevelInfo, "event was handled before", attrs...)
		return true
	}
	note.Cause = quarantine.Cause(err)
	attrs = append(attrs, slog.String("error", note.Cause), slog.Int("attempts", note.Attempts))
	kind := apperr.KindOf(err)
	if c.dead == nil || kind != apperr.Invalid && note.Attempts < c.receives {
		level := slog.LevelWarn
		if kind == apperr.Internal || kind == apperr.Invalid {
			level = slog.LevelError
		}
		c.log.LogAttrs(ctx, level, "event failed", attrs...)
		return false
	}
	if p, ok := errors.AsType[*quarantine.Panic](err); ok {
		note.Stack = p.Stack
	}
	if err := c.dead.Put(parting, quarantine.Letter{Body: m.Body, Note: note}); err != nil {
		c.log.LogAttrs(ctx, slog.LevelError, "event failed, and is left to the queue",
			append(attrs, slog.String("quarantine", quarantine.Cause(err)))...)
		return false
	}
	c.log.LogAttrs(ctx, slog.LevelError, "event quarantined", attrs...)
	return true
}

// dispatch calls the event's handler. What it learns of the event goes into its
// results and the note at once, so that those of a panic have it too.
func (c *Consumer) dispatch(ctx context.Context, m message, note *quarantine.Note) (traced context.Context, name string, err error) {
	traced = ctx
	defer func() {
		if p := recover(); p != nil {
			function.LogPanic(traced, c.log, p)
			err = quarantine.Recovered(p)
		}
	}()
	var ev busEvent
	if err := json.Unmarshal([]byte(m.Body), &ev); err != nil {
		return traced, name, apperr.Wrap(err, apperr.Invalid, "event_malformed", "The message is not an event.")
	}
	meta := ev.Detail.Metadata
	note.EventType, note.EventID, note.Subject = ev.DetailType, meta.EventID, meta.Subject
	v := version{ev.DetailType, meta.SchemaVersion}
	name = v.String()
	t := trace.New(meta.CorrelationID, meta.Traceparent)
	t.CausationID = meta.EventID
	traced = trace.With(ctx, t)
	if meta.EventID == "" {
		return traced, name, apperr.New(apperr.Invalid, "event_malformed", "The event has no id.")
	}
	h, ok := c.handlers[v]
	if !ok {
		return traced, name, apperr.New(apperr.Invalid, "event_unknown",
			"No handler of this function takes this version of the event: deploy one that does, then redrive the message.")
	}
	if meta.Claim != nil {
		return traced, name, apperr.New(apperr.Invalid, "event_claimed",
			"The event's data are kept outside of it, and no function reads them there: have it published with its data.")
	}
	return traced, name, h.run(c.inbox.Guard(traced, meta.EventID), meta, ev.Detail.Data)
}
