package integration

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"tradewind/events"
	"tradewind/localstack/internal/shop"
)

func confirmed(t *testing.T, p *platform) {
	c, product := p.customer(t), p.product(t, 10)
	o := c.place(t, order(product.ID, 3, shop.CardOK))
	o = c.ends(t, o.ID, shop.Confirmed, soon)
	payment := c.payment(t, o, shop.Captured)
	if o.Total.Amount != 3*product.Price.Amount {
		t.Errorf("total %v of 3 at %v", o.Total, product.Price)
	}
	p.stock(t, product.ID, 7, 0, soon)
	c.told(t, o.ID, "order_received", "order_confirmed")
	c.states(t, o.ID, shop.Pending, shop.Confirmed)
	if resp := ask(t, c.Client, http.MethodGet, "/api/payments/"+payment.ID, nil, nil); resp.Status != http.StatusOK {
		t.Errorf("the payment by its id: %d %s", resp.Status, resp.Body)
	}
}

func pricedByCatalog(t *testing.T, p *platform) {
	c, product := p.customer(t), p.product(t, 10)
	o := c.ends(t, c.place(t, order(product.ID, 1, shop.CardOK)).ID, shop.Confirmed, soon)
	// A later price is for later orders.
	resp := ask(t, p.admin, http.MethodPatch, "/api/products/"+product.ID, shop.Header("If-Match", `"1"`),
		map[string]any{"price": events.Money{Amount: 5, Currency: "EUR"}, "name": "Renamed"})
	if resp.Status != http.StatusOK {
		t.Fatalf("change the price: %d %s", resp.Status, resp.Body)
	}
	again, err := c.Order(t.Context(), o.ID)
	if err != nil {
		t.Fatal(err)
	}
	if again.Total != product.Price || again.Items[0].UnitPrice != product.Price || again.Items[0].Name != product.Name {
		t.Errorf("the order changed with the catalog: %+v", again)
	}
	cheap := c.ends(t, c.place(t, order(product.ID, 2, shop.CardOK)).ID, shop.Confirmed, soon)
	if cheap.Total.Amount != 10 || cheap.Items[0].Name != "Renamed" {
		t.Errorf("the next order: %+v", cheap)
	}
}

func outOfStock(t *testing.T, p *platform) {
	c, plenty, scarce := p.customer(t), p.product(t, 10), p.product(t, 1)
	request := order(plenty.ID, 4, shop.CardOK)
	request.Items = append(request.Items, events.Line{ProductID: scarce.ID, Quantity: 2})
	o := c.ends(t, c.place(t, request).ID, shop.Cancelled, soon)
	cancelledFor(t, o, "out_of_stock")
	p.stock(t, plenty.ID, 10, 0, soon)
	p.stock(t, scarce.ID, 1, 0, soon)
	c.told(t, o.ID, "order_received", "order_cancelled")
	c.states(t, o.ID, shop.Pending, shop.Cancelled)
	payments, err := c.Payments(t.Context(), o.ID)
	if err != nil || len(payments) != 0 {
		t.Errorf("payments: %+v, %v", payments, err)
	}
}

func declined(t *testing.T, p *platform) {
	c, product := p.customer(t), p.product(t, 10)
	for method, code := range map[string]string{shop.CardDeclined: "card_declined", shop.CardInsufficientFunds: "insufficient_funds"} {
		o := c.ends(t, c.place(t, order(product.ID, 4, method)).ID, shop.Cancelled, soon)
		cancelledFor(t, o, "payment_declined")
		payment := c.payment(t, o, shop.Declined)
		if payment.DeclineCode == "" || method == shop.CardDeclined && payment.DeclineCode != code {
			t.Errorf("%s is declined with %q", method, payment.DeclineCode)
		}
		p.stock(t, product.ID, 10, 0, soon)
		c.told(t, o.ID, "order_received", "order_cancelled")
	}
}

