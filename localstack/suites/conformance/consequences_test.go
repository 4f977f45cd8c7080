package conformance

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"tradewind/localstack/internal/fixtures"
	"tradewind/localstack/internal/shop"
)

// What single operations are refused for by the present state, and what they bring
// about beyond their answer.

func takenEmail(t *testing.T, _ *suite, w *world, r *shop.Request) string {
	*r = changedBody(t, *r, func(body map[string]any) { body["email"] = strings.ToUpper(w.other.Email) })
	return "email_taken"
}

func takenSKU(t *testing.T, s *suite, _ *world, r *shop.Request) string {
	*r = changedBody(t, *r, func(body map[string]any) { body["sku"] = s.world.product.SKU })
	return "sku_taken"
}

// reservedStock has an order whose payment takes a while hold a unit, and counts none.
func reservedStock(t *testing.T, s *suite, w *world, r *shop.Request) string {
	w.newStock(t, s)
	if _, err := w.buyer.PlaceOrder(t.Context(), unique(), fixtures.Order(w.product.ID, 1, shop.CardSlow)); err != nil {
		t.Fatal(err)
	}
	r.Path = "/api/stock/" + w.product.ID
	eventually(t, "a unit to be reserved", func() error {
		answer := read(t, s.Anyone, r.Path)
		r.Header.Set("If-Match", answer.Header.Get("ETag"))
		if line := decoded[shop.Stock](t, answer); line.Reserved != 1 {
			return fmt.Errorf("%d reserved", line.Reserved)
		}
		return nil
	})
	r.Body = []byte(`{"onHand": 0}`)
	return "insufficient_stock"
}

func erased(t *testing.T, s *suite, w *world, sent shop.Request, _ *shop.Response) {
	user := decoded[shop.User](t, read(t, s.Admin, sent.Path))
	if user.ID != w.subject.ID || user.Email != "" || user.Name != "" || len(user.Addresses) > 0 {
		t.Errorf("what an admin reads of an erased user: %+v", user)
	}
	refused(t, sent, ask(t, w.subject.Client, shop.Request{Method: http.MethodGet, Path: sent.Path}), http.StatusNotFound)
	if _, err := s.Pool.SignIn(t.Context(), w.subject.ID, w.subject.Password); err == nil {
		t.Error("an erased user signs in")
	}
}

// erasedCustomer is somebody whose token is older than the end of their account.
func erasedCustomer(t *testing.T, s *suite) (*shop.Client, string) {
	c, err := s.Customer(t.Context(), "Eve Erased")
	if err != nil {
		t.Fatal(err)
	}
	path := "/api/users/" + c.ID
	r := shop.Request{Method: http.MethodDelete, Path: path, Header: shop.Header("If-Match", read(t, c.Client, path).Header.Get("ETag"))}
	if answer := ask(t, c.Client, r); answer.Status != http.StatusNoContent {
		t.Fatalf("erase: %d %s", answer.Status, answer.Body)
	}
	return c.Client, "account_closed"
}

func discontinued(t *testing.T, s *suite, w *world, sent shop.Request, _ *shop.Response) {
	product := decoded[shop.Product](t, read(t, s.Anyone, sent.Path))
	if product.Status != "discontinued" || product.SKU != w.product.SKU || product.Price != w.product.Price {
		t.Errorf("what is read of a discontinued product: %+v", product)
	}
}

func cancelledTwice(t *testing.T, s *suite, w *world, sent shop.Request, answer *shop.Response) {
	o := decoded[shop.Order](t, answer)
	if o.Status != shop.Cancelled || o.Cancellation == nil || o.Cancellation.Reason != "customer_request" {
		t.Errorf("a cancelled order: %s", answer.Body)
	}
	again := ask(t, w.owner.Client, with(sent, "Idempotency-Key", unique()))
	if o := decoded[shop.Order](t, again); again.Status != http.StatusOK || o.Status != shop.Cancelled || o.Cancellation.Detail != "changed my mind" {
		t.Errorf("cancelled again: %d %s", again.Status, again.Body)
	}
}
