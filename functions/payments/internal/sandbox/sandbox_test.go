package sandbox_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"tradewind/events"
	"tradewind/functions/payments"
	"tradewind/functions/payments/internal/sandbox"
	"tradewind/shared/apperr"
	"tradewind/shared/inbox"
	"tradewind/shared/table"
	"tradewind/shared/table/tabletest"
)

const orderID = "ord_01K9ZZZZZZZZZZZZZZZZZZZZZZ"

var total = events.Money{Amount: 1999, Currency: "EUR"}

func charge(method string) payments.Charge {
	return payments.Charge{OrderID: orderID, Amount: total, Method: method}
}

var (
	paid     = payments.Outcome{Result: payments.Paid, Charge: "sandbox-" + orderID}
	refusing = func(code string) payments.Outcome { return payments.Outcome{Result: payments.Refused, Code: code} }
)

// Each method, asked for until it answers with an outcome, and once more by
// another process.
func TestMethods(t *testing.T) {
	tests := map[string]struct {
		busy int // answers of 503 before
		want payments.Outcome
		took time.Duration
	}{
		"pm_card_ok":                 {0, paid, 0},
		"pm_card_declined":           {0, refusing("card_declined"), 0},
		"pm_card_insufficient_funds": {0, refusing("insufficient_funds"), 0},
		"pm_card_flaky":              {2, paid, 0},
		"pm_card_slow":               {0, paid, 10 * time.Second},
		"pm_gold":                    {0, refusing("unknown_method"), 0},
		"":                           {0, refusing("unknown_method"), 0},
	}
	for method, tt := range tests {
		t.Run(method, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tbl := tabletest.New()
				p := sandbox.New(tbl, time.Now)
				for range tt.busy {
					if _, err := p.Charge(t.Context(), charge(method)); apperr.KindOf(err) != apperr.Unavailable {
						t.Fatalf("got error %v, want a 503", err)
					}
				}
				start := time.Now()
				got, err := p.Charge(t.Context(), charge(method))
				if err != nil || got != tt.want || time.Since(start) != tt.took {
					t.Errorf("got %+v, %v after %v, want %+v after %v", got, err, time.Since(start), tt.want, tt.took)
				}
				start = time.Now()
				again, err := sandbox.New(tbl, time.Now).Charge(t.Context(), charge(method))
				if err != nil || again != got || time.Since(start) != 0 {
					t.Errorf("again: got %+v, %v after %v", again, err, time.Since(start))
				}
				if e, err := p.Audit(t.Context(), orderID); err != nil || e.Attempts != tt.busy+2 {
					t.Errorf("the books hold %+v, %v", e, err)
				}
			})
		})
	}
}

func TestDownNeverAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sandbox.New(tabletest.New(), time.Now)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, err := p.Charge(ctx, charge("pm_card_down"))
		if !errors.Is(err, context.DeadlineExceeded) || apperr.KindOf(err) == apperr.Unavailable {
			t.Errorf("got %v", err)
		}
		if got, err := p.Lookup(t.Context(), charge("")); err != nil || got.Result != payments.Pending {
			t.Errorf("lookup: %+v, %v", got, err)
		}
	})
}

// A caller that does not wait for a slow answer has been charged all the same.
func TestSlowChargesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sandbox.New(tabletest.New(), time.Now)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if got, err := p.Charge(ctx, charge("pm_card_slow")); err == nil {
			t.Errorf("got %+v in a second", got)
		}
		if got, err := p.Lookup(t.Context(), charge("")); err != nil || got != paid {
			t.Errorf("lookup: %+v, %v", got, err)
		}
	})
}

