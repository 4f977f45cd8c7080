package consumer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"

	"tradewind/events"
	"tradewind/shared/apperr"
	"tradewind/shared/consumer"
	"tradewind/shared/env"
	"tradewind/shared/inbox"
	"tradewind/shared/logs"
	"tradewind/shared/quarantine"
	"tradewind/shared/table"
	"tradewind/shared/table/tabletest"
)

const maxReceives = 5

// deadLetters is a dead-letter queue.
type deadLetters struct {
	mu      sync.Mutex
	err     error
	bodies  []string
	letters map[string]quarantine.Note // by body
}

func (d *deadLetters) SendMessage(ctx context.Context, in *sqs.SendMessageInput, _ ...func(*sqs.Options)) (*sqs.SendMessageOutput, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := errors.Join(d.err, ctx.Err()); err != nil {
		return nil, err
	}
	if d.letters == nil {
		d.letters = map[string]quarantine.Note{}
	}
	d.bodies = append(d.bodies, *in.MessageBody)
	d.letters[*in.MessageBody] = quarantine.Read(func(name string) string {
		if a, ok := in.MessageAttributes[name]; ok {
			return *a.StringValue
		}
		return ""
	})
	return &sqs.SendMessageOutput{}, nil
}

// quarantined returns a consumer with a dead-letter queue.
func quarantined() (*consumer.Consumer, *deadLetters, *lines) {
	c, l := newConsumer()
	d := &deadLetters{}
	c.Quarantine(quarantine.New(d, "https://dlq"), maxReceives)
	return c, d, l
}

var firstSeen = time.Date(2026, 11, 12, 14, 0, 0, 140e6, time.UTC)

// received is a batch of messages in their n-th delivery.
func received(n int, messages ...message) []byte {
	var records []map[string]any
	for _, m := range messages {
		records = append(records, map[string]any{
			"messageId": m.id, "body": m.body,
			"attributes": map[string]string{
				"ApproximateReceiveCount":          strconv.Itoa(n),
				"ApproximateFirstReceiveTimestamp": strconv.FormatInt(firstSeen.UnixMilli(), 10),
			},
		})
	}
	payload, _ := json.Marshal(map[string]any{"Records": records})
	return payload
}

