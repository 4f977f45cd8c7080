package orders

import (
	"context"
	"fmt"
	"sync"
	"time"

	"tradewind/events"
	"tradewind/shared/apperr"
)

// Store keeps orders. A write and its events are saved together or not at all.
type Store interface {
	// Get returns the order with an id, or a NotFound error.
	Get(ctx context.Context, id string) (Order, error)
	// Create saves a new order.
	Create(ctx context.Context, o Order, evs ...events.Event) error
	// Save saves the next version of an order, or returns apperr.ErrStale when
	// the version before it is not the stored one.
	Save(ctx context.Context, o Order, evs ...events.Event) error
	// ListByUser returns a page of a user's orders, newest first, and the
	// position of the next page, empty when there is none.
	ListByUser(ctx context.Context, userID string, limit int, after string) ([]Order, string, error)
	// SaveStep saves like Save, as one step of several that belong to one event:
	// it may be repeated, and is not the event's effect.
	SaveStep(ctx context.Context, o Order) error
	// ForgetAnswers erases the stored answers to a user's requests.
	ForgetAnswers(ctx context.Context, userID string) error
	// Pending returns ids of orders that were pending since before a moment,
	// the longest waiting first, at most limit of them.
	Pending(ctx context.Context, since time.Time, limit int) ([]string, error)
	// Waiting counts the pending orders, and stops at a number that shows that there
	// are many. It returns since when the oldest is pending; zero of none.
	Waiting(ctx context.Context) (n int, since time.Time, err error)
}

// Catalog knows what products are called and cost.
type Catalog interface {
	// Products returns those of the products that can be ordered.
	Products(ctx context.Context, ids []string) (map[string]Product, error)
}

// Accounts knows who is a customer.
type Accounts interface {
	// Open reports whether a user has an account that was not erased.
	Open(ctx context.Context, userID string) (bool, error)
}

// ErrAccountClosed refuses an order of somebody who was erased: the token that they
// were given before is good for a while longer.
var ErrAccountClosed = apperr.New(apperr.Forbidden, "account_closed", "This account is closed, so nothing can be ordered with it.")

// Service is what can be done with orders.
type Service struct {
	store    Store
	catalog  Catalog
	accounts Accounts
	methods  Methods
	now      func() time.Time
	newID    func(prefix string) string
}

// NewService returns the service. A function that places no orders needs neither
// catalog nor accounts nor methods.
func NewService(store Store, catalog Catalog, accounts Accounts, methods Methods, now func() time.Time, newID func(prefix string) string) *Service {
	return &Service{store, catalog, accounts, methods, func() time.Time { return now().UTC().Truncate(time.Millisecond) }, newID}
}

// Place accepts an order. Whether it can be fulfilled is not known then.
func (s *Service) Place(ctx context.Context, r Request) (Order, error) {
	if err := r.Validate(s.methods); err != nil {
		return Order{}, err
	}
	products, err := s.inquire(ctx, r)
	if err != nil {
		return Order{}, fmt.Errorf("place order: %w", err)
	}
	o, created, err := New(s.newID("ord"), r, products, s.now())
	if err != nil {
		return Order{}, err
	}
	if err := s.store.Create(ctx, o, created); err != nil {
		return Order{}, fmt.Errorf("place order: %w", err)
	}
	return o, nil
}

// patience is how long a customer waits for what others know of an order, in all.
const patience = 3 * time.Second

// inquire finds out what others know of an order: that its customer is one, and what
// its products cost. Both are asked at once, and what speaks against the order first
// ends the other, so it takes as long as the slower answer or the first refusal.
func (s *Service) inquire(ctx context.Context, r Request) (map[string]Product, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var refusal error
	var first sync.Once
	refuse := func(err error) {
		first.Do(func() { refusal = err; cancel() })
	}
	var account sync.WaitGroup
	account.Go(func() {
		switch open, err := s.accounts.Open(ctx, r.UserID); {
		case err != nil:
			refuse(fmt.Errorf("ask for the customer: %w", err))
		case !open:
			refuse(ErrAccountClosed)
		}
	})
	ids := make([]string, len(r.Lines))
	for i, line := range r.Lines {
		ids[i] = line.ProductID
	}
	products, err := s.catalog.Products(ctx, ids)
	if err != nil {
		refuse(fmt.Errorf("price the order: %w", err))
	}
	account.Wait()
	return products, refusal
}

