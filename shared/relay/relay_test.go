package relay_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	dynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"tradewind/shared/logs"
	"tradewind/shared/outbox"
	"tradewind/shared/quarantine"
	"tradewind/shared/relay"
)

const emptyAnswer = `{"batchItemFailures":[]}`

// bus is an event bus that takes everything but what refuse picks.
type bus struct {
	refuse func(types.PutEventsRequestEntry) (code string)
	fail   func(call int, entries []types.PutEventsRequestEntry) error

	calls [][]string // the ids in each call
	taken []string   // the ids that were published, in order
}

func (b *bus) PutEvents(ctx context.Context, in *eventbridge.PutEventsInput, _ ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var ids []string
	for _, e := range in.Entries {
		ids = append(ids, idOf(*e.Detail))
	}
	b.calls = append(b.calls, ids)
	if b.fail != nil {
		if err := b.fail(len(b.calls), in.Entries); err != nil {
			return nil, err
		}
	}
	out := &eventbridge.PutEventsOutput{}
	for i, e := range in.Entries {
		result := types.PutEventsResultEntry{EventId: aws.String("bus-1")}
		if b.refuse != nil {
			if code := b.refuse(e); code != "" {
				out.FailedEntryCount++
				result = types.PutEventsResultEntry{ErrorCode: &code, ErrorMessage: aws.String("because")}
			}
		}
		if result.ErrorCode == nil {
			b.taken = append(b.taken, ids[i])
		}
		out.Entries = append(out.Entries, result)
	}
	return out, nil
}

// queue is a dead-letter queue.
type queue struct {
	err    error
	parked []parked
}

type parked struct {
	Source     string `json:"source"`
	DetailType string `json:"detail-type"`
	Detail     struct {
		Metadata struct {
			EventID string `json:"eventId"`
		} `json:"metadata"`
		Data json.RawMessage `json:"data"`
	} `json:"detail"`
	Note quarantine.Note `json:"-"`
}

func (q *queue) SendMessage(ctx context.Context, in *sqs.SendMessageInput, _ ...func(*sqs.Options)) (*sqs.SendMessageOutput, error) {
	if err := errors.Join(q.err, ctx.Err()); err != nil {
		return nil, err
	}
	if *in.QueueUrl != "https://queue" {
		return nil, fmt.Errorf("wrong queue %s", *in.QueueUrl)
	}
	var p parked
	if err := json.Unmarshal([]byte(*in.MessageBody), &p); err != nil {
		return nil, err
	}
	p.Note = quarantine.Read(func(name string) string {
		if a, ok := in.MessageAttributes[name]; ok {
			return *a.StringValue
		}
		return ""
	})
	q.parked = append(q.parked, p)
	return &sqs.SendMessageOutput{}, nil
}

func (q *queue) ids() []string {
	var ids []string
	for _, p := range q.parked {
		ids = append(ids, p.Detail.Metadata.EventID)
	}
	return ids
}

func newRelay(b *bus, q *queue) *relay.Relay {
	return relay.New(config(b, q))
}

func config(b relay.Bus, q quarantine.Sender) relay.Config {
	return relay.Config{Bus: b, BusName: "shop", Dead: quarantine.New(q, "https://queue"), Log: logs.Discard()}
}

func idOf(detail string) string {
	var d struct {
		Metadata struct {
			EventID string `json:"eventId"`
		} `json:"metadata"`
	}
	_ = json.Unmarshal([]byte(detail), &d)
	return d.Metadata.EventID
}

// fact is an event whose data has a size.
type fact struct{ Padding string }

func (fact) EventType() string  { return "thing.happened" }
func (fact) SchemaVersion() int { return 1 }
func (fact) Subject() string    { return "thing" }

