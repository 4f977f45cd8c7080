// Package payments holds the contracts of the events that the payments service
// publishes.
package payments

import "tradewind/events"

// Source is the EventBridge source of every event here.
const Source = "payments"

// The detail types of the events here.
const (
	TypeCaptured = "payment.captured"
	TypeDeclined = "payment.declined"
	TypeRefunded = "payment.refunded"
)

// CapturedV1 says that the order's total was charged. At most once per order.
// Consumer: orders confirms.
type CapturedV1 struct {
	PaymentID string       `json:"paymentId"`
	OrderID   string       `json:"orderId"`
	UserID    string       `json:"userId"`
	Amount    events.Money `json:"amount"`
}

// DeclinedV1 says that the provider refused the charge for good. Consumer:
// orders cancels as payment_declined.
type DeclinedV1 struct {
	PaymentID   string       `json:"paymentId"`
	OrderID     string       `json:"orderId"`
	UserID      string       `json:"userId"`
	Amount      events.Money `json:"amount"`
	DeclineCode string       `json:"declineCode"`
}

// RefundedV1 says that a captured payment went back whole. Consumers: orders
// notes it in the history, notifications tells the customer.
type RefundedV1 struct {
	PaymentID string       `json:"paymentId"`
	RefundID  string       `json:"refundId"`
	OrderID   string       `json:"orderId"`
	UserID    string       `json:"userId"`
	Amount    events.Money `json:"amount"`
}

// EventType implements events.Event.
func (CapturedV1) EventType() string { return TypeCaptured }
func (DeclinedV1) EventType() string { return TypeDeclined }
func (RefundedV1) EventType() string { return TypeRefunded }

// SchemaVersion implements events.Event.
func (CapturedV1) SchemaVersion() int { return 1 }
func (DeclinedV1) SchemaVersion() int { return 1 }
func (RefundedV1) SchemaVersion() int { return 1 }

// Subject is the payment's id.
func (e CapturedV1) Subject() string { return e.PaymentID }
func (e DeclinedV1) Subject() string { return e.PaymentID }
func (e RefundedV1) Subject() string { return e.PaymentID }
