package reconcile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"

	"tradewind/shared/cmd/tradewind/internal/stage"
	"tradewind/shared/outbox"
	"tradewind/shared/relay"
	"tradewind/shared/table"
)

var noon = time.Date(2026, 11, 12, 12, 0, 0, 0, time.UTC)

// made returns the id of an event that was made some time after noon.
func made(after time.Duration, n byte) string {
	var id ulid.ULID
	_ = id.SetTime(ulid.Timestamp(noon.Add(after)))
	_ = id.SetEntropy([]byte{n, 0, 0, 0, 0, 0, 0, 0, 0, n})
	return "evt_" + id.String()
}

// db is a table with outbox items, in pages.
type db struct {
	items    []any
	perPage  int
	units    float64
	err      error
	asked    []time.Time
	conflict string // what the filter asked for that this table cannot judge
}

func (d *db) Scan(ctx context.Context, in *dynamodb.ScanInput, _ ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	d.asked = append(d.asked, time.Now())
	if err := errors.Join(d.err, ctx.Err()); err != nil {
		return nil, err
	}
	value := func(name string) string {
		v, _ := in.ExpressionAttributeValues[name].(*types.AttributeValueMemberS)
		if v == nil {
			return ""
		}
		return v.Value
	}
	if !strings.HasPrefix(*in.FilterExpression, "#entity = :outbox AND eventId BETWEEN :first AND :last") || !*in.ConsistentRead || *in.TableName != "orders" {
		d.conflict = *in.FilterExpression
	}
	begin := 0
	if in.ExclusiveStartKey != nil {
		_ = attributevalue.Unmarshal(in.ExclusiveStartKey["at"], &begin)
	}
	end := min(begin+d.perPage, len(d.items))
	out := &dynamodb.ScanOutput{ConsumedCapacity: &types.ConsumedCapacity{CapacityUnits: &d.units}}
	for _, item := range d.items[begin:end] {
		record, ok := item.(outbox.Record)
		if !ok || record.Entity != value(":outbox") || record.EventID < value(":first") || record.EventID > value(":last") {
			continue
		}
		if strings.Contains(*in.FilterExpression, "IN (:event0)") && record.DetailType != value(":event0") {
			continue
		}
		stored, err := attributevalue.MarshalMap(record)
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, stored)
	}
	if end < len(d.items) {
		next, _ := attributevalue.Marshal(end)
		out.LastEvaluatedKey = map[string]types.AttributeValue{"at": next}
	}
	return out, nil
}

func record(eventType, id string) outbox.Record {
	return outbox.Record{Key: table.Key{PK: "ORDER#1", SK: "OUTBOX#" + id}, Entity: outbox.Entity, EventID: id, Source: "orders", DetailType: eventType, Detail: `{"of":"` + id + `"}`}
}

// bus takes what it is not told to refuse.
type bus struct {
	taken  []string
	refuse string // never takes it
	busy   string // does not take it, nor what comes after
}

func (b *bus) publish(_ context.Context, entries []relay.Entry) (done relay.Published) {
	for i, e := range entries {
		switch e.EventID {
		case b.refuse:
			e.Refusal = "MalformedDetail: because"
			done.Never = append(done.Never, e)
		case b.busy:
			e.Refusal = "ThrottlingException: because"
			done.Again = append([]relay.Entry{e}, entries[i+1:]...)
			return done
		default:
			b.taken = append(b.taken, fmt.Sprint(e.Source, " ", e.DetailType, " ", e.Detail))
			done.Taken = append(done.Taken, e)
		}
	}
	return done
}

func run(d *db, b *bus) Run {
	return Run{DB: d, Table: "orders", Window: stage.Window{From: noon, To: noon.Add(time.Hour)}, Publish: b.publish, Rate: 1e9, Note: func(Result) {}}
}

// TestWindow publishes what was made in the window, to the millisecond, and nothing
// else that is in the table.
func TestWindow(t *testing.T) {
	in := []string{made(0, 0), made(0, 255), made(time.Minute, 1), made(time.Minute, 2), made(time.Hour, 255)}
	d := &db{perPage: 3, items: []any{
		record("order.created", made(-time.Millisecond, 255)), "an order",
		record("order.created", in[0]), record("order.created", in[1]), record("order.confirmed", in[2]), record("order.cancelled", in[3]), record("order.created", in[4]),
		record("order.created", made(time.Hour+time.Millisecond, 0)),
	}}
	state := record("order.created", in[2])
	state.Entity = "order"
	d.items = append(d.items, state)
	b := &bus{}
	pages := 0
	r := run(d, b)
	r.Note = func(Result) { pages++ }
	result, err := r.Do(t.Context())
	if err != nil || d.conflict != "" {
		t.Fatal(err, d.conflict)
	}
	want := []string{
		`orders order.created {"of":"` + in[0] + `"}`, `orders order.created {"of":"` + in[1] + `"}`,
		`orders order.confirmed {"of":"` + in[2] + `"}`, `orders order.cancelled {"of":"` + in[3] + `"}`, `orders order.created {"of":"` + in[4] + `"}`,
	}
	if diff := cmp.Diff(want, b.taken); diff != "" {
		t.Errorf("published, in turn (-want +got):\n%s", diff)
	}
	if result.Published != 5 || pages != 3 {
		t.Errorf("%+v in %d pages", result, pages)
	}
	if diff := cmp.Diff(map[string]int{"order.created": 3, "order.confirmed": 1, "order.cancelled": 1}, result.Found); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
}

