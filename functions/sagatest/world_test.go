// Package sagatest plays the order saga with the real services in one process
// and looks whether the contract's invariants hold, whatever arrives in whatever
// order, twice, or after a crash.
//
// Only the outside is replaced: tables are in memory, the bus is a list from
// which a schedule picks what is delivered next, and time is that of a
// testing/synctest bubble, so that a provider that takes ten seconds costs none.
// It is the one place that knows several services; it holds tests only.
package sagatest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"tradewind/events"
	"tradewind/events/catalog"
	orderevents "tradewind/events/orders"
	"tradewind/events/users"
	"tradewind/functions/inventory/inventorytest"
	"tradewind/functions/notifications/notificationstest"
	"tradewind/functions/orders"
	"tradewind/functions/orders/orderstest"
	"tradewind/functions/payments/paymentstest"
	"tradewind/shared/consumer"
	"tradewind/shared/outbox"
	"tradewind/shared/table"
	"tradewind/shared/table/tabletest"
)

const (
	product      = "prd_rope"
	initialStock = 10
	price        = 1999
	customer     = "usr_1"

	orderTimeout  = 15 * time.Minute
	providerLimit = 12 * time.Second
	// functionTime is what a consumer's invocation has.
	functionTime = 30 * time.Second
	// maxReceives is after how many deliveries a message is in the dead-letter
	// queue.
	maxReceives = 5
)

// world is the platform.
type world struct {
	orders        orderstest.Service
	inventory     inventorytest.Service
	payments      paymentstest.Service
	notifications notificationstest.Service

	consumers map[string]*consumer.Consumer
	names     []string     // of the consumers, sorted
	stream    []table.Item // what was written to the tables, and is not published yet
	queue     []*delivery
	archive   []*delivery // everything that was ever in a queue
	tables    map[string]*tabletest.Memory
	dead      []*delivery
	log       []string // what happened, for whoever reads a failure

	// crash, when set, is asked at each commit of a service and may end the
	// process there, before or after the commit.
	crash func(service string) moment
}

// moment says where a commit's process ends.
type moment int

const (
	nowhere moment = iota
	before
	after
)

var errKilled = errors.New("process killed")

// delivery is one message in one consumer's queue.
type delivery struct {
	consumer  string
	eventID   string
	eventType string
	version   int
	body      string
	receives  int
}

type prices struct{}

func (prices) Products(context.Context, []string) (map[string]orders.Product, error) {
	return map[string]orders.Product{product: {Name: "Rope", Price: events.Money{Amount: price, Currency: "EUR"}}}, nil
}

// everybody has an account.
type everybody struct{}

func (everybody) Open(context.Context, string) (bool, error) { return true, nil }

// newWorld returns the platform with one product in stock, everything delivered.
func newWorld() *world {
	w := &world{tables: map[string]*tabletest.Memory{}}
	tbl := func(service string) *table.Table {
		w.tables[service] = &tabletest.Memory{}
		return table.New(&mortal{w.tables[service], w, service})
	}
	books := tabletest.New() // the provider outlives our processes
	w.orders = orderstest.New(tbl("orders"), prices{}, everybody{}, orderTimeout, time.Now)
	w.inventory = inventorytest.New(tbl("inventory"), time.Now)
	w.payments = paymentstest.New(tbl("payments"), books, providerLimit, time.Now)
	w.notifications = notificationstest.New(tbl("notifications"), time.Now)
	w.consumers = map[string]*consumer.Consumer{
		"orders": w.orders.Consumer, "inventory": w.inventory.Consumer,
		"payments": w.payments.Consumer, "notifications": w.notifications.Consumer,
	}
	w.names = []string{"inventory", "notifications", "orders", "payments"}
	w.enqueue("evt_product", catalog.ProductCreatedV1{ProductID: product})
	w.enqueue("evt_user", users.RegisteredV1{UserID: customer, Email: "ada@example.com", Name: "Ada"})
	w.drain()
	if _, err := w.inventory.Adjust(context.Background(), product, initialStock, "delivery", "usr_admin"); err != nil {
		panic(err)
	}
	w.relay()
	w.drain()
	w.log = nil
	return w
}

// mortal is a service's table whose process may end at a commit.
type mortal struct {
	*tabletest.Memory
	w       *world
	service string
}