// TestQuarantine follows what goes wrong in every way through its deliveries.
func TestQuarantine(t *testing.T) {
	const invalid = "invalid: event_malformed: "
	failing := map[string]error{
		"defect":   errors.New("defect of ada@example.com"),
		"early":    apperr.New(apperr.NotFound, "parcel_not_found", "There is no such parcel."),
		"busy":     fmt.Errorf("weigh: %w", apperr.New(apperr.Unavailable, "busy", "Try again.")),
		"conflict": apperr.New(apperr.Conflict, "parcel_lost", "The parcel is lost."),
		"refused":  fmt.Errorf("ship: %w", apperr.New(apperr.Invalid, "parcel_heavy", "The parcel is too heavy.")),
		"done":     table.ErrDone,
	}
	wrongShape := event("m", "evt_1", shipped{"shape", 1})
	wrongShape.body = strings.Replace(wrongShape.body, `"weight":1`, `"weight":"one"`, 1)
	odd := event("m", "Ada Lovelace", shipped{"Ada Lovelace", 1})
	odd.body = strings.Replace(odd.body, "parcel.shipped", "Ada Lovelace", 1)

	tests := map[string]struct {
		message message
		at      int // the delivery that ends in quarantine; 0 means none
		want    quarantine.Note
	}{
		"good":        {event("m", "evt_1", shipped{"good", 1}), 0, quarantine.Note{}},
		"done":        {event("m", "evt_1", shipped{"done", 1}), 0, quarantine.Note{}},
		"defect":      {event("m", "evt_1", shipped{"defect", 1}), maxReceives, quarantine.Note{Cause: "internal: defect of …"}},
		"early":       {event("m", "evt_1", shipped{"early", 1}), maxReceives, quarantine.Note{Cause: "not_found: parcel_not_found: There is no such parcel."}},
		"busy":        {event("m", "evt_1", shipped{"busy", 1}), maxReceives, quarantine.Note{Cause: "unavailable: weigh: busy: Try again."}},
		"conflict":    {event("m", "evt_1", shipped{"conflict", 1}), maxReceives, quarantine.Note{Cause: "conflict: parcel_lost: The parcel is lost."}},
		"refused":     {event("m", "evt_1", shipped{"refused", 1}), 1, quarantine.Note{Cause: "invalid: ship: parcel_heavy: The parcel is too heavy."}},
		"wrong shape": {wrongShape, 1, quarantine.Note{Subject: "shape", Cause: invalid + "The event's data does not fit its contract.: json: cannot unmarshal string into Go struct field shipped.weight of type int"}},
		"unknown":     {event("m", "evt_1", lost{"nobody listens"}), 1, quarantine.Note{EventType: "parcel.lost", Subject: "none", Cause: "invalid: event_unknown: No handler of this function takes this version of the event: deploy one that does, then redrive the message."}},
		"no id":       {event("m", "", shipped{"p", 1}), 1, quarantine.Note{EventID: "none", Subject: "p", Cause: invalid + "The event has no id."}},
		"no event":    {message{"m", "hello Ada"}, 1, quarantine.Note{EventType: "none", EventID: "none", Subject: "none", Cause: invalid + "The message is not an event.: invalid character … looking for beginning of value"}},
		"odd words":   {odd, 1, quarantine.Note{EventType: "none", EventID: "none", Subject: "none", Cause: "invalid: event_unknown: No handler of this function takes this version of the event: deploy one that does, then redrive the message."}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c, d, _ := quarantined()
			consumer.On(c, func(_ context.Context, _ events.Metadata, ev shipped) error { return failing[ev.ParcelID] })
			for n := 1; n < test.at; n++ {
				wantFailures(t, c, received(n, test.message), "m")
				if len(d.bodies) > 0 {
					t.Fatalf("in quarantine after delivery %d", n)
				}
			}
			wantFailures(t, c, received(max(test.at, 1), test.message)) // acknowledged
			if test.at == 0 {
				if len(d.bodies) > 0 {
					t.Errorf("in quarantine: %+v", d.letters)
				}
				return
			}
			if diff := cmp.Diff([]string{test.message.body}, d.bodies); diff != "" {
				t.Fatalf("in quarantine (-want +got):\n%s", diff)
			}
			want := test.want
			want.EventType = known(want.EventType, "parcel.shipped")
			want.EventID = known(want.EventID, "evt_1")
			want.Subject = known(want.Subject, name)
			want.Attempts, want.FirstSeen = test.at, firstSeen
			if diff := cmp.Diff(want, d.letters[test.message.body]); diff != "" {
				t.Errorf("note (-want +got):\n%s", diff)
			}
		})
	}
}

// known fills what a test leaves open, and "none" says that nothing is expected.
func known(want, usual string) string {
	switch want {
	case "":
		return usual
	case "none":
		return ""
	}
	return want
}

func TestQuarantineOfAPanic(t *testing.T) {
	c, d, _ := quarantined()
	consumer.On(c, func(context.Context, events.Metadata, shipped) error { panic("at the disco") })
	m := event("m", "evt_1", shipped{"1", 1})
	wantFailures(t, c, received(maxReceives, m))
	note := d.letters[m.body]
	if note.Cause != "internal: panic: at the disco" || !strings.Contains(note.Stack, "quarantine_test.go") {
		t.Errorf("note %+v", note)
	}
}

// TestQuarantineRefuses has the dead-letter queue take nothing: the message goes the
// queue's own way, and the batch's others are not hurt.
func TestQuarantineRefuses(t *testing.T) {
	c, d, l := quarantined()
	d.err = errors.New("queue is gone")
	consumer.On(c, func(_ context.Context, _ events.Metadata, ev shipped) error {
		if ev.Weight > 1 {
			return apperr.New(apperr.Invalid, "parcel_heavy", "The parcel is too heavy.")
		}
		return nil
	})
	batch := received(1, event("m-1", "evt_1", shipped{"1", 1}), event("m-2", "evt_2", shipped{"2", 2}))
	wantFailures(t, c, batch, "m-2")
	told := false
	for _, line := range l.all(t) {
		told = told || line["messageId"] == "m-2" && line["quarantine"] == "internal: queue is gone" &&
			strings.HasPrefix(line["error"].(string), "invalid: parcel_heavy")
	}
	if !told {
		t.Error("the log does not tell both reasons")
	}
	d.err = nil
	wantFailures(t, c, batch)
	if len(d.bodies) != 1 {
		t.Errorf("%d copies, want 1", len(d.bodies))
	}
}

