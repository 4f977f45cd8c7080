package inventory_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tradewind/events"
	event "tradewind/events/inventory"
	"tradewind/functions/inventory"
	"tradewind/functions/inventory/internal/dynamo"
	"tradewind/shared/apperr"
	"tradewind/shared/apperr/apperrtest"
	"tradewind/shared/id"
	"tradewind/shared/outbox"
	"tradewind/shared/table"
	"tradewind/shared/table/tabletest"
)

// house is an inventory over a table in memory that can be looked into.
type house struct {
	*inventory.Service
	table *tabletest.Memory
}

func newHouse() house {
	mem := &tabletest.Memory{}
	store := dynamo.New(table.New(mem), outbox.New(event.Source, time.Now))
	return house{inventory.NewService(store, time.Now, id.New), mem}
}

// failer is a *testing.T or a *rapid.T.
type failer interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// stocked opens a product's line with units on hand.
func (h house) stocked(t failer, productID string, units int) {
	t.Helper()
	if err := h.Open(context.Background(), productID); err != nil {
		t.Fatalf("open %s: %v", productID, err)
	}
	if units == 0 {
		return
	}
	if _, err := h.Adjust(context.Background(), productID, units, "delivery", "usr_1"); err != nil {
		t.Fatalf("stock %s: %v", productID, err)
	}
}

// units returns a line as "onHand/reserved".
func (h house) units(t failer, productID string) string {
	t.Helper()
	s, err := h.Stock(context.Background(), productID)
	if err != nil {
		t.Fatalf("stock of %s: %v", productID, err)
	}
	return fmt.Sprintf("%d/%d", s.OnHand, s.Reserved)
}

// published returns the events in the outbox, in the order they were made, as
// "type subject".
func (h house) published(t failer) []string {
	t.Helper()
	var records []outbox.Record
	for _, item := range h.table.Items() {
		var r outbox.Record
		if err := attributevalue.UnmarshalMap(item, &r); err != nil {
			t.Fatalf("decode: %v", err)
		}
		if r.Entity == outbox.Entity {
			records = append(records, r)
		}
	}
	slices.SortFunc(records, func(a, b outbox.Record) int { return strings.Compare(a.EventID, b.EventID) })
	var list []string
	for _, r := range records {
		var envelope events.Envelope
		if err := json.Unmarshal([]byte(r.Detail), &envelope); err != nil {
			t.Fatalf("detail of %s: %v", r.EventID, err)
		}
		list = append(list, r.DetailType+" "+envelope.Metadata.Subject)
	}
	return list
}

// audit checks what must hold of the table whatever was done: no line is
// oversold, what is reserved is what orders hold, and the ledger adds up.
func (h house) audit(t failer) {
	t.Helper()
	type row struct {
		SK               string
		ProductID        string `dynamodbav:"productId"`
		OnHand, Reserved int
		State            string `dynamodbav:"state"`
		Lines, Postings  []struct {
			ProductID       string
			Quantity, Delta int
		}
	}
	onHand, reserved, held, ledger := map[string]int{}, map[string]int{}, map[string]int{}, map[string]int{}
	for _, item := range h.table.Items() {
		var r row
		if err := attributevalue.UnmarshalMap(item, &r); err != nil {
			t.Fatalf("decode: %v", err)
		}
		switch {
		case r.SK == "STOCK":
			onHand[r.ProductID], reserved[r.ProductID] = r.OnHand, r.Reserved
			if r.Reserved < 0 || r.Reserved > r.OnHand {
				t.Errorf("%s has %d units on hand and %d reserved", r.ProductID, r.OnHand, r.Reserved)
			}
		case r.State == "held":
			for _, l := range r.Lines {
				held[l.ProductID] += l.Quantity
			}
		}
		for _, p := range r.Postings {
			ledger[p.ProductID] += p.Delta
		}
	}
	for productID := range onHand {
		if held[productID] != reserved[productID] {
			t.Errorf("%s: %d units reserved, orders hold %d", productID, reserved[productID], held[productID])
		}
		if ledger[productID] != onHand[productID] {
			t.Errorf("%s: %d units on hand, the ledger says %d", productID, onHand[productID], ledger[productID])
		}
	}
}

