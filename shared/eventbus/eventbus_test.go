package eventbus_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"tradewind/events"
	"tradewind/shared/apperr"
	"tradewind/shared/claimcheck"
	"tradewind/shared/eventbus"
	"tradewind/shared/logs"
	"tradewind/shared/outbox"
	"tradewind/shared/table"
	"tradewind/shared/table/tabletest"
)

// manifest is an event that may be large.
type manifest struct {
	ParcelID string `json:"parcelId"`
	Contents string `json:"contents"`
}

func (manifest) EventType() string  { return "parcel.listed" }
func (manifest) SchemaVersion() int { return 1 }
func (e manifest) Subject() string  { return e.ParcelID }

// store keeps objects in memory.
type store struct {
	objects map[string][]byte
	err     error
}

func (s *store) Put(_ context.Context, key string, body []byte) error {
	if s.err == nil {
		s.objects[key] = body
	}
	return s.err
}

func (s *store) Get(_ context.Context, key string, _ int) ([]byte, error) {
	if body, ok := s.objects[key]; ok || s.err != nil {
		return body, s.err
	}
	return nil, apperr.New(apperr.NotFound, "object_not_found", "There is no such object.")
}

// publish commits an event and returns its record.
func publish(t *testing.T, p *eventbus.Publisher, ev events.Event) (*table.Table, outbox.Record, error) {
	t.Helper()
	tbl := tabletest.New()
	if err := tbl.Commit(t.Context(), nil, p.Ops(t.Context(), "PARCEL#1", ev)...); err != nil {
		return tbl, outbox.Record{}, err
	}
	records, _, err := table.List[outbox.Record](t.Context(), tbl, table.Query{PK: "PARCEL#1", SKPrefix: "OUTBOX#", Limit: 2})
	if err != nil || len(records) != 1 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	return tbl, records[0], nil
}

