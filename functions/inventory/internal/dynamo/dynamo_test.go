package dynamo_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tradewind/events"
	event "tradewind/events/inventory"
	"tradewind/functions/inventory"
	"tradewind/functions/inventory/internal/dynamo"
	"tradewind/shared/apperr"
	"tradewind/shared/apperr/apperrtest"
	"tradewind/shared/id"
	"tradewind/shared/outbox"
	"tradewind/shared/table"
	"tradewind/shared/table/tabletest"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, int(7*time.Millisecond), time.UTC)

func stock(productID string, version int) inventory.Stock {
	return inventory.Stock{
		ProductID: productID, OnHand: 10 * version, Reserved: version, Depleted: version%2 == 0,
		Version: version, CreatedAt: noon, UpdatedAt: noon.Add(time.Duration(version) * time.Second),
	}
}

func reservation(orderID string, state inventory.State, version int) inventory.Reservation {
	return inventory.Reservation{
		OrderID: orderID, State: state, Lines: []events.Line{{ProductID: "prd_1", Quantity: 2}, {ProductID: "prd_2", Quantity: 1}},
		Version: version, CreatedAt: noon, UpdatedAt: noon.Add(time.Second),
	}
}

// both runs a suite over the store on either database.
func both(t *testing.T, suite func(*testing.T, *dynamo.Store, *table.Table)) {
	tabletest.Both(t, func(t *testing.T, tbl *table.Table) {
		suite(t, dynamo.New(tbl, outbox.New(event.Source, time.Now)), tbl)
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestStock(t *testing.T) {
	both(t, func(t *testing.T, store *dynamo.Store, tbl *table.Table) {
		ctx := t.Context()
		if _, err := store.Stock(ctx, "prd_1"); apperrtest.Code(err) != "stock_not_found" {
			t.Errorf("a line that is not there: %v", err)
		}
		entry := &inventory.Entry{
			ID: id.New("led"), Postings: []inventory.Posting{{ProductID: "prd_1", Delta: 20, OnHand: 20}},
			Reason: "delivery", Cause: "usr_1", OccurredAt: noon,
		}
		if err := store.SaveStock(ctx, stock("prd_1", 2), entry); !errors.Is(err, apperr.ErrStale) {
			t.Errorf("a second version without a first: %v", err)
		}
		must(t, store.SaveStock(ctx, stock("prd_1", 1), nil))
		if err := store.SaveStock(ctx, stock("prd_1", 1), nil); !errors.Is(err, apperr.ErrStale) {
			t.Errorf("a first version twice: %v", err)
		}
		must(t, store.SaveStock(ctx, stock("prd_1", 2), entry, event.StockDepletedV1{ProductID: "prd_1"}))
		if err := store.SaveStock(ctx, stock("prd_1", 2), nil); !errors.Is(err, apperr.ErrStale) {
			t.Errorf("a second version twice: %v", err)
		}
		got, err := store.Stock(ctx, "prd_1")
		must(t, err)
		same(t, "line", got, stock("prd_1", 2))
		same(t, "partition", sortKeys(t, tbl, "STOCK#prd_1"), []string{"LEDGER", "OUTBOX", "STOCK"})
	})
}

func TestStocks(t *testing.T) {
	both(t, func(t *testing.T, store *dynamo.Store, _ *table.Table) {
		ctx := t.Context()
		var ids []string
		want := map[string]inventory.Stock{}
		for i := range 50 {
			s := stock(fmt.Sprintf("prd_%d", i), 1)
			ids = append(ids, s.ProductID)
			if i%10 != 0 { // the others have no line
				must(t, store.SaveStock(ctx, s, nil))
				want[s.ProductID] = s
			}
		}
		got, err := store.Stocks(ctx, ids)
		must(t, err)
		same(t, "lines", got, want)
	})
}

func TestStocksOfAFailingTable(t *testing.T) {
	store := dynamo.New(tabletest.New(), outbox.New(event.Source, time.Now))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if lines, err := store.Stocks(ctx, []string{"prd_1", "prd_2"}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, %v: what could not be read must not pass for absent", lines, err)
	}
}

func TestReservation(t *testing.T) {
	both(t, func(t *testing.T, store *dynamo.Store, tbl *table.Table) {
		ctx := t.Context()
		none, err := store.Reservation(ctx, "ord_1")
		must(t, err)
		same(t, "no reservation", none, inventory.Reservation{})
		must(t, store.SaveStock(ctx, stock("prd_1", 1), nil))
		must(t, store.SaveStock(ctx, stock("prd_2", 1), nil))

		held := reservation("ord_1", inventory.Held, 1)
		evs := []events.Event{
			event.StockReservedV1{OrderID: "ord_1", UserID: "usr_1", Items: held.Lines},
			event.StockDepletedV1{ProductID: "prd_2"},
		}
		must(t, store.SaveReservation(ctx, held, []inventory.Stock{stock("prd_1", 2), stock("prd_2", 2)}, nil, evs...))
		got, err := store.Reservation(ctx, "ord_1")
		must(t, err)
		same(t, "reservation", got, held)
		same(t, "order's partition", sortKeys(t, tbl, "RESERVATION#ord_1"), []string{"OUTBOX", "RESERVATION"})
		same(t, "product's partition", sortKeys(t, tbl, "STOCK#prd_2"), []string{"OUTBOX", "STOCK"})

		// One line is not what it was: nothing is written.
		taken := reservation("ord_1", inventory.Taken, 2)
		entry := &inventory.Entry{ID: id.New("led"), Postings: []inventory.Posting{{ProductID: "prd_1", Delta: -2}}, Cause: "ord_1", OccurredAt: noon}
		if err := store.SaveReservation(ctx, taken, []inventory.Stock{stock("prd_1", 3), stock("prd_2", 2)}, entry); !errors.Is(err, apperr.ErrStale) {
			t.Errorf("over a changed line: %v", err)
		}
		if err := store.SaveReservation(ctx, held, nil, nil); !errors.Is(err, apperr.ErrStale) {
			t.Errorf("a first version twice: %v", err)
		}
		still, err := store.Stock(ctx, "prd_1")
		must(t, err)
		same(t, "line after a refused change", still, stock("prd_1", 2))
		must(t, store.SaveReservation(ctx, taken, []inventory.Stock{stock("prd_1", 3), stock("prd_2", 3)}, entry))
		same(t, "order's partition", sortKeys(t, tbl, "RESERVATION#ord_1"), []string{"LEDGER", "OUTBOX", "RESERVATION"})
	})
}

// The most that one order can change is one transaction.
func TestLargestOrder(t *testing.T) {
	both(t, func(t *testing.T, store *dynamo.Store, _ *table.Table) {
		ctx := t.Context()
		svc := inventory.NewService(store, time.Now, id.New)
		o := inventory.Order{ID: "ord_1", UserID: "usr_1", PaymentMethod: "pm_card_ok"}
		for i := range 50 {
			s := stock(fmt.Sprintf("prd_%d", i), 1)
			s.Reserved, s.Depleted = 0, false
			must(t, store.SaveStock(ctx, s, nil))
			o.Lines = append(o.Lines, events.Line{ProductID: s.ProductID, Quantity: s.OnHand})
		}
		must(t, svc.OrderCreated(ctx, o))
		must(t, svc.OrderConfirmed(ctx, o.ID))
		must(t, svc.OrderCancelled(ctx, o.ID))
	})
}

// sortKeys returns the kinds of items in a partition.
func sortKeys(t *testing.T, tbl *table.Table, pk string) []string {
	t.Helper()
	items, _, err := table.List[table.Key](t.Context(), tbl, table.Query{PK: pk, Limit: 100})
	must(t, err)
	var kinds []string
	for _, it := range items {
		kind, _, _ := strings.Cut(it.SK, "#")
		kinds = append(kinds, kind)
	}
	return kinds
}
