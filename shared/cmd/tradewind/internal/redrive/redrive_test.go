package redrive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	bustypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"

	"tradewind/shared/cmd/tradewind/internal/command"
	"tradewind/shared/quarantine"
	"tradewind/shared/relay"
)

// body is an event as the bus delivers it.
func body(eventType, id string) string {
	return fmt.Sprintf(`{"source":"orders","detail-type":%q,"detail":{"metadata":{"eventId":%q,"subject":"ord_%s"},"data":{"n":1}}}`, eventType, id, id)
}

// filled is a dead-letter queue with n letters of a type.
func filled(n int) *queue {
	q := &queue{}
	for i := range n {
		q.put(body("order.created", fmt.Sprint("evt_", i)), quarantine.Note{Cause: "invalid: event_malformed", Attempts: 1}.Attributes())
	}
	return q
}

func filter(t *testing.T, text string) Filter {
	t.Helper()
	var f Filter
	if err := f.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return f
}

// outcomes collects what a run tells.
type outcomes struct {
	sent, discarded, back, kept int
	errs                        []error
}

func (o *outcomes) seen(_ Letter, of Outcome) {
	switch {
	case of.Sent:
		o.sent++
	case of.Discarded:
		o.discarded++
	case of.Back:
		o.back++
	case of.Err != nil:
		o.errs = append(o.errs, of.Err)
	default:
		o.kept++
	}
}

func redrive(ctx context.Context, t *testing.T, dead *queue, change func(*Run)) outcomes {
	t.Helper()
	var o outcomes
	r := Run{SQS: dead, URL: "dlq", Seen: o.seen, Send: func(context.Context, Letter) error { return errors.New("nowhere to send to") }}
	change(&r)
	if err := r.Do(ctx); err != nil && ctx.Err() == nil {
		t.Fatal(err)
	}
	return o
}

func TestAllGoBack(t *testing.T) {
	dead, back := filled(25), &queue{}
	o := redrive(t.Context(), t, dead, func(r *Run) { r.Send = ToQueue(back, "queue") })
	if o.sent != 25 || len(dead.messages) != 0 || len(back.messages) != 25 {
		t.Fatalf("%+v, %d left, %d arrived", o, len(dead.messages), len(back.messages))
	}
	for _, m := range back.messages {
		note := quarantine.Read(func(name string) string { return aws.ToString(m.attributes[name].StringValue) })
		if !strings.Contains(m.body, "order.created") || note.Redrives != 1 || note.FirstSeen.IsZero() || note.Cause != "" {
			t.Errorf("arrived %s with %+v", m.body, note)
		}
	}
}

func TestSentBeforeDeleted(t *testing.T) {
	dead, back := filled(12), &queue{}
	redrive(t.Context(), t, dead, func(r *Run) {
		r.Send = func(ctx context.Context, l Letter) error {
			dead.mu.Lock()
			held := slices.ContainsFunc(dead.messages, func(m *message) bool { return m.body == l.Body })
			dead.mu.Unlock()
			if !held {
				t.Errorf("%s was deleted before it was sent", l.Note.EventID)
			}
			return ToQueue(back, "queue")(ctx, l)
		}
	})
}

func TestFilter(t *testing.T) {
	letters := map[string]Letter{
		"a": {Note: quarantine.Note{EventType: "order.created", Cause: "invalid: event_malformed: x", Subject: "ord_1", EventID: "evt_1"}},
		"b": {Note: quarantine.Note{EventType: "order.confirmed", Cause: "not_found: y", Subject: "ord_1", EventID: "evt_2"}},
		"c": {Note: quarantine.Note{EventType: "product.created", Cause: "invalid: event_unknown", Subject: "prd_1", EventID: "evt_3"}},
	}
	tests := map[string]string{ // filter to the letters it picks
		"type=order.created":              "a",
		"type=order.*":                    "ab",
		"type=order":                      "",
		"cause=invalid":                   "ac",
		"cause=event_malformed":           "a",
		"cause=invalid,subject=prd_1":     "c",
		"subject=ord_1":                   "ab",
		"eventId=evt_2":                   "b",
		"eventId=evt_2,type=order.c*ed":   "b",
		"type=*.created,cause=no(t)found": "",
	}
	for text, want := range tests {
		f := filter(t, text)
		got := ""
		for _, name := range []string{"a", "b", "c"} {
			if f.Match(letters[name]) {
				got += name
			}
		}
		if got != want {
			t.Errorf("%q picks %q, want %q", text, got, want)
		}
	}
	for _, text := range []string{"", "type", "type=", "kind=x", "=x", "eventid=evt_1", "type=order.created,"} {
		if err := new(Filter).UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), "subject=") {
			t.Errorf("%q: got %v, want an error that names the keys", text, err)
		}
	}
}

