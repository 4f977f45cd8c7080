package consumer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tradewind/events"
	"tradewind/shared/apperr"
	"tradewind/shared/consumer"
	"tradewind/shared/inbox"
	"tradewind/shared/logs"
	"tradewind/shared/table"
	"tradewind/shared/table/tabletest"
	"tradewind/shared/trace"
)

// The events of the tests.
type (
	shipped struct {
		ParcelID string `json:"parcelId"`
		Weight   int    `json:"weight"`
	}
	lost struct {
		ParcelID string `json:"parcelId"`
	}
)

func (shipped) EventType() string  { return "parcel.shipped" }
func (shipped) SchemaVersion() int { return 1 }
func (e shipped) Subject() string  { return e.ParcelID }
func (lost) EventType() string     { return "parcel.lost" }
func (lost) SchemaVersion() int    { return 1 }
func (e lost) Subject() string     { return e.ParcelID }

// lines collects what is logged.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) all(t *testing.T) []map[string]any {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []map[string]any
	for line := range strings.Lines(l.buf.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("log line %s: %v", line, err)
		}
		all = append(all, m)
	}
	return all
}

func newConsumer() (*consumer.Consumer, *lines) {
	l := &lines{}
	return consumer.New(inbox.New(time.Now), logs.New(l, func(string) string { return "" })), l
}

// message is one of a batch: an event, or whatever else the queue holds.
type message struct {
	id   string
	body string
}

func event(id, eventID string, ev events.Event) message {
	data, _ := json.Marshal(ev)
	body, _ := json.Marshal(map[string]any{
		"version": "0", "detail-type": ev.EventType(), "source": "parcels",
		"detail": map[string]any{
			"metadata": map[string]any{
				"eventId": eventID, "occurredAt": "2026-11-12T14:00:00.000Z", "schemaVersion": ev.SchemaVersion(),
				"correlationId": "c-" + eventID, "causationId": "evt_0", "subject": ev.Subject(),
			},
			"data": json.RawMessage(data),
		},
	})
	return message{id, string(body)}
}

func batch(messages ...message) []byte {
	var records []map[string]string
	for _, m := range messages {
		records = append(records, map[string]string{"messageId": m.id, "body": m.body})
	}
	payload, _ := json.Marshal(map[string]any{"Records": records})
	return payload
}

// failures invokes the consumer and returns which messages it gives back.
func failures(ctx context.Context, t *testing.T, c *consumer.Consumer, payload []byte) []string {
	t.Helper()
	answer, err := c.Invoke(ctx, payload)
	if err != nil {
		t.Fatal(err)
	}
	var result struct {
		BatchItemFailures []map[string]string `json:"batchItemFailures"`
	}
	if err := json.Unmarshal(answer, &result); err != nil {
		t.Fatal(err)
	}
	if result.BatchItemFailures == nil {
		t.Fatalf("answer %s has no list of failures: the poller takes that for a failure of all", answer)
	}
	ids := []string{}
	for _, f := range result.BatchItemFailures {
		if len(f) != 1 || f["itemIdentifier"] == "" {
			t.Errorf("failure %v", f)
		}
		ids = append(ids, f["itemIdentifier"])
	}
	return ids
}

func wantFailures(t *testing.T, c *consumer.Consumer, payload []byte, want ...string) {
	t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), failures(t.Context(), t, c, payload)); diff != "" {
		t.Errorf("messages given back (-want +got):\n%s", diff)
	}
}

