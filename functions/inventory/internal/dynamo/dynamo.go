// Package dynamo keeps stock lines, reservations and the ledger in one DynamoDB
// table.
//
//	item         PK                    SK
//	stock        STOCK#<productID>     STOCK
//	reservation  RESERVATION#<order>   RESERVATION
//	ledger       STOCK#<productID>     LEDGER#<id>   what a user changed
//	ledger       RESERVATION#<order>   LEDGER#<id>   what an order changed
//	outbox       its subject's         OUTBOX#<id>
//
//	one line            GetItem PK, SK      consistent        Store.Stock
//	an order's lines    GetItem each, at    consistent        Store.Stocks
//	                    the same time
//	one reservation     GetItem PK, SK      consistent        Store.Reservation
//	a line's change     TransactWriteItems  version as read   Store.SaveStock
//	an order's change   TransactWriteItems  versions as read  Store.SaveReservation
//
// A ledger entry of an order is one item for all its products, not one each:
// fifty lines with an entry each would not fit a transaction, which takes a
// hundred operations, and an order is one business fact. It stands in the
// partition of its cause, so that no partition gets all of them. Nothing here
// reads the ledger; whoever audits it reads an export of the table whole.
//
// Nothing is listed, so no item is in the index.
package dynamo

import (
	"context"
	"errors"
	"sync"

	"tradewind/events"
	"tradewind/functions/inventory"
	"tradewind/shared/apperr"
	"tradewind/shared/outbox"
	"tradewind/shared/table"
)

// Store is an inventory.Store.
type Store struct {
	table  *table.Table
	outbox *outbox.Outbox
}

var _ inventory.Store = (*Store)(nil)

// New returns the store in a table; events it saves are published from out.
func New(t *table.Table, out *outbox.Outbox) *Store { return &Store{t, out} }

// Stock implements inventory.Store.
func (s *Store) Stock(ctx context.Context, productID string) (inventory.Stock, error) {
	line, found, err := s.stock(ctx, productID)
	if err == nil && !found {
		err = apperr.New(apperr.NotFound, "stock_not_found", "There is no such product in the inventory.")
	}
	return line, err
}

func (s *Store) stock(ctx context.Context, productID string) (inventory.Stock, bool, error) {
	var it stockItem
	found, err := s.table.Get(ctx, stockKey(productID), &it)
	return it.stock(), found, err
}

// parallel bounds the reads for one order: a function works on a whole batch of
// them at once.
const parallel = 8

// Stocks implements inventory.Store.
func (s *Store) Stocks(ctx context.Context, productIDs []string) (map[string]inventory.Stock, error) {
	var (
		mu    sync.Mutex
		errs  []error
		lines = make(map[string]inventory.Stock, len(productIDs))
		slots = make(chan struct{}, parallel)
		wg    sync.WaitGroup
	)
	for _, productID := range productIDs {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			line, found, err := s.stock(ctx, productID)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				errs = append(errs, err)
			case found:
				lines[productID] = line
			}
		})
	}
	wg.Wait()
	return lines, errors.Join(errs...)
}

// Reservation implements inventory.Store.
func (s *Store) Reservation(ctx context.Context, orderID string) (inventory.Reservation, error) {
	var it reservationItem
	if _, err := s.table.Get(ctx, reservationKey(orderID), &it); err != nil {
		return inventory.Reservation{}, err
	}
	return it.reservation(), nil
}

// SaveStock implements inventory.Store.
func (s *Store) SaveStock(ctx context.Context, line inventory.Stock, entry *inventory.Entry, evs ...events.Event) error {
	ops := []table.Op{save(stockItemOf(line), line.Version)}
	ops = append(ops, ledger(stockKey(line.ProductID), entry)...)
	ops = append(ops, s.outbox.Ops(ctx, stockKey(line.ProductID).PK, evs...)...)
	return s.table.Commit(ctx, line, ops...)
}

// SaveReservation implements inventory.Store.
func (s *Store) SaveReservation(ctx context.Context, r inventory.Reservation, stock []inventory.Stock, entry *inventory.Entry, evs ...events.Event) error {
	key := reservationKey(r.OrderID)
	ops := []table.Op{save(reservationItemOf(r), r.Version)}
	for _, line := range stock {
		ops = append(ops, save(stockItemOf(line), line.Version))
	}
	ops = append(ops, ledger(key, entry)...)
	for _, ev := range evs {
		pk := key.PK
		if ev.Subject() != r.OrderID {
			pk = stockKey(ev.Subject()).PK
		}
		ops = append(ops, s.outbox.Ops(ctx, pk, ev)...)
	}
	return s.table.Commit(ctx, r, ops...)
}

// save returns the operation that writes a version of an item. That the first
// was written meanwhile is as stale as any other: whoever reads again sees it.
func save(item any, version int) table.Op {
	if version == 1 {
		return table.Create(item, apperr.ErrStale)
	}
	return table.Replace(item, version-1)
}

var errLedgerTaken = errors.New("ledger id is taken")

func ledger(cause table.Key, entry *inventory.Entry) []table.Op {
	if entry == nil {
		return nil
	}
	return []table.Op{table.Create(ledgerItemOf(cause.PK, *entry), errLedgerTaken)}
}

func stockKey(productID string) table.Key {
	return table.Key{PK: table.Prefixed("STOCK", productID), SK: "STOCK"}
}

func reservationKey(orderID string) table.Key {
	return table.Key{PK: table.Prefixed("RESERVATION", orderID), SK: "RESERVATION"}
}