// stream returns the stream's event for facts of these sizes, made from what
// package outbox stores, and their ids.
func stream(t *testing.T, sizes ...int) (payload []byte, ids []string) {
	t.Helper()
	box := outbox.New("things", time.Now)
	var records []map[string]any
	for i, size := range sizes {
		op := box.Ops(t.Context(), "THING#1", fact{strings.Repeat("x", size)})[0]
		image := map[string]any{}
		for name, value := range op.Item {
			switch v := value.(type) {
			case *dynamodb.AttributeValueMemberS:
				image[name] = map[string]string{"S": v.Value}
			case *dynamodb.AttributeValueMemberN:
				image[name] = map[string]string{"N": v.Value}
			default:
				t.Fatalf("outbox item has a %T", v)
			}
		}
		ids = append(ids, image["eventId"].(map[string]string)["S"])
		records = append(records, map[string]any{
			"eventName": "INSERT", "dynamodb": map[string]any{
				"NewImage": image, "SequenceNumber": sequence(i), "ApproximateCreationDateTime": float64(time.Now().UnixMilli()) / 1000,
			},
		})
	}
	payload, err := json.Marshal(map[string]any{"Records": records})
	if err != nil {
		t.Fatal(err)
	}
	return payload, ids
}

// sequence is the sequence number of the i-th record of what stream returns.
func sequence(i int) string { return fmt.Sprintf("44215845000000000174504391%02d", i) }

// sizes returns n times a small size.
func sizes(n int) []int { return make([]int, n) }

func mustInvoke(t *testing.T, r *relay.Relay, payload []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	answer, err := r.Invoke(ctx, payload)
	if err != nil || string(answer) != emptyAnswer {
		t.Fatalf("got %s, %v; want %s", answer, err, emptyAnswer)
	}
}

// mustFail wants the i-th record reported as the first that is not done.
func mustFail(ctx context.Context, t *testing.T, r *relay.Relay, payload []byte, i int) {
	t.Helper()
	want := `{"batchItemFailures":[{"itemIdentifier":"` + sequence(i) + `"}]}`
	if answer, err := r.Invoke(ctx, payload); err != nil || string(answer) != want {
		t.Fatalf("got %s, %v; want %s", answer, err, want)
	}
}

// TestStreamEvent reads an event as the stream sends it: an outbox item, a state
// that a wrong filter let through, and a removal by TTL.
func TestStreamEvent(t *testing.T) {
	payload, err := os.ReadFile("testdata/stream.json")
	if err != nil {
		t.Fatal(err)
	}
	var got []types.PutEventsRequestEntry
	b := &bus{refuse: func(e types.PutEventsRequestEntry) string {
		got = append(got, e)
		return ""
	}}
	mustInvoke(t, newRelay(b, &queue{}), payload)
	if len(got) != 1 {
		t.Fatalf("published %d events, want 1", len(got))
	}
	e := got[0]
	if *e.EventBusName != "shop" || *e.Source != "orders" || *e.DetailType != "order.confirmed" {
		t.Errorf("published %s %s on %s", *e.Source, *e.DetailType, *e.EventBusName)
	}
	if id := idOf(*e.Detail); id != "evt_01K9ZX3V5W1A2B3C4D5E6F7G8H" {
		t.Errorf("published event %q", id)
	}
}

func TestNothingToPublish(t *testing.T) {
	for name, payload := range map[string]string{
		"no records": `{"Records":[]}`,
		"state":      `{"Records":[{"eventName":"INSERT","dynamodb":{"NewImage":{"entity":{"S":"order"}}}}]}`,
		"update":     `{"Records":[{"eventName":"MODIFY","dynamodb":{"NewImage":{"entity":{"S":"outbox"}}}}]}`,
	} {
		b := &bus{}
		if answer, err := newRelay(b, &queue{}).Invoke(t.Context(), []byte(payload)); err != nil || string(answer) != emptyAnswer {
			t.Errorf("%s: got %s, %v; want %s", name, answer, err, emptyAnswer)
		}
		if len(b.calls) != 0 {
			t.Errorf("%s: called the bus for %v", name, b.calls)
		}
	}
	if _, err := newRelay(&bus{}, &queue{}).Invoke(t.Context(), []byte(`[]`)); err == nil {
		t.Error("what is no stream event was taken")
	}
}

