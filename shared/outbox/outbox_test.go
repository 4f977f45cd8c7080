package outbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tradewind/events"
	"tradewind/shared/id"
	"tradewind/shared/outbox"
	"tradewind/shared/table"
	"tradewind/shared/table/tabletest"
	"tradewind/shared/trace"
)

// shipped is an event of the tests.
type shipped struct {
	ParcelID string `json:"parcelId"`
	Note     string `json:"note,omitempty"`
}

func (shipped) EventType() string  { return "parcel.shipped" }
func (shipped) SchemaVersion() int { return 3 }
func (e shipped) Subject() string  { return e.ParcelID }

// lost is another.
type lost struct{ shipped }

func (lost) EventType() string { return "parcel.lost" }

// broken is an event that does not encode.
type broken struct{ shipped }

func (broken) MarshalJSON() ([]byte, error) { return nil, errors.New("no JSON today") }

var now = time.Date(2026, 11, 12, 13, 14, 15, 678_900_000, time.FixedZone("", 3600))

func newOutbox() *outbox.Outbox { return outbox.New("parcels", func() time.Time { return now }) }

const pk = "PARCEL#7"

// stored commits events and returns the records that are in the table then.
func stored(ctx context.Context, t *testing.T, evs ...events.Event) []outbox.Record {
	t.Helper()
	tbl := tabletest.New()
	if err := tbl.Commit(ctx, nil, newOutbox().Ops(ctx, pk, evs...)...); err != nil {
		t.Fatal(err)
	}
	records, _, err := table.List[outbox.Record](ctx, tbl, table.Query{PK: pk, SKPrefix: "OUTBOX#", Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func TestRecord(t *testing.T) {
	ctx := trace.With(t.Context(), trace.Trace{
		CorrelationID: "c-1", CausationID: "evt_0",
		Parent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	})
	records := stored(ctx, t, shipped{"par_7", "fragile <glass>"})
	if len(records) != 1 {
		t.Fatalf("%d records, want 1", len(records))
	}
	got := records[0]
	if !id.Valid("evt", got.EventID) {
		t.Errorf("event id %q", got.EventID)
	}
	var envelope events.Envelope
	if err := json.Unmarshal([]byte(got.Detail), &envelope); err != nil {
		t.Fatal(err)
	}
	wantMeta := events.Metadata{
		EventID: got.EventID, SchemaVersion: 3, Subject: "par_7",
		CorrelationID: "c-1", CausationID: "evt_0",
		Traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		OccurredAt:  envelope.Metadata.OccurredAt,
	}
	if diff := cmp.Diff(wantMeta, envelope.Metadata, cmp.AllowUnexported(events.Timestamp{})); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
	if at := envelope.Metadata.OccurredAt.String(); at != "2026-11-12T12:14:15.678Z" {
		t.Errorf("occurred at %s", at)
	}
	var data shipped
	if err := json.Unmarshal(envelope.Data, &data); err != nil || data != (shipped{"par_7", "fragile <glass>"}) {
		t.Errorf("data %+v, %v", data, err)
	}
	got.Detail = ""
	want := outbox.Record{
		Key:    table.Key{PK: pk, SK: "OUTBOX#" + got.EventID},
		Entity: "outbox", EventID: got.EventID, Source: "parcels", DetailType: "parcel.shipped",
		ExpiresAt: now.Add(7 * 24 * time.Hour).Unix(),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
}

func TestNoTrace(t *testing.T) {
	detail := stored(t.Context(), t, shipped{ParcelID: "par_7"})[0].Detail
	for _, field := range []string{`"correlationId":""`, `"causationId":""`, `"traceparent":""`} {
		if !strings.Contains(detail, field) {
			t.Errorf("detail %s lacks %s", detail, field)
		}
	}
}

// TestOrder has events of one commit sort as they were given: the sort key is
// the event's id, and ids of one process increase.
func TestOrder(t *testing.T) {
	var evs []events.Event
	var want []string
	for i := range 50 {
		evs = append(evs, shipped{"par_7", fmt.Sprint(i)})
		want = append(want, fmt.Sprint(i))
	}
	var got, ids []string
	for _, rec := range stored(t.Context(), t, evs...) {
		var envelope struct{ Data shipped }
		if err := json.Unmarshal([]byte(rec.Detail), &envelope); err != nil {
			t.Fatal(err)
		}
		got, ids = append(got, envelope.Data.Note), append(ids, rec.EventID)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if !slices.IsSorted(ids) || len(slices.Compact(ids)) != len(evs) {
		t.Errorf("ids do not increase strictly: %v", ids)
	}
}

// TestSameEventTwice: an item that is put as it already is leaves no record in the stream
// (recorded on AWS on 2025-10-08), so no event may be stored under the key of another.
func TestSameEventTwice(t *testing.T) {
	ev := shipped{ParcelID: "par_7"}
	ops := newOutbox().Ops(t.Context(), pk, ev, ev)
	if ops[0].Key == ops[1].Key || !ops[0].Absent || !ops[1].Absent {
		t.Errorf("stored by %+v and %+v: each must create an item of its own", ops[0], ops[1])
	}
}

func TestSize(t *testing.T) {
	// What the envelope takes by itself.
	envelope := len(stored(t.Context(), t, shipped{ParcelID: "par_7", Note: "x"})[0].Detail) - 1
	note := func(size int) shipped { return shipped{"par_7", strings.Repeat("x", size)} }
	if rec := stored(t.Context(), t, note(outbox.MaxDetail-envelope))[0]; len(rec.Detail) != outbox.MaxDetail {
		t.Errorf("largest event has %d bytes, want %d", len(rec.Detail), outbox.MaxDetail)
	}
	refused(t, note(outbox.MaxDetail-envelope+1), "parcel.shipped of par_7: 245761 bytes")
}

func TestNotEncoded(t *testing.T) {
	refused(t, broken{shipped{ParcelID: "par_7"}}, "no JSON today")
}

// refused commits a state with an event that cannot be stored: there must be
// neither afterwards.
func refused(t *testing.T, ev events.Event, says string) {
	t.Helper()
	tbl := tabletest.New()
	state := table.Key{PK: pk, SK: "PARCEL"}
	ops := append(newOutbox().Ops(t.Context(), pk, shipped{ParcelID: "par_7"}, ev), table.Create(state, errors.New("taken")))
	if err := tbl.Commit(t.Context(), nil, ops...); err == nil || !strings.Contains(err.Error(), says) {
		t.Errorf("got %v, want an error that says %q", err, says)
	}
	if items, _, err := table.List[table.Key](t.Context(), tbl, table.Query{PK: pk, Limit: 1}); err != nil || len(items) != 0 {
		t.Errorf("stored %v, %v", items, err)
	}
}

func TestNoEvents(t *testing.T) {
	if ops := newOutbox().Ops(t.Context(), pk); len(ops) != 0 {
		t.Errorf("%d operations for no events", len(ops))
	}
}

// TestErase has more records than are looked up at a time, one of a type to keep
// among them, and a state that is none of its business.
func TestErase(t *testing.T) {
	tabletest.Both(t, func(t *testing.T, tbl *table.Table) {
		state := table.Key{PK: pk, SK: "PARCEL"}
		evs := slices.Repeat([]events.Event{shipped{ParcelID: "par_7"}}, 60)
		ops := append(newOutbox().Ops(t.Context(), pk, append(evs, lost{})...), table.Create(state, errors.New("taken")))
		if err := tbl.Commit(t.Context(), nil, ops...); err != nil {
			t.Fatal(err)
		}
		for range 2 { // it may be repeated
			if err := outbox.Erase(t.Context(), tbl, pk, "parcel.lost"); err != nil {
				t.Fatal(err)
			}
		}
		left, _, err := table.List[outbox.Record](t.Context(), tbl, table.Query{PK: pk, Limit: 10})
		if err != nil || len(left) != 2 || left[0].DetailType != "parcel.lost" || left[1].Key != state {
			t.Errorf("left %+v, %v; want the state and one record", left, err)
		}
	})
}

// A store adds the operations of the events to those of the state, in the
// partition of the aggregate, and commits all together.
func ExampleOutbox_Ops() {
	ctx, tbl := context.Background(), tabletest.New()
	box := outbox.New("parcels", time.Now)

	parcel := table.Key{PK: "PARCEL#7", SK: "PARCEL"}
	ops := append(box.Ops(ctx, parcel.PK, shipped{ParcelID: "7"}), table.Create(parcel, errors.New("taken")))
	fmt.Println(tbl.Commit(ctx, nil, ops...))

	records, _, err := table.List[outbox.Record](ctx, tbl, table.Query{PK: parcel.PK, SKPrefix: "OUTBOX#", Limit: 10})
	for _, rec := range records {
		fmt.Println(rec.Source, rec.DetailType, err)
	}

	// Output:
	// <nil>
	// parcels parcel.shipped <nil>
}