// TestNotMeant: what a filter leaves out, and all that is only listed, stands there for
// anybody afterwards.
func TestNotMeant(t *testing.T) {
	dead, back := filled(25), &queue{}
	f := filter(t, "eventId=evt_1*")
	o := redrive(t.Context(), t, dead, func(r *Run) { r.Send, r.Filter = ToQueue(back, "queue"), f })
	if o.sent != 11 || o.kept != 0 || len(dead.visible()) != 14 {
		t.Errorf("%+v, %d visible", o, len(dead.visible()))
	}
	o = redrive(t.Context(), t, dead, func(r *Run) { r.List = true })
	if o.kept != 14 || len(o.errs) > 0 || len(dead.visible()) != 14 {
		t.Errorf("listed: %+v, %d visible", o, len(dead.visible()))
	}
}

// TestDiscard deletes what the filter picks and nothing else, and sends nothing.
func TestDiscard(t *testing.T) {
	dead := filled(25)
	only := filter(t, "eventId=evt_1*")
	o := redrive(t.Context(), t, dead, func(r *Run) { r.Discard, r.Filter, r.List = true, only, true })
	if o.discarded != 0 || o.kept != 11 || len(dead.visible()) != 25 {
		t.Errorf("only listed: %+v, %d visible", o, len(dead.visible()))
	}
	o = redrive(t.Context(), t, dead, func(r *Run) { r.Discard, r.Filter = true, only })
	if o.discarded != 11 || len(o.errs) > 0 || len(dead.visible()) != 14 || slices.ContainsFunc(dead.messages, func(m *message) bool {
		return strings.Contains(m.body, `"evt_1`)
	}) {
		t.Errorf("%+v, %d visible", o, len(dead.visible()))
	}
	dead.undead = errors.New("not allowed")
	o = redrive(t.Context(), t, dead, func(r *Run) { r.Discard, r.Filter = true, filter(t, "eventId=evt_2") })
	if o.discarded != 0 || len(o.errs) != 1 || len(dead.visible()) != 14 {
		t.Errorf("not allowed: %+v, %d visible", o, len(dead.visible()))
	}
}

// TestRefused: what cannot be sent stays.
func TestRefused(t *testing.T) {
	dead := filled(3)
	o := redrive(t.Context(), t, dead, func(r *Run) {
		r.Send = func(_ context.Context, l Letter) error {
			if l.Note.EventID == "evt_1" {
				return errors.New("no such queue")
			}
			return nil
		}
	})
	if o.sent != 2 || len(o.errs) != 1 || len(dead.visible()) != 1 {
		t.Errorf("%+v, %d visible", o, len(dead.visible()))
	}
}

// TestInterrupted ends a run in its middle: what was sent is gone, what was not is
// there, and the next run sends the rest, each once.
func TestInterrupted(t *testing.T) {
	dead := filled(35)
	ctx, interrupt := context.WithCancel(t.Context())
	var mu sync.Mutex
	times := map[string]int{}
	send := func(_ context.Context, l Letter) error {
		mu.Lock()
		defer mu.Unlock()
		if times[l.Note.EventID]++; len(times) == 15 {
			interrupt()
		}
		return nil
	}
	o := redrive(ctx, t, dead, func(r *Run) { r.Send = send })
	if o.sent < 15 || o.sent >= 35 || len(dead.visible()) != 35-o.sent {
		t.Fatalf("%+v, %d visible", o, len(dead.visible()))
	}
	redrive(t.Context(), t, dead, func(r *Run) { r.Send = send })
	if len(times) != 35 || len(dead.messages) != 0 {
		t.Errorf("%d sent, %d left", len(times), len(dead.messages))
	}
	for id, n := range times {
		if n != 1 {
			t.Errorf("%s was sent %d times", id, n)
		}
	}
}