// TestQuarantineRemembers: what was sent back and fails again is as old as it was.
func TestQuarantineRemembers(t *testing.T) {
	c, d, _ := quarantined()
	m := event("m", "evt_1", lost{"1"})
	before := firstSeen.Add(-24 * time.Hour)
	payload, _ := json.Marshal(map[string]any{"Records": []any{map[string]any{
		"messageId": "m", "body": m.body,
		"attributes": map[string]string{"ApproximateReceiveCount": "1", "ApproximateFirstReceiveTimestamp": strconv.FormatInt(firstSeen.UnixMilli(), 10)},
		"messageAttributes": map[string]any{
			"firstSeenAt": map[string]string{"stringValue": before.Format(time.RFC3339Nano), "dataType": "String"},
			"redrives":    map[string]string{"stringValue": "2", "dataType": "String"},
		},
	}}})
	wantFailures(t, c, payload)
	if note := d.letters[m.body]; !note.FirstSeen.Equal(before) || note.Redrives != 2 {
		t.Errorf("note %+v, want first seen %v and 2 redrives", note, before)
	}
}

// TestComesAgain reads a batch in the form recorded on AWS on 2025-11-25: one message was
// redriven before and comes for the last time, the other for the second time.
func TestComesAgain(t *testing.T) {
	payload, err := os.ReadFile("testdata/again.json")
	if err != nil {
		t.Fatal(err)
	}
	c, d, _ := quarantined()
	consumer.On(c, func(context.Context, events.Metadata, shipped) error { return errors.New("defect") })
	wantFailures(t, c, payload, "7d0f5f7a-3f0b-4b53-9d8e-2a6c10000002")
	if len(d.bodies) != 1 {
		t.Fatalf("in quarantine: %v", d.bodies)
	}
	want := quarantine.Note{
		EventType: "parcel.shipped", EventID: "evt_1", Subject: "par_1", Cause: "internal: defect",
		Attempts: 5, FirstSeen: time.Date(2026, 11, 11, 9, 30, 0, 500e6, time.UTC), Redrives: 1,
	}
	if diff := cmp.Diff(want, d.letters[d.bodies[0]]); diff != "" {
		t.Errorf("note (-want +got):\n%s", diff)
	}
}

// TestQuarantineInTime: a handler that uses up its time leaves a moment to put its
// message away.
func TestQuarantineInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, d, _ := quarantined()
		consumer.On(c, func(ctx context.Context, _ events.Metadata, _ shipped) error {
			<-ctx.Done()
			return ctx.Err()
		})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		m := event("m", "evt_1", shipped{"1", 1})
		if got := failures(ctx, t, c, received(maxReceives, m)); len(got) > 0 || len(d.bodies) != 1 {
			t.Errorf("given back %v, in quarantine %v", got, d.bodies)
		}
	})
}

// TestKilledAfterQuarantine is the one case with two copies: the function ends
// between putting a message away and acknowledging it, and the message comes again.
// Sent back, both take effect once.
func TestKilledAfterQuarantine(t *testing.T) {
	tbl := tabletest.New()
	c, d, _ := quarantined()
	poison := event("m", "evt_1", lost{"1"})
	for n := range 2 { // the answer to the first never arrives
		wantFailures(t, c, received(n+1, poison))
	}
	if len(d.bodies) != 2 {
		t.Fatalf("%d copies, want 2", len(d.bodies))
	}
	mended := consumer.New(inbox.New(time.Now), logs.Discard())
	consumer.On(mended, func(ctx context.Context, _ events.Metadata, _ lost) error { return count(ctx, tbl) })
	for _, body := range d.bodies {
		wantFailures(t, mended, received(1, message{"m", body}))
	}
	if n := counted(t, tbl); n != 1 {
		t.Errorf("took effect %d times", n)
	}
}

func TestFromEnv(t *testing.T) {
	vars := env.From(func(string) string { return "" })
	consumer.FromEnv(vars, inbox.New(time.Now))
	err := vars.Err()
	for _, name := range []string{"DLQ_URL", "MAX_RECEIVES"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got error %v, want one that names %s", err, name)
		}
	}
	set := map[string]string{"DLQ_URL": "https://dlq", "MAX_RECEIVES": "5"}
	vars = env.From(func(name string) string { return set[name] })
	c := consumer.FromEnv(vars, inbox.New(time.Now))
	if err := vars.Err(); err != nil {
		t.Fatal(err)
	}
	wantFailures(t, c, []byte(`{"Records":[]}`))
}
