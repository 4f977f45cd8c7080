package orders_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tradewind/events"
	event "tradewind/events/orders"
	"tradewind/functions/orders"
	"tradewind/shared/apperr"
)

var (
	noon  = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	later = noon.Add(time.Minute)
	home  = orders.Address{Line1: "1 Quay", City: "Kiel", PostalCode: "24103", Country: "DE"}
	eur   = func(n int64) events.Money { return events.Money{Amount: n, Currency: "EUR"} }
)

func request(change func(*orders.Request)) orders.Request {
	r := orders.Request{
		UserID:          "usr_1",
		Lines:           []events.Line{{ProductID: "prd_1", Quantity: 2}, {ProductID: "prd_2", Quantity: 1}},
		PaymentMethod:   "pm_card_ok",
		ShippingAddress: home,
	}
	if change != nil {
		change(&r)
	}
	return r
}

func TestValidate(t *testing.T) {
	tests := map[string]struct {
		change func(*orders.Request)
		want   []string // pointers of the faults
	}{
		"valid":            {nil, nil},
		"most lines":       {func(r *orders.Request) { r.Lines = lines(orders.MaxLines) }, nil},
		"no lines":         {func(r *orders.Request) { r.Lines = nil }, []string{"/items"}},
		"too many lines":   {func(r *orders.Request) { r.Lines = lines(orders.MaxLines + 1) }, []string{"/items"}},
		"most units":       {func(r *orders.Request) { r.Lines[0].Quantity = orders.MaxQuantity }, nil},
		"no units":         {func(r *orders.Request) { r.Lines[1].Quantity = 0 }, []string{"/items/1/quantity"}},
		"negative units":   {func(r *orders.Request) { r.Lines[0].Quantity = -1 }, []string{"/items/0/quantity"}},
		"too many units":   {func(r *orders.Request) { r.Lines[0].Quantity = orders.MaxQuantity + 1 }, []string{"/items/0/quantity"}},
		"product twice":    {func(r *orders.Request) { r.Lines[1].ProductID = "prd_1" }, []string{"/items/1/productId"}},
		"no product":       {func(r *orders.Request) { r.Lines[0].ProductID = "" }, []string{"/items/0/productId"}},
		"unknown method":   {func(r *orders.Request) { r.PaymentMethod = "pm_gold" }, []string{"/paymentMethod"}},
		"no method":        {func(r *orders.Request) { r.PaymentMethod = "" }, []string{"/paymentMethod"}},
		"no address":       {func(r *orders.Request) { r.ShippingAddress = orders.Address{} }, []string{"/shippingAddress/line1", "/shippingAddress/city", "/shippingAddress/postalCode", "/shippingAddress/country"}},
		"blank city":       {func(r *orders.Request) { r.ShippingAddress.City = " " }, []string{"/shippingAddress/city"}},
		"long line":        {func(r *orders.Request) { r.ShippingAddress.Line1 = strings.Repeat("ä", 201) }, []string{"/shippingAddress/line1"}},
		"longest line":     {func(r *orders.Request) { r.ShippingAddress.Line1 = strings.Repeat("ä", 200) }, nil},
		"long second line": {func(r *orders.Request) { r.ShippingAddress.Line2 = strings.Repeat("x", 201) }, []string{"/shippingAddress/line2"}},
		"country's name":   {func(r *orders.Request) { r.ShippingAddress.Country = "Germany" }, []string{"/shippingAddress/country"}},
		"lower country":    {func(r *orders.Request) { r.ShippingAddress.Country = "de" }, []string{"/shippingAddress/country"}},
		"everything":       {func(r *orders.Request) { r.Lines[0].Quantity = 0; r.PaymentMethod = ""; r.ShippingAddress.City = "" }, []string{"/items/0/quantity", "/paymentMethod", "/shippingAddress/city"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, pointers(request(tt.change).Validate(orders.SandboxMethods))); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMethods(t *testing.T) {
	tests := map[string]struct{ sandbox, stripe bool }{
		"pm_card_ok":                     {true, true},
		"pm_1PqLtX2eZvKYlo2C":            {false, true},
		"pm_":                            {},
		"":                               {},
		"card_ok":                        {},
		"pm_card ok":                     {},
		"pm_x-y":                         {},
		"pm_ä":                           {},
		"pm_" + strings.Repeat("x", 100): {false, true},
		"pm_" + strings.Repeat("x", 101): {},
	}
	for method, want := range tests {
		if got := orders.MethodsOf("sandbox")(method); got != want.sandbox {
			t.Errorf("the sandbox takes %q: %v", method, got)
		}
		if got := orders.MethodsOf("stripe")(method); got != want.stripe {
			t.Errorf("Stripe takes %q: %v", method, got)
		}
	}
}

func lines(n int) []events.Line {
	list := make([]events.Line, n)
	for i := range list {
		list[i] = events.Line{ProductID: "prd_" + strings.Repeat("x", i+1), Quantity: 1}
	}
	return list
}

func pointers(err error) []string {
	var list []string
	if e, ok := errors.AsType[*apperr.Error](err); ok {
		for _, f := range e.Fields {
			list = append(list, f.Pointer)
		}
	}
	return list
}

func TestNewPricesFromTheCatalog(t *testing.T) {
	products := map[string]orders.Product{"prd_1": {Name: "Rope", Price: eur(1999)}, "prd_2": {Name: "Knot", Price: eur(1)}}
	o, created, err := orders.New("ord_1", request(nil), products, noon)
	if err != nil {
		t.Fatal(err)
	}
	if o.Total != eur(3999) || created.Total != eur(3999) {
		t.Errorf("total %v, event's %v, want 3999", o.Total, created.Total)
	}
	if o.Status != orders.Pending || o.Version != 1 || len(o.History) != 1 {
		t.Errorf("a new order is %+v", o)
	}
	want := []event.ItemV1{{ProductID: "prd_1", Name: "Rope", Quantity: 2, UnitPrice: eur(1999)}, {ProductID: "prd_2", Name: "Knot", Quantity: 1, UnitPrice: eur(1)}}
	if diff := cmp.Diff(want, created.Items); diff != "" {
		t.Errorf("event's items (-want +got):\n%s", diff)
	}
}

func TestNewRefusesWhatCannotBeOrdered(t *testing.T) {
	tests := map[string]struct {
		products map[string]orders.Product
		want     []string
	}{
		"absent product":  {map[string]orders.Product{"prd_1": {Price: eur(1)}}, []string{"/items/1/productId"}},
		"both absent":     {nil, []string{"/items/0/productId", "/items/1/productId"}},
		"two currencies":  {map[string]orders.Product{"prd_1": {Price: eur(1)}, "prd_2": {Price: events.Money{Amount: 1, Currency: "USD"}}}, []string{"/items/1/productId"}},
		"all can be sold": {map[string]orders.Product{"prd_1": {Price: eur(1)}, "prd_2": {Price: eur(0)}}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, _, err := orders.New("ord_1", request(nil), tt.products, noon)
			if diff := cmp.Diff(tt.want, pointers(err)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

func order(t *testing.T, status orders.Status) orders.Order {
	t.Helper()
	o, _, err := orders.New("ord_1", request(nil), map[string]orders.Product{"prd_1": {Price: eur(10)}, "prd_2": {Price: eur(5)}}, noon)
	if err != nil {
		t.Fatal(err)
	}
	switch status {
	case orders.Confirmed:
		_, err = o.Confirm(o.Total, "payment.captured", noon)
	case orders.Cancelled:
		o.Fail(orders.OutOfStock, "", "stock.rejected", noon)
	case orders.Pending:
	}
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// Every verb in every status: what it leads to and what it publishes.
func TestTransitions(t *testing.T) {
	confirm := func(o *orders.Order) events.Event { ev, _ := o.Confirm(o.Total, "payment.captured", later); return ev }
	decline := func(o *orders.Order) events.Event {
		return o.Fail(orders.PaymentDeclined, "card_declined", "payment.declined", later)
	}
	customer := func(o *orders.Order) events.Event { return o.CancelForCustomer("changed my mind", later) }
	tests := map[string]struct {
		from      orders.Status
		verb      func(*orders.Order) events.Event
		to        orders.Status
		publishes string
	}{
		"pending, paid":       {orders.Pending, confirm, orders.Confirmed, event.TypeConfirmed},
		"confirmed, paid":     {orders.Confirmed, confirm, orders.Confirmed, ""},
		"cancelled, paid":     {orders.Cancelled, confirm, orders.Cancelled, ""},
		"pending, declined":   {orders.Pending, decline, orders.Cancelled, event.TypeCancelled},
		"confirmed, declined": {orders.Confirmed, decline, orders.Confirmed, ""},
		"cancelled, declined": {orders.Cancelled, decline, orders.Cancelled, ""},
		"pending, customer":   {orders.Pending, customer, orders.Cancelled, event.TypeCancelled},
		"confirmed, customer": {orders.Confirmed, customer, orders.Cancelled, event.TypeCancelled},
		"cancelled, customer": {orders.Cancelled, customer, orders.Cancelled, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			o := order(t, tt.from)
			before := o
			ev := tt.verb(&o)
			if o.Status != tt.to {
				t.Errorf("status %s, want %s", o.Status, tt.to)
			}
			if tt.publishes == "" {
				if ev != nil {
					t.Errorf("published %s, want nothing", ev.EventType())
				}
				if diff := cmp.Diff(before, o); diff != "" {
					t.Errorf("changed without an event (-before +after):\n%s", diff)
				}
				return
			}
			if ev == nil || ev.EventType() != tt.publishes {
				t.Fatalf("published %v, want %s", ev, tt.publishes)
			}
			if o.Version != before.Version+1 || !o.UpdatedAt.Equal(later) || len(o.History) != len(before.History)+1 {
				t.Errorf("version %d, updated %v, history of %d", o.Version, o.UpdatedAt, len(o.History))
			}
			if c, ok := ev.(event.CancelledV1); ok && c.WasConfirmed != (tt.from == orders.Confirmed) {
				t.Errorf("wasConfirmed %v", c.WasConfirmed)
			}
		})
	}
}

func TestConfirmRefusesAnotherAmount(t *testing.T) {
	for _, paid := range []events.Money{eur(24), eur(26), {Amount: 25, Currency: "USD"}} {
		o := order(t, orders.Pending)
		if _, err := o.Confirm(paid, "payment.captured", later); apperr.KindOf(err) != apperr.Invalid {
			t.Errorf("%v for an order of %v: %v", paid, o.Total, err)
		}
		if o.Status != orders.Pending {
			t.Errorf("%v confirmed an order of %v", paid, o.Total)
		}
	}
}

func TestNoteRefundOnce(t *testing.T) {
	o := order(t, orders.Cancelled)
	if !o.NoteRefund("payment.refunded", later) || o.NoteRefund("payment.refunded", later) {
		t.Error("a refund is noted once")
	}
	if live := order(t, orders.Confirmed); live.NoteRefund("payment.refunded", later) {
		t.Error("a confirmed order has no refund")
	}
}

// History entries of one value must not show in a copy made before.
func TestHistoryIsNotShared(t *testing.T) {
	a := order(t, orders.Pending)
	b := a
	a.Fail(orders.TimedOut, "", "sweep", later)
	b.CancelForCustomer("no", later)
	if a.History[1].Cause != "sweep" {
		t.Errorf("history of one order written by another: %v", a.History)
	}
}