// TestKilled: a run that dies leaves what it held invisible for a while, for which the
// next one waits, and what it had sent and not deleted is sent again.
func TestKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead, sends := filled(13), 0
		send := func(context.Context, Letter) error { sends++; return nil }
		as := func(_ context.Context, l Letter) (string, error) { return l.Body, nil } // one at a time
		if _, err := dead.ReceiveMessage(t.Context(), receiving(10)); err != nil || len(dead.visible()) != 3 {
			t.Fatal(err)
		}
		dead.undead = errors.New("killed")
		o := redrive(t.Context(), t, dead, func(r *Run) { r.Send, r.Edit = send, as })
		if o.sent != 0 || len(o.errs) != 13 || sends != 13 || len(dead.visible()) != 13 {
			t.Fatalf("%+v, %d sends, %d visible", o, sends, len(dead.visible()))
		}
		dead.undead = nil
		o = redrive(t.Context(), t, dead, func(r *Run) { r.Send, r.Edit = send, as })
		if o.sent != 13 || sends != 26 || len(dead.messages) != 0 {
			t.Errorf("%+v, %d sends", o, sends)
		}
	})
}

// TestOtherHands: for what another run holds on to nobody waits for ever.
func TestOtherHands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead := filled(3)
		out, _ := dead.ReceiveMessage(t.Context(), receiving(2))
		other := Run{SQS: dead, URL: "dlq"}
		let := other.holding(t.Context(), out.Messages)
		defer let()
		var o outcomes
		err := Run{SQS: dead, URL: "dlq", Seen: o.seen, Send: func(context.Context, Letter) error { return nil }}.Do(t.Context())
		if err == nil || !strings.Contains(err.Error(), "2 more messages") || o.sent != 1 {
			t.Errorf("%+v, %v", o, err)
		}
	})
}

// TestGoneMeanwhile: what is not there to be deleted any more was deleted by somebody.
func TestGoneMeanwhile(t *testing.T) {
	dead := filled(1)
	o := redrive(t.Context(), t, dead, func(r *Run) {
		r.Send = func(context.Context, Letter) error {
			dead.mu.Lock()
			defer dead.mu.Unlock()
			dead.messages = nil
			return nil
		}
	})
	if o.sent != 1 || len(o.errs) > 0 {
		t.Errorf("%+v", o)
	}
}

// TestCameBack: what fails again in the same run is not sent round and round.
func TestCameBack(t *testing.T) {
	dead := filled(3)
	dead.put(body("order.created", "evt_1"), quarantine.Note{}.Attributes()) // a second copy goes back too
	o := redrive(t.Context(), t, dead, func(r *Run) {
		r.Send = func(_ context.Context, l Letter) error {
			if l.Note.EventID == "evt_1" {
				dead.put(l.Body, l.back().Attributes())
			}
			return nil
		}
	})
	if o.sent != 4 || o.back != 2 || len(dead.visible()) != 2 {
		t.Errorf("%+v, %d visible", o, len(dead.visible()))
	}
}

// TestLate: a message that was visible to others before it was sent can be deleted
// nevertheless, and is not sent a second time by this run.
func TestLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead, sends := filled(1), 0
		dead.unheld = errors.New("not allowed")
		o := redrive(t.Context(), t, dead, func(r *Run) {
			r.Send = func(context.Context, Letter) error {
				sends++
				time.Sleep(hold + time.Second)
				if len(dead.visible()) != 1 {
					t.Error("the message is held, and nothing was put to the test")
				}
				return nil
			}
		})
		if o.sent != 1 || sends != 1 || len(dead.messages) > 0 {
			t.Errorf("%+v, %d sends, %d left", o, sends, len(dead.messages))
		}
	})
}

// TestHeldAgain: a run that slept for longer than it holds messages, as a suspended
// machine does, hides them again.
func TestHeldAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead := filled(1)
		out, err := dead.ReceiveMessage(t.Context(), receiving(1))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * hold)
		let := Run{SQS: dead, URL: "dlq"}.holding(t.Context(), out.Messages)
		defer let()
		time.Sleep(hold/2 + time.Second)
		if len(dead.visible()) > 0 {
			t.Error("the message can be received by others")
		}
	})
}