func TestVoid(t *testing.T) {
	tests := map[string]struct {
		before string // charged before
		want   payments.Outcome
		later  payments.Outcome // of a charge that comes after
	}{
		"never charged": {"", refusing("voided"), refusing("voided")},
		"charged":       {"pm_card_ok", paid, paid},
		"refused":       {"pm_card_declined", refusing("card_declined"), refusing("card_declined")},
		"busy before":   {"pm_card_flaky", refusing("voided"), refusing("voided")},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := sandbox.New(tabletest.New(), time.Now)
			if tt.before != "" {
				_, _ = p.Charge(t.Context(), charge(tt.before))
			}
			for range 2 {
				if got, err := p.Void(t.Context(), charge("")); err != nil || got != tt.want {
					t.Errorf("got %+v, %v", got, err)
				}
			}
			if got, err := p.Charge(t.Context(), charge("pm_card_ok")); err != nil || got != tt.later {
				t.Errorf("a later charge: %+v, %v", got, err)
			}
		})
	}
}

func TestRefund(t *testing.T) {
	back := payments.Return{OrderID: orderID, Charge: paid.Charge, Amount: total}
	less := back
	less.Amount.Amount--
	other := back
	other.Charge = "sandbox-ord_other"
	tests := map[string]struct {
		method string
		refund payments.Return
		ok     bool
	}{
		"paid":          {"pm_card_ok", back, true},
		"declined":      {"pm_card_declined", back, false},
		"in part":       {"pm_card_ok", less, false},
		"other's money": {"pm_card_ok", other, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := sandbox.New(tabletest.New(), time.Now)
			if _, err := p.Charge(t.Context(), charge(tt.method)); err != nil {
				t.Fatal(err)
			}
			for n := 1; n <= 2; n++ {
				ref, err := p.Refund(t.Context(), tt.refund)
				if (err == nil) != tt.ok {
					t.Fatalf("got %q, %v", ref, err)
				}
				if e, _ := p.Audit(t.Context(), "refund-"+orderID); tt.ok && (e.Attempts != n || e.Status != "refunded" || e.Amount != total.Amount) {
					t.Errorf("the books hold %+v after %d refunds", e, n)
				}
			}
		})
	}
}

// Two deliveries of one event ask at the same time: the second comes in while
// the first is about to write its books.
func TestAskedAtTheSameTime(t *testing.T) {
	memory := &tabletest.Memory{}
	p := sandbox.New(table.New(memory), time.Now)
	for _, method := range []string{"pm_card_ok", "pm_card_declined"} {
		memory.Before = func([]table.Op) error {
			memory.Before = nil
			if _, err := p.Charge(t.Context(), charge(method)); err != nil {
				t.Error(err)
			}
			return nil
		}
		// By now the first method has decided.
		if got, err := p.Charge(t.Context(), charge(method)); err != nil || got != paid {
			t.Errorf("got %+v, %v", got, err)
		}
	}
	if e, err := p.Audit(t.Context(), orderID); err != nil || e.Attempts != 4 || e.Method != "pm_card_ok" {
		t.Errorf("the books hold %+v, %v", e, err)
	}
}

func TestKeyMeansOneCharge(t *testing.T) {
	p := sandbox.New(tabletest.New(), time.Now)
	if _, err := p.Charge(t.Context(), charge("pm_card_ok")); err != nil {
		t.Fatal(err)
	}
	more := charge("pm_card_ok")
	more.Amount.Amount++
	if got, err := p.Charge(t.Context(), more); err == nil {
		t.Errorf("another amount under the same key: %+v", got)
	}
}

// The books are not part of what the caller commits: an event's record must
// neither be used up by them nor keep them from being written.
func TestBooksAreApart(t *testing.T) {
	tabletest.Both(t, func(t *testing.T, tbl *table.Table) {
		p := sandbox.New(tbl, time.Now)
		ctx := inbox.New(time.Now).Guard(t.Context(), "evt_1")
		for range 2 {
			if got, err := p.Charge(ctx, charge("pm_card_ok")); err != nil || got != paid {
				t.Fatalf("got %+v, %v", got, err)
			}
		}
		if err := tbl.Commit(ctx, nil); err != nil {
			t.Errorf("the event's own commit: %v", err)
		}
	})
}
