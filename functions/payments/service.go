package payments

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tradewind/events"
	"tradewind/shared/apperr"
)

// Store keeps payments. A write and its events are saved together or not at all.
type Store interface {
	// Get returns an order's payment, also one that is Barred, or a NotFound
	// error.
	Get(ctx context.Context, orderID string) (Payment, error)
	// Save saves the version after p.Version, or returns apperr.ErrStale when
	// that is not the stored one.
	Save(ctx context.Context, p Payment, evs ...events.Event) error
}

// Service is what can be done with payments.
type Service struct {
	store    Store
	provider Provider
	limit    time.Duration // of one call to the provider
	now      func() time.Time
	newID    func(prefix string) string
}

// NewService returns the service. A function that only reads needs no provider.
// One call to the provider takes at most limit.
func NewService(store Store, provider Provider, limit time.Duration, now func() time.Time, newID func(prefix string) string) *Service {
	return &Service{store, provider, limit, func() time.Time { return now().UTC().Truncate(time.Millisecond) }, newID}
}

// Order is what payments needs to know of an order.
type Order struct {
	ID     string
	UserID string
	Total  events.Money
	Method string // empty where nothing is to be charged
	// Since is when payments was first told.
	Since time.Time
}

// Get returns a payment.
func (s *Service) Get(ctx context.Context, id string) (Payment, error) {
	return s.ByOrder(ctx, orderOf(id))
}

// ByOrder returns an order's payment.
func (s *Service) ByOrder(ctx context.Context, orderID string) (Payment, error) {
	p, err := s.store.Get(ctx, orderID)
	if err == nil && !p.Exists() {
		err = ErrNotFound
	}
	if err != nil {
		return Payment{}, err
	}
	return p, nil
}

// ErrNotFound says that there is no such payment.
var ErrNotFound = apperr.New(apperr.NotFound, "payment_not_found", "There is no such payment.")

// StockReserved charges an order whose stock is held.
func (s *Service) StockReserved(ctx context.Context, o Order) error {
	return s.handle(ctx, stockReserved, o)
}

// OrderCancelled returns what was charged for an order, and keeps anything from
// being charged for it later.
func (s *Service) OrderCancelled(ctx context.Context, o Order) error {
	return s.handle(ctx, orderCancelled, o)
}

// handle does what the order's payment needs on news, and stores it in one
// commit. When that is refused as stale, other news came in between: it is to be
// called again and decides anew.
func (s *Service) handle(ctx context.Context, n news, o Order) error {
	p, err := s.find(ctx, o)
	if err != nil {
		return err
	}
	todo, known := decisions[n][p.Status]
	if !known {
		return fmt.Errorf("payment %s: no decision for status %q", p.ID(), p.Status)
	}
	switch todo {
	case charge:
		return s.charge(ctx, p, o)
	case bar:
		p.bar(s.now())
		return s.save(ctx, p)
	case refund:
		return s.refund(ctx, p)
	case void:
		return s.void(ctx, p, o)
	case nothing:
	}
	return nil
}

// find returns the order's payment, or a new one with status None.
func (s *Service) find(ctx context.Context, o Order) (Payment, error) {
	p, err := s.store.Get(ctx, o.ID)
	if errors.Is(err, ErrNotFound) {
		return Payment{OrderID: o.ID, UserID: o.UserID, Amount: o.Total}, nil
	}
	return p, err
}

func (s *Service) charge(ctx context.Context, p Payment, o Order) error {
	outcome, err := s.ask(ctx, o.charge())
	if err != nil {
		return fmt.Errorf("charge order %s: %w", o.ID, err)
	}
	if outcome.Result == Paid {
		return s.save(ctx, p, p.capture(outcome.Charge, s.now()))
	}
	return s.save(ctx, p, p.decline(outcome.Code, s.now()))
}

// ask charges and returns an outcome that is certain: paid or refused.
func (s *Service) ask(ctx context.Context, c Charge) (Outcome, error) {
	outcome, err := patiently(ctx, s.limit, func(ctx context.Context) (Outcome, error) { return s.provider.Charge(ctx, c) })
	if err != nil && apperr.KindOf(err) != apperr.Unavailable {
		known, unknown := once(ctx, s.limit, reserve/2, func(ctx context.Context) (Outcome, error) { return s.provider.Lookup(ctx, c) })
		if unknown == nil && known.Result != Pending {
			return known, nil
		}
		err = errors.Join(err, unknown)
	}
	if err == nil && outcome.Result == Pending {
		err = errors.New("the provider has not decided")
	}
	if err != nil {
		return Outcome{}, apperr.Wrap(err, apperr.Unavailable, "charge_undecided", "The payment provider has not answered; the payment is tried again.")
	}
	return outcome, nil
}

// refund returns a captured payment. The events given are those of what led to
// it in the same step.
func (s *Service) refund(ctx context.Context, p Payment, before ...events.Event) error {
	name, err := patiently(ctx, s.limit, func(ctx context.Context) (string, error) {
		return s.provider.Refund(ctx, Return{OrderID: p.OrderID, Charge: p.Charge, Amount: p.Amount})
	})
	if err != nil {
		return fmt.Errorf("refund order %s: %w", p.OrderID, err)
	}
	refunded := p.giveBack(Refund{ID: s.newID("ref"), Provider: name, CreatedAt: s.now()})
	return s.save(ctx, p, append(before, refunded)...)
}

// void is the reservation's way out when the order is cancelled already. Where a
// charge was made before the order was barred, both are told of, in turn: that
// it was captured and that it went back.
func (s *Service) void(ctx context.Context, p Payment, o Order) error {
	outcome, err := patiently(ctx, s.limit, func(ctx context.Context) (Outcome, error) { return s.provider.Void(ctx, o.charge()) })
	if err != nil {
		return fmt.Errorf("void the charge of order %s: %w", o.ID, err)
	}
	if outcome.Result != Paid {
		return nil
	}
	p.Amount = o.Total // what was charged, whatever the cancellation said
	captured := p.capture(outcome.Charge, s.now())
	return s.refund(ctx, p, captured)
}

func (s *Service) save(ctx context.Context, p Payment, evs ...events.Event) error {
	if err := s.store.Save(ctx, p, evs...); err != nil {
		return fmt.Errorf("save payment %s: %w", p.ID(), err)
	}
	return nil
}

func (o Order) charge() Charge {
	return Charge{OrderID: o.ID, Amount: o.Total, Method: o.Method, Since: o.Since}
}
