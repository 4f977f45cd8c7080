package consumer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tradewind/events"
	"tradewind/events/inventory"
	"tradewind/events/orders"
	event "tradewind/events/payments"
	"tradewind/functions/payments"
	paymentsconsumer "tradewind/functions/payments/internal/consumer"
	"tradewind/functions/payments/internal/dynamo"
	"tradewind/functions/payments/internal/sandbox"
	"tradewind/shared/consumer"
	"tradewind/shared/id"
	"tradewind/shared/inbox"
	"tradewind/shared/logs"
	"tradewind/shared/outbox"
	"tradewind/shared/table"
	"tradewind/shared/table/tabletest"
)

const orderID = "ord_01K9ZZZZZZZZZZZZZZZZZZZZZZ"

var total = events.Money{Amount: 1999, Currency: "EUR"}

// world is the consumer, its table and the provider's books. Each thing the
// consumer does to either is a step, at which a test can step in.
type world struct {
	consumer *consumer.Consumer
	table    *table.Table
	books    *sandbox.Provider

	steps  int
	stepIn func(step int)
}

func newWorld() *world {
	w := &world{stepIn: func(int) {}}
	// The provider's books are elsewhere: what happens to them is not a step.
	w.books = sandbox.New(tabletest.New(), time.Now)
	w.table = table.New(&steppedTable{&tabletest.Memory{}, w})
	store := dynamo.New(w.table, outbox.New(event.Source, time.Now))
	svc := payments.NewService(store, &steppedProvider{w.books, w}, 12*time.Second, time.Now, id.New)
	w.consumer = consumer.New(inbox.New(time.Now), logs.Discard())
	paymentsconsumer.Register(w.consumer, svc)
	return w
}

func (w *world) step() {
	w.steps++
	w.stepIn(w.steps)
}

type steppedTable struct {
	table.Backend
	w *world
}

func (b *steppedTable) Get(ctx context.Context, key table.Key) (table.Item, error) {
	b.w.step()
	item, err := b.Backend.Get(ctx, key)
	b.w.step()
	return item, err
}

func (b *steppedTable) Transact(ctx context.Context, ops []table.Op) error {
	b.w.step()
	err := b.Backend.Transact(ctx, ops)
	b.w.step()
	return err
}

type steppedProvider struct {
	*sandbox.Provider
	w *world
}

func (p *steppedProvider) Charge(ctx context.Context, c payments.Charge) (payments.Outcome, error) {
	p.w.step()
	defer p.w.step()
	return p.Provider.Charge(ctx, c)
}

func (p *steppedProvider) Lookup(ctx context.Context, c payments.Charge) (payments.Outcome, error) {
	p.w.step()
	defer p.w.step()
	return p.Provider.Lookup(ctx, c)
}

func (p *steppedProvider) Void(ctx context.Context, c payments.Charge) (payments.Outcome, error) {
	p.w.step()
	defer p.w.step()
	return p.Provider.Void(ctx, c)
}

func (p *steppedProvider) Refund(ctx context.Context, r payments.Return) (string, error) {
	p.w.step()
	defer p.w.step()
	return p.Provider.Refund(ctx, r)
}

// message is one event in the consumer's queue.
type message struct {
	eventID string
	event   events.Event
}

func reserved(eventID, method string) message {
	return message{eventID, inventory.StockReservedV1{
		OrderID: orderID, UserID: "usr_1", Total: total, PaymentMethod: method,
		Items: []events.Line{{ProductID: "prd_1", Quantity: 1}},
	}}
}

func cancelled(eventID string) message {
	return message{eventID, orders.CancelledV1{OrderID: orderID, UserID: "usr_1", Reason: "customer_request", Total: total}}
}

