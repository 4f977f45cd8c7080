// Package dynamo keeps products in one DynamoDB table.
//
//	item     PK            SK           GSI1PK               GSI1SK
//	product  PRODUCT#<id>  PRODUCT      -                    -
//	entry    PRODUCT#<id>  ENTRY#0      PRODUCTS             <id>
//	entry    PRODUCT#<id>  ENTRY#1      CATEGORY#<category>  <id>
//	entry    PRODUCT#<id>  ENTRY#2 …    TERM#<first letter>  <term>#<id>
//	claim    SKU#<sku>     SKU          -                    -
//	outbox   PRODUCT#<id>  OUTBOX#<id>  -                    -
//
//	one product       GetItem PK, SK                  consistent       Store.Get
//	all, or a         Query GSI1, newest first        eventual         Store.List
//	  category's
//	by text           Query GSI1 TERM#<first letter>  eventual         Store.List
//	                  from the text on
//	new               TransactWriteItems              absent, and the  Store.Create
//	                                                  SKU unclaimed
//	change            TransactWriteItems              version as read  Store.Save
//
// An entry is a copy of an active product under one more index key, so that
// every list is one query of one index. The product and all its entries change
// in one transaction and are alike at any time; a discontinued product has none.
// That makes a write of a product dearer by some ten items, and lists, which are
// thousands of times as frequent, as cheap as they can be.
//
// The partition PRODUCTS holds all that is for sale and serves some thousand
// pages of it a second, which is what one partition of an index gives. A shop
// that outgrows this splits it by the last letter of the id and merges the
// parts in List.
package dynamo

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"tradewind/events"
	"tradewind/functions/catalog"
	"tradewind/shared/apperr"
	"tradewind/shared/outbox"
	"tradewind/shared/table"
)

// Store is a catalog.Store.
type Store struct {
	table  *table.Table
	outbox *outbox.Outbox
}

var _ catalog.Store = (*Store)(nil)

// New returns the store in a table; events it saves are published from out.
func New(t *table.Table, out *outbox.Outbox) *Store { return &Store{t, out} }

var errTaken = errors.New("product id is taken")

// Get implements catalog.Store.
func (s *Store) Get(ctx context.Context, id string) (catalog.Product, error) {
	it, err := s.get(ctx, id)
	if err != nil {
		return catalog.Product{}, err
	}
	return it.product(), nil
}

func (s *Store) get(ctx context.Context, id string) (item, error) {
	var it item
	found, err := s.table.Get(ctx, key(id), &it)
	if err == nil && !found {
		err = apperr.New(apperr.NotFound, "product_not_found", "There is no such product.")
	}
	return it, err
}

// Create implements catalog.Store.
func (s *Store) Create(ctx context.Context, p catalog.Product, evs ...events.Event) error {
	it := itemOf(p)
	ops := []table.Op{
		table.Create(it, errTaken),
		table.Create(claim(p), catalog.ErrSKUTaken),
	}
	for i := range it.Entries {
		ops = append(ops, table.Create(it.entry(i), errTaken))
	}
	return s.commit(ctx, p, ops, evs)
}

// Save implements catalog.Store. It reads what is stored once more, for the
// entries and the claim to take the place of: which they are is decided by the
// code that wrote them, not by today's.
func (s *Store) Save(ctx context.Context, p catalog.Product, evs ...events.Event) error {
	old, err := s.get(ctx, p.ID)
	if err != nil {
		return err
	}
	seen := p.Version - 1
	it := itemOf(p)
	ops := []table.Op{table.Replace(it, seen)}
	if old.SKU != p.SKU {
		ops = append(ops, table.Create(claim(p), catalog.ErrSKUTaken), table.Discard(claimKey(old.SKU)))
	}
	for i := range max(it.Entries, old.Entries) {
		switch {
		case i >= it.Entries:
			ops = append(ops, table.Remove(entryKey(p.ID, i), seen))
		case i >= old.Entries:
			ops = append(ops, table.Create(it.entry(i), apperr.ErrStale))
		default:
			ops = append(ops, table.Replace(it.entry(i), seen))
		}
	}
	return s.commit(ctx, p, ops, evs)
}

func (s *Store) commit(ctx context.Context, p catalog.Product, ops []table.Op, evs []events.Event) error {
	return s.table.Commit(ctx, p, append(ops, s.outbox.Ops(ctx, key(p.ID).PK, evs...)...)...)
}

// maxRounds bounds the queries for one page. What a filter on both category and
// text lets through may be rare: the page is then short, and the next goes on.
const maxRounds = 20

// List implements catalog.Store.
func (s *Store) List(ctx context.Context, f catalog.Filter, limit int, after string) ([]catalog.Product, string, error) {
	q := table.Query{Index: table.GSI1, PK: allKey, Descending: true, After: after}
	text := normal(f.Text)
	switch {
	case text != "":
		q.PK, q.SKPrefix, q.Descending = termKey(text), text, false
	case f.Category != "":
		q.PK = categoryKey(f.Category)
	}
	var list []catalog.Product
	for range maxRounds {
		q.Limit = limit - len(list)
		entries, next, err := table.List[item](ctx, s.table, q)
		if err != nil {
			return nil, "", fmt.Errorf("list products: %w", err)
		}
		for _, it := range entries {
			if text != "" && (!it.foundFirstBy(text) || f.Category != "" && it.Category != f.Category) {
				continue
			}
			list = append(list, it.product())
		}
		q.After = next
		if next == "" || len(list) == limit {
			break
		}
	}
	return list, q.After, nil
}

const allKey = "PRODUCTS"

func key(id string) table.Key {
	return table.Key{PK: table.Prefixed("PRODUCT", id), SK: "PRODUCT"}
}

func entryKey(id string, i int) table.Key {
	return table.Key{PK: key(id).PK, SK: table.Prefixed("ENTRY", strconv.Itoa(i))}
}

func claimKey(sku string) table.Key {
	return table.Key{PK: table.Prefixed("SKU", sku), SK: "SKU"}
}

func categoryKey(category string) string { return table.Prefixed("CATEGORY", category) }