func TestEvents(t *testing.T) {
	d := &db{perPage: 10, items: []any{record("order.created", made(1, 1)), record("order.confirmed", made(2, 2))}}
	b := &bus{}
	r := run(d, b)
	r.Events = []string{"order.confirmed"}
	if result, err := r.Do(t.Context()); err != nil || result.Published != 1 || !strings.Contains(b.taken[0], "order.confirmed") {
		t.Errorf("%+v, %v, published %v", result, err, b.taken)
	}
}

func TestOnlyCounts(t *testing.T) {
	d := &db{perPage: 1, items: []any{record("order.created", made(1, 1)), record("order.created", made(2, 2))}}
	r := run(d, &bus{})
	r.Publish = nil
	if result, err := r.Do(t.Context()); err != nil || result.Found["order.created"] != 2 || result.Published != 0 {
		t.Errorf("%+v, %v", result, err)
	}
}

// TestRefused: what the bus will never take holds up nothing and is told of; a bus that
// takes nothing any more ends the run.
func TestRefused(t *testing.T) {
	var items []any
	var ids []string
	for i := range byte(9) {
		ids = append(ids, made(time.Duration(i)*time.Second, i))
		items = append(items, record("order.created", ids[i]))
	}
	b := &bus{refuse: ids[1]}
	result, err := run(&db{perPage: 2, items: items}, b).Do(t.Context())
	if err != nil || result.Published != 8 || len(result.Refused) != 1 || result.Refused[0].EventID != ids[1] {
		t.Errorf("%+v, %v", result, err)
	}
	b = &bus{busy: ids[4]}
	result, err = run(&db{perPage: 2, items: items}, b).Do(t.Context())
	if err == nil || !strings.Contains(err.Error(), ids[4]) || !strings.Contains(err.Error(), "Throttling") || result.Published != 4 {
		t.Errorf("%+v, %v", result, err)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	b = &bus{busy: ids[4]}
	r := run(&db{perPage: 2, items: items}, b)
	r.Note = func(r Result) {
		if r.Published == 4 {
			interrupt()
		}
	}
	if _, err := r.Do(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	if _, err := run(&db{err: errors.New("no such table")}, b).Do(t.Context()); err == nil || !strings.Contains(err.Error(), "orders: no such table") {
		t.Errorf("without a table: %v", err)
	}
}

// TestRate reads no faster than it may, and gives up waiting when it is interrupted.
func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &db{perPage: 1, units: 256, items: []any{1, 2, 3, 4}}
		r := run(d, &bus{})
		r.Rate = 128
		if _, err := r.Do(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i := 1; i < len(d.asked); i++ {
			if gap := d.asked[i].Sub(d.asked[i-1]); gap != 2*time.Second {
				t.Errorf("page %d was asked for after %v, want 2s", i, gap)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.Do(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("interrupted: %v", err)
		}
	})
}

func TestReport(t *testing.T) {
	w := stage.Window{From: noon, To: noon.Add(time.Hour)}
	r := Result{Found: map[string]int{"order.created": 2, "order.confirmed": 1}, Published: 3}
	var out bytes.Buffer
	if err := report(&out, "orders", w, r, false); err != nil {
		t.Error(err)
	}
	if err := report(&out, "orders", w, r, true); err != nil {
		t.Error(err)
	}
	r.Refused = []relay.Entry{{EventID: "evt_1", DetailType: "order.created", Refusal: "MalformedDetail: because"}}
	if err := report(&out, "orders", w, r, false); err == nil {
		t.Error("events were refused, and all is well")
	}
	types := "     1  order.confirmed\n     2  order.created\n"
	head := "orders, 2026-11-12T12:00:00Z to 2026-11-12T13:00:00Z: 3 found"
	want := head + ", 3 published, 0 refused\n" + types + head + "\n" + types + head + ", 3 published, 1 refused\n" + types +
		"refused: order.created evt_1: MalformedDetail: because\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

// What the ids of a window are must hold for those that package id makes.
func TestIDs(t *testing.T) {
	first, last, err := ids(stage.Window{From: noon, To: noon})
	if err != nil || !slices.IsSorted([]string{made(-1, 255), first, made(0, 0), made(0, 255), last, made(time.Millisecond, 0)}) {
		t.Errorf("%s to %s, %v", first, last, err)
	}
	if _, _, err := ids(stage.Window{From: time.Unix(1<<60, 0), To: noon}); err == nil {
		t.Error("a time that no id can tell was taken")
	}
}
