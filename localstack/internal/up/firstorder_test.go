package up

import (
	"bytes"
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tradewind/events"
	"tradewind/localstack/internal/shop"
	"tradewind/localstack/internal/shop/shoptest"
)

// start returns a platform with two products and a customer of it.
func start(t *testing.T, units int) (*shoptest.Platform, *shop.Client, []shop.Product) {
	t.Helper()
	p := shoptest.New()
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	var products []shop.Product
	for _, id := range []string{"prd_a", "prd_b"} {
		product := shop.Product{
			Meta:       shop.Meta{ID: id, Version: 1},
			NewProduct: shop.NewProduct{Name: "Thing " + id, Price: events.Money{Amount: 1250, Currency: "EUR"}},
		}
		p.Products[id] = &product
		p.Stock[id] = &shop.Stock{ProductID: id, OnHand: units, Available: units}
		products = append(products, product)
	}
	return p, shop.New(server.URL + shoptest.GatewayPath).As(shoptest.Token("usr_1")), products
}

func TestPlace(t *testing.T) {
	_, customer, products := start(t, 100)
	r, err := placeFirstOrder(t.Context(), customer, products, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	if r.Order.Status != shop.Confirmed || r.Payment.Amount.Amount != 3*1250 || r.Took <= 0 {
		t.Errorf("result: %+v", r)
	}
	var out bytes.Buffer
	r.Print(&out)
	for _, want := range []string{
		"order ord_", "37.50 EUR", "pending", "confirmed  payment.captured", "paid      captured 37.50 EUR",
		"Thing prd_a: 100 on hand before, 99 after", "Thing prd_b: 100 on hand before, 98 after", "email     Your order ord_",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the timeline lacks %q:\n%s", want, &out)
		}
	}
}

func TestAnOrderThatIsCancelled(t *testing.T) {
	_, customer, products := start(t, 1) // of the second, two are ordered
	_, err := placeFirstOrder(t.Context(), customer, products, func(string) {})
	if err == nil || !strings.Contains(err.Error(), "is cancelled (out_of_stock), not confirmed") {
		t.Errorf("Place: %v", err)
	}
}

func TestAnOrderThatStaysPending(t *testing.T) {
	p, customer, products := start(t, 100)
	p.Delay = time.Hour
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := placeFirstOrder(ctx, customer, products, func(string) {})
	if err == nil || !strings.Contains(err.Error(), "is pending") {
		t.Errorf("Place: %v", err)
	}
}

func TestAConfirmationWithoutItsPayment(t *testing.T) {
	p, customer, products := start(t, 100)
	p.Delay = 100 * time.Millisecond
	time.AfterFunc(20*time.Millisecond, func() {
		p.Lock()
		defer p.Unlock()
		for _, o := range p.Orders {
			o.Status = shop.Confirmed // before the payment
		}
	})
	_, err := placeFirstOrder(t.Context(), customer, products, func(string) {})
	if err == nil || !strings.Contains(err.Error(), "is confirmed with payments []") {
		t.Errorf("Place: %v", err)
	}
}
