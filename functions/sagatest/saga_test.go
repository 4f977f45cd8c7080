package sagatest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"tradewind/events/inventory"
	orderevents "tradewind/events/orders"
	"tradewind/events/payments"
)

// script is what happens to an order besides the events: how it is paid, how
// much it asks for, and who cancels it after how many deliveries.
type script struct {
	name   string
	method string
	units  int
	// cancelAt and sweepAt are the numbers of deliveries before the customer
	// cancels and before the order is swept; -1 for never.
	cancelAt, sweepAt int
}

// deliveriesOfAnOrder is more than the messages that any order causes.
const deliveriesOfAnOrder = 14

func scripts() []script {
	list := []script{
		{"paid", "pm_card_ok", 1, -1, -1},
		{"paid, last units", "pm_card_ok", initialStock, -1, -1},
		{"out of stock", "pm_card_ok", initialStock + 1, -1, -1},
		{"declined", "pm_card_declined", 1, -1, -1},
		{"flaky", "pm_card_flaky", 1, -1, -1},
		{"slow", "pm_card_slow", 1, -1, -1},
		{"provider down, timed out", "pm_card_down", 1, -1, 6},
	}
	for n := range deliveriesOfAnOrder {
		list = append(list,
			script{fmt.Sprintf("paid, cancelled after %d", n), "pm_card_ok", 1, n, -1},
			script{fmt.Sprintf("slow, cancelled after %d", n), "pm_card_slow", 1, n, -1},
			script{fmt.Sprintf("declined, cancelled after %d", n), "pm_card_declined", 1, n, -1},
			script{fmt.Sprintf("out of stock, cancelled after %d", n), "pm_card_ok", initialStock + 1, n, -1},
			script{fmt.Sprintf("paid, swept after %d", n), "pm_card_ok", 1, -1, n},
			script{fmt.Sprintf("swept after %d, cancelled after", n), "pm_card_ok", 1, n + 1, n},
		)
	}
	return list
}

// pairs are the two events of which a consumer sees both in some order's life.
func pairs() [][3]string {
	consumed := map[string][]string{
		"inventory":     {orderevents.TypeCreated, orderevents.TypeConfirmed, orderevents.TypeCancelled},
		"payments":      {inventory.TypeStockReserved, orderevents.TypeCancelled},
		"orders":        {inventory.TypeStockRejected, payments.TypeCaptured, payments.TypeDeclined, payments.TypeRefunded},
		"notifications": {orderevents.TypeCreated, orderevents.TypeConfirmed, orderevents.TypeCancelled, payments.TypeRefunded},
	}
	var list [][3]string
	for _, consumer := range []string{"inventory", "notifications", "orders", "payments"} {
		for _, first := range consumed[consumer] {
			for _, second := range consumed[consumer] {
				if first != second {
					list = append(list, [3]string{consumer, first, second})
				}
			}
		}
	}
	return list
}

// Every pair of events that a consumer takes, in both orders, with each message
// of the order delivered twice: at once, or again when all is over.
func TestPairsInBothOrdersEachTwice(t *testing.T) {
	cases, met := 0, map[string]bool{}
	for _, s := range scripts() {
		for _, p := range pairs() {
			for _, repeatLate := range []bool{false, true} {
				cases++
				synctest.Test(t, func(t *testing.T) {
					w := newWorld()
					if play(t, w, s, p, repeatLate) {
						met[fmt.Sprint(p)] = true
					}
				})
				if t.Failed() {
					t.Fatalf("script %q, %s gets %s before %s, repeated late: %v", s.name, p[0], p[1], p[2], repeatLate)
				}
			}
		}
	}
	t.Logf("%d cases; %d of %d pairs came in the order asked for in at least one", cases, len(met), len(pairs()))
	// A pair that its causes order the other way round cannot be turned; every
	// other must have been, or this test would prove less than it says.
	causal := map[string]bool{}
	for _, p := range [][3]string{
		{"inventory", orderevents.TypeConfirmed, orderevents.TypeCreated},
		{"orders", inventory.TypeStockRejected, payments.TypeCaptured}, {"orders", payments.TypeCaptured, inventory.TypeStockRejected},
		{"orders", inventory.TypeStockRejected, payments.TypeDeclined}, {"orders", payments.TypeDeclined, inventory.TypeStockRejected},
		{"orders", inventory.TypeStockRejected, payments.TypeRefunded}, {"orders", payments.TypeRefunded, inventory.TypeStockRejected},
		{"orders", payments.TypeCaptured, payments.TypeDeclined}, {"orders", payments.TypeDeclined, payments.TypeCaptured},
		{"orders", payments.TypeRefunded, payments.TypeDeclined}, {"orders", payments.TypeDeclined, payments.TypeRefunded},
	} {
		causal[fmt.Sprint(p)] = true // one causes the other, or an order has one of them at most
	}
	for _, p := range pairs() {
		if !met[fmt.Sprint(p)] && !causal[fmt.Sprint(p)] {
			t.Errorf("no script made %s get %s before %s", p[0], p[1], p[2])
		}
	}
}

