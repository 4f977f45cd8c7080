package conformance

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"tradewind/localstack/internal/apidoc"
	"tradewind/localstack/internal/cast"
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
			body := asMap(cast.NewProduct())
			body["status"] = "active"
			return body
		},
		other:    func(body map[string]any) { body["name"] = "Another product" },
		conflict: takenSKU,
	},
	"PATCH /api/products/{id}": {
		who: admin,
		body: func(*world) any {
			body := asMap(cast.NewProduct())
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
			body := asMap(cast.Order(w.ware.ID, 1, shop.CardOK))
			body["shippingAddress"] = address()
			return body
		},
		fresh: func(_ *testing.T, _ *suite, w *world) { w.owner = w.buyer },
		other: func(body map[string]any) { body["paymentMethod"] = shop.CardDeclined },
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
}

// example returns that of an operation, without which it cannot be checked.
func (s *suite) example(t *testing.T, op *apidoc.Operation) example {
	t.Helper()
	if isDocument(op) {
		return example{}
	}
	e, ok := examples[op.Name()]
	if !ok {
		t.Fatalf("%s has no example; give it one in operations_test.go", op.Name())
	}
	return e
}

// isDocument says whether an operation serves its service's document.
func isDocument(op *apidoc.Operation) bool { return strings.HasSuffix(op.Path, "/openapi.json") }

// as returns the client that an operation's example is for.
func (s *suite) as(t *testing.T, w *world, op *apidoc.Operation) *shop.Client {
	t.Helper()
	switch s.example(t, op).who {
	case owner:
		return w.owner.Client
	case subject:
		return w.subject.Client
	case admin:
		return s.Admin
	default:
		return s.Anyone
	}
}

// fresh returns a world in which an operation may succeed without harm to others.
func (s *suite) fresh(t *testing.T, op *apidoc.Operation) *world {
	t.Helper()
	w := *s.world
	if fresh := s.example(t, op).fresh; fresh != nil {
		fresh(t, s, &w)
	}
	return &w
}

// request returns the example as a request in a world.
func (s *suite) request(t *testing.T, w *world, op *apidoc.Operation) shop.Request {
	t.Helper()
	e := s.example(t, op)
	r := shop.Request{Method: op.Method, Path: w.path(op), Header: http.Header{}}
	if op.Parameter("header", "If-Match") != nil {
		r.Header.Set("If-Match", read(t, s.as(t, w, op), r.Path).Header.Get("ETag"))
	}
	if op.Parameter("header", "Idempotency-Key") != nil {
		r.Header.Set("Idempotency-Key", unique())
	}
	if e.query != nil {
		r.Path += "?" + e.query(w)
	}
	if op.Body() != nil {
		if e.body == nil {
			t.Fatalf("the example of %s has no body", op.Name())
		}
		text, err := json.Marshal(e.body(w))
		if err != nil {
			t.Fatal(err)
		}
		r.Body = text
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

// succeed makes a request and checks that its answer is the operation's success.
func (s *suite) succeed(t *testing.T, w *world, op *apidoc.Operation, r shop.Request) *shop.Response {
	t.Helper()
	answer := ask(t, s.as(t, w, op), r)
	if status, _ := op.Success(); answer.Status != status {
		t.Fatalf("%s %s: %d %s, want %d", r.Method, r.Path, answer.Status, answer.Body, status)
	}
	return answer
}

// with returns a request with headers changed; an empty value takes one away.
func with(r shop.Request, pairs ...string) shop.Request {
	r.Header = r.Header.Clone()
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			r.Header[http.CanonicalHeaderKey(pairs[i])] = nil
		} else {
			r.Header.Set(pairs[i], pairs[i+1])
		}
	}
	return r
}

// withBody returns a request with another body.
func withBody(r shop.Request, body []byte) shop.Request {
	r.Body = body
	return r
}

// changedBody returns a request with members of its body changed.
func changedBody(t *testing.T, r shop.Request, change func(map[string]any)) shop.Request {
	t.Helper()
	var body map[string]any
	dec := json.NewDecoder(bytes.NewReader(r.Body.([]byte)))
	dec.UseNumber()
	if err := dec.Decode(&body); err != nil {
		t.Fatal(err)
	}
	change(body)
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return withBody(r, text)
}

func decoded[T any](t *testing.T, answer *shop.Response) T {
	t.Helper()
	var v T
	if err := answer.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func asMap(v any) map[string]any {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	var m map[string]any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&m); err != nil {
		panic(err)
	}
	return m
}

func address() map[string]any {
	return map[string]any{"line1": "1 Harbour Road", "line2": "2nd floor", "city": "Lisbon", "postalCode": "1100-001", "country": "PT"}
}

func unique() string { return "conformance-" + rand.Text() }

func uniqueEmail() string { return strings.ToLower(rand.Text()) + "@example.com" }

// The conflicts and consequences of single operations.

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
	if _, err := w.buyer.PlaceOrder(t.Context(), unique(), cast.Order(w.product.ID, 1, shop.CardSlow)); err != nil {
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
