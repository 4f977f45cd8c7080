// Package orders holds the contracts of the events that the orders service
// publishes. They tell where an order stands: created, confirmed or cancelled.
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

// Published declares the service's contracts.
func Published() []events.Contract {
	return events.Publishes(Source,
		events.Contract{
			Event: CreatedV1{}, Causes: []string{events.Request},
			Consumers: events.Consumers{
				"inventory":     "reserves the stock",
				"notifications": "confirms receipt to the customer",
			},
		},
		events.Contract{
			Event: ConfirmedV1{}, Causes: []string{"payment.captured"},
			Consumers: events.Consumers{
				"inventory":     "takes the reserved units off hand",
				"notifications": "tells the customer",
			},
		},
		events.Contract{
			Event: CancelledV1{}, Causes: []string{"stock.rejected", "payment.declined", events.Request, events.Clock},
			Consumers: events.Consumers{
				"inventory":     "gives the stock back",
				"notifications": "tells the customer",
				"payments":      "refunds what was captured",
			},
		},
	)
}

// CreatedV1 says that a customer committed to an order whose stock is not yet
// held. Published once per order.
type CreatedV1 struct {
	OrderID       string       `json:"orderId" id:"ord"`             // The order.
	UserID        string       `json:"userId" id:"usr"`              // The customer.
	Items         []ItemV1     `json:"items" minItems:"1"`           // The products, as they were named and priced.
	Total         events.Money `json:"total"`                        // What is to be paid.
	PaymentMethod string       `json:"paymentMethod" pattern:"^pm_"` // The provider's token for the means of payment; never card data.
}

// ItemV1 is one ordered product, named and priced as it was at that moment.
type ItemV1 struct {
	ProductID string       `json:"productId" id:"prd"`   // The product.
	Name      string       `json:"name" minLength:"1"`   // What the customer was shown.
	Quantity  int          `json:"quantity" minimum:"1"` // Units of the product.
	UnitPrice events.Money `json:"unitPrice"`            // What one unit cost.
}

// ConfirmedV1 says that an order's stock is held and its payment captured.
// Published at most once per order.
type ConfirmedV1 struct {
	OrderID string        `json:"orderId" id:"ord"`   // The order.
	UserID  string        `json:"userId" id:"usr"`    // The customer.
	Items   []events.Line `json:"items" minItems:"1"` // What is shipped.
	Total   events.Money  `json:"total"`              // What was paid.
}

// CancelledV1 says that an order will not be fulfilled. Published at most once
// per order, and nothing follows it.
type CancelledV1 struct {
	OrderID string `json:"orderId" id:"ord"` // The order.
	UserID  string `json:"userId" id:"usr"`  // The customer.
	// A stable word for why.
	Reason string `json:"reason" minLength:"1" known:"out_of_stock,payment_declined,customer_request,timed_out"`
	// What the platform has to say of the reason; never a person's words.
	Detail       string        `json:"detail,omitempty"`
	Items        []events.Line `json:"items" minItems:"1"` // What was ordered.
	Total        events.Money  `json:"total"`              // What was to be paid.
	WasConfirmed bool          `json:"wasConfirmed"`       // Whether the stock had been taken off hand already.
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
