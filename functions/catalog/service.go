package catalog

import (
	"context"
	"fmt"
	"time"

	"tradewind/events"
	"tradewind/shared/apperr"
)

// Store keeps products. A write and its events are saved together or not at all.
type Store interface {
	// Get returns the product with an id, or a NotFound error.
	Get(ctx context.Context, id string) (Product, error)
	// Create saves a new product, or returns ErrSKUTaken.
	Create(ctx context.Context, p Product, evs ...events.Event) error
	// Save saves the next version of a product. It returns apperr.ErrStale when
	// the version before it is not the stored one, and ErrSKUTaken.
	Save(ctx context.Context, p Product, evs ...events.Event) error
	// List returns a page of the active products that a filter lets through,
	// and the position of the next page, empty when there is none. A page may be
	// short of its limit although another follows.
	List(ctx context.Context, f Filter, limit int, after string) ([]Product, string, error)
}

// ErrSKUTaken says that another product has the SKU.
var ErrSKUTaken = apperr.New(apperr.Conflict, "sku_taken", "Another product has this SKU.")

// Filter says which products to list. Its zero value lets all through, newest
// first.
type Filter struct {
	// Category is a category's whole name, in its own letter case.
	Category string
	// Text is what the SKU, or the name from any of its words on, begins with,
	// whatever the letter case. Products are then in the order of what matched.
	Text string
}

// Service is what can be done with products.
type Service struct {
	store Store
	now   func() time.Time
	newID func(prefix string) string
}

// NewService returns the service.
func NewService(store Store, now func() time.Time, newID func(prefix string) string) *Service {
	return &Service{store, func() time.Time { return now().UTC().Truncate(time.Millisecond) }, newID}
}

// Create puts a new product up for sale.
func (s *Service) Create(ctx context.Context, change Change) (Product, error) {
	p, created, err := New(s.newID("prd"), change, s.now())
	if err != nil {
		return Product{}, err
	}
	if err := s.store.Create(ctx, p, created); err != nil {
		return Product{}, fmt.Errorf("create product: %w", err)
	}
	return p, nil
}

// Get returns a product, discontinued or not.
func (s *Service) Get(ctx context.Context, id string) (Product, error) { return s.store.Get(ctx, id) }

// List returns a page of active products.
func (s *Service) List(ctx context.Context, f Filter, limit int, after string) ([]Product, string, error) {
	var c apperr.Check
	c.That(len([]rune(f.Category)) <= maxText, "", "category must have at most 200 characters")
	c.That(len([]rune(f.Text)) <= maxText, "", "q must have at most 200 characters")
	if err := c.Err(); err != nil {
		return nil, "", err
	}
	return s.store.List(ctx, f, limit, after)
}

// Change changes the version of a product that the caller has seen, or returns
// apperr.ErrStale.
func (s *Service) Change(ctx context.Context, id string, seen int, change Change) (Product, error) {
	p, err := s.store.Get(ctx, id)
	if err != nil {
		return Product{}, err
	}
	if p.Version != seen {
		return Product{}, apperr.ErrStale
	}
	evs, err := p.Change(change, s.now())
	if err != nil || len(evs) == 0 {
		return p, err
	}
	if err := s.store.Save(ctx, p, evs...); err != nil {
		return Product{}, fmt.Errorf("save product %s: %w", id, err)
	}
	return p, nil
}

// Discontinue takes the version of a product that the caller has seen off sale.
// Doing so twice changes nothing.
func (s *Service) Discontinue(ctx context.Context, id string, seen int) error {
	ended := Discontinued
	_, err := s.Change(ctx, id, seen, Change{Status: &ended})
	return err
}
