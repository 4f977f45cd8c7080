package quarantine_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"

	"tradewind/shared/apperr"
	"tradewind/shared/env"
	"tradewind/shared/quarantine"
)

// sender is SQS.
type sender func(*sqs.SendMessageInput) error

func (f sender) SendMessage(_ context.Context, in *sqs.SendMessageInput, _ ...func(*sqs.Options)) (*sqs.SendMessageOutput, error) {
	return &sqs.SendMessageOutput{}, f(in)
}

// put returns the attributes with which a note arrives.
func put(t *testing.T, n quarantine.Note) map[string]string {
	t.Helper()
	got := map[string]string{}
	q := quarantine.New(sender(func(in *sqs.SendMessageInput) error {
		if *in.QueueUrl != "https://dlq" || *in.MessageBody != " {body as it was} " {
			t.Errorf("sent %q to %s", *in.MessageBody, *in.QueueUrl)
		}
		for name, a := range in.MessageAttributes {
			if *a.DataType != "String" || *a.StringValue == "" {
				t.Errorf("attribute %s is %+v, which SQS refuses", name, a)
			}
			got[name] = *a.StringValue
		}
		return nil
	}), "https://dlq")
	if err := q.Put(t.Context(), quarantine.Letter{Body: " {body as it was} ", Note: n}); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestNote(t *testing.T) {
	whole := quarantine.Note{
		EventType: "order.created", EventID: "evt_1", Subject: "ord_1", Cause: "invalid: event_malformed", Stack: "goroutine 7\n\tmain.go:1",
		Attempts: 5, FirstSeen: time.Date(2026, 11, 12, 14, 0, 0, 1e6, time.UTC), Redrives: 2,
	}
	attributes := put(t, whole)
	want := map[string]string{
		"eventType": "order.created", "eventId": "evt_1", "subject": "ord_1", "cause": "invalid: event_malformed",
		"stack": "goroutine 7\n\tmain.go:1", "attempts": "5", "firstSeenAt": "2026-11-12T14:00:00.001Z", "redrives": "2",
	}
	if diff := cmp.Diff(want, attributes); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	read := quarantine.Read(func(name string) string { return attributes[name] })
	if diff := cmp.Diff(whole, read); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	if got := put(t, quarantine.Note{}); len(got) != 0 {
		t.Errorf("nothing known, and attributes %v", got)
	}
	if got := quarantine.Read(func(string) string { return "x" }); got.Attempts != 0 || !got.FirstSeen.IsZero() {
		t.Errorf("read %+v from what cannot be read", got)
	}
}

// SQS takes ten attributes, no control characters, and 256 KiB with the body, of
// which an event may have 240.
func TestAttributesFitAMessage(t *testing.T) {
	long := strings.Repeat("ä\x00\n\uFFFF\xff", 10<<10)
	got := put(t, quarantine.Note{
		EventType: "t", EventID: "i", Subject: "s", Cause: long, Stack: long, Attempts: 1, FirstSeen: time.Now(), Redrives: 1,
	})
	size := 0
	for name, value := range got {
		size += len(name) + len("String") + len(value)
		if !utf8.ValidString(value) || strings.ContainsAny(value, "\x00\uFFFF") {
			t.Errorf("%s holds what SQS refuses", name)
		}
	}
	if len(got) != 8 || size > 10<<10 {
		t.Errorf("%d attributes of %d bytes", len(got), size)
	}
	if !strings.HasSuffix(got["cause"], "…") || !strings.HasPrefix(got["cause"], "ä\n") {
		t.Errorf("cause %q…", got["cause"][:20])
	}
}

// A malformed event may have anything in the place of an id.
func TestWordsThatAreNone(t *testing.T) {
	for _, odd := range []string{"ada@example.com", "Ada Lovelace", "Zoë", "line\nbreak", `{"a":1}`, strings.Repeat("x", 129)} {
		if got := put(t, quarantine.Note{EventType: odd, EventID: odd, Subject: odd}); len(got) != 0 {
			t.Errorf("%q became attributes %v", odd, slices.Collect(maps.Keys(got)))
		}
	}
}

func TestCause(t *testing.T) {
	tests := map[string]struct {
		err  error
		want string
	}{
		"classified":    {apperr.New(apperr.NotFound, "order_not_found", "There is no such order."), "not_found: order_not_found: There is no such order."},
		"wrapped":       {fmt.Errorf("charge: %w", apperr.New(apperr.Unavailable, "busy", "Try again.")), "unavailable: charge: busy: Try again."},
		"unclassified":  {errors.New("index out of range [5]"), "internal: index out of range [5]"},
		"quoted":        {fmt.Errorf("parse %q: bad", `Ada "the" Lovelace`), "internal: parse …: bad"},
		"single quotes": {errors.New("Value 'Ada's' at 'email' failed; can't retry"), "internal: Value … at … failed; can't retry"},
		"back quotes":   {errors.New("bad `Ada`"), "internal: bad …"},
		"never closed":  {errors.New(`unexpected "Ada Lovelace, born`), "internal: unexpected …"},
		"address":       {errors.New("MessageRejected: not verified: <ada@example.com>, in EU"), "internal: MessageRejected: not verified: … in EU"},
		"plural":        {errors.New("the customers' inbox and the event's data"), "internal: the customers' inbox and the event's data"},
		"backslash":     {errors.New(`odd "x\`), "internal: odd …"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := quarantine.Cause(test.err); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestRecovered(t *testing.T) {
	err := func() (err error) {
		defer func() { err = fmt.Errorf("handle: %w", quarantine.Recovered(recover())) }()
		panic("at the disco")
	}()
	p, ok := errors.AsType[*quarantine.Panic](err)
	if !ok || err.Error() != "handle: panic: at the disco" || !strings.Contains(p.Stack, "quarantine_test.go") {
		t.Errorf("got %v with stack %s", err, p.Stack)
	}
}

func TestFromEnv(t *testing.T) {
	vars := env.From(func(string) string { return "" })
	quarantine.FromEnv(vars)
	if err := vars.Err(); err == nil || !strings.Contains(err.Error(), "DLQ_URL") {
		t.Errorf("got error %v, want one that names DLQ_URL", err)
	}
}

// A function acknowledges what it cannot process only when it is in the queue.
func ExampleQueue_Put() {
	q := quarantine.New(sender(func(in *sqs.SendMessageInput) error {
		fmt.Println(*in.MessageBody, *in.MessageAttributes["cause"].StringValue)
		return nil
	}), "https://dlq")
	why := apperr.New(apperr.Invalid, "event_malformed", "The event's data does not fit its contract.")
	err := q.Put(context.Background(), quarantine.Letter{Body: `{"odd":true}`, Note: quarantine.Note{Cause: quarantine.Cause(why)}})
	fmt.Println(err)

	// Output:
	// {"odd":true} invalid: event_malformed: The event's data does not fit its contract.
	// <nil>
}
