package payments_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
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

const (
	orderID   = "ord_01K9ZZZZZZZZZZZZZZZZZZZZZZ"
	paymentID = "pay_01K9ZZZZZZZZZZZZZZZZZZZZZZ"
)

var order = payments.Order{
	ID: orderID, UserID: "usr_1", Total: events.Money{Amount: 1999, Currency: "EUR"}, Method: "pm_card_ok",
	Since: time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC),
}

// provider answers what a test tells it to and keeps what it was asked.
type provider struct {
	charge, lookup, void func(context.Context) (payments.Outcome, error)
	refund               func(context.Context) (string, error)
	asked                []string
	back                 events.Money // what the last refund was of
}

var (
	paid    = payments.Outcome{Result: payments.Paid, Charge: "ch_1"}
	refused = payments.Outcome{Result: payments.Refused, Code: "card_declined"}
	none    = payments.Outcome{}
)

func always(o payments.Outcome) func(context.Context) (payments.Outcome, error) {
	return func(context.Context) (payments.Outcome, error) { return o, nil }
}

func (p *provider) Charge(ctx context.Context, c payments.Charge) (payments.Outcome, error) {
	p.asked = append(p.asked, "charge "+c.Key())
	return p.charge(ctx)
}

func (p *provider) Lookup(ctx context.Context, c payments.Charge) (payments.Outcome, error) {
	p.asked = append(p.asked, "lookup "+c.Key())
	return p.lookup(ctx)
}

func (p *provider) Void(ctx context.Context, c payments.Charge) (payments.Outcome, error) {
	p.asked = append(p.asked, "void "+c.Key())
	return p.void(ctx)
}

func (p *provider) Refund(ctx context.Context, r payments.Return) (string, error) {
	p.asked = append(p.asked, "refund "+r.Charge+" "+r.Key())
	p.back = r.Amount
	return p.refund(ctx)
}

// fixture is the service over a table in memory.
type fixture struct {
	*payments.Service
	provider *provider
	store    *dynamo.Store
	table    *table.Table
}

const limit = 12 * time.Second

func newFixture() *fixture {
	tbl := tabletest.New()
	store := dynamo.New(tbl, outbox.New(event.Source, time.Now))
	p := &provider{
		charge: always(paid), lookup: always(none), void: always(none),
		refund: func(context.Context) (string, error) { return "re_1", nil },
	}
	return &fixture{payments.NewService(store, p, limit, time.Now, id.New), p, store, tbl}
}