// TestCalls shows how events are put into calls: in order, and within the limits
// of entries and bytes.
func TestCalls(t *testing.T) {
	const big = 100 << 10
	tests := map[string]struct {
		sizes []int
		want  []int // events in each call
	}{
		"one":                {sizes(1), []int{1}},
		"ten":                {sizes(10), []int{10}},
		"eleven":             {sizes(11), []int{10, 1}},
		"many":               {sizes(25), []int{10, 10, 5}},
		"two large, third":   {[]int{big, big, big}, []int{2, 1}},
		"largest":            {[]int{outbox.MaxDetail - 400, 0}, []int{2}},
		"two of the largest": {[]int{outbox.MaxDetail - 400, outbox.MaxDetail - 400}, []int{1, 1}},
		"small between":      {[]int{0, big, big, 0, big}, []int{4, 1}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			payload, ids := stream(t, test.sizes...)
			b := &bus{fail: func(_ int, entries []types.PutEventsRequestEntry) error {
				total := 0
				for _, e := range entries {
					total += 14 + len(*e.Source) + len(*e.DetailType) + len(*e.Detail)
				}
				if len(entries) > 10 || total > 256<<10 {
					t.Errorf("a call of %d entries and %d bytes", len(entries), total)
				}
				return nil
			}}
			mustInvoke(t, newRelay(b, &queue{}), payload)
			var calls []int
			for _, call := range b.calls {
				calls = append(calls, len(call))
			}
			if diff := cmp.Diff(test.want, calls); diff != "" {
				t.Errorf("entries in each call (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(ids, b.taken); diff != "" {
				t.Errorf("published (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPartialFailure has entries in the middle of a call refused: the answer
// names them by their place only.
func TestPartialFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		payload, ids := stream(t, sizes(5)...)
		refusals := map[string]string{ids[1]: "ThrottlingException", ids[3]: "MalformedDetail"}
		b := &bus{refuse: func(e types.PutEventsRequestEntry) string {
			code := refusals[idOf(*e.Detail)]
			if code == "ThrottlingException" {
				delete(refusals, ids[1]) // once
			}
			return code
		}}
		q := &queue{}
		mustInvoke(t, newRelay(b, q), payload)
		if diff := cmp.Diff([][]string{ids, {ids[1]}}, b.calls); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{ids[0], ids[2], ids[4], ids[1]}, b.taken); diff != "" {
			t.Errorf("published (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{ids[3]}, q.ids()); diff != "" {
			t.Errorf("parked (-want +got):\n%s", diff)
		}
	})
}

func TestTransientFailuresAreRepeated(t *testing.T) {
	for _, code := range []string{"ThrottlingException", "InternalFailure", "InternalException", "ServiceUnavailable"} {
		t.Run(code, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				payload, ids := stream(t, sizes(2)...)
				b := &bus{}
				b.refuse = func(types.PutEventsRequestEntry) string {
					if len(b.calls) < 5 {
						return code
					}
					return ""
				}
				q := &queue{}
				mustInvoke(t, newRelay(b, q), payload)
				if diff := cmp.Diff(ids, b.taken); diff != "" || len(q.parked) != 0 {
					t.Errorf("%d parked; published (-want +got):\n%s", len(q.parked), diff)
				}
			})
		})
	}
}

var errDown = &smithy.GenericAPIError{Code: "InternalException", Fault: smithy.FaultServer}

// outages are what passes by itself, each until ok says so.
func outages(ok *bool) map[string]*bus {
	throttle := func(types.PutEventsRequestEntry) string {
		if *ok {
			return ""
		}
		return "ThrottlingException"
	}
	return map[string]*bus{
		"throttled": {refuse: throttle},
		"down": {fail: func(int, []types.PutEventsRequestEntry) error {
			if *ok {
				return nil
			}
			return errDown
		}},
	}
}