func order(orderID string, lines ...events.Line) inventory.Order {
	return inventory.Order{
		ID: orderID, UserID: "usr_1", Lines: lines,
		Total: events.Money{Amount: 1999, Currency: "EUR"}, PaymentMethod: "pm_card_ok",
	}
}

func want(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func must(t failer, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v", err)
	}
}

func TestOrderIsHeldWholeOrNotAtAll(t *testing.T) {
	rope, knot, none := events.Line{ProductID: "rope", Quantity: 2}, events.Line{ProductID: "knot", Quantity: 3}, events.Line{ProductID: "none", Quantity: 1}
	tests := map[string]struct {
		lines      []events.Line
		rope, knot string
		published  []string
	}{
		"one line":        {[]events.Line{rope}, "5/2", "3/0", []string{"stock.reserved ord_1"}},
		"the last units":  {[]events.Line{rope, knot}, "5/2", "3/3", []string{"stock.reserved ord_1", "stock.depleted knot"}},
		"one too many":    {[]events.Line{rope, {ProductID: "knot", Quantity: 4}}, "5/0", "3/0", []string{"stock.rejected ord_1"}},
		"unknown product": {[]events.Line{rope, none}, "5/0", "3/0", []string{"stock.rejected ord_1"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHouse()
			h.stocked(t, "rope", 5)
			h.stocked(t, "knot", 3)
			must(t, h.OrderCreated(t.Context(), order("ord_1", tt.lines...)))
			want(t, "rope", h.units(t, "rope"), tt.rope)
			want(t, "knot", h.units(t, "knot"), tt.knot)
			want(t, "events", h.published(t), tt.published)
			h.audit(t)
		})
	}
}

func TestEventsCarryTheOrder(t *testing.T) {
	h := newHouse()
	h.stocked(t, "rope", 5)
	o := order("ord_1", events.Line{ProductID: "rope", Quantity: 2})
	must(t, h.OrderCreated(t.Context(), o))
	must(t, h.OrderCreated(t.Context(), order("ord_2", events.Line{ProductID: "rope", Quantity: 4}, events.Line{ProductID: "none", Quantity: 1})))
	must(t, h.OrderCancelled(t.Context(), "ord_1"))
	var got []string
	for _, item := range h.table.Items() {
		var r outbox.Record
		must(t, attributevalue.UnmarshalMap(item, &r))
		if r.Entity == outbox.Entity {
			var envelope events.Envelope
			must(t, json.Unmarshal([]byte(r.Detail), &envelope))
			got = append(got, string(envelope.Data))
		}
	}
	want(t, "data", got, []string{
		`{"orderId":"ord_1","userId":"usr_1","items":[{"productId":"rope","quantity":2}],"total":{"amount":1999,"currency":"EUR"},"paymentMethod":"pm_card_ok"}`,
		`{"orderId":"ord_1","items":[{"productId":"rope","quantity":2}]}`,
		`{"orderId":"ord_2","userId":"usr_1","shortages":[{"productId":"rope","requested":4,"available":3},{"productId":"none","requested":1,"available":0}]}`,
	})
}

func TestOrderThatBreaksItsContract(t *testing.T) {
	many := make([]events.Line, 51)
	for i := range many {
		many[i] = events.Line{ProductID: fmt.Sprint(i), Quantity: 1}
	}
	tests := map[string][]events.Line{
		"no lines":       nil,
		"too many lines": many,
		"no units":       {{ProductID: "rope"}},
		"negative units": {{ProductID: "rope", Quantity: -1}},
		"product twice":  {{ProductID: "rope", Quantity: 1}, {ProductID: "rope", Quantity: 2}},
	}
	for name, lines := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHouse()
			h.stocked(t, "rope", 5)
			before := h.table.Items()
			if err := h.OrderCreated(t.Context(), order("ord_1", lines...)); apperrtest.Code(err) != "order_malformed" {
				t.Errorf("got %v", err)
			}
			if len(h.table.Items()) != len(before) {
				t.Error("something was written")
			}
		})
	}
}

