package inventory

import (
	"fmt"
	"time"

	"tradewind/events"
	event "tradewind/events/inventory"
	"tradewind/events/orders"
	"tradewind/shared/apperr"
)

// State says what an order has of the stock.
type State string

// The states.
const (
	// None is that of an order nothing was heard of.
	None State = ""
	// Held has every unit reserved.
	Held State = "held"
	// Rejected got nothing, because it could not get all.
	Rejected State = "rejected"
	// Taken has its units off hand.
	Taken State = "taken"
	// Released has given everything back, or was cancelled before it had
	// anything. Nothing leads out of it.
	Released State = "released"
)

// Reservation is what the inventory knows of an order.
type Reservation struct {
	OrderID   string
	State     State
	Lines     []events.Line
	Version   int
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Step is what an event does to a reservation.
type Step int

// The steps.
const (
	// Nothing is to be done: the event is a repeat, or comes too late.
	Nothing Step = iota
	// Reserve holds all lines, or rejects the order.
	Reserve
	// Take moves what is held off hand.
	Take
	// Release gives back what is held.
	Release
	// PutBack gives back what was taken.
	PutBack
	// Bar leaves a mark that keeps a later order.created from reserving: the
	// cancellation has overtaken it.
	Bar
	// Wait for the event that must come before.
	Wait
	// Refuse what contradicts all that was said before.
	Refuse
)

// steps says what each event of an order does in each state.
//
// order.confirmed in Released is the confirmation that the cancellation of a
// confirmed order has overtaken: the units were reserved then and went back, as
// they would have in two steps. In Rejected it would be the confirmation of an
// order that was told it gets nothing; somebody must look at that.
var steps = map[State]map[string]Step{
	None:     {orders.TypeCreated: Reserve, orders.TypeConfirmed: Wait, orders.TypeCancelled: Bar},
	Held:     {orders.TypeCreated: Nothing, orders.TypeConfirmed: Take, orders.TypeCancelled: Release},
	Rejected: {orders.TypeCreated: Nothing, orders.TypeConfirmed: Refuse, orders.TypeCancelled: Nothing},
	Taken:    {orders.TypeCreated: Nothing, orders.TypeConfirmed: Nothing, orders.TypeCancelled: PutBack},
	Released: {orders.TypeCreated: Nothing, orders.TypeConfirmed: Nothing, orders.TypeCancelled: Nothing},
}

// Next returns what an event of the order does to its reservation.
func (r Reservation) Next(eventType string) Step { return steps[r.State][eventType] }

// Order is what an order asks of the stock, and what of it payments needs.
type Order struct {
	ID            string
	UserID        string
	Lines         []events.Line
	Total         events.Money
	PaymentMethod string
}

// maxLines is the most an order may have; see maxDepletions.
const maxLines = 50

// validate refuses an order that breaks its contract. It is for the dead-letter
// queue: reserving a part, or twice, would be worse.
func (o Order) validate() error {
	if len(o.Lines) == 0 || len(o.Lines) > maxLines {
		return malformed("it has %d lines", len(o.Lines))
	}
	seen := make(map[string]bool, len(o.Lines))
	for _, line := range o.Lines {
		if line.Quantity < 1 {
			return malformed("it asks for %d of %s", line.Quantity, line.ProductID)
		}
		if seen[line.ProductID] {
			return malformed("it names %s twice", line.ProductID)
		}
		seen[line.ProductID] = true
	}
	return nil
}

func malformed(format string, args ...any) error {
	return apperr.New(apperr.Invalid, "order_malformed", "The order breaks its contract: "+fmt.Sprintf(format, args...)+".")
}

// outcome is what a step has changed.
type outcome struct {
	reservation Reservation
	stock       []Stock
	postings    []Posting
	events      []events.Event
}

// reserve keeps the order's units in its products' lines, all of them or none. A
// product without a line has nothing available.
func reserve(o Order, stock map[string]Stock, now time.Time) outcome {
	r := Reservation{OrderID: o.ID, State: Held, Lines: o.Lines, Version: 1, CreatedAt: now, UpdatedAt: now}
	var shortages []event.ShortageV1
	for _, line := range o.Lines {
		if available := stock[line.ProductID].Available(); available < line.Quantity {
			shortages = append(shortages, event.ShortageV1{ProductID: line.ProductID, Requested: line.Quantity, Available: available})
		}
	}
	if len(shortages) > 0 {
		r.State = Rejected
		return outcome{reservation: r, events: []events.Event{
			event.StockRejectedV1{OrderID: o.ID, UserID: o.UserID, Shortages: shortages},
		}}
	}
	out := outcome{reservation: r, events: []events.Event{event.StockReservedV1{
		OrderID: o.ID, UserID: o.UserID, Items: o.Lines, Total: o.Total, PaymentMethod: o.PaymentMethod,
	}}}
	for _, line := range o.Lines {
		s := stock[line.ProductID]
		s.reserve(line.Quantity, now)
		out.stock = append(out.stock, s)
	}
	out.events = append(out.events, depletions(out.stock)...)
	return out
}

// bar returns the mark that a cancelled order gets nothing any more.
func bar(orderID string, now time.Time) outcome {
	return outcome{reservation: Reservation{OrderID: orderID, State: Released, Version: 1, CreatedAt: now, UpdatedAt: now}}
}

// move makes the step Take, Release or PutBack. The stock must have a line for
// each of the reservation's.
func (r Reservation) move(step Step, stock map[string]Stock, now time.Time) outcome {
	var out outcome
	for _, line := range r.Lines {
		s := stock[line.ProductID]
		switch step {
		case Take:
			out.postings = append(out.postings, s.take(line.Quantity, now))
		case PutBack:
			out.postings = append(out.postings, s.putBack(line.Quantity, now))
		default:
			s.release(line.Quantity, now)
		}
		out.stock = append(out.stock, s)
	}
	if step == Take {
		r.State = Taken
	} else {
		r.State = Released
		out.events = append(out.events, event.StockReleasedV1{OrderID: r.OrderID, Items: r.Lines})
	}
	r.Version++
	r.UpdatedAt = now
	out.reservation = r
	out.events = append(out.events, depletions(out.stock)...)
	return out
}