// deliver hands a message to the consumer as SQS does, with the time that the
// function has, and reports whether it was acknowledged.
func (w *world) deliver(t *testing.T, m message) bool {
	t.Helper()
	data, err := json.Marshal(m.event)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(map[string]any{
		"version": "0", "id": "b0a5", "detail-type": m.event.EventType(), "source": "test",
		"detail": events.Envelope{
			Metadata: events.Metadata{
				EventID: m.eventID, OccurredAt: events.Timestamp(time.Now()), SchemaVersion: m.event.SchemaVersion(),
				CorrelationID: "c-1", Subject: m.event.Subject(),
			},
			Data: data,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	batch, err := json.Marshal(map[string]any{"Records": []any{map[string]any{"messageId": "m1", "body": string(body)}}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	out, err := w.consumer.Invoke(ctx, batch)
	if err != nil {
		t.Fatal(err)
	}
	return string(out) == `{"batchItemFailures":[]}`
}

// settle delivers messages, in turn, until each was acknowledged.
func (w *world) settle(t *testing.T, messages ...message) {
	t.Helper()
	for _, m := range messages {
		for attempt := 1; !w.deliver(t, m); attempt++ {
			if attempt == 5 {
				t.Fatalf("%s (%s) went to the dead-letter queue", m.event.EventType(), m.eventID)
			}
		}
	}
}

func (w *world) payment(t *testing.T) payments.Payment {
	t.Helper()
	var it struct {
		Status      string `dynamodbav:"status"`
		DeclineCode string `dynamodbav:"declineCode"`
	}
	if _, err := w.table.Get(t.Context(), table.Key{PK: "PAYMENT#" + orderID, SK: "PAYMENT"}, &it); err != nil {
		t.Fatal(err)
	}
	return payments.Payment{Status: payments.Status(it.Status), DeclineCode: it.DeclineCode}
}

func (w *world) published(t *testing.T) []outbox.Record {
	t.Helper()
	records, _, err := table.List[outbox.Record](t.Context(), w.table, table.Query{PK: "PAYMENT#" + orderID, SKPrefix: "OUTBOX#", Limit: 20})
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func (w *world) types(t *testing.T) string {
	t.Helper()
	var types []string
	for _, r := range w.published(t) {
		types = append(types, r.DetailType)
	}
	return strings.Join(types, " ")
}

func (w *world) book(t *testing.T, key string) sandbox.Entry {
	t.Helper()
	e, err := w.books.Audit(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

const (
	captured = event.TypeCaptured
	declined = event.TypeDeclined
	refunded = event.TypeCaptured + " " + event.TypeRefunded
)

// Every method and every order of arrival: each message is delivered twice, and
// the whole is delivered again as other events, as a producer that repeats
// itself would.
func TestEventsMoveTheMoney(t *testing.T) {
	r, c := func(method string) message { return reserved("evt_r", method) }, cancelled("evt_c")
	tests := map[string]struct {
		messages []message
		status   payments.Status
		code     string
		events   string
		attempts int // at the provider, under the order's key
	}{
		"ok":                         {[]message{r("pm_card_ok")}, payments.Captured, "", captured, 1},
		"declined":                   {[]message{r("pm_card_declined")}, payments.Declined, "card_declined", declined, 1},
		"insufficient funds":         {[]message{r("pm_card_insufficient_funds")}, payments.Declined, "insufficient_funds", declined, 1},
		"unknown":                    {[]message{r("pm_beads")}, payments.Declined, "unknown_method", declined, 1},
		"flaky":                      {[]message{r("pm_card_flaky")}, payments.Captured, "", captured, 3},
		"slow":                       {[]message{r("pm_card_slow")}, payments.Captured, "", captured, 1},
		"cancelled only":             {[]message{c}, payments.Barred, "", "", 0},
		"ok, then cancelled":         {[]message{r("pm_card_ok"), c}, payments.Refunded, "", refunded, 1},
		"declined, then cancelled":   {[]message{r("pm_card_declined"), c}, payments.Declined, "card_declined", declined, 1},
		"cancelled, then reserved":   {[]message{c, r("pm_card_ok")}, payments.Barred, "", "", 0},
		"cancelled, then down":       {[]message{c, r("pm_card_down")}, payments.Barred, "", "", 0},
		"cancelled before and after": {[]message{c, r("pm_card_ok"), c}, payments.Barred, "", "", 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				for _, m := range tt.messages {
					w.settle(t, m, m)
				}
				for _, m := range tt.messages {
					m.eventID += "_again"
					w.settle(t, m)
				}
				p := w.payment(t)
				if p.Status != tt.status || p.DeclineCode != tt.code {
					t.Errorf("the payment is %q (%s), want %q (%s)", p.Status, p.DeclineCode, tt.status, tt.code)
				}
				if got := w.types(t); got != tt.events {
					t.Errorf("published %q, want %q", got, tt.events)
				}
				if got := w.book(t, orderID).Attempts; got != tt.attempts {
					t.Errorf("the provider was asked %d times, want %d", got, tt.attempts)
				}
			})
		})
	}
}

// A provider that never answers costs its message its deliveries. When the order
// times out and is cancelled, the message is done with, and nothing is charged
// by a request that was on its way all the time.
func TestProviderThatNeverAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		r := reserved("evt_r", "pm_card_down")
		for range 3 {
			if w.deliver(t, r) {
				t.Fatal("an undecided charge was acknowledged")
			}
		}
		if w.payment(t).Status != payments.None {
			t.Errorf("the payment is %q", w.payment(t).Status)
		}
		w.settle(t, cancelled("evt_c"), r)
		late, err := w.books.Charge(t.Context(), payments.Charge{OrderID: orderID, Amount: total, Method: "pm_card_ok"})
		if err != nil || late.Result == payments.Paid {
			t.Errorf("a late request was answered with %+v, %v", late, err)
		}
		if w.payment(t).Status != payments.Barred || w.types(t) != "" {
			t.Errorf("the payment is %q, published %q", w.payment(t).Status, w.types(t))
		}
	})
}

// killed is what a delivery panics with where its process dies. The consumer
// takes a panic for a failed message, which is what SQS makes of a dead process.
type killed struct{}

// Two messages of one order meet in every way: at each step of the delivery of
// one, its process dies, or all of the other is handled in between, or both;
// then everything is delivered until it is acknowledged, in either order, and
// each of it once more. Whatever happened, the order ends with what the contract
// promises of its money.
func TestNothingLosesMoney(t *testing.T) {
	type disturbance int
	const (
		kill disturbance = iota
		interleave
		interleaveAndKill
		disturbances
	)
	runs := 0
	for _, method := range []string{"pm_card_ok", "pm_card_declined", "pm_card_flaky", "pm_card_slow"} {
		r, c := reserved("evt_r", method), cancelled("evt_c")
		for _, first := range []message{r, c} {
			second := c
			if first.eventID == c.eventID {
				second = r
			}
			for _, prior := range [][]message{nil, {second}} {
				for d := range disturbances {
					for _, then := range [][]message{{first, second}, {second, first}} {
						for step := 1; ; step++ {
							name := fmt.Sprintf("%s/%s/prior %d/disturbance %d/then %s/step %d", method, first.eventID, len(prior), d, then[0].eventID, step)
							reached := false
							synctest.Test(t, func(t *testing.T) {
								w := newWorld()
								w.settle(t, prior...)
								w.steps = 0
								w.stepIn = func(at int) {
									if at != step || reached {
										return
									}
									reached = true
									if d != kill {
										w.settle(t, second)
									}
									if d != interleave {
										panic(killed{})
									}
								}
								w.deliver(t, first)
								w.stepIn = func(int) {}
								w.settle(t, then...)
								w.settle(t, then...)
								w.audit(t, name)
							})
							runs++
							if !reached || t.Failed() {
								break
							}
						}
					}
				}
			}
		}
	}
	t.Logf("%d runs", runs)
	if runs < 500 {
		t.Errorf("only %d runs: the disturbances are not reached", runs)
	}
}

// Without a cancellation, an order is paid for exactly once or not at all,
// wherever the process dies, twice in a row.
func TestKilledWhileCharging(t *testing.T) {
	for method, want := range map[string]string{"pm_card_ok": captured, "pm_card_flaky": captured, "pm_card_slow": captured, "pm_card_declined": declined} {
		for first, reached := 1, true; reached; first++ {
			reached = false
			for second := 1; second <= 12; second++ {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld()
					r := reserved("evt_r", method)
					w.kill(t, r, first, func() { reached = true })
					w.kill(t, r, second, func() {})
					w.settle(t, r, r)
					if got := w.types(t); got != want {
						t.Errorf("%s, killed at %d and %d: published %q, want %q", method, first, second, got, want)
					}
					if e := w.book(t, orderID); (want == captured) != (e.Status == "paid") {
						t.Errorf("%s, killed at %d and %d: the provider's books say %+v", method, first, second, e)
					}
				})
			}
		}
	}
}

