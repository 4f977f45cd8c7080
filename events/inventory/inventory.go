// Package inventory holds the contracts of the events that the inventory
// service publishes. They tell what became of an order's units, and what ran out.
package inventory

import "tradewind/events"

// Source is the EventBridge source of every event here.
const Source = "inventory"

// The detail types of the events here.
const (
	TypeStockReserved = "stock.reserved"
	TypeStockRejected = "stock.rejected"
	TypeStockReleased = "stock.released"
	TypeStockDepleted = "stock.depleted"
)

// Published declares the service's contracts.
func Published() []events.Contract {
	return events.Publishes(Source,
		events.Contract{
			Event: StockReservedV1{}, Causes: []string{"order.created"},
			Consumers: events.Consumers{"payments": "captures the total"},
		},
		events.Contract{
			Event: StockRejectedV1{}, Causes: []string{"order.created"},
			Consumers: events.Consumers{"orders": "cancels the order: out of stock"},
		},
		events.Contract{Event: StockReleasedV1{}, Causes: []string{"order.cancelled"}},
		events.Contract{
			Event: StockDepletedV1{}, Causes: []string{"order.created", events.Request},
			Consumers: events.Consumers{"notifications": "tells the admin"},
		},
	)
}

// StockReservedV1 says that every line of an order is held for it. It carries
// on what the order said of its payment, so that payments needs no call back.
type StockReservedV1 struct {
	OrderID       string        `json:"orderId" id:"ord"`             // The order.
	UserID        string        `json:"userId" id:"usr"`              // The customer.
	Items         []events.Line `json:"items" minItems:"1"`           // What is held.
	Total         events.Money  `json:"total"`                        // What is to be captured.
	PaymentMethod string        `json:"paymentMethod" pattern:"^pm_"` // The provider's token for the means of payment; never card data.
}

// StockRejectedV1 says that an order could not be held whole, so nothing of it
// is.
type StockRejectedV1 struct {
	OrderID   string       `json:"orderId" id:"ord"`       // The order.
	UserID    string       `json:"userId" id:"usr"`        // The customer.
	Shortages []ShortageV1 `json:"shortages" minItems:"1"` // The lines that asked for more than there was.
}

// ShortageV1 is one line that asked for more than there was.
type ShortageV1 struct {
	ProductID string `json:"productId" id:"prd"`    // The product.
	Requested int    `json:"requested" minimum:"1"` // Units asked for.
	Available int    `json:"available" minimum:"0"` // Units there were.
}

// StockReleasedV1 says that what an order held, or had taken, is back.
type StockReleasedV1 struct {
	OrderID string        `json:"orderId" id:"ord"`   // The order.
	Items   []events.Line `json:"items" minItems:"1"` // What came back.
}

// StockDepletedV1 says that the last available unit of a product is gone.
type StockDepletedV1 struct {
	ProductID string `json:"productId" id:"prd"` // The product.
}

// EventType implements events.Event.
func (StockReservedV1) EventType() string { return TypeStockReserved }
func (StockRejectedV1) EventType() string { return TypeStockRejected }
func (StockReleasedV1) EventType() string { return TypeStockReleased }
func (StockDepletedV1) EventType() string { return TypeStockDepleted }

// SchemaVersion implements events.Event.
func (StockReservedV1) SchemaVersion() int { return 1 }
func (StockRejectedV1) SchemaVersion() int { return 1 }
func (StockReleasedV1) SchemaVersion() int { return 1 }
func (StockDepletedV1) SchemaVersion() int { return 1 }

// Subject is the order's id; of StockDepletedV1 the product's.
func (e StockReservedV1) Subject() string { return e.OrderID }
func (e StockRejectedV1) Subject() string { return e.OrderID }
func (e StockReleasedV1) Subject() string { return e.OrderID }
func (e StockDepletedV1) Subject() string { return e.ProductID }