// TestOutage has a bus that does not recover while the function runs: nothing is
// parked, nothing overtakes, and the batch comes again, in time.
func TestOutage(t *testing.T) {
	var ok bool
	for name, b := range outages(&ok) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ok = false
				payload, ids := stream(t, sizes(12)...)
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				start, q := time.Now(), &queue{}
				var lines bytes.Buffer
				cfg := config(b, q)
				cfg.Log = slog.New(slog.NewTextHandler(&lines, nil))
				r := relay.New(cfg)
				mustFail(ctx, t, r, payload, 0)
				if want := `msg="events are not published so far" events=12 of=12 eventId=` + ids[0] + " cause="; !strings.Contains(lines.String(), want) {
					t.Errorf("the log lacks %s:\n%s", want, lines.String())
				}
				if took := time.Since(start); took < 10*time.Second || took > 18*time.Second {
					t.Errorf("gave up after %v, want most of 20 s", took)
				}
				time.Sleep(23 * time.Hour) // as long as the stream keeps it
				ok = true
				mustInvoke(t, r, payload)
				if diff := cmp.Diff(ids, b.taken); diff != "" || len(q.parked) > 0 {
					t.Errorf("parked %v; published (-want +got):\n%s", q.ids(), diff)
				}
			})
		})
	}
}

// TestOutageInTheMiddle: what the bus took before and beside the event that it
// throttles it does not get again from the same process. What it never takes is parked
// once, whether it stands before that event or behind it.
func TestOutageInTheMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		payload, ids := stream(t, sizes(25)...)
		throttled := true
		b := &bus{refuse: func(e types.PutEventsRequestEntry) string {
			switch id := idOf(*e.Detail); {
			case id == ids[3], id == ids[20]:
				return "MalformedDetail"
			case id == ids[12] && throttled:
				return "ThrottlingException"
			}
			return ""
		}}
		q := &queue{}
		r := newRelay(b, q)
		rest := from(t, payload, 12) // as Lambda sends it again
		for _, payload := range [][]byte{payload, rest, rest} {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			mustFail(ctx, t, r, payload, 12)
			cancel()
		}
		throttled = false
		mustInvoke(t, r, rest)
		want := slices.Concat(ids[:3], ids[4:12], ids[13:20], ids[21:], ids[12:13])
		if diff := cmp.Diff(want, b.taken); diff != "" {
			t.Errorf("published (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{ids[3], ids[20]}, q.ids()); diff != "" {
			t.Errorf("parked (-want +got):\n%s", diff)
		}
		mustInvoke(t, r, rest) // nothing is remembered of what is done
		if len(b.taken) != 23+12 {
			t.Errorf("published %d, want the rest of the batch once more", len(b.taken))
		}
	})
}

// TestOneEventFailsForEver: a bus that fails on one event, whatever the reason, is
// given time; then the event is parked and the ones behind it go their way.
func TestOneEventFailsForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		payload, ids := stream(t, sizes(12)...)
		b := &bus{refuse: func(e types.PutEventsRequestEntry) string {
			if idOf(*e.Detail) == ids[0] {
				return "InternalFailure"
			}
			return ""
		}}
		q := &queue{}
		r := newRelay(b, q)
		written := time.Now()
		for time.Since(written) < 14*time.Minute {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			mustFail(ctx, t, r, payload, 0)
			cancel()
		}
		time.Sleep(time.Minute)
		mustInvoke(t, r, payload)
		if diff := cmp.Diff(ids[1:], b.taken); diff != "" {
			t.Errorf("published (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{ids[0]}, q.ids()); diff != "" {
			t.Errorf("parked (-want +got):\n%s", diff)
		}
	})
}

