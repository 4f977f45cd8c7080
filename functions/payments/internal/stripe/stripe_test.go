package stripe_test

import (
	"context"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tradewind/events"
	"tradewind/functions/payments"
	"tradewind/functions/payments/internal/stripe"
	"tradewind/shared/apperr"
)

const orderID = "ord_01K9ZZZZZZZZZZZZZZZZZZZZZZ"

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func provider(f *fake, since time.Duration) *stripe.Provider {
	return stripe.New(f.URL, "sk_test_x", func() time.Time { return noon.Add(since) })
}

func charge(method string) payments.Charge {
	return payments.Charge{OrderID: orderID, Amount: events.Money{Amount: 1999, Currency: "EUR"}, Method: method, Since: noon}
}

var (
	paid     = payments.Outcome{Result: payments.Paid, Charge: "pi_1"}
	refusing = func(code string) payments.Outcome { return payments.Outcome{Result: payments.Refused, Code: code} }
	pending  = payments.Outcome{}
)

const (
	makes    = "POST /v1/payment_intents " + orderID
	confirms = "POST /v1/payment_intents/pi_1/confirm confirm-" + orderID
	reads    = "GET /v1/payment_intents/pi_1"
	cancels  = "POST /v1/payment_intents/pi_1/cancel"
	searches = "GET /v1/payment_intents/search"
)

// Each card, charged by two processes one after the other, then looked up.
func TestCharge(t *testing.T) {
	tests := map[string]struct {
		method string
		amount events.Money
		want   payments.Outcome
	}{
		"pays":               {"pm_card_visa", events.Money{}, paid},
		"insufficient funds": {"pm_card_visa_chargeDeclinedInsufficientFunds", events.Money{}, refusing("insufficient_funds")},
		"no decline code":    {"pm_card_chargeDeclinedExpiredCard", events.Money{}, refusing("expired_card")},
		"needs a person":     {"pm_card_authenticationRequired", events.Money{}, refusing("authentication_required")},
		"takes its time":     {"pm_card_processing", events.Money{}, pending},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			for range 2 {
				if got, err := provider(f, 0).Charge(t.Context(), charge(tt.method)); err != nil || got != tt.want {
					t.Errorf("got %+v, %v, want %+v", got, err, tt.want)
				}
			}
			if diff := cmp.Diff([]string{makes, confirms, makes, confirms}, f.called()); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			if got, err := provider(f, 0).Lookup(t.Context(), charge("")); err != nil || got != tt.want {
				t.Errorf("lookup: %+v, %v, want %+v", got, err, tt.want)
			}
			if diff := cmp.Diff([]string{makes, reads}, f.called()); diff != "" {
				t.Errorf("calls of the lookup (-want +got):\n%s", diff)
			}
			if pi := f.intents["pi_1"]; len(f.intents) != 1 || pi.status == "requires_action" {
				t.Errorf("%d intents for one order, the first is %s", len(f.intents), pi.status)
			}
		})
	}
}

func TestWhatCanNeverBeCharged(t *testing.T) {
	f := newFake(t)
	if got, err := provider(f, 0).Charge(t.Context(), charge("pm_gold")); err != nil || got != refusing("unknown_method") {
		t.Errorf("an unknown method: %+v, %v", got, err)
	}
	f = newFake(t)
	small := charge("pm_card_visa")
	small.Amount.Amount = 1
	if got, err := provider(f, 0).Charge(t.Context(), small); err != nil || got != refusing("amount_too_small") {
		t.Errorf("one cent: %+v, %v", got, err)
	}
}

