// Package catalog holds the contracts of the events that the catalog service
// publishes. They tell what is for sale, and at what price.
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

// Published declares the service's contracts.
func Published() []events.Contract {
	return events.Publishes(Source,
		events.Contract{
			Event: ProductCreatedV1{}, Causes: []string{events.Request},
			Consumers: events.Consumers{"inventory": "opens a stock line"},
		},
		events.Contract{Event: ProductUpdatedV1{}, Causes: []string{events.Request}},
		events.Contract{Event: ProductDiscontinuedV1{}, Causes: []string{events.Request}},
	)
}

// ProductCreatedV1 says that a product is for sale.
type ProductCreatedV1 struct {
	ProductID string       `json:"productId" id:"prd"`     // The product.
	SKU       string       `json:"sku" minLength:"1"`      // The seller's own key, unique.
	Name      string       `json:"name" minLength:"1"`     // What customers see.
	Category  string       `json:"category" minLength:"1"` // Where the catalog lists it.
	Price     events.Money `json:"price"`                  // What one unit costs.
}

// ProductUpdatedV1 carries a product as it is now. Orders that were placed keep
// their price.
type ProductUpdatedV1 struct {
	ProductID string       `json:"productId" id:"prd"`     // The product.
	SKU       string       `json:"sku" minLength:"1"`      // The seller's own key, unique.
	Name      string       `json:"name" minLength:"1"`     // What customers see.
	Category  string       `json:"category" minLength:"1"` // Where the catalog lists it.
	Price     events.Money `json:"price"`                  // What one unit costs.
	Version   int          `json:"version" minimum:"1"`    // The product's version after the change. It orders updates that arrive out of turn.
}

// ProductDiscontinuedV1 says that a product cannot be ordered any more.
type ProductDiscontinuedV1 struct {
	ProductID string `json:"productId" id:"prd"` // The product.
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