// TestBatch reads a batch as SQS and EventBridge send it.
func TestBatch(t *testing.T) {
	payload, err := os.ReadFile("testdata/sqs.json")
	if err != nil {
		t.Fatal(err)
	}
	c, _ := newConsumer()
	var mu sync.Mutex
	got := map[string]any{}
	traces := map[string]trace.Trace{}
	note := func(ctx context.Context, m events.Metadata, ev any) error {
		mu.Lock()
		defer mu.Unlock()
		got[m.EventID], traces[m.EventID] = ev, trace.From(ctx)
		if m.SchemaVersion != 1 || !strings.HasPrefix(m.OccurredAt.String(), "2026-11-12T14:00:00.12") {
			t.Errorf("metadata %+v", m)
		}
		return nil
	}
	consumer.On(c, func(ctx context.Context, m events.Metadata, ev shipped) error { return note(ctx, m, ev) })
	consumer.On(c, func(ctx context.Context, m events.Metadata, ev lost) error { return note(ctx, m, ev) })

	answer, err := c.Invoke(t.Context(), payload)
	if err != nil || string(answer) != `{"batchItemFailures":[]}` {
		t.Fatalf("got %s, %v; want an empty list, which is not null", answer, err)
	}
	want := map[string]any{
		"evt_01K9ZX3V5W1A2B3C4D5E6F7G81": shipped{"par_1", 500},
		"evt_01K9ZX3V5W1A2B3C4D5E6F7G82": lost{"par_2"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
	for eventID, tr := range traces {
		want := trace.Trace{CorrelationID: "c-1", CausationID: eventID, Parent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
		if diff := cmp.Diff(want, tr); diff != "" {
			t.Errorf("trace of %s (-want +got):\n%s", eventID, diff)
		}
	}
}

// TestOneMessageNeverHurtsAnother mixes all that can go wrong with what goes
// right.
func TestOneMessageNeverHurtsAnother(t *testing.T) {
	c, l := newConsumer()
	var mu sync.Mutex
	var done []string
	consumer.On(c, func(_ context.Context, _ events.Metadata, ev shipped) error {
		switch ev.ParcelID {
		case "fails":
			return errors.New("defect")
		case "early":
			return apperr.New(apperr.NotFound, "parcel_not_found", "There is no such parcel.")
		case "busy":
			return apperr.New(apperr.Unavailable, "busy", "Try again.")
		case "panics":
			panic("at the disco")
		case "done before":
			return fmt.Errorf("save: %w", table.ErrDone)
		}
		mu.Lock()
		defer mu.Unlock()
		done = append(done, ev.ParcelID)
		return nil
	})
	unknownVersion := event("m-version", "evt_8", shipped{"v2", 1})
	unknownVersion.body = strings.Replace(unknownVersion.body, `"schemaVersion":1`, `"schemaVersion":2`, 1)
	wrongShape := event("m-shape", "evt_9", shipped{"shape", 1})
	wrongShape.body = strings.Replace(wrongShape.body, `"weight":1`, `"weight":"one"`, 1)

	wantFailures(t, c, batch(
		event("m-good", "evt_1", shipped{"good", 1}),
		event("m-fails", "evt_2", shipped{"fails", 1}),
		event("m-early", "evt_3", shipped{"early", 1}),
		event("m-busy", "evt_4", shipped{"busy", 1}),
		event("m-panics", "evt_5", shipped{"panics", 1}),
		event("m-done", "evt_6", shipped{"done before", 1}),
		event("m-unknown", "evt_7", lost{"nobody listens"}),
		unknownVersion,
		wrongShape,
		event("m-no-id", "", shipped{"anonymous", 1}),
		message{"m-text", "hello"},
		message{"m-null", "null"},
		message{"m-empty", ""},
		event("m-last", "evt_10", shipped{"last", 1}),
	), "m-fails", "m-early", "m-busy", "m-panics", "m-unknown", "m-version", "m-shape", "m-no-id", "m-text", "m-null", "m-empty")
	slices.Sort(done)
	if diff := cmp.Diff([]string{"good", "last"}, done); diff != "" {
		t.Errorf("done (-want +got):\n%s", diff)
	}

	// What a person must look at is an error, what passes by itself is not.
	levels := map[any]any{}
	for _, line := range l.all(t) {
		switch line["msg"] {
		case "panic":
			if stack, _ := line["stack"].(string); !strings.Contains(stack, "consumer_test.go") {
				t.Errorf("stack of the panic does not say where: %v", line["stack"])
			}
		default:
			levels[line["messageId"]] = line["level"]
		}
	}
	want := map[any]any{
		"m-good": "INFO", "m-last": "INFO", "m-done": "INFO",
		"m-early": "WARN", "m-busy": "WARN",
		"m-fails": "ERROR", "m-panics": "ERROR", "m-unknown": "ERROR", "m-version": "ERROR", "m-shape": "ERROR",
		"m-no-id": "ERROR", "m-text": "ERROR", "m-null": "ERROR", "m-empty": "ERROR",
	}
	if diff := cmp.Diff(want, levels); diff != "" {
		t.Errorf("levels (-want +got):\n%s", diff)
	}
}

func TestLogLine(t *testing.T) {
	c, l := newConsumer()
	consumer.On(c, func(context.Context, events.Metadata, shipped) error { return nil })
	wantFailures(t, c, batch(event("m-1", "evt_1", shipped{"1", 1})))
	all := l.all(t)
	if len(all) != 1 {
		t.Fatalf("%d lines, want 1", len(all))
	}
	line := all[0]
	maps.DeleteFunc(line, func(name string, _ any) bool { return name == "time" || name == "micros" })
	want := map[string]any{
		"level": "INFO", "msg": "event handled", "service": "", "function": "",
		"event": "parcel.shipped v1", "eventId": "evt_1", "messageId": "m-1", "correlationId": "c-evt_1",
	}
	if diff := cmp.Diff(want, line); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
}

// counter is what the handlers of the next tests change.
type counter struct {
	table.Key
	Count   int `dynamodbav:"count"`
	Version int `dynamodbav:"version"`
}

var counterKey = table.Key{PK: "COUNTER", SK: "COUNTER"}

func count(ctx context.Context, tbl *table.Table) error {
	var seen counter
	if _, err := tbl.Get(ctx, counterKey, &seen); err != nil {
		return err
	}
	next := counter{counterKey, seen.Count + 1, seen.Version + 1}
	if seen.Version == 0 {
		return tbl.Commit(ctx, nil, table.Create(next, apperr.ErrStale))
	}
	return tbl.Commit(ctx, nil, table.Replace(next, seen.Version))
}

func counted(t *testing.T, tbl *table.Table) int {
	t.Helper()
	var c counter
	if _, err := tbl.Get(t.Context(), counterKey, &c); err != nil {
		t.Fatal(err)
	}
	return c.Count
}

// TestDuplicates delivers each event several times, also within one batch. Each
// takes effect once, and no delivery is given back for it.
func TestDuplicates(t *testing.T) {
	tabletest.Both(t, func(t *testing.T, tbl *table.Table) {
		c, _ := newConsumer()
		consumer.On(c, func(ctx context.Context, _ events.Metadata, _ shipped) error { return count(ctx, tbl) })
		var messages []message
		for i := range 4 {
			for range 3 {
				messages = append(messages, event(fmt.Sprint("m-", len(messages)), fmt.Sprint("evt_", i), shipped{"1", 1}))
			}
		}
		// All race for one counter: who is late reads it anew. One that loses too
		// often is given back, and has to come again as it would from the queue.
		left := batch(messages...)
		for range 10 {
			failed := failures(t.Context(), t, c, left)
			if len(failed) == 0 {
				break
			}
			left = batch(slices.DeleteFunc(slices.Clone(messages), func(m message) bool { return !slices.Contains(failed, m.id) })...)
		}
		wantFailures(t, c, batch(messages...))
		if n := counted(t, tbl); n != 4 {
			t.Errorf("counted %d events, want 4", n)
		}
	})
}

func TestStaleIsRepeated(t *testing.T) {
	c, _ := newConsumer()
	runs := 0
	consumer.On(c, func(context.Context, events.Metadata, shipped) error {
		if runs++; runs < 3 {
			return fmt.Errorf("save: %w", apperr.ErrStale)
		}
		return nil
	})
	wantFailures(t, c, batch(event("m-1", "evt_1", shipped{"1", 1})))
	if runs != 3 {
		t.Errorf("ran %d times, want 3", runs)
	}
}

// TestSlowHandler waits for longer than the function may take. Its message is
// given back, in time, and those of others are not.
func TestSlowHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := newConsumer()
		consumer.On(c, func(ctx context.Context, _ events.Metadata, ev shipped) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Duration(ev.Weight) * time.Second):
				return nil
			}
		})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		start := time.Now()
		got := failures(ctx, t, c, batch(
			event("m-slow", "evt_1", shipped{"1", 60}),
			event("m-quick", "evt_2", shipped{"2", 9}),
		))
		if diff := cmp.Diff([]string{"m-slow"}, got); diff != "" {
			t.Errorf("messages given back (-want +got):\n%s", diff)
		}
		if took := time.Since(start); took != 9500*time.Millisecond {
			t.Errorf("answered after %v, want 500ms before the deadline", took)
		}
	})
}