// TestSlowEdit: an editor that is open for an hour does not let others have the
// messages meanwhile.
func TestSlowEdit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead := filled(5)
		edits := 0
		o := redrive(t.Context(), t, dead, func(r *Run) {
			r.Send = func(context.Context, Letter) error { return nil }
			r.Edit = func(_ context.Context, l Letter) (string, error) {
				edits++
				for minute := 0; edits == 2 && minute < 60; minute++ {
					time.Sleep(time.Minute - time.Millisecond)
					if len(dead.visible()) > 0 {
						t.Fatal("the messages can be received by others")
					}
				}
				return l.Body, nil
			}
		})
		if o.sent != 5 {
			t.Errorf("%+v", o)
		}
	})
}

func TestEditing(t *testing.T) {
	l := Letter{Body: body("order.created", "evt_1"), Note: quarantine.Note{EventType: "order.created", EventID: "evt_1"}}
	mended := strings.Replace(l.Body, `"n":1`, `"n":2`, 1)
	nothing := Letter{Body: "not JSON"}
	tests := map[string]struct {
		letter  Letter
		command string
		want    string
		err     string
	}{
		"mended":          {l, `sed 's/"n":1/"n":2/'`, mended, ""},
		"with newline":    {l, `sed 's/"n":1/"n":2/'; echo`, mended, ""},
		"environment":     {l, `test "$EVENT_ID $EVENT_TYPE" = "evt_1 order.created" && sed 's/"n":1/"n":2/'`, mended, ""},
		"changes nothing": {l, `sed s/nothing/like/`, "", "changed nothing"},
		"fails":           {l, `echo no idea >&2; exit 3`, "", "no idea"},
		"says nothing":    {l, `true`, "", "no event"},
		"no JSON":         {l, `echo oops`, "", "no event"},
		"another id":      {l, `sed s/evt_1/evt_2/`, "", "evt_2"},
		"repaired":        {nothing, `echo '` + mended + `'`, mended, ""},
		"editor":          {l, Editor, mended, ""},
		"editor refuses":  {Letter{Body: "no 1"}, Editor, "", "JSON"},
	}
	getenv := func(name string) string {
		return map[string]string{"EDITOR": `sed -i 's/"n": 1/"n": 2/; s/no 1/no 2/'`}[name]
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Editing(test.command, getenv)(t.Context(), test.letter)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("got %q, %v; want an error with %q", got, err, test.err)
				}
				return
			}
			if err != nil || got != test.want {
				t.Errorf("got %q, %v; want %q", got, err, test.want)
			}
		})
	}
	asItWas, err := Editing(Editor, func(string) string { return "true" })(t.Context(), l)
	if err != nil || asItWas != l.Body {
		t.Errorf("left as it was, and %q, %v went out", asItWas, err)
	}
}

