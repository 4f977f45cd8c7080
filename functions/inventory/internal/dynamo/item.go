package dynamo

import (
	"time"

	"tradewind/events"
	"tradewind/functions/inventory"
	"tradewind/shared/table"
)

type stockItem struct {
	table.Key
	ProductID string    `dynamodbav:"productId"`
	OnHand    int       `dynamodbav:"onHand"`
	Reserved  int       `dynamodbav:"reserved"`
	Depleted  bool      `dynamodbav:"depleted"`
	Version   int       `dynamodbav:"version"`
	CreatedAt time.Time `dynamodbav:"createdAt"`
	UpdatedAt time.Time `dynamodbav:"updatedAt"`
}

func stockItemOf(s inventory.Stock) stockItem {
	return stockItem{
		Key:       stockKey(s.ProductID),
		ProductID: s.ProductID,
		OnHand:    s.OnHand,
		Reserved:  s.Reserved,
		Depleted:  s.Depleted,
		Version:   s.Version,
		CreatedAt: s.CreatedAt,
		UpdatedAt: s.UpdatedAt,
	}
}

func (it stockItem) stock() inventory.Stock {
	return inventory.Stock{
		ProductID: it.ProductID,
		OnHand:    it.OnHand,
		Reserved:  it.Reserved,
		Depleted:  it.Depleted,
		Version:   it.Version,
		CreatedAt: it.CreatedAt,
		UpdatedAt: it.UpdatedAt,
	}
}

type reservationItem struct {
	table.Key
	OrderID   string    `dynamodbav:"orderId"`
	State     string    `dynamodbav:"state"`
	Lines     []line    `dynamodbav:"lines"`
	Version   int       `dynamodbav:"version"`
	CreatedAt time.Time `dynamodbav:"createdAt"`
	UpdatedAt time.Time `dynamodbav:"updatedAt"`
}

type line struct {
	ProductID string `dynamodbav:"productId"`
	Quantity  int    `dynamodbav:"quantity"`
}

func reservationItemOf(r inventory.Reservation) reservationItem {
	it := reservationItem{
		Key:       reservationKey(r.OrderID),
		OrderID:   r.OrderID,
		State:     string(r.State),
		Version:   r.Version,
		CreatedAt: r.CreatedAt,
		UpdatedAt: r.UpdatedAt,
	}
	for _, l := range r.Lines {
		it.Lines = append(it.Lines, line(l))
	}
	return it
}

func (it reservationItem) reservation() inventory.Reservation {
	r := inventory.Reservation{
		OrderID:   it.OrderID,
		State:     inventory.State(it.State),
		Version:   it.Version,
		CreatedAt: it.CreatedAt,
		UpdatedAt: it.UpdatedAt,
	}
	for _, l := range it.Lines {
		r.Lines = append(r.Lines, events.Line(l))
	}
	return r
}

type ledgerItem struct {
	table.Key
	ID         string    `dynamodbav:"id"`
	Postings   []posting `dynamodbav:"postings"`
	Reason     string    `dynamodbav:"reason"`
	Cause      string    `dynamodbav:"cause"`
	OccurredAt time.Time `dynamodbav:"occurredAt"`
}

type posting struct {
	ProductID string `dynamodbav:"productId"`
	Delta     int    `dynamodbav:"delta"`
	OnHand    int    `dynamodbav:"onHand"`
}

func ledgerItemOf(pk string, e inventory.Entry) ledgerItem {
	it := ledgerItem{
		Key:        table.Key{PK: pk, SK: table.Prefixed("LEDGER", e.ID)},
		ID:         e.ID,
		Reason:     e.Reason,
		Cause:      e.Cause,
		OccurredAt: e.OccurredAt,
	}
	for _, p := range e.Postings {
		it.Postings = append(it.Postings, posting(p))
	}
	return it
}
