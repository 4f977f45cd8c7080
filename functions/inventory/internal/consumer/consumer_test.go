package consumer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"

	"tradewind/events"
	"tradewind/events/catalog"
	event "tradewind/events/inventory"
	"tradewind/events/orders"
	"tradewind/functions/inventory"
	inventoryconsumer "tradewind/functions/inventory/internal/consumer"
	"tradewind/functions/inventory/internal/dynamo"
	"tradewind/shared/consumer"
	"tradewind/shared/id"
	"tradewind/shared/inbox"
	"tradewind/shared/logs"
	"tradewind/shared/outbox"
	"tradewind/shared/table"
	"tradewind/shared/table/tabletest"
)

const rope = "prd_rope"

type fixture struct {
	t     *testing.T
	svc   *inventory.Service
	c     *consumer.Consumer
	table *tabletest.Memory
}

// newFixture returns the consumer over a database; nil means one in memory.
func newFixture(t *testing.T, db table.Backend) *fixture {
	t.Helper()
	mem := &tabletest.Memory{}
	if db == nil {
		db = mem
	}
	svc := inventory.NewService(dynamo.New(table.New(db), outbox.New(event.Source, time.Now)), time.Now, id.New)
	c := consumer.New(inbox.New(time.Now), logs.Discard())
	inventoryconsumer.Register(c, svc)
	return &fixture{t, svc, c, mem}
}

// message is an event as it stands in the queue. The same one delivered again
// has the same event id.
type message struct {
	eventID string
	event   events.Event
}

// deliver hands the consumer messages as SQS does, in one batch, and returns
// those that it wants again.
func (f *fixture) deliver(messages ...message) []message {
	f.t.Helper()
	var records []any
	for i, m := range messages {
		data, err := json.Marshal(m.event)
		if err != nil {
			f.t.Fatal(err)
		}
		body, err := json.Marshal(map[string]any{
			"version": "0", "id": "b0a5", "detail-type": m.event.EventType(), "source": "test",
			"detail": events.Envelope{
				Metadata: events.Metadata{EventID: m.eventID, SchemaVersion: m.event.SchemaVersion(), CorrelationID: "c-1"},
				Data:     data,
			},
		})
		if err != nil {
			f.t.Fatal(err)
		}
		records = append(records, map[string]any{"messageId": fmt.Sprint(i), "body": string(body)})
	}
	batch, err := json.Marshal(map[string]any{"Records": records})
	if err != nil {
		f.t.Fatal(err)
	}
	out, err := f.c.Invoke(context.Background(), batch)
	if err != nil {
		f.t.Fatal(err)
	}
	var answer struct {
		BatchItemFailures []struct {
			ItemIdentifier int `json:",string"`
		}
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		f.t.Fatal(err)
	}
	var again []message
	for _, failure := range answer.BatchItemFailures {
		again = append(again, messages[failure.ItemIdentifier])
	}
	return again
}

func (f *fixture) done(messages ...message) {
	f.t.Helper()
	if again := f.deliver(messages...); len(again) > 0 {
		f.t.Fatalf("not done: %v", again)
	}
}

// stocked opens the rope's line, through its event, with units on hand.
func (f *fixture) stocked(units int) {
	f.t.Helper()
	f.done(message{"evt_product", catalog.ProductCreatedV1{ProductID: rope}})
	if _, err := f.svc.Adjust(context.Background(), rope, units, "delivery", "usr_1"); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) units(want string) {
	f.t.Helper()
	s, err := f.svc.Stock(context.Background(), rope)
	if err != nil {
		f.t.Fatal(err)
	}
	if got := fmt.Sprintf("%d/%d", s.OnHand, s.Reserved); got != want {
		f.t.Errorf("%s units on hand and reserved, want %s", got, want)
	}
}

// count counts the events of a type in the outbox.
func (f *fixture) count(eventType string) int {
	f.t.Helper()
	n := 0
	for _, item := range f.table.Items() {
		var r outbox.Record
		if err := attributevalue.UnmarshalMap(item, &r); err != nil {
			f.t.Fatal(err)
		}
		if r.DetailType == eventType {
			n++
		}
	}
	return n
}