// TestLetters reads what each of those writes that put things into dead-letter queues.
func TestLetters(t *testing.T) {
	text := func(pairs ...string) map[string]types.MessageAttributeValue {
		m := map[string]types.MessageAttributeValue{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(pairs[i+1])}
		}
		return m
	}
	seen := time.Date(2026, 11, 12, 14, 0, 0, 0, time.UTC)
	sent := seen.Add(time.Hour)
	own := quarantine.Note{EventType: "order.created", EventID: "evt_1", Subject: "ord_evt_1", Cause: "invalid: x", Stack: "s", Attempts: 2, FirstSeen: seen, Redrives: 1}
	batch := `{"requestContext":{"requestId":"r","functionArn":"f","condition":"RetryAttemptsExhausted","approximateInvokeCount":11},
		"responseContext":{"statusCode":200},"version":"1.0","timestamp":"2026-11-12T15:00:00.000Z",
		"DDBStreamBatchInfo":{"shardId":"s","startSequenceNumber":"1","endSequenceNumber":"9","batchSize":7,
		"approximateArrivalOfFirstRecord":"2026-11-12T14:00:00Z","approximateArrivalOfLastRecord":"2026-11-12T14:00:05Z","streamArn":"a"}}`
	// As AWS writes it of a record that the function reported as failed: no payload, no
	// error of the function, and only the invocations since the others were done.
	partial := `{"requestContext":{"requestId":"3f0c5d0e-8a51-4d6b-a0a5-5f1f2b7c9d10","functionArn":"arn:aws:lambda:eu-west-1:123456789012:function:orders-relay",
		"condition":"RetryAttemptsExhausted","approximateInvokeCount":4},
		"responseContext":{"statusCode":200,"executedVersion":"7","functionError":null},"version":"1.0","timestamp":"2026-11-12T15:00:00.123Z",
		"DDBStreamBatchInfo":{"shardId":"shardId-00000001794492000000-4a1b2c3d","startSequenceNumber":"4421584500000000017450439091",
		"endSequenceNumber":"4421584500000000017450439091","approximateArrivalOfFirstRecord":"2026-11-12T14:00:00Z",
		"approximateArrivalOfLastRecord":"2026-11-12T14:00:05Z","batchSize":1,
		"streamArn":"arn:aws:dynamodb:eu-west-1:123456789012:table/orders/stream/2026-11-01T00:00:00.000"}}`
	tests := map[string]struct {
		body       string
		attributes map[string]types.MessageAttributeValue
		want       quarantine.Note
	}{
		"consumer or relay": {body("order.created", "evt_1"), own.Attributes(), own},
		"rule": {body("order.created", "evt_1"),
			text("RULE_ARN", "arn", "TARGET_ARN", "arn", "ERROR_CODE", "NO_PERMISSIONS", "ERROR_MESSAGE", "may not", "RETRY_ATTEMPTS", "185"),
			quarantine.Note{EventType: "order.created", EventID: "evt_1", Subject: "ord_evt_1", Cause: "NO_PERMISSIONS: may not", Attempts: 185, FirstSeen: sent}},
		"queue": {body("order.created", "evt_1"), nil,
			quarantine.Note{EventType: "order.created", EventID: "evt_1", Subject: "ord_evt_1", Cause: unexplained, FirstSeen: sent}},
		"queue, redriven before": {body("order.created", "evt_1"), quarantine.Note{FirstSeen: seen, Redrives: 2}.Attributes(),
			quarantine.Note{EventType: "order.created", EventID: "evt_1", Subject: "ord_evt_1", Cause: unexplained, FirstSeen: seen, Redrives: 2}},
		"nothing to be read": {"oops", nil, quarantine.Note{Cause: unexplained, FirstSeen: sent}},
		"half":               {`{"detail-type":"order.created","detail":7}`, nil, quarantine.Note{EventType: "order.created", Cause: unexplained, FirstSeen: sent}},
		"stream":             {batch, nil, quarantine.Note{EventType: "(7 of the stream)", Cause: "RetryAttemptsExhausted", Attempts: 11, FirstSeen: seen}},
		"stream, a part":     {partial, nil, quarantine.Note{EventType: "(1 of the stream)", Cause: "RetryAttemptsExhausted", Attempts: 4, FirstSeen: seen}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			l := read(types.Message{Body: aws.String(test.body), MessageAttributes: test.attributes,
				Attributes: map[string]string{"SentTimestamp": fmt.Sprint(sent.UnixMilli())}})
			if diff := cmp.Diff(test.want, l.Note); diff != "" {
				t.Errorf("note (-want +got):\n%s", diff)
			}
			var want *Lost
			switch name {
			case "stream":
				want = &Lost{seen, seen.Add(5 * time.Second), 7}
			case "stream, a part":
				want = &Lost{seen, seen.Add(5 * time.Second), 1}
			}
			if diff := cmp.Diff(want, l.Lost); diff != "" {
				t.Errorf("lost (-want +got):\n%s", diff)
			}
		})
	}
}

// bus takes everything but what refuse says.
type bus struct {
	refuse string
	taken  []bustypes.PutEventsRequestEntry
}

func (b *bus) PutEvents(_ context.Context, in *eventbridge.PutEventsInput, _ ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
	result := bustypes.PutEventsResultEntry{EventId: aws.String("1")}
	if b.refuse != "" {
		result = bustypes.PutEventsResultEntry{ErrorCode: &b.refuse, ErrorMessage: aws.String("because")}
	} else {
		b.taken = append(b.taken, in.Entries...)
	}
	return &eventbridge.PutEventsOutput{Entries: []bustypes.PutEventsResultEntry{result}}, nil
}