// What an order's events lead to, whatever order and however often they come.
// As a queue does, a delivery that fails is repeated after the others.
func TestArrival(t *testing.T) {
	created := func(h house) error {
		return h.OrderCreated(context.Background(), order("ord_1", events.Line{ProductID: "rope", Quantity: 2}))
	}
	confirmed := func(h house) error { return h.OrderConfirmed(context.Background(), "ord_1") }
	cancelled := func(h house) error { return h.OrderCancelled(context.Background(), "ord_1") }
	type delivery = func(house) error
	tests := map[string]struct {
		deliveries []delivery
		want       string
		published  int // of reserved and released together, at most
	}{
		"created":                          {[]delivery{created, created, created}, "5/2", 1},
		"created, confirmed":               {[]delivery{created, created, confirmed, confirmed}, "3/0", 1},
		"created, cancelled":               {[]delivery{created, created, cancelled, cancelled}, "5/0", 2},
		"created, confirmed and cancelled": {[]delivery{created, confirmed, cancelled, cancelled}, "5/0", 2},
		"each of the three more than once": {[]delivery{created, confirmed, cancelled, created, confirmed}, "5/0", 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			permute(tt.deliveries, func(sequence []delivery) {
				h := newHouse()
				h.stocked(t, "rope", 5)
				for queue, tries := slices.Clone(sequence), 0; len(queue) > 0; queue, tries = queue[1:], tries+1 {
					if err := queue[0](h); err != nil {
						queue = append(queue, queue[0])
					}
					h.audit(t)
					if tries > 20 {
						t.Fatal("a delivery never succeeds")
					}
				}
				want(t, "rope", h.units(t, "rope"), tt.want)
				if got := h.published(t); len(got) > tt.published {
					t.Errorf("published %v", got)
				}
			})
		})
	}
}

// permute calls f with every order of list.
func permute[T any](list []T, f func([]T)) {
	var rest func(int)
	rest = func(n int) {
		if n == len(list) {
			f(list)
			return
		}
		for i := n; i < len(list); i++ {
			list[n], list[i] = list[i], list[n]
			rest(n + 1)
			list[n], list[i] = list[i], list[n]
		}
	}
	rest(0)
}

func TestRejectedOrder(t *testing.T) {
	h := newHouse()
	h.stocked(t, "rope", 1)
	must(t, h.OrderCreated(t.Context(), order("ord_1", events.Line{ProductID: "rope", Quantity: 2})))
	h.stocked(t, "rope", 5)
	must(t, h.OrderCreated(t.Context(), order("ord_1", events.Line{ProductID: "rope", Quantity: 2})))
	must(t, h.OrderCancelled(t.Context(), "ord_1"))
	if err := h.OrderConfirmed(t.Context(), "ord_1"); apperrtest.Code(err) != "reservation_rejected" {
		t.Errorf("confirming a rejected order: %v", err)
	}
	want(t, "rope", h.units(t, "rope"), "6/0")
	want(t, "events", h.published(t), []string{"stock.rejected ord_1"})
}

func TestCancelledBeforeCreated(t *testing.T) {
	h := newHouse()
	h.stocked(t, "rope", 5)
	must(t, h.OrderCancelled(t.Context(), "ord_1"))
	must(t, h.OrderCreated(t.Context(), order("ord_1", events.Line{ProductID: "rope", Quantity: 2})))
	want(t, "rope", h.units(t, "rope"), "5/0")
	want(t, "events", h.published(t), []string(nil))
}

func TestConfirmedBeforeCreated(t *testing.T) {
	if err := newHouse().OrderConfirmed(t.Context(), "ord_1"); apperr.KindOf(err) != apperr.NotFound {
		t.Errorf("got %v", err)
	}
}

// A stock line is never removed. If one were, its units must not be made up.
func TestLostStockLine(t *testing.T) {
	h := newHouse()
	h.stocked(t, "rope", 5)
	must(t, h.OrderCreated(t.Context(), order("ord_1", events.Line{ProductID: "rope", Quantity: 2})))
	must(t, table.New(h.table).Commit(t.Context(), nil, table.Discard(table.Key{PK: "STOCK#rope", SK: "STOCK"})))
	if err := h.OrderConfirmed(t.Context(), "ord_1"); err == nil || apperr.KindOf(err) != apperr.Internal {
		t.Errorf("got %v", err)
	}
	if _, err := h.Stock(t.Context(), "rope"); apperr.KindOf(err) != apperr.NotFound {
		t.Errorf("a line came into being: %v", err)
	}
}