// play runs a script, holding back the second event of the pair at its consumer
// until the first was done there. It reports whether both came in that order.
func play(t *testing.T, w *world, s script, pair [3]string, repeatLate bool) bool {
	t.Helper()
	id, err := w.place(s.method, s.units)
	if err != nil {
		t.Fatal(err)
	}
	consumer, first, second := pair[0], pair[1], pair[2]
	firstDone, inOrder := false, false
	var again []*delivery
	for n := 0; ; n++ {
		if n == s.cancelAt {
			w.cancel(id)
		}
		if n == s.sweepAt {
			w.sweep()
		}
		if len(w.queue) == 0 {
			if n > max(s.cancelAt, s.sweepAt) {
				break
			}
			continue
		}
		// The first message that is not held back; if all are, the hold is over:
		// the first event waits for the second to happen.
		i := slices.IndexFunc(w.queue, func(d *delivery) bool {
			return firstDone || d.consumer != consumer || d.eventType != second
		})
		i = max(i, 0)
		d := w.queue[i]
		done := w.take(i)
		if done && d.consumer == consumer {
			switch d.eventType {
			case first:
				firstDone = true
			case second:
				inOrder = inOrder || firstDone
			}
		}
		if done && repeatLate {
			again = append(again, d)
		} else if done && !w.deliver(d) {
			t.Errorf("%s of %s was done, and its repeat was not", d.eventType, d.consumer)
		}
		if n > 500 {
			t.Fatalf("no end in sight:\n  %s", w.story())
		}
	}
	if len(w.dead) > 0 {
		w.redrive()
		w.drain()
	}
	for _, d := range again {
		if !w.deliver(d) {
			t.Errorf("%s of %s was done, and its repeat was not", d.eventType, d.consumer)
		}
	}
	w.drain()
	for _, fault := range w.audit(id) {
		t.Errorf("%s\n  %s", fault, w.story())
	}
	return inOrder
}

// Several orders at once, delivered in any order, with repeats, and processes
// that end before and after their commits.
func TestAnySchedule(t *testing.T) {
	checks := 0
	rapid.Check(t, func(rt *rapid.T) {
		checks++
		seed := rapid.Uint64().Draw(rt, "seed")
		n := rapid.IntRange(1, 4).Draw(rt, "orders")
		methods := rapid.SliceOfN(rapid.SampledFrom([]string{"pm_card_ok", "pm_card_ok", "pm_card_declined", "pm_card_flaky", "pm_card_slow", "pm_card_down"}), n, n).Draw(rt, "methods")
		units := rapid.SliceOfN(rapid.IntRange(1, initialStock/2), n, n).Draw(rt, "units")
		crashes := rapid.IntRange(0, 30).Draw(rt, "percent of commits with a crash")
		var faults []string
		var story string
		synctest.Test(t, func(*testing.T) {
			faults, story = chaos(rand.New(rand.NewPCG(seed, 1)), methods, units, crashes)
		})
		if len(faults) > 0 {
			rt.Fatalf("%q\n  %s", faults, story)
		}
	})
	t.Logf("%d schedules", checks)
}

// chaos runs orders under a random schedule and returns what is wrong at rest.
func chaos(rnd *rand.Rand, methods []string, units []int, crashes int) (faults []string, story string) {
	w := newWorld()
	var ids []string
	for i, method := range methods {
		id, err := w.place(method, units[i])
		if err != nil {
			return []string{err.Error()}, ""
		}
		ids = append(ids, id)
	}
	w.crash = func(string) moment {
		if rnd.IntN(100) >= crashes {
			return nowhere
		}
		return []moment{before, after}[rnd.IntN(2)]
	}
	for steps := 0; len(w.queue) > 0 && steps < 400; steps++ {
		switch p := rnd.IntN(100); {
		case p < 3:
			w.cancel(ids[rnd.IntN(len(ids))])
		case p < 5:
			w.sweep()
		case p < 25:
			w.deliver(w.queue[rnd.IntN(len(w.queue))]) // and the same comes again
		default:
			w.take(rnd.IntN(len(w.queue)))
		}
	}
	// What was broken works again: the sweep does its duty, and the operators
	// theirs.
	w.crash = nil
	w.drain()
	for range 2 {
		w.sweep()
		w.redrive()
		w.drain()
	}
	return w.audit(ids...), w.story()
}
