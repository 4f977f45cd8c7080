package integration

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"tradewind/localstack/internal/await"
	"tradewind/localstack/internal/shop"
	"tradewind/localstack/suites/integration/badbus"
)

// undone has a bus that refuses the second of three orders for good, while the relay's
// dead-letter queue is not there. The relay reports that event as failed, and gets it and
// those behind it again and again. Neither the order before it nor the one behind waits.
// When the queue is there the event is put away, and when the bus is good it is sent back.
func undone(t *testing.T, o operator) {
	const queue = "orders-relay-dlq"
	var first, second string
	bad := &badbus.Bus{}
	var good atomic.Bool
	bad.Fate = func(e badbus.Event) badbus.Fate {
		switch {
		case e.Type != "order.created" || good.Load():
			return badbus.Pass
		case first == "":
			first = e.ID
		case second == "" && e.ID != first:
			second = e.ID
		}
		if e.ID == second {
			return badbus.Spoil
		}
		return badbus.Pass
	}
	if err := bad.Open(o.outputs.Endpoint); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bad.Close(context.WithoutCancel(t.Context())) })
	o.publishesOn(t, "orders", bad.URL())
	o.relayHas(t, "orders", "DLQ_URL", o.outputs.Queues[queue]+"-not-there")

	c, product := o.customer(t), o.product(t, 10)
	var placed []shop.Order
	for range 3 {
		placed = append(placed, c.place(t, order(product.ID, 1, shop.CardOK)))
	}
	for _, i := range []int{0, 2} {
		c.ends(t, placed[i].ID, shop.Confirmed, soon)
	}
	const times = 3
	err := await.Until(within(t, soon), look, "the event to come again", func(context.Context) error {
		if n := len(bad.Events(badbus.Spoil)); n < times {
			return fmt.Errorf("it came %d times", n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if now, err := c.Order(t.Context(), placed[1].ID); err != nil || now.Status != shop.Pending {
		t.Fatalf("order %+v, %v: nothing was put to the test", now, err)
	}
	o.dead(t, map[string]int{})

	o.relayHas(t, "orders", "DLQ_URL", o.outputs.Queues[queue])
	o.dead(t, map[string]int{queue: 1})
	good.Store(true)
	o.does(t, "redrive", "--queue=orders/relay")
	c.ends(t, placed[1].ID, shop.Confirmed, soon)
	o.quiet(t)
	o.dead(t, map[string]int{})
	t.Logf("the event came %d times before it was put away", len(bad.Events(badbus.Spoil)))
}
