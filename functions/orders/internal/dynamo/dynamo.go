// Package dynamo keeps orders in one DynamoDB table.
//
//	item     PK          SK           GSI1PK         GSI1SK      GSI2PK (while pending)  GSI2SK
//	order    ORDER#<id>  ORDER        USER#<userID>  ORDER#<id>  PENDING#<shard>         <createdAt>
//	outbox   ORDER#<id>  OUTBOX#<id>  -              -           -                       -
//
//	one order        GetItem PK, SK                  consistent       Store.Get
//	a user's orders  Query GSI1, newest first        eventual         Store.ListByUser
//	pending orders   Query GSI2, each shard, oldest  eventual         Store.Pending, Waiting
//	new              TransactWriteItems              absent           Store.Create
//	change           TransactWriteItems              version as read  Store.Save
//
// An id is a ULID, so it sorts by the time of the order. Pending orders are
// spread over shards because one index partition takes 1,000 writes a second,
// and an index that cannot keep up slows its table down. Records of idempotency
// keys and of handled events join the transactions from the context.
package dynamo

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"tradewind/events"
	"tradewind/functions/orders"
	"tradewind/shared/apperr"
	"tradewind/shared/idempotency"
	"tradewind/shared/outbox"
	"tradewind/shared/table"
)

// Store is an orders.Store.
type Store struct {
	table  *table.Table
	outbox *outbox.Outbox
}

var _ orders.Store = (*Store)(nil)

// New returns the store in a table; events it saves are published from out.
func New(t *table.Table, out *outbox.Outbox) *Store { return &Store{t, out} }

var errTaken = errors.New("order id is taken")

// Get implements orders.Store.
func (s *Store) Get(ctx context.Context, id string) (orders.Order, error) {
	var it item
	found, err := s.table.Get(ctx, key(id), &it)
	if err != nil {
		return orders.Order{}, err
	}
	if !found {
		return orders.Order{}, apperr.New(apperr.NotFound, "order_not_found", "There is no such order.")
	}
	return it.order(), nil
}

// Create implements orders.Store.
func (s *Store) Create(ctx context.Context, o orders.Order, evs ...events.Event) error {
	return s.commit(ctx, o, table.Create(itemOf(o), errTaken), evs)
}

// Save implements orders.Store.
func (s *Store) Save(ctx context.Context, o orders.Order, evs ...events.Event) error {
	return s.commit(ctx, o, table.Replace(itemOf(o), o.Version-1), evs)
}

// SaveStep implements orders.Store.
func (s *Store) SaveStep(ctx context.Context, o orders.Order) error {
	return s.Save(table.WithGuard(ctx, nil), o)
}

// ForgetAnswers implements orders.Store.
func (s *Store) ForgetAnswers(ctx context.Context, userID string) error {
	return idempotency.Forget(ctx, s.table, userID)
}

func (s *Store) commit(ctx context.Context, o orders.Order, op table.Op, evs []events.Event) error {
	return s.table.Commit(ctx, o, append(s.outbox.Ops(ctx, key(o.ID).PK, evs...), op)...)
}

// ListByUser implements orders.Store.
func (s *Store) ListByUser(ctx context.Context, userID string, limit int, after string) ([]orders.Order, string, error) {
	items, next, err := table.List[item](ctx, s.table, table.Query{
		Index: table.GSI1, PK: userKey(userID), SKPrefix: "ORDER#", Descending: true, Limit: limit, After: after,
	})
	if err != nil {
		return nil, "", err
	}
	list := make([]orders.Order, len(items))
	for i, it := range items {
		list[i] = it.order()
	}
	return list, next, nil
}

// shards of the index of pending orders.
const shards = 4

// Pending implements orders.Store.
func (s *Store) Pending(ctx context.Context, since time.Time, limit int) ([]string, error) {
	var ids []string
	for shard := range shards {
		found, _, err := table.List[waiting](ctx, s.table, table.Query{Index: table.GSI2, PK: shardKey(shard), Limit: limit})
		if err != nil {
			return nil, err
		}
		for _, w := range found {
			if w.Due.SK >= dueAt(since) {
				break // oldest first: the rest is younger still
			}
			ids = append(ids, strings.TrimPrefix(w.Key.PK, "ORDER#"))
		}
	}
	return ids[:min(limit, len(ids))], nil
}

// counted is how many pending orders are counted in a shard. The index holds keys only,
// of which so many are a few units of reading.
const counted = 1000

// Waiting implements orders.Store.
func (s *Store) Waiting(ctx context.Context) (n int, since time.Time, err error) {
	for shard := range shards {
		found, _, err := table.List[waiting](ctx, s.table, table.Query{Index: table.GSI2, PK: shardKey(shard), Limit: counted})
		if err != nil {
			return 0, time.Time{}, err
		}
		if len(found) == 0 {
			continue
		}
		n += len(found)
		oldest, err := time.Parse(time.RFC3339, found[0].Due.SK)
		if err != nil {
			return 0, time.Time{}, fmt.Errorf("pending since %q: %w", found[0].Due.SK, err)
		}
		if since.IsZero() || oldest.Before(since) {
			since = oldest
		}
	}
	return n, since, nil
}

