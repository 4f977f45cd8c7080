package consumer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"tradewind/events"
	"tradewind/events/inventory"
	"tradewind/events/payments"
	"tradewind/functions/orders"
	ordersconsumer "tradewind/functions/orders/internal/consumer"
	"tradewind/functions/orders/internal/dynamo"
	"tradewind/shared/consumer"
	"tradewind/shared/id"
	"tradewind/shared/inbox"
	"tradewind/shared/logs"
	"tradewind/shared/outbox"
	"tradewind/shared/table"
	"tradewind/shared/table/tabletest"
)

// neighbours are the services that orders asks: one product, and everybody is a customer.
type neighbours struct{}

func (neighbours) Products(context.Context, []string) (map[string]orders.Product, error) {
	return map[string]orders.Product{"prd_1": {Name: "Rope", Price: events.Money{Amount: 1999, Currency: "EUR"}}}, nil
}

func (neighbours) Open(context.Context, string) (bool, error) { return true, nil }

type fixture struct {
	svc   *orders.Service
	c     *consumer.Consumer
	table *table.Table
}

func newFixture() *fixture {
	tbl := tabletest.New()
	svc := orders.NewService(dynamo.New(tbl, outbox.New("orders", time.Now)), neighbours{}, neighbours{}, orders.SandboxMethods, time.Now, id.New)
	c := consumer.New(inbox.New(time.Now), logs.Discard())
	ordersconsumer.Register(c, svc)
	return &fixture{svc, c, tbl}
}

func (f *fixture) place(t *testing.T) orders.Order {
	t.Helper()
	o, err := f.svc.Place(context.Background(), orders.Request{
		UserID: "usr_1", Lines: []events.Line{{ProductID: "prd_1", Quantity: 1}}, PaymentMethod: "pm_card_ok",
		ShippingAddress: orders.Address{Line1: "1 Quay", City: "Kiel", PostalCode: "24103", Country: "DE"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// deliver hands the consumer a batch as SQS does and returns its answer.
func (f *fixture) deliver(t *testing.T, eventID string, ev events.Event) string {
	t.Helper()
	data, err := json.Marshal(ev)
	if err != nil {
		t.Fatal(err)
	}
	message, err := json.Marshal(map[string]any{
		"version": "0", "id": "b0a5", "detail-type": ev.EventType(), "source": "test",
		"detail": events.Envelope{Metadata: events.Metadata{EventID: eventID, SchemaVersion: ev.SchemaVersion(), CorrelationID: "c-1"}, Data: data},
	})
	if err != nil {
		t.Fatal(err)
	}
	batch, err := json.Marshal(map[string]any{"Records": []any{map[string]any{"messageId": "m1", "body": string(message)}}})
	if err != nil {
		t.Fatal(err)
	}
	out, err := f.c.Invoke(context.Background(), batch)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

const done, again = `{"batchItemFailures":[]}`, `{"batchItemFailures":[{"itemIdentifier":"m1"}]}`

func TestEventsMoveTheOrder(t *testing.T) {
	captured := func(o orders.Order) events.Event {
		return payments.CapturedV1{PaymentID: "pay_1", OrderID: o.ID, Amount: o.Total}
	}
	declined := func(o orders.Order) events.Event {
		return payments.DeclinedV1{PaymentID: "pay_1", OrderID: o.ID, Amount: o.Total, DeclineCode: "card_declined"}
	}
	rejected := func(o orders.Order) events.Event {
		return inventory.StockRejectedV1{OrderID: o.ID, Shortages: []inventory.ShortageV1{{ProductID: "prd_1", Requested: 1}}}
	}
	refunded := func(o orders.Order) events.Event {
		return payments.RefundedV1{PaymentID: "pay_1", RefundID: "ref_1", OrderID: o.ID, Amount: o.Total}
	}
	tests := map[string]struct {
		events []func(orders.Order) events.Event
		status orders.Status
		detail string // of the cancellation
		causes string
	}{
		"paid":                       {[]func(orders.Order) events.Event{captured}, orders.Confirmed, "", "order placed, payment.captured"},
		"declined":                   {[]func(orders.Order) events.Event{declined}, orders.Cancelled, "card_declined", "order placed, payment.declined"},
		"no stock":                   {[]func(orders.Order) events.Event{rejected}, orders.Cancelled, "prd_1: 1 wanted, 0 available", "order placed, stock.rejected"},
		"paid twice":                 {[]func(orders.Order) events.Event{captured, captured}, orders.Confirmed, "", "order placed, payment.captured"},
		"paid after no stock":        {[]func(orders.Order) events.Event{rejected, captured}, orders.Cancelled, "prd_1: 1 wanted, 0 available", "order placed, stock.rejected"},
		"refunded":                   {[]func(orders.Order) events.Event{declined, refunded}, orders.Cancelled, "card_declined", "order placed, payment.declined, payment.refunded"},
		"declined after it was paid": {[]func(orders.Order) events.Event{captured, declined}, orders.Confirmed, "", "order placed, payment.captured"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture()
			o := f.place(t)
			for i, ev := range tt.events {
				for range 2 { // each is delivered twice
					if out := f.deliver(t, fmt.Sprintf("evt_%d", i), ev(o)); out != done {
						t.Fatalf("event %d: %s", i, out)
					}
				}
			}
			got, err := f.svc.Get(context.Background(), o.ID)
			if err != nil {
				t.Fatal(err)
			}
			var causes []string
			for _, c := range got.History {
				causes = append(causes, c.Cause)
			}
			if got.Status != tt.status || strings.Join(causes, ", ") != tt.causes {
				t.Errorf("%s after %v, want %s after %s", got.Status, causes, tt.status, tt.causes)
			}
			if tt.detail != "" && (got.Cancellation == nil || got.Cancellation.Detail != tt.detail) {
				t.Errorf("cancellation %+v, want detail %q", got.Cancellation, tt.detail)
			}
		})
	}
}

func TestEarlyAndWrongEventsComeAgain(t *testing.T) {
	f := newFixture()
	early := payments.CapturedV1{PaymentID: "pay_1", OrderID: id.New("ord"), Amount: events.Money{Amount: 1, Currency: "EUR"}}
	if out := f.deliver(t, "evt_1", early); out != again {
		t.Errorf("an event for an order that is not here yet: %s", out)
	}
	o := f.place(t)
	wrong := payments.CapturedV1{PaymentID: "pay_1", OrderID: o.ID, Amount: events.Money{Amount: 1, Currency: "EUR"}}
	if out := f.deliver(t, "evt_2", wrong); out != again {
		t.Errorf("a payment of another amount: %s", out)
	}
	if got, _ := f.svc.Get(context.Background(), o.ID); got.Status != orders.Pending {
		t.Errorf("order is %s", got.Status)
	}
	// What failed may still be done when it comes again.
	right := payments.CapturedV1{PaymentID: "pay_1", OrderID: o.ID, Amount: o.Total}
	if out := f.deliver(t, "evt_2", right); out != done {
		t.Errorf("the repaired event: %s", out)
	}
}