// kill delivers a message and lets the process die at a step, if it gets there.
func (w *world) kill(t *testing.T, m message, step int, dying func()) {
	t.Helper()
	w.steps = 0
	w.stepIn = func(at int) {
		if at == step {
			dying()
			panic(killed{})
		}
	}
	w.deliver(t, m)
	w.stepIn = func(int) {}
}

// audit compares the payment, the events and the provider's books at rest, for
// an order that is cancelled.
func (w *world) audit(t *testing.T, name string) {
	t.Helper()
	p, charge, back := w.payment(t), w.book(t, orderID), w.book(t, "refund-"+orderID)
	fail := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%s: %s\npayment %+v\ncharge %+v\nrefund %+v\nevents %s", name, fmt.Sprintf(format, args...), p, charge, back, w.types(t))
	}
	money := func(e sandbox.Entry) events.Money { return events.Money{Amount: e.Amount, Currency: e.Currency} }
	switch p.Status {
	case payments.Refunded:
		if charge.Status != "paid" || back.Status != "refunded" || money(charge) != total || money(back) != total {
			fail("the payment is refunded and the provider's books differ")
		}
		if w.types(t) != refunded {
			fail("want events %q", refunded)
		}
	case payments.Declined:
		if charge.Status != "refused" || back.Status != "none" || w.types(t) != declined {
			fail("the payment is declined and the rest differs")
		}
	case payments.Barred:
		if charge.Status == "paid" || back.Status != "none" || w.types(t) != "" {
			fail("nothing was charged and the rest differs")
		}
	default:
		fail("a cancelled order has a payment that is %q", p.Status)
	}
	for _, r := range w.published(t) {
		var e events.Envelope
		if err := json.Unmarshal([]byte(r.Detail), &e); err != nil {
			t.Fatal(err)
		}
		if !slices.Contains([]string{"evt_r", "evt_c"}, e.Metadata.CausationID) || e.Metadata.CorrelationID != "c-1" {
			fail("event %s was not caused by a message: %+v", r.DetailType, e.Metadata)
		}
	}
}