// TestLargeEvents goes from commit to handler with data around the sizes that matter.
func TestLargeEvents(t *testing.T) {
	tests := map[string]struct {
		size, limit int
		claimed     bool
		refused     string
	}{
		"small":            {1000, 0, false, ""},
		"at the threshold": {claimcheck.DefaultThreshold - 32, 0, false, ""},
		"large":            {claimcheck.DefaultThreshold, 0, true, ""},
		"very large":       {4 << 20, 0, true, ""},
		"beyond the limit": {6 << 20, 0, false, "may be left in the store"},
		"a limit of one's": {400 << 10, 300 << 10, false, "307200 that may be left"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := &store{objects: map[string][]byte{}}
			claims := claimcheck.New(claimcheck.Config{Store: s, Limit: test.limit})
			sent := manifest{"1", strings.Repeat("x", test.size)}
			tbl, record, err := publish(t, eventbus.NewPublisher("post", time.Now).WithClaims(claims), sent)
			if test.refused != "" {
				if err == nil || !strings.Contains(err.Error(), test.refused) || len(s.objects) > 0 {
					t.Errorf("got %v, and %d objects", err, len(s.objects))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if claimed := len(s.objects) == 1; claimed != test.claimed {
				t.Errorf("claimed %v", claimed)
			}
			if test.claimed && (s.objects["claims/"+record.EventID+".json"] == nil || len(record.Detail) > 1000) {
				t.Errorf("objects %d, and %d bytes on the bus", len(s.objects), len(record.Detail))
			}
			var got manifest
			subscriber := eventbus.NewSubscriber(time.Now, logs.Discard()).WithClaims(claims)
			eventbus.On(subscriber, func(_ context.Context, m events.Metadata, e manifest) error {
				got = e
				return nil
			})
			if answer := deliver(t.Context(), tbl, "PARCEL#1", subscriber); answer != `{"batchItemFailures":[]}` || got != sent {
				t.Errorf("answer %s, got %d bytes", answer, len(got.Contents))
			}
		})
	}
}

// Without a store an event that is too large is refused, before anything is written.
func TestTooLargeWithoutAStore(t *testing.T) {
	tbl, _, err := publish(t, eventbus.NewPublisher("post", time.Now), manifest{"1", strings.Repeat("x", outbox.MaxDetail)})
	if err == nil || !strings.Contains(err.Error(), "WithClaims") {
		t.Errorf("got %v", err)
	}
	records, _, err := table.List[outbox.Record](t.Context(), tbl, table.Query{PK: "PARCEL#1", Limit: 2})
	if err != nil || len(records) > 0 {
		t.Errorf("%d records, %v", len(records), err)
	}
}

// The largest event that is taken fits, with all that EventBridge and SQS add, into a
// message of 256 KiB.
func TestLargestFitsTheQueue(t *testing.T) {
	low, high := 0, outbox.MaxDetail
	for low < high-1 {
		middle := (low + high) / 2
		if _, _, err := publish(t, eventbus.NewPublisher("notifications", time.Now), manifest{"1", strings.Repeat("x", middle)}); err != nil {
			high = middle
		} else {
			low = middle
		}
	}
	_, record, err := publish(t, eventbus.NewPublisher("notifications", time.Now), manifest{"1", strings.Repeat("x", low)})
	if err != nil {
		t.Fatal(err)
	}
	const around = `{"version":"0","id":"7bf73129-1428-4cd3-a780-95db273d1602","detail-type":"","source":"","account":"123456789012",` +
		`"time":"2026-11-12T14:00:00Z","region":"ap-southeast-3","resources":[],"detail":}`
	if message := len(around) + len(record.Source) + len(record.DetailType) + len(record.Detail); message > 256<<10 || low < 200<<10 {
		t.Errorf("a message of %d bytes for %d bytes of contents", message, low)
	}
}

// TestClaims has the store, or what is in it, fail between commit and handler.
func TestClaims(t *testing.T) {
	damage := func(s *store, change func([]byte) []byte) {
		for key, body := range s.objects {
			s.objects[key] = change(body)
		}
	}
	tests := map[string]struct {
		between func(*store)
		without bool // claims, at the subscriber
		done    bool
	}{
		"all is well":   {func(*store) {}, false, true},
		"expired":       {func(s *store) { clear(s.objects) }, false, false},
		"away":          {func(s *store) { s.err = errors.New("no answer") }, false, false},
		"damaged":       {func(s *store) { damage(s, func(b []byte) []byte { b[20]++; return b }) }, false, false},
		"cut off":       {func(s *store) { damage(s, func(b []byte) []byte { return b[:1000] }) }, false, false},
		"not asked for": {func(*store) {}, true, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := &store{objects: map[string][]byte{}}
			claims := claimcheck.New(claimcheck.Config{Store: s, Threshold: 10})
			tbl, _, err := publish(t, eventbus.NewPublisher("post", time.Now).WithClaims(claims), manifest{"1", strings.Repeat("x", 2000)})
			if err != nil {
				t.Fatal(err)
			}
			test.between(s)
			subscriber := eventbus.NewSubscriber(time.Now, logs.Discard())
			if !test.without {
				subscriber.WithClaims(claims)
			}
			handled := false
			eventbus.On(subscriber, func(context.Context, events.Metadata, manifest) error {
				handled = true
				return nil
			})
			answer := deliver(t.Context(), tbl, "PARCEL#1", subscriber)
			if done := answer == `{"batchItemFailures":[]}`; done != test.done || handled != test.done {
				t.Errorf("done %v, handled %v: %s", done, handled, answer)
			}
		})
	}
}

// Nothing is committed when the data could not be left.
func TestStoreAway(t *testing.T) {
	s := &store{err: errors.New("no answer")}
	claims := claimcheck.New(claimcheck.Config{Store: s, Threshold: 10})
	if _, _, err := publish(t, eventbus.NewPublisher("post", time.Now).WithClaims(claims), manifest{"1", strings.Repeat("x", 100)}); err == nil {
		t.Error("the event was committed without its data")
	}
}