// Get returns an order.
func (s *Service) Get(ctx context.Context, id string) (Order, error) { return s.store.Get(ctx, id) }

// ListByUser returns a page of a user's orders, newest first.
func (s *Service) ListByUser(ctx context.Context, userID string, limit int, after string) ([]Order, string, error) {
	return s.store.ListByUser(ctx, userID, limit, after)
}

// Cancel cancels an order for its customer. Cancelling twice changes nothing.
func (s *Service) Cancel(ctx context.Context, id, detail string) (Order, error) {
	var c apperr.Check
	c.That(detail != "", "/reason", "must say why, in a few words")
	c.That(runes(detail) <= maxText, "/reason", "must have at most 200 characters")
	if err := c.Err(); err != nil {
		return Order{}, err
	}
	return s.change(ctx, id, func(o *Order, now time.Time) (events.Event, error) {
		return o.CancelForCustomer(detail, now), nil
	})
}

// Paid confirms an order whose total was captured.
func (s *Service) Paid(ctx context.Context, id string, amount events.Money, cause string) error {
	_, err := s.change(ctx, id, func(o *Order, now time.Time) (events.Event, error) {
		return o.Confirm(amount, cause, now)
	})
	return err
}

// Fail cancels a pending order that cannot be fulfilled.
func (s *Service) Fail(ctx context.Context, id string, reason Reason, detail, cause string) error {
	_, err := s.change(ctx, id, func(o *Order, now time.Time) (events.Event, error) {
		return o.Fail(reason, detail, cause, now), nil
	})
	return err
}

// Refunded notes that a cancelled order's money went back.
func (s *Service) Refunded(ctx context.Context, id, cause string) error {
	o, err := s.store.Get(ctx, id)
	if err != nil {
		return err
	}
	if o.Status != Cancelled {
		return apperr.New(apperr.Conflict, "refund_of_live_order", "The order is not cancelled, so nothing of it can have been refunded.")
	}
	if !o.NoteRefund(cause, s.now()) {
		return nil
	}
	return s.store.Save(ctx, o)
}

// forgetPage is how many orders are looked up at a time.
const forgetPage = 50

// ForgetUser erases the personal data in the orders of a user who was erased, in
// steps that may be repeated: an order cannot be in the way of the others.
func (s *Service) ForgetUser(ctx context.Context, userID string) error {
	after := ""
	for {
		page, next, err := s.store.ListByUser(ctx, userID, forgetPage, after)
		if err != nil {
			return err
		}
		for _, listed := range page {
			// The list may lag behind; the order itself does not.
			o, err := s.store.Get(ctx, listed.ID)
			if err != nil {
				return err
			}
			if !o.ForgetAddress(s.now()) {
				continue
			}
			if err := s.store.SaveStep(ctx, o); err != nil {
				return fmt.Errorf("forget the address of order %s: %w", o.ID, err)
			}
		}
		if after = next; after == "" {
			break
		}
	}
	return s.store.ForgetAnswers(ctx, userID)
}

// Overdue returns ids of orders that have been pending for longer than timeout,
// at most limit of them. Each is to be given to TimeOut.
func (s *Service) Overdue(ctx context.Context, timeout time.Duration, limit int) ([]string, error) {
	return s.store.Pending(ctx, s.now().Add(-timeout), limit)
}

// Backlog returns how many orders are pending and for how long the oldest has been.
func (s *Service) Backlog(ctx context.Context) (waiting int, oldest time.Duration, err error) {
	waiting, since, err := s.store.Waiting(ctx)
	if err != nil || waiting == 0 {
		return 0, 0, err
	}
	return waiting, max(s.now().Sub(since), 0), nil
}

// TimeOut cancels an order that is still pending. What stock or money it holds
// goes back as for any cancelled order.
func (s *Service) TimeOut(ctx context.Context, id string) error {
	return s.Fail(ctx, id, TimedOut, "no answer in time", "timeout")
}

// change applies a verb to an order and saves what it changed. Where the verb
// publishes nothing, nothing has changed.
func (s *Service) change(ctx context.Context, id string, verb func(*Order, time.Time) (events.Event, error)) (Order, error) {
	o, err := s.store.Get(ctx, id)
	if err != nil {
		return Order{}, err
	}
	ev, err := verb(&o, s.now())
	if err != nil || ev == nil {
		return o, err
	}
	if err := s.store.Save(ctx, o, ev); err != nil {
		return Order{}, fmt.Errorf("save order %s: %w", id, err)
	}
	return o, nil
}
