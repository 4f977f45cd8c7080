package dynamo_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tradewind/events"
	event "tradewind/events/payments"
	"tradewind/functions/payments"
	"tradewind/functions/payments/internal/dynamo"
	"tradewind/shared/apperr"
	"tradewind/shared/id"
	"tradewind/shared/outbox"
	"tradewind/shared/table"
	"tradewind/shared/table/tabletest"
)

func newPayment(status payments.Status) payments.Payment {
	now := time.Now().UTC().Truncate(time.Millisecond)
	return payments.Payment{
		OrderID: id.New("ord"), UserID: id.New("usr"), Amount: events.Money{Amount: 1999, Currency: "EUR"},
		Status: status, CreatedAt: now, UpdatedAt: now,
	}
}

func newStore(tbl *table.Table) *dynamo.Store {
	return dynamo.New(tbl, outbox.New(event.Source, time.Now))
}

// read returns what is stored, and fails the test where nothing is.
func read(t *testing.T, s *dynamo.Store, orderID string) payments.Payment {
	t.Helper()
	p, err := s.Get(t.Context(), orderID)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestSaveAndGet(t *testing.T) {
	tabletest.Both(t, func(t *testing.T, tbl *table.Table) {
		store := newStore(tbl)
		captured := newPayment(payments.Captured)
		captured.Charge = "ch_1"
		refunded := captured
		refunded.OrderID, refunded.Status = id.New("ord"), payments.Refunded
		refunded.Refund = &payments.Refund{ID: id.New("ref"), Provider: "re_1", CreatedAt: captured.CreatedAt.Add(time.Second)}
		declined := newPayment(payments.Declined)
		declined.DeclineCode = "card_declined"
		for _, p := range []payments.Payment{newPayment(payments.Barred), captured, refunded, declined} {
			if err := store.Save(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			want := p
			want.Version = 1
			if diff := cmp.Diff(want, read(t, store, p.OrderID)); diff != "" {
				t.Errorf("read back (-want +got):\n%s", diff)
			}
		}
	})
}

func TestSaveTakesWhatWasRead(t *testing.T) {
	tabletest.Both(t, func(t *testing.T, tbl *table.Table) {
		store := newStore(tbl)
		p := newPayment(payments.Captured)
		if err := store.Save(t.Context(), p, event.CapturedV1{PaymentID: p.ID(), OrderID: p.OrderID}); err != nil {
			t.Fatal(err)
		}
		if err := store.Save(t.Context(), p); !errors.Is(err, apperr.ErrStale) {
			t.Errorf("a second payment of an order: %v", err)
		}
		seen := read(t, store, p.OrderID)
		next := seen
		next.Status = payments.Refunded
		if err := store.Save(t.Context(), next, event.RefundedV1{PaymentID: p.ID(), OrderID: p.OrderID}); err != nil {
			t.Fatal(err)
		}
		if err := store.Save(t.Context(), seen, event.RefundedV1{PaymentID: p.ID(), OrderID: p.OrderID}); !errors.Is(err, apperr.ErrStale) {
			t.Errorf("a change of an old version: %v", err)
		}
		if got := read(t, store, p.OrderID); got.Version != 2 || got.Status != payments.Refunded {
			t.Errorf("stored %+v", got)
		}
		records, _, err := table.List[outbox.Record](t.Context(), tbl, table.Query{PK: "PAYMENT#" + p.OrderID, SKPrefix: "OUTBOX#", Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		var types []string
		for _, r := range records {
			types = append(types, r.DetailType)
		}
		if diff := cmp.Diff([]string{event.TypeCaptured, event.TypeRefunded}, types); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestSaveNeverBringsBack(t *testing.T) {
	tabletest.Both(t, func(t *testing.T, tbl *table.Table) {
		p := newPayment(payments.Captured)
		p.Version = 3
		if err := newStore(tbl).Save(t.Context(), p); !errors.Is(err, apperr.ErrStale) {
			t.Errorf("saving a version of what is not there: %v", err)
		}
	})
}

func TestOneOfManyWins(t *testing.T) {
	tabletest.Both(t, func(t *testing.T, tbl *table.Table) {
		store := newStore(tbl)
		p := newPayment(payments.Captured)
		var won atomic.Int32
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				switch err := store.Save(context.Background(), p); {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, apperr.ErrStale):
					t.Errorf("got %v", err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("%d payments of one order were stored", won.Load())
		}
	})
}

func TestGetAbsent(t *testing.T) {
	tabletest.Both(t, func(t *testing.T, tbl *table.Table) {
		if p, err := newStore(tbl).Get(t.Context(), "ord_none"); !errors.Is(err, payments.ErrNotFound) {
			t.Errorf("got %+v, %v", p, err)
		}
	})
}
