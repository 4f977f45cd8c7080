package relay_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"tradewind/shared/relay"
)

// from returns a stream's event without its first records.
func from(t *testing.T, payload []byte, record int) []byte {
	t.Helper()
	var event struct{ Records []json.RawMessage }
	if err := json.Unmarshal(payload, &event); err != nil {
		t.Fatal(err)
	}
	rest, err := json.Marshal(map[string]any{"Records": event.Records[min(record, len(event.Records)):]})
	if err != nil {
		t.Fatal(err)
	}
	return rest
}

// shard is a shard of a table's stream, from which Lambda invokes a relay as it was
// recorded on AWS on 2025-11-25.
type shard struct {
	records   []json.RawMessage
	sequences []string
	next      int // what comes next
	size      int // of a batch; a function that fails halves it
}

const batchSize = 20

func newShard(t *testing.T, payload []byte) *shard {
	t.Helper()
	s := &shard{size: batchSize}
	var event struct{ Records []json.RawMessage }
	if err := json.Unmarshal(payload, &event); err != nil {
		t.Fatal(err)
	}
	s.records = event.Records
	for _, raw := range s.records {
		var record struct {
			DynamoDB struct{ SequenceNumber string } `json:"dynamodb"`
		}
		if err := json.Unmarshal(raw, &record); err != nil {
			t.Fatal(err)
		}
		s.sequences = append(s.sequences, record.DynamoDB.SequenceNumber)
	}
	return s
}

// invoke invokes r with the next batch. An answer that names a record of the batch moves
// on to it; the lowest counts. One that names another, or none, moves nothing.
func (s *shard) invoke(ctx context.Context, t *testing.T, r *relay.Relay) {
	t.Helper()
	end := min(s.next+s.size, len(s.records))
	payload, err := json.Marshal(map[string]any{"Records": s.records[s.next:end]})
	if err != nil {
		t.Fatal(err)
	}
	text, killed := invoke(ctx, t, r, payload)
	if killed {
		s.size = max(s.size/2, 1)
		return
	}
	s.size = batchSize
	var answer struct {
		BatchItemFailures []struct {
			ItemIdentifier *string `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	to := end
	for _, f := range answer.BatchItemFailures {
		at := -1
		if f.ItemIdentifier != nil {
			at = slices.Index(s.sequences[s.next:end], *f.ItemIdentifier)
		}
		to = min(to, s.next+max(at, 0))
	}
	s.next = to
}

// invoke reports whether the relay's process was killed instead of answering.
func invoke(ctx context.Context, t *testing.T, r *relay.Relay, payload []byte) (answer []byte, killed bool) {
	t.Helper()
	defer func() { killed = recover() != nil }()
	answer, err := r.Invoke(ctx, payload)
	if err != nil {
		t.Fatal(err)
	}
	return answer, false
}

// TestAnswers has a shard's events published while the bus throttles, refuses and is
// down, the dead-letter queue fails, and processes are killed and replaced, all by
// chance. No event counts as done that is neither published nor, if the bus never takes
// it, parked.
func TestAnswers(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				chance := rand.New(rand.NewPCG(seed, 1))
				payload, ids := stream(t, sizes(60)...)
				never := map[string]bool{}
				for _, id := range ids {
					never[id] = chance.IntN(15) == 0
				}
				trouble := true
				b := &bus{}
				b.refuse = func(e types.PutEventsRequestEntry) string {
					switch id := idOf(*e.Detail); {
					case trouble && chance.IntN(8) == 0:
						return "ThrottlingException"
					case never[id]:
						return "MalformedDetail"
					case trouble && chance.IntN(100) == 0:
						panic("killed")
					}
					return ""
				}
				b.fail = func(int, []types.PutEventsRequestEntry) error {
					if trouble && chance.IntN(10) == 0 {
						return errDown
					}
					return nil
				}
				q := &queue{}
				s, r := newShard(t, payload), newRelay(b, q)
				for invocation := 0; s.next < len(ids); invocation++ {
					trouble = invocation < 100 // nothing lasts for ever
					q.err = nil
					if trouble && chance.IntN(4) == 0 {
						q.err = errDown
					}
					if chance.IntN(3) == 0 {
						r = newRelay(b, q)
					}
					before := s.next
					ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second+time.Duration(chance.IntN(300))*time.Millisecond)
					s.invoke(ctx, t, r)
					cancel()
					for i, id := range ids[before:s.next] {
						if never[id] && !slices.Contains(q.ids(), id) || !never[id] && !slices.Contains(b.taken, id) {
							t.Fatalf("event %d counts as done, and is neither published nor parked", before+i)
						}
					}
				}
				for _, id := range q.ids() {
					if !never[id] {
						t.Errorf("event %s is parked, and the bus would have taken it", id)
					}
				}
			})
		})
	}
}

// TestNoSequenceNumber: a failure without an identifier fails the batch whole, as recorded.
// So that is the right answer where a record came without its number.
func TestNoSequenceNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		b := &bus{refuse: func(types.PutEventsRequestEntry) string { return "ThrottlingException" }}
		payload := []byte(`{"Records":[{"eventName":"INSERT","dynamodb":{"NewImage":{"entity":{"S":"outbox"},"eventId":{"S":"evt_1"}}}}]}`)
		answer, err := newRelay(b, &queue{}).Invoke(ctx, payload)
		if want := `{"batchItemFailures":[{"itemIdentifier":""}]}`; err != nil || string(answer) != want {
			t.Errorf("got %s, %v; want %s", answer, err, want)
		}
	})
}

// TestAnotherProcess: what is done does not come again, to whatever process. What the bus
// took behind the event it throttled does.
func TestAnotherProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		payload, ids := stream(t, sizes(batchSize)...)
		throttled := true
		b := &bus{refuse: func(e types.PutEventsRequestEntry) string {
			if throttled && idOf(*e.Detail) == ids[12] {
				return "ThrottlingException"
			}
			return ""
		}}
		s := newShard(t, payload)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		s.invoke(ctx, t, newRelay(b, &queue{}))
		if s.next != 12 {
			t.Fatalf("%d records are done, want 12", s.next)
		}
		throttled = false
		s.invoke(t.Context(), t, newRelay(b, &queue{}))
		want := slices.Concat(ids[:12], ids[13:], ids[12:])
		if !slices.Equal(b.taken, want) || s.next != len(ids) {
			t.Errorf("%d records are done; published %v, want %v", s.next, b.taken, want)
		}
	})
}
