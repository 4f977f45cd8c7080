package sweeper_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"tradewind/events"
	"tradewind/functions/orders"
	"tradewind/functions/orders/internal/dynamo"
	"tradewind/functions/orders/internal/sweeper"
	"tradewind/shared/id"
	"tradewind/shared/logs"
	"tradewind/shared/outbox"
	"tradewind/shared/table"
	"tradewind/shared/table/tabletest"
)

// neighbours are the services that orders asks: one product, and everybody is a customer.
type neighbours struct{}

func (neighbours) Products(context.Context, []string) (map[string]orders.Product, error) {
	return map[string]orders.Product{"prd_1": {Price: events.Money{Amount: 1, Currency: "EUR"}}}, nil
}

func (neighbours) Open(context.Context, string) (bool, error) { return true, nil }

func TestSweep(t *testing.T) {
	ctx := context.Background()
	mem := &tabletest.Memory{}
	now := time.Now()
	clock := func() time.Time { return now }
	svc := orders.NewService(dynamo.New(table.New(mem), outbox.New("orders", clock)), neighbours{}, neighbours{}, orders.SandboxMethods, clock, id.New)
	place := func() string {
		o, err := svc.Place(ctx, orders.Request{
			UserID: "usr_1", Lines: []events.Line{{ProductID: "prd_1", Quantity: 1}}, PaymentMethod: "pm_card_ok",
			ShippingAddress: orders.Address{Line1: "1 Quay", City: "Kiel", PostalCode: "24103", Country: "DE"},
		})
		if err != nil {
			t.Fatal(err)
		}
		return o.ID
	}
	status := func(id string) orders.Status {
		o, err := svc.Get(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		return o.Status
	}
	var old []string
	for range 250 { // more than two pages of one sweep
		old = append(old, place())
	}
	confirmed := place()
	if err := svc.Paid(ctx, confirmed, events.Money{Amount: 1, Currency: "EUR"}, "payment.captured"); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Minute)
	young := place()
	now = now.Add(30 * time.Second)

	// One order cannot be cancelled in the first sweep.
	stuck := old[7]
	outage := true
	mem.Before = func(ops []table.Op) error {
		if outage && ops[len(ops)-1].Key.PK == "ORDER#"+stuck {
			return errors.New("no answer")
		}
		return nil
	}
	sweep := sweeper.New(svc, time.Minute, logs.Discard())
	if _, err := sweep.Invoke(ctx, nil); err == nil {
		t.Error("a sweep with a failure succeeded")
	}
	for _, id := range old {
		if want := orders.Cancelled; id != stuck && status(id) != want {
			t.Fatalf("%s is %s after the sweep", id, status(id))
		}
	}
	if status(stuck) != orders.Pending || status(young) != orders.Pending || status(confirmed) != orders.Confirmed {
		t.Errorf("stuck %s, young %s, confirmed %s", status(stuck), status(young), status(confirmed))
	}
	outage = false
	if _, err := sweep.Invoke(ctx, nil); err != nil {
		t.Error(err)
	}
	o, err := svc.Get(ctx, stuck)
	if err != nil || o.Status != orders.Cancelled || o.Cancellation.Reason != orders.TimedOut {
		t.Errorf("stuck order after the second sweep: %+v, %v", o, err)
	}
}
