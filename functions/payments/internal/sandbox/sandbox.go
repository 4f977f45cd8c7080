// Package sandbox is a payment provider that moves no money. It stands for the
// outside: it answers by the payment method's name, in the ways in which a real
// provider answers, is late, or does not answer at all.
//
//	method                      outcome
//	pm_card_ok                  pays
//	pm_card_declined            refused: card_declined
//	pm_card_insufficient_funds  refused: insufficient_funds
//	pm_card_flaky               two answers of 503, then pays
//	pm_card_slow                pays at once and says so after 10 s
//	pm_card_down                never answers, and never charges
//	any other                   refused: unknown_method
//
// It keeps a ledger of its own, one item per idempotency key, in a partition
// that no other code reads:
//
//	item    PK             SK
//	ledger  SANDBOX#<key>  LEDGER
//
// An item holds how often its key was asked for (attempts) and what became of
// it (status: none, paid, refused, void, or refunded for a refund's key). So a
// key means the same in every process and after a crash, and a test can audit
// who was charged, how often it was asked for, and under which keys.
//
// Callers must keep: the ledger is not part of their transaction. It is written
// apart, as a provider's books are, whatever becomes of the caller.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tradewind/functions/payments"
	"tradewind/shared/apperr"
	"tradewind/shared/table"
)

// slowness is how long pm_card_slow takes to answer.
const slowness = 10 * time.Second

// flakyRefusals is how often pm_card_flaky answers 503 first.
const flakyRefusals = 2

// Provider is a payments.Provider.
type Provider struct {
	table *table.Table
	now   func() time.Time
}

var _ payments.Provider = (*Provider)(nil)

// New returns the provider; its ledger is in t.
func New(t *table.Table, now func() time.Time) *Provider { return &Provider{t, now} }

// What becomes of a key.
const (
	none     = "none"
	paid     = "paid"
	refused  = "refused"
	voided   = "void"
	refunded = "refunded"
)

// Entry is what the ledger holds of a key.
type Entry struct {
	table.Key
	Status    string    `dynamodbav:"status"`
	Attempts  int       `dynamodbav:"attempts"`
	Method    string    `dynamodbav:"method,omitempty"`
	Amount    int64     `dynamodbav:"amount"`
	Currency  string    `dynamodbav:"currency"`
	Code      string    `dynamodbav:"code,omitempty"`
	Version   int       `dynamodbav:"version"`
	UpdatedAt time.Time `dynamodbav:"updatedAt"`
}

// Charge implements payments.Provider.
func (p *Provider) Charge(ctx context.Context, c payments.Charge) (payments.Outcome, error) {
	fresh := false
	entry, err := p.update(ctx, c.Key(), func(e *Entry) {
		e.Attempts++
		fresh = e.Status == none
		if fresh {
			e.Method, e.Amount, e.Currency = c.Method, c.Amount.Amount, c.Amount.Currency
			e.Status, e.Code = judge(c.Method, e.Attempts)
		}
	})
	if err != nil {
		return payments.Outcome{}, err
	}
	switch {
	case entry.Amount != c.Amount.Amount || entry.Currency != c.Amount.Currency:
		return payments.Outcome{}, fmt.Errorf("sandbox: key %s was used for %d %s before", c.Key(), entry.Amount, entry.Currency)
	case !fresh:
	case entry.Method == "pm_card_slow":
		if err := wait(ctx, slowness); err != nil {
			return payments.Outcome{}, err
		}
	case entry.Method == "pm_card_down":
		<-ctx.Done()
		return payments.Outcome{}, noAnswer(ctx)
	case entry.Status == none:
		return payments.Outcome{}, apperr.New(apperr.Unavailable, "provider_unavailable", "The payment provider answered 503.")
	}
	return outcome(c.Key(), entry), nil
}