func TestFinalRefusalIsParkedWhole(t *testing.T) {
	written := time.Now().UTC().Truncate(time.Millisecond)
	payload, ids := stream(t, 3)
	b := &bus{refuse: func(types.PutEventsRequestEntry) string { return "NotAuthorizedForSourceException" }}
	q := &queue{}
	mustInvoke(t, newRelay(b, q), payload)
	if len(b.calls) != 1 || len(q.parked) != 1 {
		t.Fatalf("%d calls, %d parked; want 1, 1", len(b.calls), len(q.parked))
	}
	p := q.parked[0]
	if p.Source != "things" || p.DetailType != "thing.happened" || p.Detail.Metadata.EventID != ids[0] || string(p.Detail.Data) != `{"Padding":"xxx"}` {
		t.Errorf("parked %+v", p)
	}
	seen := p.Note.FirstSeen
	p.Note.FirstSeen = time.Time{}
	want := quarantine.Note{
		EventType: "thing.happened", EventID: ids[0], Subject: "thing", Cause: "NotAuthorizedForSourceException: because", Attempts: 1,
	}
	if diff := cmp.Diff(want, p.Note); diff != "" {
		t.Errorf("note (-want +got):\n%s", diff)
	}
	if seen.Before(written) || seen.After(time.Now()) {
		t.Errorf("first seen %v, written about %v", seen, written)
	}
}

// TestDetailThatIsNoJSON cannot come from package outbox, but the dead-letter
// queue must take whatever the bus does not.
func TestDetailThatIsNoJSON(t *testing.T) {
	payload := `{"Records":[{"eventName":"INSERT","dynamodb":{"NewImage":{"entity":{"S":"outbox"},"detail":{"S":"{oops"}}}}]}`
	b := &bus{refuse: func(types.PutEventsRequestEntry) string { return "MalformedDetail" }}
	var body string
	q := queueFunc(func(in *sqs.SendMessageInput) error { body = *in.MessageBody; return nil })
	r := relay.New(config(b, q))
	mustInvoke(t, r, []byte(payload))
	if !json.Valid([]byte(body)) || !strings.Contains(body, `"detail":"{oops"`) {
		t.Errorf("parked %s", body)
	}
}

type queueFunc func(*sqs.SendMessageInput) error

func (f queueFunc) SendMessage(_ context.Context, in *sqs.SendMessageInput, _ ...func(*sqs.Options)) (*sqs.SendMessageOutput, error) {
	return &sqs.SendMessageOutput{}, f(in)
}

// TestOneEntrySpoilsTheCall: a ValidationException names no entry.
func TestOneEntrySpoilsTheCall(t *testing.T) {
	payload, ids := stream(t, sizes(4)...)
	b := &bus{fail: func(_ int, entries []types.PutEventsRequestEntry) error {
		for _, e := range entries {
			if idOf(*e.Detail) == ids[2] {
				return &smithy.OperationError{ServiceID: "EventBridge", OperationName: "PutEvents",
					Err: &smithy.GenericAPIError{Code: "ValidationException", Message: "entry is not valid"}}
			}
		}
		return nil
	}}
	q := &queue{}
	mustInvoke(t, newRelay(b, q), payload)
	if diff := cmp.Diff([]string{ids[0], ids[1], ids[3]}, b.taken); diff != "" {
		t.Errorf("published (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{ids[2]}, q.ids()); diff != "" {
		t.Errorf("parked (-want +got):\n%s", diff)
	}
}

// TestShortAnswer has the bus answer for fewer entries than it got: nobody can
// tell which, so all go again.
func TestShortAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		payload, ids := stream(t, sizes(2)...)
		calls := 0
		b := busFunc(func(in *eventbridge.PutEventsInput) *eventbridge.PutEventsOutput {
			calls++
			return &eventbridge.PutEventsOutput{Entries: make([]types.PutEventsResultEntry, min(calls, len(in.Entries)))}
		})
		q := &queue{}
		mustInvoke(t, relay.New(config(b, q)), payload)
		if calls != 2 || len(q.parked) != 0 {
			t.Errorf("%d calls for %v, %d parked; want 2 and none", calls, ids, len(q.parked))
		}
	})
}

type busFunc func(*eventbridge.PutEventsInput) *eventbridge.PutEventsOutput

func (f busFunc) PutEvents(_ context.Context, in *eventbridge.PutEventsInput, _ ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
	return f(in), nil
}

