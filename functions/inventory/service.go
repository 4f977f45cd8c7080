package inventory

import (
	"context"
	"fmt"
	"time"

	"tradewind/events"
	"tradewind/events/orders"
	"tradewind/shared/apperr"
)

// Store keeps stock lines, reservations and the ledger. What one call saves is
// saved together or not at all, and only if every item is the next version of
// the stored one (version 1: if there is none), else apperr.ErrStale.
type Store interface {
	// Stock returns the line of a product, or a NotFound error.
	Stock(ctx context.Context, productID string) (Stock, error)
	// Stocks returns the lines of those of the products that have one.
	Stocks(ctx context.Context, productIDs []string) (map[string]Stock, error)
	// Reservation returns that of an order; the zero value where there is none.
	Reservation(ctx context.Context, orderID string) (Reservation, error)
	// SaveStock saves a line, and a ledger entry unless it is nil.
	SaveStock(ctx context.Context, s Stock, entry *Entry, evs ...events.Event) error
	// SaveReservation saves a reservation with the lines it moved, and a ledger
	// entry unless it is nil.
	SaveReservation(ctx context.Context, r Reservation, stock []Stock, entry *Entry, evs ...events.Event) error
}

// Service is what can be done with the stock.
type Service struct {
	store Store
	now   func() time.Time
	newID func(prefix string) string
	turns *turns
}

// NewService returns the service.
func NewService(store Store, now func() time.Time, newID func(prefix string) string) *Service {
	return &Service{store, func() time.Time { return now().UTC().Truncate(time.Millisecond) }, newID, newTurns()}
}

// Stock returns the line of a product.
func (s *Service) Stock(ctx context.Context, productID string) (Stock, error) {
	return s.store.Stock(ctx, productID)
}

// Open opens the line of a product, unless it is open already.
func (s *Service) Open(ctx context.Context, productID string) error {
	known, err := s.store.Stocks(ctx, []string{productID})
	if err != nil || len(known) > 0 {
		return err
	}
	return s.store.SaveStock(ctx, Open(productID, s.now()), nil)
}

// Set makes a product's units on hand what a user counted, if the line is the
// version that the user has seen.
func (s *Service) Set(ctx context.Context, productID string, seen, onHand int, userID string) (Stock, error) {
	line, err := s.store.Stock(ctx, productID)
	if err != nil {
		return Stock{}, err
	}
	if line.Version != seen {
		return Stock{}, apperr.ErrStale
	}
	posting, err := line.Set(onHand, s.now())
	if err != nil || posting.Delta == 0 {
		return line, err
	}
	return s.save(ctx, line, posting, "counted", userID)
}

// Adjust adds units to a product's stock, or takes some off.
func (s *Service) Adjust(ctx context.Context, productID string, delta int, reason, userID string) (Stock, error) {
	line, err := s.store.Stock(ctx, productID)
	if err != nil {
		return Stock{}, err
	}
	posting, err := line.Adjust(delta, reason, s.now())
	if err != nil {
		return Stock{}, err
	}
	return s.save(ctx, line, posting, reason, userID)
}

func (s *Service) save(ctx context.Context, line Stock, posting Posting, reason, userID string) (Stock, error) {
	lines := []Stock{line}
	evs := depletions(lines)
	if err := s.store.SaveStock(ctx, lines[0], s.entry([]Posting{posting}, reason, userID), evs...); err != nil {
		return Stock{}, fmt.Errorf("save stock of %s: %w", line.ProductID, err)
	}
	return lines[0], nil
}

// OrderCreated holds the order's units, or rejects it.
func (s *Service) OrderCreated(ctx context.Context, o Order) error {
	return s.advance(ctx, o, orders.TypeCreated)
}

// OrderConfirmed takes the order's units off hand.
func (s *Service) OrderConfirmed(ctx context.Context, orderID string) error {
	return s.advance(ctx, Order{ID: orderID}, orders.TypeConfirmed)
}

// OrderCancelled gives back what the order has.
func (s *Service) OrderCancelled(ctx context.Context, orderID string) error {
	return s.advance(ctx, Order{ID: orderID}, orders.TypeCancelled)
}

// advance does to the order's reservation what the event says.
func (s *Service) advance(ctx context.Context, o Order, eventType string) error {
	r, err := s.store.Reservation(ctx, o.ID)
	if err != nil {
		return err
	}
	step := r.Next(eventType)
	lines := r.Lines
	switch step {
	case Nothing:
		return nil
	case Wait:
		return apperr.New(apperr.NotFound, "reservation_not_found", "The order has no reservation yet.")
	case Refuse:
		return apperr.New(apperr.Conflict, "reservation_rejected", "The order was rejected for want of stock and cannot be confirmed.")
	case Bar:
		return s.commit(ctx, bar(o.ID, s.now()), eventType)
	case Reserve:
		if err := o.validate(); err != nil {
			return err
		}
		lines = o.Lines
	case Take, Release, PutBack:
	}
	ids := make([]string, len(lines))
	for i, line := range lines {
		ids[i] = line.ProductID
	}
	end, err := s.turns.take(ctx, ids)
	if err != nil {
		return err
	}
	defer end()
	stock, err := s.store.Stocks(ctx, ids)
	if err != nil {
		return err
	}
	if step == Reserve {
		return s.commit(ctx, reserve(o, stock, s.now()), eventType)
	}
	if len(stock) < len(lines) {
		return fmt.Errorf("order %s has units of %d products, and %d of these have a stock line", o.ID, len(lines), len(stock))
	}
	return s.commit(ctx, r.move(step, stock, s.now()), eventType)
}

func (s *Service) commit(ctx context.Context, out outcome, reason string) error {
	orderID := out.reservation.OrderID
	entry := s.entry(out.postings, reason, orderID)
	if err := s.store.SaveReservation(ctx, out.reservation, out.stock, entry, out.events...); err != nil {
		return fmt.Errorf("save reservation of %s as %s: %w", orderID, out.reservation.State, err)
	}
	return nil
}

// entry returns the ledger entry of postings; nil where there are none.
func (s *Service) entry(postings []Posting, reason, cause string) *Entry {
	if len(postings) == 0 {
		return nil
	}
	return &Entry{ID: s.newID("led"), Postings: postings, Reason: reason, Cause: cause, OccurredAt: s.now()}
}