func TestToBus(t *testing.T) {
	parked := func(detail string) Letter {
		text, _ := json.Marshal(relay.Parked{Source: "orders", DetailType: "order.created", Detail: json.RawMessage(detail)})
		return Letter{Body: string(text), Note: quarantine.Note{EventID: "evt_1"}}
	}
	b := &bus{}
	var lost []Lost
	send := ToBus(&relay.Publisher{Bus: b, BusName: "shop", Log: slog.New(slog.DiscardHandler)},
		func(_ context.Context, l Lost) error { lost = append(lost, l); return nil })
	for _, l := range []Letter{parked(`{"metadata":{"eventId":"evt_1"}}`), parked(`"{oops"`), {Lost: &Lost{Records: 7}}} {
		if err := send(t.Context(), l); err != nil {
			t.Fatal(err)
		}
	}
	if len(b.taken) != 2 || len(lost) != 1 || lost[0].Records != 7 {
		t.Fatalf("published %d, recovered %v", len(b.taken), lost)
	}
	for i, want := range []string{`{"metadata":{"eventId":"evt_1"}}`, `{oops`} {
		if e := b.taken[i]; *e.Detail != want || *e.Source != "orders" || *e.DetailType != "order.created" || *e.EventBusName != "shop" {
			t.Errorf("published %s %s %s on %s", *e.Source, *e.DetailType, *e.Detail, *e.EventBusName)
		}
	}
	if err := send(t.Context(), Letter{Body: "oops"}); err == nil {
		t.Error("what is no event went to the bus")
	}
	b.refuse = "MalformedDetail"
	if err := send(t.Context(), parked("{}")); err == nil || !strings.Contains(err.Error(), "MalformedDetail: because") {
		t.Errorf("refused with %v", err)
	}
}

func TestReport(t *testing.T) {
	seen := time.Date(2026, 11, 12, 14, 0, 0, 0, time.UTC)
	good := Letter{Body: "{}", Note: quarantine.Note{EventType: "order.created", EventID: "evt_1", Subject: "ord_1", Cause: "invalid: x", Attempts: 1, FirstSeen: seen}}
	odd := Letter{Note: quarantine.Note{Cause: "odd\x1b[31m\nred", FirstSeen: seen}}

	var out bytes.Buffer
	std := command.IO{Out: &out, Progress: io.Discard}
	dry := command.DryRunFlag{DryRun: true}
	tests := []struct {
		name    string
		command Command
		seen    []Outcome // the last one of the odd letter
		want    string
		err     string
	}{
		{"list", Command{DryRunFlag: dry}, make([]Outcome, 3), `orders/consumer
EVENT TYPE     EVENT ID  SUBJECT  ATTEMPTS  FIRST SEEN            CAUSE
order.created  evt_1     ord_1    1         2026-11-12T14:00:00Z  invalid: x
order.created  evt_1     ord_1    1         2026-11-12T14:00:00Z  invalid: x
-              -         -        -         2026-11-12T14:00:00Z  odd[31m red

orders/consumer: 3 found
     2  order.created: invalid: x
     1  -: odd[31m red
`, ""},
		{"sent", Command{}, []Outcome{{Sent: true}, {Back: true}, {Err: errors.New("no such queue")}}, `orders/consumer: 3 found, 1 sent back, 1 came back, 1 failed
     2  order.created: invalid: x
     1  -: odd[31m red
failed, and kept: - -: no such queue
`, "2 messages are still there"},
		{"discarded", Command{Discard: true}, []Outcome{{Discarded: true}, {Err: errors.New("not allowed")}}, `orders/consumer
EVENT TYPE     EVENT ID  SUBJECT  ATTEMPTS  FIRST SEEN            CAUSE
order.created  evt_1     ord_1    1         2026-11-12T14:00:00Z  invalid: x

orders/consumer: 2 found, 1 discarded, 1 failed
     1  -: odd[31m red
     1  order.created: invalid: x
failed, and kept: - -: not allowed
`, "1 messages are still there"},
		{"for a program", Command{DryRunFlag: dry, JSON: true}, make([]Outcome, 2),
			`{"queue":"orders/consumer","eventType":"order.created","eventId":"evt_1","subject":"ord_1","attempts":1,"firstSeen":"2026-11-12T14:00:00Z","cause":"invalid: x","body":"{}"}
{"queue":"orders/consumer","eventType":"","eventId":"","subject":"","attempts":0,"firstSeen":"2026-11-12T14:00:00Z","cause":"odd\u001b[31m\nred","body":""}
`, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			out.Reset()
			r := NewReport("orders/consumer", &test.command, std)
			for i, o := range test.seen {
				if i < len(test.seen)-1 {
					r.Seen(good, o)
				} else {
					r.Seen(odd, o)
				}
			}
			if err := r.End(); (test.err == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("ended with %v", err)
			}
			if diff := cmp.Diff(test.want, out.String()); diff != "" {
				t.Errorf("said (-want +got):\n%s", diff)
			}
		})
	}
}