// TestNowhereToPutIt: an event that is neither published nor parked is not done.
func TestNowhereToPutIt(t *testing.T) {
	payload, ids := stream(t, sizes(5)...)
	b := &bus{refuse: func(e types.PutEventsRequestEntry) string {
		if id := idOf(*e.Detail); id == ids[1] || id == ids[3] {
			return "MalformedDetail"
		}
		return ""
	}}
	q := &queue{err: errors.New("queue of ada@example.com is gone")}
	var lines bytes.Buffer
	cfg := config(b, q)
	cfg.Log = slog.New(slog.NewTextHandler(&lines, nil))
	mustFail(t.Context(), t, relay.New(cfg), payload, 1)
	for _, part := range []string{"level=ERROR", ids[1], "MalformedDetail", "queue of … is gone"} {
		if !strings.Contains(lines.String(), part) {
			t.Errorf("the log does not say %q:\n%s", part, lines.String())
		}
	}

	// The rest comes again when the queue is back: what was published behind the event
	// is published once more, and nothing is lost.
	q.err = nil
	mustInvoke(t, newRelay(b, q), from(t, payload, 1))
	if diff := cmp.Diff([]string{ids[0], ids[2], ids[4], ids[2], ids[4]}, b.taken); diff != "" {
		t.Errorf("published (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{ids[1], ids[3]}, q.ids()); diff != "" {
		t.Errorf("parked (-want +got):\n%s", diff)
	}
}

// TestKilled ends the function at each of its calls to the bus, after the bus
// has taken what it got. The stream sends the batch again: events may be
// published twice, and none may be missing.
func TestKilled(t *testing.T) {
	payload, ids := stream(t, sizes(25)...)
	for kill := 1; kill <= 3; kill++ {
		b := &bus{}
		b.refuse = func(e types.PutEventsRequestEntry) string {
			// The last entry of the call has been taken when the process dies.
			if call := b.calls[len(b.calls)-1]; len(b.calls) == kill && idOf(*e.Detail) == call[len(call)-1] {
				b.taken = append(b.taken, idOf(*e.Detail))
				panic("killed")
			}
			return ""
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("not killed in call %d", kill)
				}
			}()
			_, _ = newRelay(b, &queue{}).Invoke(t.Context(), payload)
		}()
		b.refuse = nil
		mustInvoke(t, newRelay(b, &queue{}), payload)
		count := map[string]int{}
		for _, id := range b.taken {
			count[id]++
		}
		for _, id := range ids {
			if count[id] != 1 && count[id] != 2 {
				t.Errorf("killed in call %d: event %s was published %d times", kill, id, count[id])
			}
		}
		if len(count) != len(ids) {
			t.Errorf("killed in call %d: published %d different events, want %d", kill, len(count), len(ids))
		}
	}
}

// A relay function needs nothing but this: the stream and the bus are
// configuration.
func ExampleRelay_Invoke() {
	b, q := &bus{}, &queue{}
	r := relay.New(config(b, q))
	payload, _ := os.ReadFile("testdata/stream.json")
	answer, err := r.Invoke(context.Background(), payload)
	fmt.Println(string(answer), err)
	fmt.Println(b.taken)

	// Output:
	// {"batchItemFailures":[]} <nil>
	// [evt_01K9ZX3V5W1A2B3C4D5E6F7G8H]
}

func TestFromEnv(t *testing.T) {
	_, err := relay.FromEnv(func(string) string { return "" })
	if err == nil || !strings.Contains(err.Error(), "BUS_NAME") || !strings.Contains(err.Error(), "DLQ_URL") {
		t.Errorf("got error %v, want one that names all that is missing", err)
	}
	handler, err := relay.FromEnv(func(name string) string { return "set" })
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := handler.Invoke(t.Context(), []byte(`{"Records":[]}`)); err != nil || string(answer) != emptyAnswer {
		t.Errorf("got %s, %v; want %s", answer, err, emptyAnswer)
	}
}
