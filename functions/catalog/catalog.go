// Package catalog is the business of what is for sale: what a valid product is,
// how it changes, and what the other services are told of it.
//
// A product is never deleted, because orders refer to it: it is discontinued,
// which takes it out of the lists and keeps it readable by its id. Its SKU stays
// taken then. Prices are those of the moment: an order copies what it was placed
// at, so a change here touches no order.
//
// The package knows no AWS and no HTTP; adapters are in internal/. Callers must
// keep: a stored product is loaded as it is, and a change is judged by the rules
// of today only where it changes something.
package catalog

import (
	"strings"
	"time"
	"unicode/utf8"

	"tradewind/events"
	event "tradewind/events/catalog"
	"tradewind/shared/apperr"
)

// Status says whether a product can be ordered.
type Status string

// The statuses.
const (
	Active       Status = "active"
	Discontinued Status = "discontinued"
)

// Product is one thing that is, or was, for sale.
type Product struct {
	ID          string
	SKU         string // unique among all products, also the discontinued ones
	Name        string
	Description string
	Category    string
	Price       events.Money
	Status      Status
	Version     int
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// Change says what is to become of a product. What is nil stays as it is.
type Change struct {
	SKU         *string
	Name        *string
	Description *string
	Category    *string
	Amount      *int64 // of the price, in minor units
	Currency    *string
	Status      *Status
}

// Bounds of a product.
const (
	maxText        = 200   // characters of one text field
	maxDescription = 2_000 // characters
	// maxAmount keeps the total of the largest order (50 lines of 999 units)
	// below 2^53, so that a client whose only numbers are floats reads it right.
	maxAmount = 100_000_000_000
)

// New returns the active product that a change of nothing makes, and the event
// that tells of it. Only the description may be left out.
func New(id string, change Change, now time.Time) (Product, event.ProductCreatedV1, error) {
	var c apperr.Check
	c.That(change.SKU != nil, "/sku", "is required")
	c.That(change.Name != nil, "/name", "is required")
	c.That(change.Category != nil, "/category", "is required")
	c.That(change.Amount != nil, "/price/amount", "is required")
	c.That(change.Currency != nil, "/price/currency", "is required")
	c.That(change.Status == nil || *change.Status != Discontinued, "/status", "must be active for a new product")
	change.check(&c)
	if err := c.Err(); err != nil {
		return Product{}, event.ProductCreatedV1{}, err
	}
	p := Product{ID: id, Status: Active, Version: 1, CreatedAt: now, UpdatedAt: now}
	change.apply(&p)
	return p, event.ProductCreatedV1{ProductID: p.ID, SKU: p.SKU, Name: p.Name, Category: p.Category, Price: p.Price}, nil
}

// Change makes a change and returns the events to publish; none where nothing
// is different afterwards, and then the version is the same too. A discontinued
// product can be changed like any other, and be made active again.
func (p *Product) Change(change Change, now time.Time) ([]events.Event, error) {
	var c apperr.Check
	change.check(&c)
	if err := c.Err(); err != nil {
		return nil, err
	}
	next := *p
	change.apply(&next)
	if next == *p {
		return nil, nil
	}
	wasActive := p.Status == Active
	p.Status = next.Status
	onlyStatus := next == *p
	*p = next
	p.Version++
	p.UpdatedAt = now

	ends := wasActive && p.Status == Discontinued
	var evs []events.Event
	if !ends || !onlyStatus {
		evs = append(evs, event.ProductUpdatedV1{
			ProductID: p.ID, SKU: p.SKU, Name: p.Name, Category: p.Category, Price: p.Price, Version: p.Version,
		})
	}
	if ends {
		evs = append(evs, event.ProductDiscontinuedV1{ProductID: p.ID})
	}
	return evs, nil
}

// check notes what of a change no product may be.
func (change Change) check(c *apperr.Check) {
	text := func(value *string, at string) {
		if value == nil {
			return
		}
		c.That(strings.TrimSpace(*value) != "", at, "must not be empty")
		c.That(utf8.RuneCountInString(*value) <= maxText, at, "must have at most 200 characters")
	}
	text(change.SKU, "/sku")
	text(change.Name, "/name")
	text(change.Category, "/category")
	if d := change.Description; d != nil {
		c.That(utf8.RuneCountInString(*d) <= maxDescription, "/description", "must have at most 2000 characters")
	}
	if a := change.Amount; a != nil {
		c.That(*a >= 0 && *a <= maxAmount, "/price/amount", "must be 0 to 100000000000 minor units")
	}
	if code := change.Currency; code != nil {
		c.That(currencyCode(*code), "/price/currency", "must be a three-letter currency code (ISO 4217) such as EUR")
	}
	if s := change.Status; s != nil {
		c.That(*s == Active || *s == Discontinued, "/status", "must be active or discontinued")
	}
}

func (change Change) apply(p *Product) {
	set(&p.SKU, change.SKU)
	set(&p.Name, change.Name)
	set(&p.Description, change.Description)
	set(&p.Category, change.Category)
	set(&p.Price.Amount, change.Amount)
	set(&p.Price.Currency, change.Currency)
	set(&p.Status, change.Status)
}

func set[T any](field, value *T) {
	if value != nil {
		*field = *value
	}
}

// currencyCode accepts the form of a code. Which codes are in use changes with
// the years, and it is the payment provider who knows what it can charge.
func currencyCode(s string) bool {
	if len(s) != 3 {
		return false
	}
	for i := range len(s) {
		if s[i] < 'A' || s[i] > 'Z' {
			return false
		}
	}
	return true
}