func TestOpenTwice(t *testing.T) {
	h := newHouse()
	h.stocked(t, "rope", 5)
	must(t, h.Open(t.Context(), "rope"))
	want(t, "rope", h.units(t, "rope"), "5/0")
}

func TestDepletionIsAnnouncedOnce(t *testing.T) {
	h := newHouse()
	ctx := t.Context()
	h.stocked(t, "rope", 2)
	two := events.Line{ProductID: "rope", Quantity: 2}
	steps := []struct {
		name string
		do   func() error
		want []string
	}{
		{"the last units are reserved", func() error { return h.OrderCreated(ctx, order("ord_1", two)) }, []string{"stock.reserved ord_1", "stock.depleted rope"}},
		{"and taken", func() error { return h.OrderConfirmed(ctx, "ord_1") }, nil},
		{"and come back", func() error { return h.OrderCancelled(ctx, "ord_1") }, []string{"stock.released ord_1"}},
		{"and are reserved again", func() error { return h.OrderCreated(ctx, order("ord_2", two)) }, []string{"stock.reserved ord_2", "stock.depleted rope"}},
		{"another order gets nothing", func() error { return h.OrderCreated(ctx, order("ord_3", two)) }, []string{"stock.rejected ord_3"}},
		{"three are delivered", func() error { _, err := h.Adjust(ctx, "rope", 3, "delivery", "usr_1"); return err }, nil},
		{"and are stolen", func() error { _, err := h.Adjust(ctx, "rope", -3, "theft", "usr_1"); return err }, []string{"stock.depleted rope"}},
	}
	seen := 0
	for _, step := range steps {
		must(t, step.do())
		all := h.published(t)
		if diff := cmp.Diff(step.want, all[seen:], cmp.Transformer("list", func(s []string) string { return strings.Join(s, ", ") })); diff != "" {
			t.Errorf("%s: published (-want +got):\n%s", step.name, diff)
		}
		seen = len(all)
	}
	h.audit(t)
}

// The largest order, which empties every line, must fit a transaction, and no
// announcement may be lost for it.
func TestLargestOrder(t *testing.T) {
	h := newHouse()
	var lines []events.Line
	var depleted []string
	for i := range 50 {
		productID := fmt.Sprintf("prd_%02d", i)
		h.stocked(t, productID, 3)
		lines = append(lines, events.Line{ProductID: productID, Quantity: 3})
		depleted = append(depleted, "stock.depleted "+productID)
	}
	must(t, h.OrderCreated(t.Context(), order("ord_1", lines...)))
	want(t, "units", h.units(t, "prd_49"), "3/3")
	must(t, h.OrderConfirmed(t.Context(), "ord_1"))
	want(t, "units", h.units(t, "prd_49"), "0/0")
	want(t, "events", h.published(t), append([]string{"stock.reserved ord_1"}, depleted...))
	must(t, h.OrderCancelled(t.Context(), "ord_1"))
	want(t, "units", h.units(t, "prd_49"), "3/0")
	h.audit(t)
}

func TestManualChanges(t *testing.T) {
	h := newHouse()
	ctx := t.Context()
	h.stocked(t, "rope", 5)
	must(t, h.OrderCreated(ctx, order("ord_1", events.Line{ProductID: "rope", Quantity: 2})))
	s, err := h.Stock(ctx, "rope")
	must(t, err)
	if _, err := h.Set(ctx, "rope", s.Version-1, 9, "usr_1"); apperrtest.Code(err) != "stale_version" {
		t.Errorf("setting an old version: %v", err)
	}
	if _, err := h.Set(ctx, "rope", s.Version, 1, "usr_1"); apperrtest.Code(err) != "insufficient_stock" {
		t.Errorf("setting below the reserve: %v", err)
	}
	same, err := h.Set(ctx, "rope", s.Version, 5, "usr_1")
	must(t, err)
	want(t, "line after setting what was there", same, s)
	set, err := h.Set(ctx, "rope", s.Version, 9, "usr_1")
	must(t, err)
	want(t, "version", set.Version, s.Version+1)
	if _, err := h.Adjust(ctx, "none", 1, "delivery", "usr_1"); apperr.KindOf(err) != apperr.NotFound {
		t.Errorf("adjusting a product that is not there: %v", err)
	}
	want(t, "rope", h.units(t, "rope"), "9/2")
	h.audit(t)
}

