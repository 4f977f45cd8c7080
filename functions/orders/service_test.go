package orders_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"tradewind/events"
	"tradewind/functions/orders"
	"tradewind/shared/apperr"
	"tradewind/shared/apperr/apperrtest"
)

// neighbour is a service that is asked something: it takes a time and then fails, or
// does not.
type neighbour struct {
	takes time.Duration
	err   error
}

func (n neighbour) ask(ctx context.Context) error {
	select {
	case <-time.After(n.takes):
		return n.err
	case <-ctx.Done():
		return apperr.Wrap(ctx.Err(), apperr.Unavailable, "late", "Too late.")
	}
}

type slowCatalog struct{ neighbour }

func (c slowCatalog) Products(ctx context.Context, _ []string) (map[string]orders.Product, error) {
	return map[string]orders.Product{"prd_1": {Price: eur(10)}, "prd_2": {Price: eur(1)}}, c.ask(ctx)
}

type slowAccounts struct {
	neighbour
	closed bool
}

func (a slowAccounts) Open(ctx context.Context, userID string) (bool, error) {
	if userID != "usr_1" {
		return false, errors.New("asked about " + userID)
	}
	return !a.closed, a.ask(ctx)
}

// created is a store that counts what it is given.
type created struct {
	orders.Store
	n int
}

func (c *created) Create(context.Context, orders.Order, ...events.Event) error {
	c.n++
	return nil
}

// TestPlaceAsksBothAtOnce: an order takes as long as the slower of the two services, a
// refusal no longer than the one that refuses, and nothing longer than patience lasts.
func TestPlaceAsksBothAtOnce(t *testing.T) {
	down := apperr.New(apperr.Unavailable, "down", "Down.")
	in := func(d time.Duration) neighbour { return neighbour{takes: d} }
	fails := func(d time.Duration) neighbour { return neighbour{d, down} }
	tests := map[string]struct {
		catalog neighbour
		users   neighbour
		closed  bool
		code    string // of the refusal; "" is an order
		took    time.Duration
	}{
		"both answer":                     {in(2 * time.Second), in(time.Second), false, "", 2 * time.Second},
		"users is the slower":             {in(time.Second), in(2 * time.Second), false, "", 2 * time.Second},
		"the account is closed":           {in(time.Hour), in(time.Second), true, "account_closed", time.Second},
		"closed, and the catalog is down": {fails(2 * time.Second), in(time.Second), true, "account_closed", time.Second},
		"the catalog is down":             {fails(0), in(time.Hour), false, "down", 0},
		"users is down":                   {in(time.Hour), fails(0), false, "down", 0},
		"the catalog hangs":               {in(time.Hour), in(0), false, "late", 3 * time.Second},
		"users hangs":                     {in(0), in(time.Hour), false, "late", 3 * time.Second},
		"both hang":                       {in(time.Hour), in(time.Hour), false, "late", 3 * time.Second},
		"users fails at last":             {in(time.Second), fails(2 * time.Second), false, "down", 2 * time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &created{}
				svc := orders.NewService(store, slowCatalog{test.catalog}, slowAccounts{test.users, test.closed}, orders.SandboxMethods,
					time.Now, func(prefix string) string { return prefix + "_1" })
				began := time.Now()
				_, err := svc.Place(t.Context(), request(nil))
				if took := time.Since(began); took != test.took {
					t.Errorf("took %v, want %v", took, test.took)
				}
				switch {
				case test.code == "" && (err != nil || store.n != 1):
					t.Errorf("%v, %d orders", err, store.n)
				case test.code != "" && (err == nil || apperrtest.Code(err) != test.code || store.n != 0):
					t.Errorf("%v, %d orders; want %s", err, store.n, test.code)
				}
			})
		})
	}
}

// A request that cannot be an order costs the other services nothing.
func TestPlaceAsksNobodyAboutNonsense(t *testing.T) {
	svc := orders.NewService(&created{}, nil, nil, orders.SandboxMethods, time.Now, nil)
	_, err := svc.Place(t.Context(), request(func(r *orders.Request) { r.Lines = nil }))
	if apperr.KindOf(err) != apperr.Invalid {
		t.Errorf("got %v", err)
	}
}

// pending is a store that knows only what waits.
type pending struct {
	orders.Store
	n     int
	since time.Time
	err   error
}

func (p pending) Waiting(context.Context) (int, time.Time, error) { return p.n, p.since, p.err }

func TestBacklog(t *testing.T) {
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	down := errors.New("no answer")
	for name, test := range map[string]struct {
		store  pending
		n      int
		oldest time.Duration
	}{
		"none":               {pending{}, 0, 0},
		"some":               {pending{n: 3, since: now.Add(-90 * time.Second)}, 3, 90 * time.Second},
		"by another's clock": {pending{n: 1, since: now.Add(time.Second)}, 1, 0},
		"not known":          {pending{err: down}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			svc := orders.NewService(test.store, nil, nil, nil, func() time.Time { return now }, nil)
			n, oldest, err := svc.Backlog(t.Context())
			if n != test.n || oldest != test.oldest || !errors.Is(err, test.store.err) {
				t.Errorf("%d waiting, the oldest for %v, %v", n, oldest, err)
			}
		})
	}
}