func TestAmountsInStripesUnits(t *testing.T) {
	for currency, want := range map[string]string{"EUR": "1999 eur", "JPY": "1999 jpy", "KWD": "1999 kwd", "ISK": "199900 isk", "UGX": "199900 ugx"} {
		f := newFake(t)
		c := charge("pm_card_visa")
		c.Amount.Currency = currency
		if _, err := provider(f, 0).Charge(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if pi := f.intents["pi_1"]; pi.amount+" "+pi.currency != want {
			t.Errorf("charged %s %s, want %s", pi.amount, pi.currency, want)
		}
	}
}

// What is known after an answer that is none: whether it may be asked again at
// once, or what became of it has to be asked first.
func TestFailures(t *testing.T) {
	const notTaken, unknown = apperr.Unavailable, apperr.Internal
	apiError := func(status int, kind, code string) *answer {
		return &answer{status: status, body: `{"error": {"type": "` + kind + `", "code": "` + code + `", "message": "Ada Lovelace"}}`}
	}
	tests := map[string]struct {
		answer *answer
		want   apperr.Kind
	}{
		"rate limit":        {apiError(429, "invalid_request_error", "rate_limit"), notTaken},
		"lock timeout":      {apiError(429, "invalid_request_error", "lock_timeout"), notTaken},
		"key in use":        {apiError(409, "idempotency_error", "idempotency_key_in_use"), notTaken},
		"server error":      {apiError(500, "api_error", ""), unknown},
		"not serving":       {apiError(503, "api_error", ""), unknown},
		"wrong key":         {apiError(401, "invalid_request_error", ""), unknown},
		"other parameters":  {apiError(400, "idempotency_error", ""), unknown},
		"no JSON":           {&answer{status: 502, body: "<html>Ada Lovelace</html>"}, unknown},
		"JSON of no error":  {&answer{status: 500, body: `{"customer": "Ada Lovelace"}`}, unknown},
		"connection broken": {&answer{hangUp: true}, unknown},
	}
	for name, tt := range tests {
		for _, at := range []string{makes, confirms} {
			t.Run(name+" at "+at, func(t *testing.T) {
				f := newFake(t)
				f.before = func(call string) *answer {
					if call == at {
						return tt.answer
					}
					return nil
				}
				got, err := provider(f, 0).Charge(t.Context(), charge("pm_card_visa"))
				if err == nil || apperr.KindOf(err) != tt.want || got != pending {
					t.Fatalf("got %+v, %v, want kind %v", got, err, tt.want)
				}
				for _, private := range []string{"Ada", "sk_test"} {
					if strings.Contains(err.Error(), private) {
						t.Errorf("the error tells too much: %v", err)
					}
				}
				// net/http by itself repeats a request with an idempotency key whose
				// connection broke.
				if calls := f.called(); len(slices.Compact(calls)) > 2 || len(calls) > 2 && !tt.answer.hangUp {
					t.Errorf("it was asked again without being told to: %v", calls)
				}
			})
		}
	}
}

func TestNobodyThere(t *testing.T) {
	s := httptest.NewServer(nil)
	s.Close()
	p := stripe.New(s.URL, "sk_test_x", time.Now)
	if _, err := p.Charge(t.Context(), charge("pm_card_visa")); apperr.KindOf(err) != apperr.Unavailable {
		t.Errorf("got %v", err)
	}
}

func TestCallEndsWithItsContext(t *testing.T) {
	f := newFake(t)
	release := make(chan struct{})
	f.before = func(call string) *answer {
		if call == confirms {
			<-release
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if got, err := provider(f, 0).Charge(ctx, charge("pm_card_visa")); err == nil || apperr.KindOf(err) == apperr.Unavailable {
		t.Errorf("got %+v, %v", got, err)
	}
	close(release)
}

// The answer to the confirmation is lost after the money was taken.
func TestLostAnswerIsFound(t *testing.T) {
	f := newFake(t)
	f.after = func(call string) *answer {
		if call == confirms {
			return &answer{hangUp: true}
		}
		return nil
	}
	if got, err := provider(f, 0).Charge(t.Context(), charge("pm_card_visa")); err == nil {
		t.Fatalf("got %+v", got)
	}
	for name, ask := range map[string]func(context.Context, payments.Charge) (payments.Outcome, error){
		"lookup": provider(f, 0).Lookup, "void": provider(f, 0).Void,
	} {
		if got, err := ask(t.Context(), charge("")); err != nil || got != paid {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	f.after = nil
	if got, err := provider(f, 0).Charge(t.Context(), charge("pm_card_visa")); err != nil || got != paid {
		t.Errorf("charged again: %+v, %v", got, err)
	}
}

func TestVoid(t *testing.T) {
	tests := map[string]struct {
		before string // method charged before
		want   payments.Outcome
		later  payments.Outcome // of a confirmation that comes after
		again  bool             // it has to be asked again
	}{
		"never charged":   {"", refusing("voided"), refusing("voided"), false},
		"paid":            {"pm_card_visa", paid, paid, false},
		"refused":         {"pm_card_chargeDeclinedExpiredCard", refusing("voided"), refusing("expired_card"), false},
		"being worked on": {"pm_card_processing", pending, pending, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			if tt.before != "" {
				if _, err := provider(f, 0).Charge(t.Context(), charge(tt.before)); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 {
				got, err := provider(f, 0).Void(t.Context(), charge(""))
				if got != tt.want || (apperr.KindOf(err) == apperr.Unavailable) != tt.again || (err != nil) != tt.again {
					t.Errorf("got %+v, %v", got, err)
				}
			}
			if calls := f.called(); calls[len(calls)-2] != cancels {
				t.Errorf("calls %v", calls)
			}
			if got, err := provider(f, 0).Charge(t.Context(), charge("pm_card_visa")); err != nil || got != tt.later {
				t.Errorf("a charge that was on its way: %+v, %v", got, err)
			}
		})
	}
}

// A day later Stripe has forgotten the keys: the intent has to be searched for,
// or the order would be charged a second time.
func TestOldOrdersAreSearchedFor(t *testing.T) {
	const later = 21 * time.Hour
	t.Run("found", func(t *testing.T) {
		f := newFake(t)
		if _, err := provider(f, 0).Charge(t.Context(), charge("pm_card_visa")); err != nil {
			t.Fatal(err)
		}
		f.forget()
		f.called()
		if got, err := provider(f, later).Charge(t.Context(), charge("pm_card_visa")); err != nil || got != paid || len(f.intents) != 1 {
			t.Errorf("got %+v, %v and %d intents", got, err, len(f.intents))
		}
		if diff := cmp.Diff([]string{searches, confirms, reads}, f.called()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
	t.Run("the paid one counts", func(t *testing.T) {
		f := newFake(t)
		for _, pi := range []*intent{
			{id: "pi_1", order: orderID, amount: "1999", currency: "eur", status: "succeeded"},
			{id: "pi_2", order: orderID, amount: "1999", currency: "eur", status: "requires_payment_method"},
			{id: "pi_3", order: "ord_other", amount: "1999", currency: "eur", status: "succeeded"},
		} {
			f.intents[pi.id] = pi
		}
		if got, err := provider(f, later).Lookup(t.Context(), charge("")); err != nil || got != paid {
			t.Errorf("got %+v, %v", got, err)
		}
	})
	t.Run("never made", func(t *testing.T) {
		f := newFake(t)
		if got, err := provider(f, later).Charge(t.Context(), charge("pm_card_visa")); err != nil || got != paid {
			t.Errorf("got %+v, %v", got, err)
		}
		if diff := cmp.Diff([]string{searches, makes, confirms}, f.called()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
	t.Run("search fails", func(t *testing.T) {
		f := newFake(t)
		f.before = func(call string) *answer {
			if call == searches {
				return &answer{status: 500, body: `{"error": {"type": "api_error"}}`}
			}
			return nil
		}
		if got, err := provider(f, later).Charge(t.Context(), charge("pm_card_visa")); err == nil || len(f.intents) != 0 {
			t.Errorf("got %+v and %d intents", got, len(f.intents))
		}
	})
}

func TestRefund(t *testing.T) {
	back := payments.Return{OrderID: orderID, Charge: "pi_1", Amount: events.Money{Amount: 1999, Currency: "EUR"}}
	const refunds = "POST /v1/refunds refund-" + orderID
	spoil := func(at string, a answer) func(string) *answer {
		return func(call string) *answer {
			if call == at {
				return &a
			}
			return nil
		}
	}
	status := func(s string) answer {
		return answer{status: 200, body: strings.NewReplacer("{id}", "re_1", "{amount}", "1999", "{intent}", "pi_1", "{status}", s).Replace(refundShape)}
	}
	lessList := answer{status: 200, body: listOf("/v1/refunds", []string{strings.Replace(status("succeeded").body, "1999", "500", 1)})}
	serverError := answer{status: 500, body: `{"error": {"type": "api_error"}}`}
	tests := map[string]struct {
		before, after func(string) *answer
		forgotten     bool // the key of a refund that was made before
		want          string
		kind          apperr.Kind
	}{
		"made":                   {want: "re_1"},
		"made before":            {forgotten: true, want: "re_1"},
		"answer lost":            {after: spoil(refunds, answer{hangUp: true}), want: "re_1"},
		"server error after it":  {after: spoil(refunds, serverError), want: "re_1"},
		"server error before it": {before: spoil(refunds, serverError), kind: apperr.Internal},
		"too many requests":      {before: spoil(refunds, answer{status: 429, body: `{"error": {"type": "invalid_request_error"}}`}), kind: apperr.Unavailable},
		"on its way":             {before: spoil(refunds, status("pending")), want: "re_1"},
		"failed":                 {before: spoil(refunds, status("failed")), kind: apperr.Internal},
		"part of it by others": {before: func(call string) *answer {
			if call == refunds {
				return &serverError
			}
			return &lessList
		}, kind: apperr.Internal},
		"failed, and no list then": {before: func(string) *answer { return &serverError }, kind: apperr.Internal},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			if _, err := provider(f, 0).Charge(t.Context(), charge("pm_card_visa")); err != nil {
				t.Fatal(err)
			}
			if tt.forgotten {
				if _, err := provider(f, 0).Refund(t.Context(), back); err != nil {
					t.Fatal(err)
				}
				f.forget()
			}
			f.before, f.after = tt.before, tt.after
			for range 2 {
				got, err := provider(f, 0).Refund(t.Context(), back)
				if got != tt.want || (err == nil) != (tt.want != "") || err != nil && apperr.KindOf(err) != tt.kind {
					t.Errorf("got %q, %v", got, err)
				}
			}
			if len(f.refunds) > 1 {
				t.Errorf("%d refunds", len(f.refunds))
			}
		})
	}
}