func (m *mortal) Transact(ctx context.Context, ops []table.Op) error {
	at := nowhere
	if m.w.crash != nil {
		at = m.w.crash(m.service)
	}
	if at == before {
		return errKilled
	}
	if err := m.Memory.Transact(ctx, ops); err != nil {
		return err
	}
	for _, op := range ops {
		if op.Verb == table.Put {
			m.w.stream = append(m.w.stream, op.Item)
		}
	}
	if at == after {
		return errKilled
	}
	return nil
}

// relay puts the outbox items of the tables' streams into the queues of their
// events' consumers.
func (w *world) relay() {
	for _, item := range w.stream {
		if entity, _ := item["entity"].(*types.AttributeValueMemberS); entity == nil || entity.Value != outbox.Entity {
			continue
		}
		var r outbox.Record
		if err := attributevalue.UnmarshalMap(item, &r); err != nil {
			panic(err)
		}
		var env events.Envelope
		if err := json.Unmarshal([]byte(r.Detail), &env); err != nil {
			panic(err)
		}
		w.enqueueDetail(r.EventID, r.DetailType, env.Metadata.SchemaVersion, []byte(r.Detail))
	}
	w.stream = nil
}

func (w *world) enqueue(eventID string, ev events.Event) {
	detail := must(json.Marshal(events.Envelope{
		Metadata: events.Metadata{
			EventID: eventID, SchemaVersion: ev.SchemaVersion(), Subject: ev.Subject(),
			OccurredAt: events.Timestamp(time.Now()), CorrelationID: "c-1",
		},
		Data: must(json.Marshal(ev)),
	}))
	w.enqueueDetail(eventID, ev.EventType(), ev.SchemaVersion(), detail)
}

func (w *world) enqueueDetail(eventID, eventType string, version int, detail []byte) {
	body := must(json.Marshal(map[string]any{"version": "0", "id": eventID, "detail-type": eventType, "detail": json.RawMessage(detail)}))
	for _, name := range w.names {
		takes := func(ev events.Event) bool { return ev.EventType() == eventType && ev.SchemaVersion() == version }
		if slices.ContainsFunc(w.consumers[name].Takes(), takes) {
			d := &delivery{consumer: name, eventID: eventID, eventType: eventType, version: version, body: string(body)}
			w.queue, w.archive = append(w.queue, d), append(w.archive, d)
		}
	}
}

// deliver hands a message to its consumer and reports whether it is done with;
// what it caused is published.
func (w *world) deliver(d *delivery) bool {
	d.receives++
	batch := must(json.Marshal(map[string]any{"Records": []any{map[string]any{"messageId": "m", "body": d.body}}}))
	ctx, cancel := context.WithTimeout(context.Background(), functionTime)
	defer cancel()
	out, err := w.consumers[d.consumer].Invoke(ctx, batch)
	done := err == nil && string(out) == `{"batchItemFailures":[]}`
	w.log = append(w.log, fmt.Sprintf("%s <- %s (%d): %s", d.consumer, d.eventType, d.receives, map[bool]string{true: "done", false: "again"}[done]))
	w.relay()
	return done
}

// take delivers the message at a place in the queue. One that is done leaves it,
// one that was received too often goes to the dead letters, any other goes to
// the end, as after its visibility timeout.
func (w *world) take(i int) bool {
	d := w.queue[i]
	w.queue = slices.Delete(w.queue, i, i+1)
	done := w.deliver(d)
	switch {
	case done:
	case d.receives >= maxReceives:
		w.dead = append(w.dead, d)
	default:
		w.queue = append(w.queue, d)
	}
	return done
}

// drain delivers everything, in order, until nothing is left.
func (w *world) drain() {
	for len(w.queue) > 0 {
		w.take(0)
	}
}

// redrive puts the dead letters back, as an operator does once what was broken
// works again.
func (w *world) redrive() {
	for _, d := range w.dead {
		d.receives = 0
		w.queue = append(w.queue, d)
	}
	w.dead = nil
}

// place orders units of the product.
func (w *world) place(method string, units int) (string, error) {
	o, err := w.orders.Place(context.Background(), orders.Request{
		UserID: customer, Lines: []events.Line{{ProductID: product, Quantity: units}}, PaymentMethod: method,
		ShippingAddress: orders.Address{Line1: "1 Quay", City: "Kiel", PostalCode: "24103", Country: "DE"},
	})
	w.relay()
	return o.ID, err
}