func created(orderID string, units int) message {
	return message{"evt_created_" + orderID, orders.CreatedV1{
		OrderID: orderID, UserID: "usr_1", Items: []orders.ItemV1{{ProductID: rope, Name: "Rope", Quantity: units}},
		Total: events.Money{Amount: 1999, Currency: "EUR"}, PaymentMethod: "pm_card_ok",
	}}
}

func confirmed(orderID string) message {
	return message{"evt_confirmed_" + orderID, orders.ConfirmedV1{OrderID: orderID}}
}

func cancelled(orderID string, wasConfirmed bool) message {
	return message{"evt_cancelled_" + orderID, orders.CancelledV1{OrderID: orderID, WasConfirmed: wasConfirmed}}
}

// Each row's messages are delivered one after the other, each of them twice;
// what fails is delivered again behind the others.
func TestMessages(t *testing.T) {
	tests := map[string]struct {
		messages []message
		want     string
	}{
		"placed":                              {[]message{created("ord_1", 2)}, "5/2"},
		"confirmed":                           {[]message{created("ord_1", 2), confirmed("ord_1")}, "3/0"},
		"confirmed early":                     {[]message{confirmed("ord_1"), created("ord_1", 2)}, "3/0"},
		"cancelled":                           {[]message{created("ord_1", 2), cancelled("ord_1", false)}, "5/0"},
		"cancelled early":                     {[]message{cancelled("ord_1", false), created("ord_1", 2)}, "5/0"},
		"confirmed, cancelled":                {[]message{created("ord_1", 2), confirmed("ord_1"), cancelled("ord_1", true)}, "5/0"},
		"cancellation overtakes confirmation": {[]message{created("ord_1", 2), cancelled("ord_1", true), confirmed("ord_1")}, "5/0"},
		"cancellation overtakes all":          {[]message{cancelled("ord_1", true), confirmed("ord_1"), created("ord_1", 2)}, "5/0"},
		"all backwards":                       {[]message{confirmed("ord_1"), cancelled("ord_1", true), created("ord_1", 2)}, "5/0"},
		"too many":                            {[]message{created("ord_1", 6), cancelled("ord_1", false)}, "5/0"},
		"two orders":                          {[]message{created("ord_1", 3), created("ord_2", 3), confirmed("ord_1"), cancelled("ord_2", false)}, "2/0"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, nil)
			f.stocked(5)
			queue := tt.messages
			for round := 0; len(queue) > 0; round++ {
				if round == 3 {
					t.Fatalf("never done: %v", queue)
				}
				var again []message
				for _, m := range queue {
					again = append(again, f.deliver(m)...)
					f.deliver(m)
				}
				queue = again
			}
			f.units(tt.want)
		})
	}
}

func TestProductCreatedOpensALine(t *testing.T) {
	f := newFixture(t, nil)
	opened := message{"evt_1", catalog.ProductCreatedV1{ProductID: rope}}
	f.done(opened, opened)
	f.units("0/0")
	f.done(message{"evt_2", catalog.ProductCreatedV1{ProductID: rope}})
	f.units("0/0")
}

func TestMalformedOrderComesAgain(t *testing.T) {
	f := newFixture(t, nil)
	f.stocked(5)
	bad := message{"evt_1", orders.CreatedV1{OrderID: "ord_1"}}
	if again := f.deliver(bad, created("ord_2", 1)); len(again) != 1 || again[0].eventID != "evt_1" {
		t.Errorf("wanted again: %v", again)
	}
	f.units("5/1")
}

// distant is a database that takes its time, so that whoever reads at the same
// time reads the same, and counts the transactions it is asked for.
type distant struct {
	table.Backend
	transactions *atomic.Int64
}

func (d distant) Get(ctx context.Context, key table.Key) (table.Item, error) {
	item, err := d.Backend.Get(ctx, key)
	time.Sleep(rand.N(4 * time.Millisecond))
	return item, err
}

