// Package dynamo keeps payments in one DynamoDB table.
//
//	item     PK                 SK
//	payment  PAYMENT#<orderID>  PAYMENT
//	outbox   PAYMENT#<orderID>  OUTBOX#<id>
//
//	an order's payment  GetItem PK, SK      consistent       Store.Get
//	new                 TransactWriteItems  absent           Store.Save
//	change              TransactWriteItems  version as read  Store.Save
//
// An order has one payment and both ids are of one ULID, so there is no index to
// keep. That the key is the order's makes a second payment impossible, whatever
// became of the record of the event that asked for it.
package dynamo

import (
	"context"
	"time"

	"tradewind/events"
	"tradewind/functions/payments"
	"tradewind/shared/apperr"
	"tradewind/shared/outbox"
	"tradewind/shared/table"
)

// Store is a payments.Store.
type Store struct {
	table  *table.Table
	outbox *outbox.Outbox
}

var _ payments.Store = (*Store)(nil)

// New returns the store in a table; events it saves are published from out.
func New(t *table.Table, out *outbox.Outbox) *Store { return &Store{t, out} }

// Get implements payments.Store.
func (s *Store) Get(ctx context.Context, orderID string) (payments.Payment, error) {
	var it item
	found, err := s.table.Get(ctx, key(orderID), &it)
	if err != nil {
		return payments.Payment{}, err
	}
	if !found {
		return payments.Payment{}, payments.ErrNotFound
	}
	return it.payment(), nil
}

// Save implements payments.Store.
func (s *Store) Save(ctx context.Context, p payments.Payment, evs ...events.Event) error {
	seen := p.Version
	p.Version++
	op := table.Replace(itemOf(p), seen)
	if seen == 0 {
		// Somebody else made it in between: the same as any other change.
		op = table.Create(itemOf(p), apperr.ErrStale)
	}
	return s.table.Commit(ctx, p, append(s.outbox.Ops(ctx, key(p.OrderID).PK, evs...), op)...)
}

func key(orderID string) table.Key {
	return table.Key{PK: table.Prefixed("PAYMENT", orderID), SK: "PAYMENT"}
}

// item is a payment as it is stored.
type item struct {
	table.Key
	OrderID     string    `dynamodbav:"orderId"`
	UserID      string    `dynamodbav:"userId"`
	Amount      int64     `dynamodbav:"amount"`
	Currency    string    `dynamodbav:"currency"`
	Status      string    `dynamodbav:"status"`
	DeclineCode string    `dynamodbav:"declineCode,omitempty"`
	Charge      string    `dynamodbav:"charge,omitempty"`
	Refund      *refund   `dynamodbav:"refund,omitempty"`
	Version     int       `dynamodbav:"version"`
	CreatedAt   time.Time `dynamodbav:"createdAt"`
	UpdatedAt   time.Time `dynamodbav:"updatedAt"`
}

type refund struct {
	ID        string    `dynamodbav:"id"`
	Provider  string    `dynamodbav:"provider"`
	CreatedAt time.Time `dynamodbav:"createdAt"`
}

func itemOf(p payments.Payment) item {
	return item{
		Key:         key(p.OrderID),
		OrderID:     p.OrderID,
		UserID:      p.UserID,
		Amount:      p.Amount.Amount,
		Currency:    p.Amount.Currency,
		Status:      string(p.Status),
		DeclineCode: p.DeclineCode,
		Charge:      p.Charge,
		Refund:      (*refund)(p.Refund),
		Version:     p.Version,
		CreatedAt:   p.CreatedAt,
		UpdatedAt:   p.UpdatedAt,
	}
}

func (it item) payment() payments.Payment {
	return payments.Payment{
		OrderID:     it.OrderID,
		UserID:      it.UserID,
		Amount:      events.Money{Amount: it.Amount, Currency: it.Currency},
		Status:      payments.Status(it.Status),
		DeclineCode: it.DeclineCode,
		Charge:      it.Charge,
		Refund:      (*payments.Refund)(it.Refund),
		Version:     it.Version,
		CreatedAt:   it.CreatedAt,
		UpdatedAt:   it.UpdatedAt,
	}
}
