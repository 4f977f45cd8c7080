package audit_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tradewind/events"
	"tradewind/localstack/internal/audit"
	"tradewind/localstack/internal/endpoint"
	"tradewind/localstack/internal/shop"
	"tradewind/localstack/internal/shop/shoptest"
)

const opening = 10

// shopWith returns a platform at rest on which one customer's orders ended in every
// way: confirmed, declined, out of stock, cancelled after the confirmation.
func shopWith(t *testing.T) (*shoptest.Platform, audit.Scope) {
	t.Helper()
	p := shoptest.New()
	p.Delay = time.Millisecond
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	p.Products["prd_a"] = &shop.Product{
		Meta:       shop.Meta{ID: "prd_a", Version: 1},
		NewProduct: shop.NewProduct{Name: "Thing", Price: events.Money{Amount: 100, Currency: "EUR"}},
	}
	p.Stock["prd_a"] = &shop.Stock{ProductID: "prd_a", OnHand: opening, Available: opening}
	customer := shop.New(server.URL + shoptest.GatewayPath).As(shoptest.Token("usr_1"))
	scope := audit.Scope{Customers: []*shop.Client{customer}, Opening: map[string]int{"prd_a": opening}}

	for i, o := range []struct {
		units  int
		method string
	}{{2, shop.CardOK}, {1, shop.CardDeclined}, {opening + 1, shop.CardOK}, {3, shop.CardOK}} {
		placed, err := customer.PlaceOrder(t.Context(), fmt.Sprint(i), shop.NewOrder{
			Items: []events.Line{{ProductID: "prd_a", Quantity: o.units}}, PaymentMethod: o.method,
		})
		if err != nil {
			t.Fatal(err)
		}
		rest(t, scope)
		if o.units == 3 {
			if _, err := customer.CancelOrder(t.Context(), placed.ID, "changed my mind"); err != nil {
				t.Fatal(err)
			}
			rest(t, scope)
		}
	}
	return p, scope
}

func rest(t *testing.T, scope audit.Scope) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := audit.AtRest(ctx, scope); err != nil {
		t.Fatal(err)
	}
}

func TestEveryViolationIsFound(t *testing.T) {
	tests := map[string]struct {
		breakIt func(*shoptest.Platform)
		want    string
	}{
		"none":    {func(*shoptest.Platform) {}, ""},
		"pending": {each(func(o *shop.Order) { o.Status = shop.Pending }), "invariant 1"},
		"history lacks the state": {func(p *shoptest.Platform) {
			for id := range p.Histories {
				p.Histories[id] = p.Histories[id][:1]
			}
		}, "which its history lacks"},
		"oversold":        {stock(func(s *shop.Stock) { s.OnHand, s.Available = 7, 7 }), "invariant 2: product prd_a has 7 on hand, of 10 with 2 sold"},
		"kept reserved":   {stock(func(s *shop.Stock) { s.Reserved, s.Available = 1, 7 }), "1 units reserved with every order settled"},
		"more than there": {stock(func(s *shop.Stock) { s.Reserved, s.Available = 9, -1 }), "has 8 on hand, 9 reserved, -1 available"},
		"paid twice":      {func(p *shoptest.Platform) { p.Payments = append(p.Payments, p.Payments[0]) }, "is confirmed with 2 captured"},
		"never paid":      {func(p *shoptest.Platform) { p.Payments = p.Payments[1:] }, "is confirmed with 0 captured"},
		"paid too little": {func(p *shoptest.Platform) { p.Payments[0].Amount.Amount-- }, "invariant 3: order"},
		"refunded in part": {func(p *shoptest.Platform) {
			p.Payments[len(p.Payments)-1].Refund = &shop.Refund{Amount: events.Money{Amount: 1, Currency: "EUR"}}
		}, "has a refund of {1 EUR}, its total is {300 EUR}"},
		"never refunded":  {func(p *shoptest.Platform) { p.Payments[len(p.Payments)-1].Status = shop.Captured }, "is cancelled with 1 captured"},
		"told twice":      {func(p *shoptest.Platform) { p.Notifications = append(p.Notifications, p.Notifications[0]) }, "more than once: order_pending"},
		"told too little": {func(p *shoptest.Platform) { p.Notifications = p.Notifications[1:] }, "went through 2 changes with 1 notifications"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p, scope := shopWith(t)
			p.Lock()
			tt.breakIt(p)
			p.Unlock()
			violations, err := audit.Check(t.Context(), scope)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(violations, "\n")
			if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("got:\n%s\nwant %q", got, tt.want)
			}
		})
	}
}

func TestAtRestListsWhatRemains(t *testing.T) {
	p, scope := shopWith(t)
	p.Lock()
	stock(func(s *shop.Stock) { s.OnHand-- })(p)
	p.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := audit.AtRest(ctx, scope); err == nil || !strings.Contains(err.Error(), "invariant 2") {
		t.Errorf("AtRest: %v", err)
	}
}

func each(change func(*shop.Order)) func(*shoptest.Platform) {
	return func(p *shoptest.Platform) {
		for _, o := range p.Orders {
			change(o)
		}
	}
}

func stock(change func(*shop.Stock)) func(*shoptest.Platform) {
	return func(p *shoptest.Platform) { change(p.Stock["prd_a"]) }
}

func TestQueues(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		waiting, working := 0, 0
		switch {
		case strings.Contains(string(body), "/orders-consumer-dlq"):
			waiting = 2
		case strings.Contains(string(body), "/orders-consumer") && asked.Add(1) < 3:
			working = 1
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		fmt.Fprintf(w, `{"Attributes": {"ApproximateNumberOfMessages": "%d", "ApproximateNumberOfMessagesNotVisible": "%d",
			"ApproximateNumberOfMessagesDelayed": "0"}}`, waiting, working)
	}))
	defer server.Close()
	cfg := endpoint.AWS(server.URL, "us-east-1")
	queues := map[string]string{
		"orders-consumer": server.URL + "/orders-consumer", "orders-consumer-dlq": server.URL + "/orders-consumer-dlq",
		"users-relay-dlq": server.URL + "/users-relay-dlq",
	}
	got, err := audit.DeadLetters(t.Context(), cfg, queues)
	if err != nil || len(got) != 1 || got["orders-consumer-dlq"] != 2 {
		t.Errorf("DeadLetters = %v, %v", got, err)
	}
	if err := audit.Quiet(t.Context(), cfg, queues); err != nil || asked.Load() != 3 {
		t.Errorf("Quiet: %v after %d looks", err, asked.Load())
	}
	asked.Store(-1000)
	ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
	defer cancel()
	if err := audit.Quiet(ctx, cfg, queues); err == nil || !strings.Contains(err.Error(), "map[orders-consumer:1]") {
		t.Errorf("Quiet: %v", err)
	}
}