func (d distant) Transact(ctx context.Context, ops []table.Op) error {
	d.transactions.Add(1)
	time.Sleep(rand.N(4 * time.Millisecond))
	return d.Backend.Transact(ctx, ops)
}

// rush lets buyers order one rope each at the same time, in batches of ten, each
// of which is another process, and returns how many transactions it took.
func rush(t *testing.T, buyers, units int) (f *fixture, transactions int64) {
	t.Helper()
	const batch = 10
	mem := &tabletest.Memory{}
	f = newFixture(t, mem)
	f.table = mem
	f.stocked(units)
	var count atomic.Int64
	var wg sync.WaitGroup
	for i := range buyers / batch {
		var messages []message
		for j := range batch {
			messages = append(messages, created(fmt.Sprintf("ord_%d", i*batch+j), 1))
		}
		process := newFixture(t, distant{mem, &count})
		wg.Go(func() {
			if again := process.deliver(messages...); len(again) > 0 {
				t.Errorf("%d messages come again", len(again))
			}
		})
	}
	wg.Wait()
	return f, count.Load()
}

// Two hundred buyers at once of ten units: ten get one, and everybody hears.
func TestRush(t *testing.T) {
	const buyers, units = 200, 10
	f, _ := rush(t, buyers, units)
	f.units("10/10")
	if got := f.count(event.TypeStockReserved); got != units {
		t.Errorf("%d orders have the %d units", got, units)
	}
	if got := f.count(event.TypeStockRejected); got != buyers-units {
		t.Errorf("%d orders were rejected, want %d", got, buyers-units)
	}
	if got := f.count(event.TypeStockDepleted); got != 1 {
		t.Errorf("the end of the stock was announced %d times", got)
	}
}

// A product that many want and all get: nobody is sent away for later.
func TestRushOfPlenty(t *testing.T) {
	f, _ := rush(t, 60, 1000)
	f.units("1000/60")
}

func TestManyLostRaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.stocked(5)
		for _, m := range []message{created("ord_1", 1), confirmed("ord_1"), cancelled("ord_1", true)} {
			lost := 0
			f.table.Before = func([]table.Op) error {
				if lost++; lost <= 30 {
					return &table.Cancelled{Failed: []int{0}}
				}
				return nil
			}
			f.done(m)
		}
		f.units("5/0")
	})
}

// Messages of one batch take turns instead of transactions.
func TestBatchDoesNotContendWithItself(t *testing.T) {
	f, transactions := rush(t, 10, 1000)
	f.units("1000/10")
	if transactions != 10 {
		t.Errorf("ten orders took %d transactions", transactions)
	}
}

// lossy is a database whose answers to changes get lost, every second one after
// the change was made.
type lossy struct {
	table.Backend
	mu    sync.Mutex
	calls int
}

var errLost = errors.New("connection reset by peer")

func (l *lossy) Transact(ctx context.Context, ops []table.Op) error {
	l.mu.Lock()
	l.calls++
	lost := l.calls%2 == 0
	l.mu.Unlock()
	if err := l.Backend.Transact(ctx, ops); err != nil || !lost {
		return err
	}
	return errLost
}

func TestLostAnswers(t *testing.T) {
	mem := &tabletest.Memory{}
	f := newFixture(t, mem)
	f.table = mem
	f.stocked(5)
	f.c = newFixture(t, &lossy{Backend: mem}).c
	const n = 4
	var queue []message
	for i := range n {
		orderID := fmt.Sprintf("ord_%d", i)
		queue = append(queue, created(orderID, 1), confirmed(orderID))
	}
	for round := 0; len(queue) > 0; round++ {
		if round == 10 {
			t.Fatalf("never done: %v", queue)
		}
		var again []message
		for _, m := range queue {
			again = append(again, f.deliver(m)...)
		}
		queue = again
	}
	f.units("1/0")
	if got := f.count(event.TypeStockReserved); got != n {
		t.Errorf("%d orders were reserved for, want %d", got, n)
	}
}