// cancel is the customer's cancellation. A crash in it is the customer's to
// repeat, so it is repeated here.
func (w *world) cancel(id string) {
	w.log = append(w.log, "customer cancels")
	for {
		_, err := w.orders.Cancel(context.Background(), id, "changed my mind")
		w.relay()
		if err == nil {
			return
		}
		if !errors.Is(err, errKilled) {
			panic(err)
		}
	}
}

// sweep lets the order time out.
func (w *world) sweep() {
	w.log = append(w.log, "sweep")
	time.Sleep(orderTimeout + time.Second)
	_, err := w.orders.Sweeper.Invoke(context.Background(), nil)
	w.relay()
	if err != nil && !errors.Is(err, errKilled) {
		panic(err)
	}
}

// audit returns what is wrong with the world at rest after the orders with the
// ids: contract §4, invariant by invariant.
func (w *world) audit(ids ...string) []string {
	var wrong []string
	fault := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	ctx := context.Background()

	stock, err := w.inventory.Stock(ctx, product)
	if err != nil {
		return []string{err.Error()}
	}
	onHand := initialStock
	told := w.told()
	for _, id := range ids {
		o, err := w.orders.Get(ctx, id)
		if err != nil {
			fault("order: %v", err)
			continue
		}
		charge, err1 := w.payments.Provider.Audit(ctx, o.ID)
		back, err2 := w.payments.Provider.Audit(ctx, "refund-"+o.ID)
		if err := errors.Join(err1, err2); err != nil {
			fault("provider: %v", err)
		}
		payment := "none"
		if p, err := w.payments.ByOrder(ctx, o.ID); err == nil {
			payment = string(p.Status)
			if p.Amount != o.Total {
				fault("payment of %v for an order of %v", p.Amount, o.Total)
			}
		}
		money := charge.Status == "paid" && charge.Amount == o.Total.Amount && back.Status != "refunded"
		switch o.Status {
		case orders.Confirmed:
			onHand -= o.Items[0].Quantity
			if payment != "captured" || !money {
				fault("a confirmed order with payment %s, the provider has it %s and %s", payment, charge.Status, back.Status)
			}
		case orders.Cancelled:
			if payment == "captured" || charge.Status == "paid" && back.Status != "refunded" {
				fault("a cancelled order with payment %s, the provider has it %s and %s", payment, charge.Status, back.Status)
			}
			if back.Status == "refunded" && payment != "refunded" {
				fault("the provider refunded, the payment is %s", payment)
			}
		default:
			fault("order %s is %s at rest", id, o.Status)
		}
		// Each state change gives exactly one notification.
		changes := map[string]int{orderevents.TypeCreated: 1}
		for i, c := range o.History {
			if i > 0 && c.Status != o.History[i-1].Status {
				changes["order."+string(c.Status)]++
			}
		}
		for _, t := range []string{orderevents.TypeCreated, orderevents.TypeConfirmed, orderevents.TypeCancelled} {
			if got := told[id+" "+t]; got != changes[t] {
				fault("%d notifications of %s, want %d", got, t, changes[t])
			}
		}
	}
	if stock.Reserved != 0 {
		fault("%d units are reserved at rest", stock.Reserved)
	}
	if stock.OnHand != onHand {
		fault("%d units on hand, want %d", stock.OnHand, onHand)
	}
	if len(w.queue)+len(w.dead) > 0 {
		fault("%d messages are left, %d dead", len(w.queue), len(w.dead))
	}
	return wrong
}

// told counts the stored notifications by order and what they tell of.
func (w *world) told() map[string]int {
	ofTemplate := map[string]string{
		"order_received": orderevents.TypeCreated, "order_confirmed": orderevents.TypeConfirmed, "order_cancelled": orderevents.TypeCancelled,
	}
	told := map[string]int{}
	after := ""
	for {
		page, next, err := w.notifications.ListByUser(context.Background(), customer, 100, after)
		if err != nil {
			panic(err)
		}
		for _, n := range page {
			told[n.OrderID+" "+ofTemplate[n.Template]]++
		}
		if after = next; after == "" {
			return told
		}
	}
}

func (w *world) story() string { return strings.Join(w.log, "\n  ") }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
