// Package payments is the business of taking the money for an order and giving
// it back: at most one charge per order, for exactly its total, and none that is
// kept when the order ends cancelled.
//
// Two events decide. Stock that is reserved asks for the charge, an order that
// is cancelled asks for its return, and they come in any order, more than once
// and at the same time; the table in decide.go says what each means in each
// state. The provider is outside of every transaction, so whoever asks it does
// so under a key made of the order's id. An answer that was lost (a timeout, a
// killed process) is asked for again by that key and never assumed.
//
// What keeps money from being lost is who cleans up: the delivery of the
// reservation that may have caused a charge also sees to its return. It is not
// acknowledged before the payment is stored, or before the provider has said
// that there is no charge and can be none any more (see Provider.Void).
//
// The package knows no AWS and no HTTP; adapters are in internal/.
package payments

import (
	"strings"
	"time"

	"tradewind/events"
	event "tradewind/events/payments"
)

// Status is where an order's payment stands.
type Status string

// The statuses. None and Barred are not payments: nobody outside sees them.
const (
	// None is an order that nothing is known of.
	None Status = ""
	// Barred is an order that was cancelled before anything was charged. It must
	// never be.
	Barred   Status = "barred"
	Captured Status = "captured"
	Declined Status = "declined"
	Refunded Status = "refunded"
)

// Payment is the one payment of an order.
type Payment struct {
	OrderID     string
	UserID      string
	Amount      events.Money
	Status      Status
	DeclineCode string // set when Declined
	Charge      string // the provider's name for the charge; set when there was one
	Refund      *Refund
	Version     int // as it was read; 0 for one that is not stored yet
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// Refund says that a payment went back whole.
type Refund struct {
	ID        string
	Provider  string // the provider's name for it
	CreatedAt time.Time
}

const (
	orderPrefix   = "ord_"
	paymentPrefix = "pay_"
)

// ID returns the payment's id: the order's with another prefix. An order has one
// payment, so either id finds it in one consistent read, and a repeated delivery
// makes no second id.
func (p Payment) ID() string { return paymentPrefix + strings.TrimPrefix(p.OrderID, orderPrefix) }

// orderOf returns the id of the order that a payment's id belongs to.
func orderOf(paymentID string) string {
	return orderPrefix + strings.TrimPrefix(paymentID, paymentPrefix)
}

// Exists reports whether there is a payment that others may see.
func (p Payment) Exists() bool { return p.Status != None && p.Status != Barred }

// bar notes that the order is cancelled and nothing of it was charged.
func (p *Payment) bar(now time.Time) { p.move(Barred, now) }

// capture notes that the order's total was charged.
func (p *Payment) capture(charge string, now time.Time) events.Event {
	p.Charge = charge
	p.move(Captured, now)
	return event.CapturedV1{PaymentID: p.ID(), OrderID: p.OrderID, UserID: p.UserID, Amount: p.Amount}
}

// decline notes that the provider refused for good.
func (p *Payment) decline(code string, now time.Time) events.Event {
	p.DeclineCode = code
	p.move(Declined, now)
	return event.DeclinedV1{PaymentID: p.ID(), OrderID: p.OrderID, UserID: p.UserID, Amount: p.Amount, DeclineCode: code}
}

// giveBack notes that the whole amount went back.
func (p *Payment) giveBack(r Refund) events.Event {
	p.Refund = &r
	p.move(Refunded, r.CreatedAt)
	return event.RefundedV1{PaymentID: p.ID(), RefundID: r.ID, OrderID: p.OrderID, UserID: p.UserID, Amount: p.Amount}
}

func (p *Payment) move(to Status, now time.Time) {
	p.Status = to
	if p.CreatedAt.IsZero() {
		p.CreatedAt = now
	}
	p.UpdatedAt = now
}