func flakyProvider(t *testing.T, p *platform) {
	c, product := p.customer(t), p.product(t, 10)
	o := c.ends(t, c.place(t, order(product.ID, 1, shop.CardFlaky)).ID, shop.Confirmed, soon)
	c.payment(t, o, shop.Captured)
	p.stock(t, product.ID, 9, 0, soon)
}

func slowProvider(t *testing.T, p *platform) {
	c, product := p.customer(t), p.product(t, 10)
	o := c.place(t, order(product.ID, 1, shop.CardSlow))
	p.stock(t, product.ID, 10, 1, soon) // reserved while the provider thinks
	o = c.ends(t, o.ID, shop.Confirmed, soon)
	c.payment(t, o, shop.Captured)
	p.stock(t, product.ID, 9, 0, soon)
}

func cancelConfirmed(t *testing.T, p *platform) {
	c, product := p.customer(t), p.product(t, 10)
	o := c.ends(t, c.place(t, order(product.ID, 2, shop.CardOK)).ID, shop.Confirmed, soon)
	p.stock(t, product.ID, 8, 0, soon)
	cancelled, err := c.CancelOrder(t.Context(), o.ID, "changed my mind")
	if err != nil || cancelled.Status != shop.Cancelled {
		t.Fatalf("CancelOrder = %+v, %v", cancelled, err)
	}
	cancelledFor(t, cancelled, "customer_request")
	again, err := c.CancelOrder(t.Context(), o.ID, "still")
	if err != nil || again.Status != shop.Cancelled || again.Version < cancelled.Version {
		t.Errorf("cancel again: %+v, %v", again, err)
	}
	payment := c.payment(t, o, shop.Refunded)
	if payment.Refund == nil || payment.Refund.Amount != o.Total {
		t.Errorf("refund: %+v", payment.Refund)
	}
	p.stock(t, product.ID, 10, 0, soon)
	c.told(t, o.ID, "order_received", "order_confirmed", "order_cancelled", "payment_refunded")
	c.states(t, o.ID, shop.Pending, shop.Confirmed, shop.Cancelled)
}

// The provider is asked when the customer cancels: whatever it answers then, the
// money is not kept.
func cancelPending(t *testing.T, p *platform) {
	c, product := p.customer(t), p.product(t, 10)
	o := c.place(t, order(product.ID, 2, shop.CardSlow))
	p.stock(t, product.ID, 10, 2, soon)
	cancelled, err := c.CancelOrder(t.Context(), o.ID, "too slow")
	if err != nil || cancelled.Status != shop.Cancelled {
		t.Fatalf("CancelOrder = %+v, %v", cancelled, err)
	}
	p.stock(t, product.ID, 10, 0, soon)
	time.Sleep(15 * time.Second) // the provider has answered by now
	again, err := c.Order(t.Context(), o.ID)
	if err != nil || again.Status != shop.Cancelled {
		t.Errorf("afterwards: %+v, %v", again, err)
	}
	payments, err := c.Payments(t.Context(), o.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, payment := range payments {
		if payment.Status == shop.Captured {
			c.payment(t, o, shop.Refunded)
		}
	}
	p.stock(t, product.ID, 10, 0, soon)
}

func oversell(t *testing.T, p *platform) {
	const units, buyers = 4, 10
	product := p.product(t, units)
	customers := make([]customer, buyers)
	placed := make([]shop.Order, buyers)
	var group sync.WaitGroup
	for i := range customers {
		customers[i] = p.customer(t)
	}
	for i, c := range customers {
		group.Go(func() {
			var err error
			if placed[i], err = c.PlaceOrder(t.Context(), "only", order(product.ID, 1, shop.CardOK)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if t.Failed() {
		return
	}
	got := map[string]int{}
	for i, c := range customers {
		got[c.settled(t, placed[i].ID).Status]++
	}
	if got[shop.Confirmed] != units || got[shop.Cancelled] != buyers-units {
		t.Errorf("%d units for %d buyers: %v", units, buyers, got)
	}
	p.stock(t, product.ID, 0, 0, soon)
}
