// Package inventory is the business of how many units of a product there are,
// and for which orders they are kept.
//
// Each product has a stock line: the units on hand, and how many of them are
// reserved for orders that are not decided yet. An order's reservation moves
// units through the line: reserved when the order is placed, off hand when it is
// confirmed, back when it is cancelled. It is made for the whole order or not at
// all. The events that drive it come more than once and in any order; what each
// does in each state is one table (see steps).
//
// Always true: 0 ≤ reserved ≤ onHand of every line, and the deltas of a line's
// ledger postings add up to its onHand. The package knows no AWS and no HTTP;
// adapters are in internal/.
package inventory

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"tradewind/events"
	event "tradewind/events/inventory"
	"tradewind/shared/apperr"
)

// Stock is the stock line of a product.
type Stock struct {
	ProductID string
	OnHand    int // units in the house
	Reserved  int // of these, units kept for orders
	// Depleted says that the end of the available units has been announced and
	// none came since. It starts true: where nothing was, nothing ran out.
	Depleted  bool
	Version   int
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Bounds of a stock line.
const (
	maxOnHand = 1_000_000_000
	maxReason = 200 // characters
)

// Available returns how many units can still be ordered.
func (s Stock) Available() int { return s.OnHand - s.Reserved }

// Open returns the empty line of a new product.
func Open(productID string, now time.Time) Stock {
	return Stock{ProductID: productID, Depleted: true, Version: 1, CreatedAt: now, UpdatedAt: now}
}

// Set makes the units on hand what somebody counted. It returns the posting for
// the ledger, whose delta is zero where nothing changes.
func (s *Stock) Set(onHand int, now time.Time) (Posting, error) {
	var c apperr.Check
	c.That(onHand >= 0 && onHand <= maxOnHand, "/onHand", "must be 0 to 1000000000")
	if err := c.Err(); err != nil {
		return Posting{}, err
	}
	if onHand == s.OnHand {
		return Posting{}, nil
	}
	if onHand < s.Reserved {
		return Posting{}, s.insufficient()
	}
	return s.post(onHand-s.OnHand, now), nil
}

// Adjust adds delta units on hand; fewer than none takes them off. It returns
// the posting for the ledger.
func (s *Stock) Adjust(delta int, reason string, now time.Time) (Posting, error) {
	var c apperr.Check
	c.That(delta != 0 && delta >= -maxOnHand && delta <= maxOnHand, "/delta", "must be -1000000000 to 1000000000 and not 0")
	c.That(strings.TrimSpace(reason) != "", "/reason", "must say why, in a few words")
	c.That(utf8.RuneCountInString(reason) <= maxReason, "/reason", "must have at most 200 characters")
	if err := c.Err(); err != nil {
		return Posting{}, err
	}
	switch after := s.OnHand + delta; {
	case after < s.Reserved:
		return Posting{}, s.insufficient()
	case after > maxOnHand:
		return Posting{}, apperr.New(apperr.Conflict, "stock_limit_exceeded", "There would be more than 1000000000 units on hand.")
	}
	return s.post(delta, now), nil
}

func (s *Stock) insufficient() error {
	return apperr.New(apperr.Conflict, "insufficient_stock",
		fmt.Sprintf("There are %d units on hand, %d of them reserved for orders; fewer than these cannot remain.", s.OnHand, s.Reserved))
}

// reserve keeps available units for an order.
func (s *Stock) reserve(units int, now time.Time) {
	s.Reserved += units
	s.changed(now)
}

// release gives reserved units back.
func (s *Stock) release(units int, now time.Time) {
	s.Reserved -= units
	s.changed(now)
}

// take moves reserved units out of the house.
func (s *Stock) take(units int, now time.Time) Posting {
	s.Reserved -= units
	return s.post(-units, now)
}

// putBack moves units that were taken into the house again. It has no upper
// bound: what comes back is there.
func (s *Stock) putBack(units int, now time.Time) Posting { return s.post(units, now) }

func (s *Stock) post(delta int, now time.Time) Posting {
	s.OnHand += delta
	s.changed(now)
	return Posting{s.ProductID, delta, s.OnHand}
}

func (s *Stock) changed(now time.Time) {
	if s.Available() > 0 {
		s.Depleted = false
	}
	s.Version++
	s.UpdatedAt = now
}

// maxDepletions bounds the events of one change, which is one transaction of at
// most 100 operations: 50 lines, reservation, ledger entry or event, record of
// the message, and these. A line left out is announced by its next change, if it
// is empty then; the order that emptied it makes one when it is decided.
const maxDepletions = 40

// depletions returns the events of the lines that have run out and marks them
// as announced.
func depletions(lines []Stock) []events.Event {
	var evs []events.Event
	for i := range lines {
		if s := &lines[i]; s.Available() == 0 && !s.Depleted && len(evs) < maxDepletions {
			s.Depleted = true
			evs = append(evs, event.StockDepletedV1{ProductID: s.ProductID})
		}
	}
	return evs
}

// Entry is one entry of the ledger: a cause and what it did to the units on hand
// of one or more products, as in bookkeeping. Entries are never changed.
type Entry struct {
	ID         string
	Postings   []Posting
	Reason     string // for people
	Cause      string // the order, or the user, that made the change
	OccurredAt time.Time
}

// Posting is a change of one product's units on hand.
type Posting struct {
	ProductID string
	Delta     int
	OnHand    int // after the change
}