// Anything that can happen, in any order: the lines stay sound, and what orders
// have agrees with a model that knows nothing but their events.
func TestAnythingGoes(t *testing.T) {
	ctx := context.Background()
	products := []string{"rope", "knot", "none"}
	rapid.Check(t, func(t *rapid.T) {
		h := newHouse()
		h.stocked(t, "rope", 4)
		h.stocked(t, "knot", 0)
		type model struct {
			lines                []events.Line
			heard                bool // order.created came before order.cancelled
			confirmed, cancelled bool
		}
		known := map[string]*model{}
		draw := func(t *rapid.T) (string, *model) {
			orderID := fmt.Sprintf("ord_%d", rapid.IntRange(1, 4).Draw(t, "order"))
			if known[orderID] == nil {
				m := &model{}
				for _, productID := range rapid.SliceOfNDistinct(rapid.SampledFrom(products), 1, 3, rapid.ID[string]).Draw(t, "products") {
					m.lines = append(m.lines, events.Line{ProductID: productID, Quantity: rapid.IntRange(1, 3).Draw(t, "units")})
				}
				known[orderID] = m
			}
			return orderID, known[orderID]
		}
		rejected := func(orderID string) bool { return slices.Contains(h.published(t), "stock.rejected "+orderID) }
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) { h.audit(t) },
			"created": func(t *rapid.T) {
				orderID, m := draw(t)
				must(t, h.OrderCreated(ctx, order(orderID, m.lines...)))
				m.heard = m.heard || !m.cancelled
			},
			"confirmed": func(t *rapid.T) {
				orderID, m := draw(t)
				err := h.OrderConfirmed(ctx, orderID)
				if early := !m.heard && !m.cancelled; (err != nil) != (early || m.heard && rejected(orderID)) {
					t.Fatalf("confirmation of %s (%+v): %v", orderID, *m, err)
				}
				m.confirmed = m.confirmed || err == nil && !m.cancelled
			},
			"cancelled": func(t *rapid.T) {
				orderID, m := draw(t)
				must(t, h.OrderCancelled(ctx, orderID))
				m.cancelled = true
			},
			"adjusted": func(t *rapid.T) {
				before := h.units(t, "knot")
				if _, err := h.Adjust(ctx, "knot", rapid.SampledFrom([]int{-2, -1, 1, 2}).Draw(t, "delta"), "x", "usr_1"); err != nil && h.units(t, "knot") != before {
					t.Fatalf("a refused change was made: %v", err)
				}
			},
			"counted": func(t *rapid.T) {
				s, err := h.Stock(ctx, "rope")
				must(t, err)
				onHand := rapid.IntRange(0, 6).Draw(t, "onHand")
				if _, err := h.Set(ctx, "rope", s.Version, onHand, "usr_1"); (err != nil) != (onHand < s.Reserved) {
					t.Fatalf("set %d of %+v: %v", onHand, s, err)
				}
			},
		})
		// At the end each order is decided; then nothing is reserved, and each
		// order was answered at most once.
		for orderID, m := range known {
			if m.heard && !m.confirmed {
				must(t, h.OrderCancelled(ctx, orderID))
			}
			answers := 0
			for _, ev := range h.published(t) {
				if ev == "stock.reserved "+orderID || ev == "stock.rejected "+orderID {
					answers++
				}
			}
			if m.heard && answers != 1 || !m.heard && answers != 0 {
				t.Fatalf("%s (%+v) was answered %d times", orderID, *m, answers)
			}
		}
		for _, productID := range []string{"rope", "knot"} {
			if units := h.units(t, productID); !strings.HasSuffix(units, "/0") {
				t.Fatalf("%s is left with %s", productID, units)
			}
		}
		h.audit(t)
	})
}