// waiting is what the index of pending orders holds.
type waiting struct {
	table.Key
	table.Due
}

func shardKey(shard int) string { return table.Prefixed("PENDING", strconv.Itoa(shard)) }

// dueAt writes a time so that texts sort as times do.
func dueAt(t time.Time) string { return events.Timestamp(t).String() }

// due places a pending order in its index, and any other in none.
func due(o orders.Order) table.Due {
	if o.Status != orders.Pending {
		return table.Due{}
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(o.ID)) // a hash takes everything
	return table.Due{PK: shardKey(int(h.Sum32() % shards)), SK: dueAt(o.CreatedAt)}
}

func key(id string) table.Key {
	return table.Key{PK: table.Prefixed("ORDER", id), SK: "ORDER"}
}

func userKey(userID string) string { return table.Prefixed("USER", userID) }

// item is an order as it is stored.
type item struct {
	table.Key
	table.Index
	table.Due
	ID            string    `dynamodbav:"id"`
	UserID        string    `dynamodbav:"userId"`
	Status        string    `dynamodbav:"status"`
	Lines         []line    `dynamodbav:"items"`
	Amount        int64     `dynamodbav:"amount"`
	Currency      string    `dynamodbav:"currency"`
	PaymentMethod string    `dynamodbav:"paymentMethod"`
	Address       address   `dynamodbav:"address"`
	Reason        string    `dynamodbav:"reason,omitempty"`
	Detail        string    `dynamodbav:"detail,omitempty"`
	History       []change  `dynamodbav:"history"`
	Version       int       `dynamodbav:"version"`
	CreatedAt     time.Time `dynamodbav:"createdAt"`
	UpdatedAt     time.Time `dynamodbav:"updatedAt"`
}

type line struct {
	ProductID string `dynamodbav:"productId"`
	Name      string `dynamodbav:"name"`
	Quantity  int    `dynamodbav:"quantity"`
	Amount    int64  `dynamodbav:"amount"`
	Currency  string `dynamodbav:"currency"`
}

type address struct {
	Line1      string `dynamodbav:"line1"`
	Line2      string `dynamodbav:"line2,omitempty"`
	City       string `dynamodbav:"city"`
	PostalCode string `dynamodbav:"postalCode"`
	Country    string `dynamodbav:"country"`
}

type change struct {
	Status     string    `dynamodbav:"status"`
	OccurredAt time.Time `dynamodbav:"occurredAt"`
	Cause      string    `dynamodbav:"cause"`
}

func itemOf(o orders.Order) item {
	it := item{
		Key:           key(o.ID),
		Index:         table.Index{PK: userKey(o.UserID), SK: table.Prefixed("ORDER", o.ID)},
		Due:           due(o),
		ID:            o.ID,
		UserID:        o.UserID,
		Status:        string(o.Status),
		Amount:        o.Total.Amount,
		Currency:      o.Total.Currency,
		PaymentMethod: o.PaymentMethod,
		Address:       address(o.ShippingAddress),
		Version:       o.Version,
		CreatedAt:     o.CreatedAt,
		UpdatedAt:     o.UpdatedAt,
	}
	if c := o.Cancellation; c != nil {
		it.Reason, it.Detail = string(c.Reason), c.Detail
	}
	for _, i := range o.Items {
		it.Lines = append(it.Lines, line{i.ProductID, i.Name, i.Quantity, i.UnitPrice.Amount, i.UnitPrice.Currency})
	}
	for _, c := range o.History {
		it.History = append(it.History, change{string(c.Status), c.OccurredAt, c.Cause})
	}
	return it
}

func (it item) order() orders.Order {
	o := orders.Order{
		ID:              it.ID,
		UserID:          it.UserID,
		Status:          orders.Status(it.Status),
		Total:           events.Money{Amount: it.Amount, Currency: it.Currency},
		PaymentMethod:   it.PaymentMethod,
		ShippingAddress: orders.Address(it.Address),
		Version:         it.Version,
		CreatedAt:       it.CreatedAt,
		UpdatedAt:       it.UpdatedAt,
	}
	if it.Reason != "" {
		o.Cancellation = &orders.Cancellation{Reason: orders.Reason(it.Reason), Detail: it.Detail}
	}
	for _, l := range it.Lines {
		o.Items = append(o.Items, orders.Item{
			ProductID: l.ProductID, Name: l.Name, Quantity: l.Quantity,
			UnitPrice: events.Money{Amount: l.Amount, Currency: l.Currency},
		})
	}
	for _, c := range it.History {
		o.History = append(o.History, orders.Change{Status: orders.Status(c.Status), OccurredAt: c.OccurredAt, Cause: c.Cause})
	}
	return o
}
