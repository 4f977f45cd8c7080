// Package inventory holds the contracts of the events that the inventory
// service publishes.
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

// StockReservedV1 says that every line of an order is held for it. It carries
// on what the order said of its payment, so that payments needs no call back.
// Consumer: payments captures the total.
type StockReservedV1 struct {
	OrderID       string        `json:"orderId"`
	UserID        string        `json:"userId"`
	Items         []events.Line `json:"items"`
	Total         events.Money  `json:"total"`
	PaymentMethod string        `json:"paymentMethod"`
}

// StockRejectedV1 says that an order could not be held whole, so nothing of it
// is. Consumer: orders cancels it as out_of_stock.
type StockRejectedV1 struct {
	OrderID   string       `json:"orderId"`
	UserID    string       `json:"userId"`
	Shortages []ShortageV1 `json:"shortages"`
}

// ShortageV1 is one line that asked for more than there was.
type ShortageV1 struct {
	ProductID string `json:"productId"`
	Requested int    `json:"requested"`
	Available int    `json:"available"`
}

// StockReleasedV1 says that what an order held, or had taken, is back.
type StockReleasedV1 struct {
	OrderID string        `json:"orderId"`
	Items   []events.Line `json:"items"`
}

// StockDepletedV1 says that the last available unit of a product is gone.
// Consumer: notifications tells the admin.
type StockDepletedV1 struct {
	ProductID string `json:"productId"`
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
