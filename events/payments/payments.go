// Package payments holds the contracts of the events that the payments service
// publishes. They tell what became of an order's money; none holds card data.
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

// Published declares the service's contracts.
func Published() []events.Contract {
	return events.Publishes(Source,
		events.Contract{
			Event: CapturedV1{}, Causes: []string{"stock.reserved"},
			Consumers: events.Consumers{"orders": "confirms the order"},
		},
		events.Contract{
			Event: DeclinedV1{}, Causes: []string{"stock.reserved"},
			Consumers: events.Consumers{"orders": "cancels the order: payment declined"},
		},
		events.Contract{
			// The reservation of an order that was cancelled meanwhile finds its charge.
			Event: RefundedV1{}, Causes: []string{"order.cancelled", "stock.reserved"},
			Consumers: events.Consumers{
				"notifications": "tells the customer",
				"orders":        "notes it in the history",
			},
		},
	)
}

// CapturedV1 says that an order's total was charged. Published at most once per
// order.
type CapturedV1 struct {
	PaymentID string       `json:"paymentId" id:"pay"` // The payment.
	OrderID   string       `json:"orderId" id:"ord"`   // The order.
	UserID    string       `json:"userId" id:"usr"`    // The customer.
	Amount    events.Money `json:"amount"`             // What was charged.
}

// DeclinedV1 says that the provider refused a charge for good.
type DeclinedV1 struct {
	PaymentID   string       `json:"paymentId" id:"pay"`                                                 // The payment.
	OrderID     string       `json:"orderId" id:"ord"`                                                   // The order.
	UserID      string       `json:"userId" id:"usr"`                                                    // The customer.
	Amount      events.Money `json:"amount"`                                                             // What was to be charged.
	DeclineCode string       `json:"declineCode" minLength:"1" known:"card_declined,insufficient_funds"` // The provider's word for why.
}

// RefundedV1 says that a captured payment went back whole.
type RefundedV1 struct {
	PaymentID string       `json:"paymentId" id:"pay"` // The payment.
	RefundID  string       `json:"refundId" id:"ref"`  // The refund.
	OrderID   string       `json:"orderId" id:"ord"`   // The order.
	UserID    string       `json:"userId" id:"usr"`    // The customer.
	Amount    events.Money `json:"amount"`             // What went back.
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
