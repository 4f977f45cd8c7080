package conformance

import (
	"crypto/rand"
	"testing"

	"tradewind/localstack/internal/fixtures"
	"tradewind/localstack/internal/shop"
)

// role is who an operation is for, by the contract's second chapter.
type role int

const (
	anyone  role = iota
	owner        // and an admin; to other customers what it names is not there
	subject      // the same, of accounts
	admin
)

// example is a request of an operation that succeeds, and what is to be known of it
// beyond its document.
type example struct {
	who   role
	query func(*world) string
	// body has every member that the schema knows.
	body func(*world) any
	// fresh replaces in a world what a success changes; nil where that is nothing.
	fresh func(*testing.T, *suite, *world)
	// other makes of a body another one that is valid too; for what takes a key.
	other func(body map[string]any)
	// shows says where in the answer a text of the body is, by pointers; "" means
	// nowhere. Texts that are not named are in the same place.
	shows map[string]string
	// conflict turns a request into one that the present state forbids.
	conflict func(*testing.T, *suite, *world, *shop.Request) (code string)
	// forbidden returns somebody for whom it is, who is not allowed it all the same.
	forbidden func(*testing.T, *suite) (c *shop.Client, code string)
	// after checks what a success has brought about.
	after func(t *testing.T, s *suite, w *world, sent shop.Request, answer *shop.Response)
}

func limited(*world) string { return "limit=5" }

// examples are of all operations but those that serve the documents.
var examples = map[string]example{
	"POST /api/users": {
		body: func(*world) any {
			return map[string]any{"email": uniqueEmail(), "name": "Nora New", "password": rand.Text(), "addresses": []any{address()}}
		},
		other:    func(body map[string]any) { body["name"] = "Nora Newer" },
		shows:    map[string]string{"/password": ""},
		conflict: takenEmail,
	},
	"GET /api/users": {who: admin, query: limited},
	"GET /api/users/{id}": {
		who: subject,
	},
	"PATCH /api/users/{id}": {
		who: subject,
		body: func(*world) any {
			return map[string]any{"email": uniqueEmail(), "name": "Sam Changed", "addresses": []any{address()}}
		},
		fresh:    func(t *testing.T, s *suite, w *world) { w.newSubject(t, s) },
		conflict: takenEmail,
	},
	"DELETE /api/users/{id}": {
		who:   subject,
		fresh: func(t *testing.T, s *suite, w *world) { w.newSubject(t, s) },
		after: erased,
	},

	"GET /api/products":      {query: limited},
	"GET /api/products/{id}": {},
	"POST /api/products": {
		who: admin,
		body: func(*world) any {
			body := asMap(fixtures.NewProduct())
			body["status"] = "active"
			return body
		},
		other:    func(body map[string]any) { body["name"] = "Another product" },
		conflict: takenSKU,
	},
	"PATCH /api/products/{id}": {
		who: admin,
		body: func(*world) any {
			body := asMap(fixtures.NewProduct())
			body["status"], body["name"] = "active", "Changed product"
			return body
		},
		fresh: func(t *testing.T, s *suite, w *world) { w.newProduct(t, s) },
		conflict: func(t *testing.T, s *suite, w *world, r *shop.Request) string {
			w.newProduct(t, s)
			return takenSKU(t, s, w, r)
		},
	},
	"DELETE /api/products/{id}": {
		who:   admin,
		fresh: func(t *testing.T, s *suite, w *world) { w.newProduct(t, s) },
		after: discontinued,
	},

	"GET /api/stock/{productId}": {},
	"PUT /api/stock/{productId}": {
		who:      admin,
		body:     func(*world) any { return map[string]any{"onHand": 42} },
		fresh:    func(t *testing.T, s *suite, w *world) { w.newStock(t, s) },
		conflict: reservedStock,
	},
	"POST /api/stock/{productId}/adjustments": {
		who:   admin,
		body:  func(*world) any { return map[string]any{"delta": -7, "reason": "broken"} },
		other: func(body map[string]any) { body["delta"] = -8 },
		shows: map[string]string{"/reason": ""},
		fresh: func(t *testing.T, s *suite, w *world) { w.newStock(t, s) },
		conflict: func(_ *testing.T, _ *suite, _ *world, r *shop.Request) string {
			r.Body = []byte(`{"delta": -1000000000, "reason": "all of it and more"}`)
			return "insufficient_stock"
		},
		after: func(t *testing.T, _ *suite, _ *world, _ shop.Request, answer *shop.Response) {
			if line := decoded[shop.Stock](t, answer); line.OnHand != 993 || line.Available != line.OnHand-line.Reserved {
				t.Errorf("7 less than 1000 are %+v", line)
			}
		},
	},

	"POST /api/orders": {
		who: owner,
		body: func(w *world) any {
			body := asMap(fixtures.Order(w.ware.ID, 1, shop.CardOK))
			body["shippingAddress"] = address()
			return body
		},
		fresh:     func(_ *testing.T, _ *suite, w *world) { w.owner = w.buyer },
		other:     func(body map[string]any) { body["paymentMethod"] = shop.CardDeclined },
		forbidden: erasedCustomer,
		after: func(t *testing.T, _ *suite, w *world, _ shop.Request, answer *shop.Response) {
			if o := decoded[shop.Order](t, answer); o.Status != shop.Pending || o.Total != w.ware.Price || o.UserID != w.owner.ID {
				t.Errorf("a new order: %s", answer.Body)
			}
		},
	},
	"GET /api/orders":              {who: owner, query: limited},
	"GET /api/orders/{id}":         {who: owner},
	"GET /api/orders/{id}/history": {who: owner},
	"POST /api/orders/{id}/cancellation": {
		who:   owner,
		body:  func(*world) any { return map[string]any{"reason": "changed my mind"} },
		other: func(body map[string]any) { body["reason"] = "found it cheaper" },
		shows: map[string]string{"/reason": "/cancellation/detail"},
		fresh: func(t *testing.T, _ *suite, w *world) { w.newOrder(t) },
		after: cancelledTwice,
	},

	"GET /api/payments": {
		who:   owner,
		query: func(w *world) string { return "orderId=" + w.order.ID },
	},
	"GET /api/payments/{id}":      {who: owner},
	"GET /api/notifications":      {who: owner, query: limited},
	"GET /api/notifications/{id}": {who: owner},

	"GET /health": {fresh: func(t *testing.T, s *suite, _ *world) { s.probed(t) }, after: everyService},
}
