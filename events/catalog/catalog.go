// Package catalog holds the contracts of the events that the catalog service
// publishes.
package catalog

import "tradewind/events"

// Source is the EventBridge source of every event here.
const Source = "catalog"

// The detail types of the events here.
const (
	TypeProductCreated      = "product.created"
	TypeProductUpdated      = "product.updated"
	TypeProductDiscontinued = "product.discontinued"
)

// ProductCreatedV1 says that a product is for sale. Consumer: inventory opens
// its stock line.
type ProductCreatedV1 struct {
	ProductID string       `json:"productId"`
	SKU       string       `json:"sku"`
	Name      string       `json:"name"`
	Category  string       `json:"category"`
	Price     events.Money `json:"price"`
}

// ProductUpdatedV1 carries the product as it is now. Orders already placed keep
// the price they were placed at.
type ProductUpdatedV1 struct {
	ProductID string       `json:"productId"`
	SKU       string       `json:"sku"`
	Name      string       `json:"name"`
	Category  string       `json:"category"`
	Price     events.Money `json:"price"`
	Version   int          `json:"version"`
}

// ProductDiscontinuedV1 says that a product cannot be ordered any more.
type ProductDiscontinuedV1 struct {
	ProductID string `json:"productId"`
}

// EventType implements events.Event.
func (ProductCreatedV1) EventType() string      { return TypeProductCreated }
func (ProductUpdatedV1) EventType() string      { return TypeProductUpdated }
func (ProductDiscontinuedV1) EventType() string { return TypeProductDiscontinued }

// SchemaVersion implements events.Event.
func (ProductCreatedV1) SchemaVersion() int      { return 1 }
func (ProductUpdatedV1) SchemaVersion() int      { return 1 }
func (ProductDiscontinuedV1) SchemaVersion() int { return 1 }

// Subject is the product's id.
func (e ProductCreatedV1) Subject() string      { return e.ProductID }
func (e ProductUpdatedV1) Subject() string      { return e.ProductID }
func (e ProductDiscontinuedV1) Subject() string { return e.ProductID }
