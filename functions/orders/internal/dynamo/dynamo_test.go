package dynamo_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tradewind/events"
	event "tradewind/events/orders"
	"tradewind/functions/orders"
	"tradewind/functions/orders/internal/dynamo"
	"tradewind/shared/apperr"
	"tradewind/shared/id"
	"tradewind/shared/outbox"
	"tradewind/shared/table"
	"tradewind/shared/table/tabletest"
)

func newOrder(t *testing.T, user string) (orders.Order, event.CreatedV1) {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Millisecond)
	o, created, err := orders.New(id.New("ord"), orders.Request{
		UserID:        user,
		Lines:         []events.Line{{ProductID: "prd_1", Quantity: 2}},
		PaymentMethod: "pm_card_ok",
		ShippingAddress: orders.Address{
			Line1: "1 Quay", Line2: "Shed ü", City: "Kiel", PostalCode: "24103", Country: "DE",
		},
	}, map[string]orders.Product{"prd_1": {Name: "Rope", Price: events.Money{Amount: 1999, Currency: "EUR"}}}, now)
	if err != nil {
		t.Fatal(err)
	}
	return o, created
}

func TestStore(t *testing.T) {
	tabletest.Both(t, func(t *testing.T, tbl *table.Table) {
		ctx := context.Background()
		store := dynamo.New(tbl, outbox.New("orders", time.Now))
		o, created := newOrder(t, id.New("usr"))
		if err := store.Create(ctx, o, created); err != nil {
			t.Fatal(err)
		}
		if err := store.Create(ctx, o, created); err == nil {
			t.Error("an order was created twice")
		}
		read := func() orders.Order {
			t.Helper()
			got, err := store.Get(ctx, o.ID)
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		if diff := cmp.Diff(o, read()); diff != "" {
			t.Errorf("read back (-want +got):\n%s", diff)
		}

		stale := read()
		ev := o.CancelForCustomer("changed my mind", o.CreatedAt.Add(time.Second))
		if err := store.Save(ctx, o, ev); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(o, read()); diff != "" {
			t.Errorf("read back after a change (-want +got):\n%s", diff)
		}
		late := stale.Fail(orders.TimedOut, "", "sweep", stale.CreatedAt)
		if err := store.Save(ctx, stale, late); !errors.Is(err, apperr.ErrStale) {
			t.Errorf("a change of an old version: %v", err)
		}

		outboxed, _, err := table.List[outbox.Record](ctx, tbl, table.Query{PK: "ORDER#" + o.ID, SKPrefix: "OUTBOX#", Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		var types []string
		for _, r := range outboxed {
			types = append(types, r.DetailType)
		}
		if diff := cmp.Diff([]string{event.TypeCreated, event.TypeCancelled}, types); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestGetAbsent(t *testing.T) {
	tabletest.Both(t, func(t *testing.T, tbl *table.Table) {
		_, err := dynamo.New(tbl, outbox.New("orders", time.Now)).Get(context.Background(), "ord_none")
		if apperr.KindOf(err) != apperr.NotFound {
			t.Errorf("got %v", err)
		}
	})
}

func TestSaveNeverCreates(t *testing.T) {
	tabletest.Both(t, func(t *testing.T, tbl *table.Table) {
		store := dynamo.New(tbl, outbox.New("orders", time.Now))
		o, _ := newOrder(t, "usr_1")
		ev := o.CancelForCustomer("x", time.Now())
		if err := store.Save(context.Background(), o, ev); !errors.Is(err, apperr.ErrStale) {
			t.Errorf("saving what is not there: %v", err)
		}
	})
}

func TestWaiting(t *testing.T) {
	tabletest.Both(t, func(t *testing.T, tbl *table.Table) {
		ctx := context.Background()
		store := dynamo.New(tbl, outbox.New("orders", time.Now))
		expect := func(when string, n int, since time.Time) {
			t.Helper()
			gotN, gotSince, err := store.Waiting(ctx)
			if err != nil || gotN != n || !gotSince.Equal(since) {
				t.Errorf("%s: %d waiting since %v, %v; want %d since %v", when, gotN, gotSince, err, n, since)
			}
		}
		expect("without orders", 0, time.Time{})
		var placed []orders.Order // oldest first, over all shards
		for i := range 20 {
			o, created := newOrder(t, "usr_1")
			o.CreatedAt = o.CreatedAt.Add(time.Duration(i-60) * time.Second)
			if err := store.Create(ctx, o, created); err != nil {
				t.Fatal(err)
			}
			placed = append(placed, o)
		}
		expect("with orders", 20, placed[0].CreatedAt)
		for _, o := range placed[:19] {
			ev := o.CancelForCustomer("x", time.Now())
			if err := store.Save(ctx, o, ev); err != nil {
				t.Fatal(err)
			}
		}
		expect("with one left", 1, placed[19].CreatedAt)
	})
}
