package payments

import (
	"context"
	"time"

	"tradewind/events"
)

// Provider moves money. Each of its operations is asked for under a key, and the
// same key always means the same operation: repeated, it does nothing more and
// has the same outcome.
//
// An error says what is known. An apperr.Unavailable one means that the provider
// did not take the request this time and may take it the next. After any other
// it may have done what was asked, or not.
type Provider interface {
	// Charge takes the amount, or reports that it never can.
	Charge(ctx context.Context, c Charge) (Outcome, error)
	// Lookup reports what became of a charge. Pending means that the provider
	// knows of none, which does not keep one that is on its way from arriving.
	Lookup(ctx context.Context, c Charge) (Outcome, error)
	// Void makes sure that the key charges nothing from now on, and reports what
	// it has charged before. It does not return that.
	Void(ctx context.Context, c Charge) (Outcome, error)
	// Refund returns the whole of a charge and reports the provider's name for
	// the refund.
	Refund(ctx context.Context, r Return) (string, error)
}

// Charge is a charge to be made, or to be asked for.
type Charge struct {
	OrderID string
	Amount  events.Money
	Method  string // the provider's token; not needed to ask
	// Since is when the charge may have been asked for first. Providers forget
	// keys after a day or so; an older charge has to be looked for.
	Since time.Time
}

// Key is the idempotency key of the charge: nothing but the order, so that no
// order is ever charged under two.
func (c Charge) Key() string { return c.OrderID }

// Outcome is what became of a charge.
type Outcome struct {
	Result Result
	// Charge is the provider's name for it, when Paid.
	Charge string
	// Code says why, when Refused.
	Code string
}

// Result is the outcome in a word.
type Result int

// The results.
const (
	// Pending is not decided: there is no charge, or none yet.
	Pending Result = iota
	Paid
	Refused
)

// Return is a refund to be made.
type Return struct {
	OrderID string
	Charge  string
	Amount  events.Money
}

// Key is the idempotency key of the refund.
func (r Return) Key() string { return "refund-" + r.OrderID }