// judge says what becomes of a charge that is asked for the nth time.
func judge(method string, attempt int) (status, code string) {
	switch method {
	case "pm_card_ok", "pm_card_slow":
		return paid, ""
	case "pm_card_flaky":
		if attempt <= flakyRefusals {
			return none, ""
		}
		return paid, ""
	case "pm_card_declined":
		return refused, "card_declined"
	case "pm_card_insufficient_funds":
		return refused, "insufficient_funds"
	case "pm_card_down":
		return none, ""
	default:
		return refused, "unknown_method"
	}
}

// Lookup implements payments.Provider.
func (p *Provider) Lookup(ctx context.Context, c payments.Charge) (payments.Outcome, error) {
	entry, err := p.Audit(ctx, c.Key())
	if err != nil {
		return payments.Outcome{}, err
	}
	return outcome(c.Key(), entry), nil
}

// Void implements payments.Provider.
func (p *Provider) Void(ctx context.Context, c payments.Charge) (payments.Outcome, error) {
	entry, err := p.update(ctx, c.Key(), func(e *Entry) {
		if e.Status == none {
			e.Status, e.Code = voided, "voided"
			e.Amount, e.Currency = c.Amount.Amount, c.Amount.Currency
		}
	})
	if err != nil {
		return payments.Outcome{}, err
	}
	return outcome(c.Key(), entry), nil
}

// Refund implements payments.Provider.
func (p *Provider) Refund(ctx context.Context, r payments.Return) (string, error) {
	charge, err := p.Audit(ctx, r.OrderID)
	if err != nil {
		return "", err
	}
	if charge.Status != paid || r.Charge != chargeName(r.OrderID) || r.Amount.Amount != charge.Amount || r.Amount.Currency != charge.Currency {
		return "", fmt.Errorf("sandbox: there is no charge %s of %d %s to refund", r.Charge, r.Amount.Amount, r.Amount.Currency)
	}
	_, err = p.update(ctx, r.Key(), func(e *Entry) {
		e.Attempts++
		e.Status, e.Amount, e.Currency = refunded, r.Amount.Amount, r.Amount.Currency
	})
	if err != nil {
		return "", err
	}
	return "sandbox-" + r.Key(), nil
}

// Audit returns what the ledger holds of a key; for one that was never used, an
// entry with status none and no attempts.
func (p *Provider) Audit(ctx context.Context, key string) (Entry, error) {
	e := Entry{Key: ledgerKey(key), Status: none}
	if _, err := p.table.Get(ctx, e.Key, &e); err != nil {
		return Entry{}, fmt.Errorf("sandbox ledger: %w", err)
	}
	return e, nil
}

// update changes the entry of a key, outside of the caller's transaction.
func (p *Provider) update(ctx context.Context, key string, change func(*Entry)) (Entry, error) {
	ctx = table.WithGuard(ctx, nil)
	var e Entry
	err := table.Again(ctx, func() (err error) {
		if e, err = p.Audit(ctx, key); err != nil {
			return err
		}
		seen := e
		change(&e)
		if e == seen {
			return nil
		}
		e.Version++
		e.UpdatedAt = p.now()
		op := table.Replace(e, seen.Version)
		if seen.Version == 0 {
			op = table.Create(e, apperr.ErrStale)
		}
		return p.table.Commit(ctx, nil, op)
	})
	if err != nil {
		return Entry{}, fmt.Errorf("sandbox ledger: %w", err)
	}
	return e, nil
}

func outcome(key string, e Entry) payments.Outcome {
	switch e.Status {
	case paid:
		return payments.Outcome{Result: payments.Paid, Charge: chargeName(key)}
	case refused, voided:
		return payments.Outcome{Result: payments.Refused, Code: e.Code}
	default:
		return payments.Outcome{}
	}
}

func chargeName(key string) string { return "sandbox-" + key }

func ledgerKey(key string) table.Key {
	return table.Key{PK: table.Prefixed("SANDBOX", key), SK: "LEDGER"}
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return noAnswer(ctx)
	case <-timer.C:
		return nil
	}
}

// noAnswer is an error of no kind: what became of the charge is not known.
func noAnswer(ctx context.Context) error {
	return errors.Join(errors.New("sandbox: no answer"), ctx.Err())
}