// given brings the order's payment into a status.
func (f *fixture) given(t *testing.T, status payments.Status) {
	t.Helper()
	ctx := t.Context()
	var err error
	switch status {
	case payments.None:
	case payments.Barred:
		err = f.OrderCancelled(ctx, order)
	case payments.Declined:
		f.provider.charge = always(refused)
		err = f.StockReserved(ctx, order)
	case payments.Captured:
		err = f.StockReserved(ctx, order)
	case payments.Refunded:
		err = errors.Join(f.StockReserved(ctx, order), f.OrderCancelled(ctx, order))
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := f.status(t); got != status {
		t.Fatalf("the payment is %q, the test needs %q", got, status)
	}
	f.provider.charge = always(paid)
	f.provider.asked = nil
}

func (f *fixture) status(t *testing.T) payments.Status {
	t.Helper()
	p, err := f.store.Get(t.Context(), orderID)
	if err != nil && !errors.Is(err, payments.ErrNotFound) {
		t.Fatal(err)
	}
	return p.Status
}

// published returns the types of the events that are stored, oldest first.
func (f *fixture) published(t *testing.T) []string {
	t.Helper()
	records, _, err := table.List[outbox.Record](t.Context(), f.table, table.Query{PK: "PAYMENT#" + orderID, SKPrefix: "OUTBOX#", Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, r := range records {
		types = append(types, r.DetailType)
	}
	return types
}

// Each news in each status: what the provider is asked, what the payment becomes
// and what is told of it.
func TestDecisions(t *testing.T) {
	reserved := (*payments.Service).StockReserved
	cancelled := (*payments.Service).OrderCancelled
	tests := map[string]struct {
		status  payments.Status
		news    func(*payments.Service, context.Context, payments.Order) error
		charge  payments.Outcome // the provider's answer
		void    payments.Outcome // the provider's answer
		asks    []string
		becomes payments.Status
		tells   []string // besides what was told before
	}{
		"reserved, card pays": {
			status: payments.None, news: reserved, charge: paid,
			asks: []string{"charge " + orderID}, becomes: payments.Captured, tells: []string{event.TypeCaptured},
		},
		"reserved, card refused": {
			status: payments.None, news: reserved, charge: refused,
			asks: []string{"charge " + orderID}, becomes: payments.Declined, tells: []string{event.TypeDeclined},
		},
		"reserved, order cancelled, never charged": {
			status: payments.Barred, news: reserved, void: none,
			asks: []string{"void " + orderID}, becomes: payments.Barred,
		},
		"reserved, order cancelled, charge refused": {
			status: payments.Barred, news: reserved, void: refused,
			asks: []string{"void " + orderID}, becomes: payments.Barred,
		},
		"reserved, order cancelled, but charged": {
			status: payments.Barred, news: reserved, void: paid,
			asks: []string{"void " + orderID, "refund ch_1 refund-" + orderID}, becomes: payments.Refunded,
			tells: []string{event.TypeCaptured, event.TypeRefunded},
		},
		"reserved again, captured": {status: payments.Captured, news: reserved, becomes: payments.Captured},
		"reserved again, declined": {status: payments.Declined, news: reserved, becomes: payments.Declined},
		"reserved again, refunded": {status: payments.Refunded, news: reserved, becomes: payments.Refunded},
		"cancelled first":          {status: payments.None, news: cancelled, becomes: payments.Barred},
		"cancelled again":          {status: payments.Barred, news: cancelled, becomes: payments.Barred},
		"cancelled, captured": {
			status: payments.Captured, news: cancelled,
			asks: []string{"refund ch_1 refund-" + orderID}, becomes: payments.Refunded, tells: []string{event.TypeRefunded},
		},
		"cancelled, declined": {status: payments.Declined, news: cancelled, becomes: payments.Declined},
		"cancelled, refunded": {status: payments.Refunded, news: cancelled, becomes: payments.Refunded},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture()
			f.given(t, tt.status)
			before := len(f.published(t))
			f.provider.charge, f.provider.void = always(tt.charge), always(tt.void)
			if err := tt.news(f.Service, t.Context(), order); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.asks, f.provider.asked); diff != "" {
				t.Errorf("the provider was asked (-want +got):\n%s", diff)
			}
			if got := f.status(t); got != tt.becomes {
				t.Errorf("the payment became %q, want %q", got, tt.becomes)
			}
			if diff := cmp.Diff(tt.tells, f.published(t)[before:], emptyIsNil); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

var emptyIsNil = cmp.Transformer("emptyIsNil", func(s []string) []string {
	if len(s) == 0 {
		return nil
	}
	return s
})

// A charge that comes to light after the cancellation goes back as it was made.
func TestWhatWasChargedGoesBack(t *testing.T) {
	f := newFixture()
	other := order
	other.Total.Amount = 1
	if err := f.OrderCancelled(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	f.provider.void = always(paid)
	if err := f.StockReserved(t.Context(), order); err != nil {
		t.Fatal(err)
	}
	if p, err := f.ByOrder(t.Context(), orderID); err != nil || p.Amount != order.Total || f.provider.back != order.Total {
		t.Errorf("refunded %v of payment %+v, %v", f.provider.back, p, err)
	}
}

func TestPaymentTellsWhatHappened(t *testing.T) {
	f := newFixture()
	f.given(t, payments.Refunded)
	p, err := f.Get(t.Context(), paymentID)
	if err != nil {
		t.Fatal(err)
	}
	if p.ID() != paymentID || p.OrderID != orderID || p.UserID != "usr_1" || p.Amount != order.Total || p.Charge != "ch_1" {
		t.Errorf("payment %+v", p)
	}
	if p.Version != 2 || p.Refund == nil || !id.Valid("ref", p.Refund.ID) || p.Refund.Provider != "re_1" || p.Refund.CreatedAt != p.UpdatedAt {
		t.Errorf("payment %+v, refund %+v", p, p.Refund)
	}
	if byOrder, err := f.ByOrder(t.Context(), orderID); err != nil || cmp.Diff(p, byOrder) != "" {
		t.Errorf("by order %+v, %v", byOrder, err)
	}
}

func TestWhatIsNoPaymentIsNotFound(t *testing.T) {
	for _, status := range []payments.Status{payments.None, payments.Barred} {
		f := newFixture()
		f.given(t, status)
		if p, err := f.Get(t.Context(), paymentID); !errors.Is(err, payments.ErrNotFound) {
			t.Errorf("%q: got %+v, %v", status, p, err)
		}
	}
}

var (
	errBusy = apperr.New(apperr.Unavailable, "provider_unavailable", "503")
	errLost = errors.New("connection reset")
)

func failing(err error) func(context.Context) (payments.Outcome, error) {
	return func(context.Context) (payments.Outcome, error) { return none, err }
}

// hangs answers when it is asked to stop, as a provider that is down does.
func hangs(ctx context.Context) (payments.Outcome, error) {
	<-ctx.Done()
	return none, ctx.Err()
}

// What becomes of a charge whose answer is late, lost or a refusal to serve,
// within the time that one delivery has.
func TestChargeIsCertainOrComesAgain(t *testing.T) {
	busyTwice := func() func(context.Context) (payments.Outcome, error) {
		calls := 0
		return func(context.Context) (payments.Outcome, error) {
			if calls++; calls <= 2 {
				return none, errBusy
			}
			return paid, nil
		}
	}
	late := func(ctx context.Context) (payments.Outcome, error) {
		select {
		case <-ctx.Done():
			return none, ctx.Err()
		case <-time.After(10 * time.Second):
			return paid, nil
		}
	}
	tests := map[string]struct {
		charge, lookup func(context.Context) (payments.Outcome, error)
		time           time.Duration // of the delivery
		charges        int
		lookups        int
		want           payments.Status // None: it has to come again
		within         time.Duration
	}{
		"pays at once":                     {charge: always(paid), charges: 1, want: payments.Captured},
		"busy twice":                       {charge: busyTwice(), charges: 3, want: payments.Captured, within: time.Second},
		"busy for good":                    {charge: failing(errBusy), charges: 6, within: 7 * time.Second},
		"late":                             {charge: late, charges: 1, want: payments.Captured, within: 11 * time.Second},
		"never answers, never charged":     {charge: hangs, lookup: always(none), charges: 1, lookups: 1, within: 13 * time.Second},
		"never answers, was charged":       {charge: hangs, lookup: always(paid), charges: 1, lookups: 1, want: payments.Captured, within: 13 * time.Second},
		"never answers, was refused":       {charge: hangs, lookup: always(refused), charges: 1, lookups: 1, want: payments.Declined, within: 13 * time.Second},
		"never answers, nor to the lookup": {charge: hangs, lookup: hangs, charges: 1, lookups: 1, within: 25 * time.Second},
		"answer lost, was charged":         {charge: failing(errLost), lookup: always(paid), charges: 1, lookups: 1, want: payments.Captured},
		"answer lost, provider busy then":  {charge: failing(errLost), lookup: failing(errBusy), charges: 1, lookups: 1},
		"undecided":                        {charge: always(none), charges: 1},
		"late, and little time":            {charge: late, time: 9 * time.Second, charges: 1, lookups: 1, lookup: always(paid), want: payments.Captured, within: 6 * time.Second},
		"no time at all":                   {charge: always(paid), time: 3 * time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture()
				f.provider.charge = tt.charge
				if tt.lookup != nil {
					f.provider.lookup = tt.lookup
				}
				if tt.time == 0 {
					tt.time = 29500 * time.Millisecond
				}
				ctx, cancel := context.WithTimeout(t.Context(), tt.time)
				defer cancel()
				start := time.Now()
				err := f.StockReserved(ctx, order)
				if took := time.Since(start); took > tt.within {
					t.Errorf("took %v, want at most %v", took, tt.within)
				}
				if got := f.status(t); got != tt.want {
					t.Errorf("the payment is %q, want %q", got, tt.want)
				}
				if tt.want == payments.None && apperr.KindOf(err) != apperr.Unavailable || tt.want != payments.None && err != nil {
					t.Errorf("got error %v", err)
				}
				var charges, lookups int
				for _, asked := range f.provider.asked {
					switch asked {
					case "charge " + orderID:
						charges++
					case "lookup " + orderID:
						lookups++
					}
				}
				if charges != tt.charges || lookups != tt.lookups {
					t.Errorf("asked %v, want %d charges and %d lookups", f.provider.asked, tt.charges, tt.lookups)
				}
			})
		})
	}
}

func TestRefundComesAgainUntilItIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture()
		f.given(t, payments.Captured)
		done := f.provider.refund
		for _, failure := range []error{errBusy, errLost} {
			f.provider.refund = func(context.Context) (string, error) { return "", failure }
			if err := f.OrderCancelled(t.Context(), order); err == nil {
				t.Fatalf("%v was taken for a refund", failure)
			}
			if got := f.status(t); got != payments.Captured {
				t.Fatalf("the payment is %q after %v", got, failure)
			}
		}
		f.provider.refund = done
		if err := f.OrderCancelled(t.Context(), order); err != nil || f.status(t) != payments.Refunded {
			t.Errorf("the payment is %q, error %v", f.status(t), err)
		}
	})
}

func TestVoidComesAgainUntilItIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture()
		f.given(t, payments.Barred)
		for _, failure := range []error{errBusy, errLost} {
			f.provider.void = failing(failure)
			if err := f.StockReserved(t.Context(), order); err == nil {
				t.Errorf("%v was taken for a charge that is none", failure)
			}
		}
	})
}
