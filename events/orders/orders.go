// Package orders holds the contracts of the events that the orders service
// publishes. Consumers import it to know what they get; the service imports it
// to know what it owes.
package orders

import "tradewind/events"

// Source is the EventBridge source of every event here.
const Source = "orders"

// The detail types of the events here.
const (
	TypeCreated   = "order.created"
	TypeConfirmed = "order.confirmed"
	TypeCancelled = "order.cancelled"
)

// CreatedV1 says that a customer committed to an order whose stock is not yet
// held. Published once per order. Consumers: inventory reserves the stock,
// notifications confirms receipt.
type CreatedV1 struct {
	OrderID string       `json:"orderId"`
	UserID  string       `json:"userId"`
	Items   []ItemV1     `json:"items"`
	Total   events.Money `json:"total"`
	// PaymentMethod is the provider's token ("pm_…"), never card data.
	PaymentMethod string `json:"paymentMethod"`
}

// ItemV1 is one ordered product, named and priced as it was at that moment.
type ItemV1 struct {
	ProductID string       `json:"productId"`
	Name      string       `json:"name"`
	Quantity  int          `json:"quantity"`
	UnitPrice events.Money `json:"unitPrice"`
}

// ConfirmedV1 says that the order's stock is held and its payment captured.
// Published at most once per order. Consumers: inventory takes the reserved
// units off hand, notifications tells the customer.
type ConfirmedV1 struct {
	OrderID string        `json:"orderId"`
	UserID  string        `json:"userId"`
	Items   []events.Line `json:"items"`
	Total   events.Money  `json:"total"`
}

// CancelledV1 says that the order will not be fulfilled. Published at most once
// per order, and nothing follows it. Consumers: inventory gives the stock back,
// payments refunds what was captured, notifications tells the customer.
type CancelledV1 struct {
	OrderID string `json:"orderId"`
	UserID  string `json:"userId"`
	Reason  string `json:"reason"`
	// Detail is what the platform has to say of the reason, never a person's
	// words.
	Detail string        `json:"detail,omitempty"`
	Items  []events.Line `json:"items"`
	Total  events.Money  `json:"total"`
	// WasConfirmed tells whether the stock had been taken off hand already.
	WasConfirmed bool `json:"wasConfirmed"`
}

// EventType implements events.Event.
func (CreatedV1) EventType() string   { return TypeCreated }
func (ConfirmedV1) EventType() string { return TypeConfirmed }
func (CancelledV1) EventType() string { return TypeCancelled }

// SchemaVersion implements events.Event.
func (CreatedV1) SchemaVersion() int   { return 1 }
func (ConfirmedV1) SchemaVersion() int { return 1 }
func (CancelledV1) SchemaVersion() int { return 1 }

// Subject is the order's id.
func (e CreatedV1) Subject() string   { return e.OrderID }
func (e ConfirmedV1) Subject() string { return e.OrderID }
func (e CancelledV1) Subject() string { return e.OrderID }