func TestNotABatch(t *testing.T) {
	c, _ := newConsumer()
	if answer, err := c.Invoke(t.Context(), []byte(`"hello"`)); err == nil {
		t.Errorf("got %s, want an error", answer)
	}
	wantFailures(t, c, []byte(`{"Records":[]}`))
}

// A consumer function registers one handler per event type. What a handler
// commits carries the record that the event was handled.
func ExampleOn() {
	tbl := tabletest.New()
	c := consumer.New(inbox.New(time.Now), logs.Discard())
	consumer.On(c, func(ctx context.Context, m events.Metadata, ev shipped) error {
		fmt.Println("parcel", ev.ParcelID, "weighs", ev.Weight)
		return tbl.Commit(ctx, nil, table.Create(table.Key{PK: "PARCEL#" + ev.ParcelID, SK: "PARCEL"}, errors.New("taken")))
	})

	payload := batch(event("m-1", "evt_1", shipped{"7", 500}))
	for range 2 { // the queue may deliver twice
		answer, err := c.Invoke(context.Background(), payload)
		fmt.Println(string(answer), err)
	}

	// Output:
	// parcel 7 weighs 500
	// {"batchItemFailures":[]} <nil>
	// parcel 7 weighs 500
	// {"batchItemFailures":[]} <nil>
}
