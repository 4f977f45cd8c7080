package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"tradewind/events"
	"tradewind/functions/orders"
	"tradewind/functions/orders/internal/dynamo"
	"tradewind/functions/orders/internal/httpapi"
	"tradewind/shared/apperr"
	"tradewind/shared/cursor"
	"tradewind/shared/health"
	"tradewind/shared/httpkit"
	"tradewind/shared/id"
	"tradewind/shared/idempotency"
	"tradewind/shared/identity"
	"tradewind/shared/logs"
	"tradewind/shared/openapi/openapitest"
	"tradewind/shared/outbox"
	"tradewind/shared/table"
	"tradewind/shared/table/tabletest"
)

const rope = "prd_01K9ZZZZZZZZZZZZZZZZZZZZZZ"

// prices is a catalog; its error answers for an outage.
type prices struct {
	products map[string]orders.Product
	err      error
}

func (p *prices) Products(context.Context, []string) (map[string]orders.Product, error) {
	return p.products, p.err
}

// accounts are all open but those that are closed; its error answers for an outage.
type accounts struct {
	closed map[string]bool
	err    error
}

func (a *accounts) Open(_ context.Context, userID string) (bool, error) {
	return a.err == nil && !a.closed[userID], a.err
}

type shop struct {
	handler  *openapitest.Handler
	svc      *orders.Service
	table    *tabletest.Memory
	catalog  *prices
	accounts *accounts
}

func newShop(t *testing.T) *shop {
	t.Helper()
	mem := &tabletest.Memory{}
	tbl := table.New(mem)
	catalog := &prices{products: map[string]orders.Product{rope: {Name: "Rope", Price: events.Money{Amount: 1999, Currency: "EUR"}}}}
	accounts := &accounts{closed: map[string]bool{}}
	svc := orders.NewService(dynamo.New(tbl, outbox.New("orders", time.Now)), catalog, accounts, orders.SandboxMethods, time.Now, id.New)
	key := []byte(strings.Repeat("k", 32))
	routes := httpapi.Routes(svc, idempotency.New(tbl, time.Now), cursor.New(key, time.Now), logs.Discard())
	return &shop{openapitest.New(t, orders.OpenAPI, routes), svc, mem, catalog, accounts}
}

type call struct {
	user, method, path, body, key string
	admin                         bool
}

func (s *shop) do(c call) *httptest.ResponseRecorder {
	r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
	if c.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.key != "" {
		r.Header.Set("Idempotency-Key", c.key)
	}
	if c.user != "" {
		claims := map[string]string{"token_use": "access", "username": c.user}
		if c.admin {
			claims["cognito:groups"] = "[admin]"
		}
		r = r.WithContext(identity.WithClaims(r.Context(), claims))
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

const address = `{"line1":"1 Quay","city":"Kiel","postalCode":"24103","country":"DE"}`

func body(quantity string) string {
	return `{"items":[{"productId":"` + rope + `","quantity":` + quantity + `}],"paymentMethod":"pm_card_ok","shippingAddress":` + address + `}`
}

func (s *shop) place(t *testing.T, user, key string) (id string) {
	t.Helper()
	w := s.do(call{user: user, method: "POST", path: "/api/orders", body: body("2"), key: key})
	if w.Code != http.StatusCreated {
		t.Fatalf("place: %d %s", w.Code, w.Body)
	}
	return field(t, w, "id")
}

func field(t *testing.T, w *httptest.ResponseRecorder, name string) string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &m); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	s, _ := m[name].(string)
	return s
}

// The service's health tells of orders that are pending, each time anew.
func TestChecks(t *testing.T) {
	s := newShop(t)
	expect := func(when, want string) {
		t.Helper()
		w := httptest.NewRecorder()
		ready := health.Handle(httpkit.NewRouter(logs.Discard()), httpapi.Checks(s.svc, table.New(s.table))...)
		ready.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/health/ready", nil))
		want = `{"status":"pass","checks":{"events":{"status":"pass"},"orders":{"status":"pass","observedValue":0,"observedUnit":"s","waiting":` + want + `},"table":{"status":"pass"}}}`
		if got := strings.TrimSpace(w.Body.String()); w.Code != http.StatusOK || got != want {
			t.Errorf("%s: %d %s\nwant %s", when, w.Code, got, want)
		}
	}
	expect("without orders", "0")
	s.place(t, "usr_1", "a")
	paid := s.place(t, "usr_2", "b")
	expect("with two", "2")
	if err := s.svc.Paid(t.Context(), paid, events.Money{Amount: 2 * 1999, Currency: "EUR"}, "payment.captured"); err != nil {
		t.Fatal(err)
	}
	expect("with one decided", "1")
}

func TestPlace(t *testing.T) {
	s := newShop(t)
	w := s.do(call{user: "usr_1", method: "POST", path: "/api/orders", body: body("2"), key: "k1"})
	if w.Code != http.StatusCreated || w.Header().Get("Location") != "/api/orders/"+field(t, w, "id") || w.Header().Get("ETag") != `"1"` {
		t.Fatalf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	if !strings.Contains(w.Body.String(), `"total":{"amount":3998,"currency":"EUR"}`) || field(t, w, "status") != "pending" {
		t.Errorf("order %s", w.Body)
	}
	if got := s.do(call{user: "usr_1", method: "GET", path: w.Header().Get("Location")}); got.Body.String() != w.Body.String() {
		t.Errorf("read %s\nafter %s", got.Body, w.Body)
	}
	if n := len(s.table.Items()); n != 3 {
		t.Errorf("%d items in the table, want order, event and answer", n)
	}
}

func TestRefusals(t *testing.T) {
	s := newShop(t)
	own := s.place(t, "usr_1", "k")
	absent := id.New("ord")
	tests := map[string]struct {
		call call
		want int
		code string
	}{
		"nobody places":            {call{method: "POST", path: "/api/orders", body: body("1"), key: "n"}, 401, "unauthenticated"},
		"nobody lists":             {call{method: "GET", path: "/api/orders"}, 401, "unauthenticated"},
		"nobody reads":             {call{method: "GET", path: "/api/orders/" + own}, 401, "unauthenticated"},
		"nobody cancels":           {call{method: "POST", path: "/api/orders/" + own + "/cancellation", body: `{"reason":"x"}`}, 401, "unauthenticated"},
		"another's order":          {call{user: "usr_2", method: "GET", path: "/api/orders/" + own}, 404, "order_not_found"},
		"another's history":        {call{user: "usr_2", method: "GET", path: "/api/orders/" + own + "/history"}, 404, "order_not_found"},
		"another's cancellation":   {call{user: "usr_2", method: "POST", path: "/api/orders/" + own + "/cancellation", body: `{"reason":"x"}`}, 404, "order_not_found"},
		"another's list":           {call{user: "usr_2", method: "GET", path: "/api/orders?userId=usr_1"}, 403, "forbidden"},
		"absent order":             {call{user: "usr_1", method: "GET", path: "/api/orders/" + absent}, 404, "order_not_found"},
		"no id":                    {call{user: "usr_1", method: "GET", path: "/api/orders/1"}, 404, "order_not_found"},
		"no key":                   {call{user: "usr_1", method: "POST", path: "/api/orders", body: body("1")}, 400, "idempotency_key_required"},
		"key with a space":         {call{user: "usr_1", method: "POST", path: "/api/orders", body: body("1"), key: "a b"}, 400, "idempotency_key_malformed"},
		"key too long":             {call{user: "usr_1", method: "POST", path: "/api/orders", body: body("1"), key: strings.Repeat("x", 256)}, 400, "idempotency_key_malformed"},
		"same key, other body":     {call{user: "usr_1", method: "POST", path: "/api/orders", body: body("3"), key: "k"}, 422, "idempotency_key_reused"},
		"no body":                  {call{user: "usr_1", method: "POST", path: "/api/orders", key: "n"}, 415, "unsupported_media_type"},
		"no JSON":                  {call{user: "usr_1", method: "POST", path: "/api/orders", body: "{", key: "n"}, 400, "malformed_json"},
		"a float of units":         {call{user: "usr_1", method: "POST", path: "/api/orders", body: body("1.5"), key: "n"}, 422, "invalid"},
		"no units":                 {call{user: "usr_1", method: "POST", path: "/api/orders", body: body("0"), key: "n"}, 422, "invalid"},
		"unknown product":          {call{user: "usr_1", method: "POST", path: "/api/orders", body: strings.Replace(body("1"), rope, "prd_x", 1), key: "n"}, 422, "invalid"},
		"a price from the client":  {call{user: "usr_1", method: "POST", path: "/api/orders", body: strings.Replace(body("1"), `"quantity"`, `"unitPrice":1,"quantity"`, 1), key: "n"}, 422, "invalid"},
		"cancel without a reason":  {call{user: "usr_1", method: "POST", path: "/api/orders/" + own + "/cancellation", body: `{}`}, 422, "invalid"},
		"cancel with long reason":  {call{user: "usr_1", method: "POST", path: "/api/orders/" + own + "/cancellation", body: `{"reason":"` + strings.Repeat("x", 201) + `"}`}, 422, "invalid"},
		"forged cursor":            {call{user: "usr_1", method: "GET", path: "/api/orders?cursor=AAAA"}, 400, "cursor_invalid"},
		"limit of zero":            {call{user: "usr_1", method: "GET", path: "/api/orders?limit=0"}, 422, "invalid"},
		"limit of many":            {call{user: "usr_1", method: "GET", path: "/api/orders?limit=101"}, 422, "invalid"},
		"delete an order":          {call{user: "usr_1", method: "DELETE", path: "/api/orders/" + own}, 405, "method_not_allowed"},
		"unknown part of an order": {call{user: "usr_1", method: "GET", path: "/api/orders/" + own + "/items"}, 404, "not_found"},
	}
	before := len(s.table.Items())
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := s.do(tt.call)
			if w.Code != tt.want || field(t, w, "code") != tt.code || w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("%d %s %s, want %d %s", w.Code, w.Header().Get("Content-Type"), w.Body, tt.want, tt.code)
			}
		})
	}
	if after := len(s.table.Items()); after != before {
		t.Errorf("refused requests left %d items", after-before)
	}
}

// TestOutage takes away one of the services that orders asks, or both. What was
// answered before is answered again all the same.
func TestOutage(t *testing.T) {
	catalogDown := apperr.Wrap(errors.New("dial tcp 10.0.0.1"), apperr.Unavailable, "catalog_unavailable", "Try again shortly.")
	usersDown := apperr.Wrap(errors.New("dial tcp 10.0.0.1"), apperr.Unavailable, "user_timeout", "Try again shortly.")
	usersDown.RetryAfter = 7 * time.Second
	tests := map[string]struct {
		catalog, users error
		code, after    string
	}{
		"no catalog": {catalogDown, nil, "catalog_unavailable", "1"},
		"no users":   {nil, usersDown, "user_timeout", "7"},
		"neither":    {catalogDown, usersDown, "", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			before := s.place(t, "usr_1", "before")
			items := len(s.table.Items())
			s.catalog.err, s.accounts.err = tt.catalog, tt.users
			w := s.do(call{user: "usr_1", method: "POST", path: "/api/orders", body: body("1"), key: "k"})
			if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || strings.Contains(w.Body.String(), "10.0.0.1") {
				t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
			}
			if tt.code != "" && (field(t, w, "code") != tt.code || w.Header().Get("Retry-After") != tt.after) {
				t.Errorf("%v %s, want %s after %s s", w.Header(), w.Body, tt.code, tt.after)
			}
			replay := s.do(call{user: "usr_1", method: "POST", path: "/api/orders", body: body("2"), key: "before"})
			if replay.Code != http.StatusCreated || replay.Header().Get("Idempotency-Replayed") != "true" || field(t, replay, "id") != before {
				t.Errorf("a repeat: %d %v %s", replay.Code, replay.Header(), replay.Body)
			}
			if n := len(s.table.Items()); n != items {
				t.Errorf("%d items more", n-items)
			}
			s.catalog.err, s.accounts.err = nil, nil
			s.place(t, "usr_1", "k") // a 5xx is not stored
		})
	}
}

// TestClosedAccount: a token lives longer than its user.
func TestClosedAccount(t *testing.T) {
	s := newShop(t)
	before := s.place(t, "usr_1", "before")
	items := len(s.table.Items())
	s.accounts.closed["usr_1"] = true
	w := s.do(call{user: "usr_1", method: "POST", path: "/api/orders", body: body("1"), key: "k"})
	if w.Code != http.StatusForbidden || field(t, w, "code") != "account_closed" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if replay := s.do(call{user: "usr_1", method: "POST", path: "/api/orders", body: body("2"), key: "before"}); field(t, replay, "id") != before {
		t.Errorf("a repeat: %d %s", replay.Code, replay.Body)
	}
	if n := len(s.table.Items()); n != items {
		t.Errorf("%d items more", n-items)
	}
	s.place(t, "usr_2", "k")
}

func TestConcurrentDuplicates(t *testing.T) {
	s := newShop(t)
	const n = 50
	answers := make([]*httptest.ResponseRecorder, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			answers[i] = s.do(call{user: "usr_1", method: "POST", path: "/api/orders", body: body("2"), key: "same"})
		})
	}
	wg.Wait()
	replayed := 0
	for _, w := range answers {
		if w.Code != http.StatusCreated || w.Body.String() != answers[0].Body.String() || w.Header().Get("Location") != answers[0].Header().Get("Location") {
			t.Fatalf("answers differ: %d %s and %s", w.Code, w.Body, answers[0].Body)
		}
		if w.Header().Get("Idempotency-Replayed") == "true" {
			replayed++
		}
	}
	if replayed != n-1 {
		t.Errorf("%d of %d answers are replays", replayed, n)
	}
	if items := len(s.table.Items()); items != 3 {
		t.Errorf("%d items, want 3", items)
	}
	// The same key of another customer is another key.
	if s.place(t, "usr_2", "same") == field(t, answers[0], "id") {
		t.Error("customers share keys")
	}
}

// Many requests, each sent fifty times at once: as many orders, and one
// answer per key. Without the document's validation, which would take minutes.
func TestManyKeys(t *testing.T) {
	const keys, copies = manyKeys, 50
	mem := &tabletest.Memory{}
	tbl := table.New(mem)
	catalog := &prices{products: map[string]orders.Product{rope: {Name: "Rope", Price: events.Money{Amount: 1999, Currency: "EUR"}}}}
	svc := orders.NewService(dynamo.New(tbl, outbox.New("orders", time.Now)), catalog, &accounts{}, orders.SandboxMethods, time.Now, id.New)
	routes := httpapi.Routes(svc, idempotency.New(tbl, time.Now), cursor.New([]byte(strings.Repeat("k", 32)), time.Now), logs.Discard())
	for k := range keys {
		var wg sync.WaitGroup
		answers := make([]*httptest.ResponseRecorder, copies)
		for i := range copies {
			wg.Go(func() {
				r := httptest.NewRequest("POST", "/api/orders", strings.NewReader(body("2")))
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set("Idempotency-Key", "key-"+strconv.Itoa(k))
				r = r.WithContext(identity.WithClaims(r.Context(), map[string]string{"token_use": "access", "username": "usr_1"}))
				answers[i] = httptest.NewRecorder()
				routes.ServeHTTP(answers[i], r)
			})
		}
		wg.Wait()
		first := 0
		for _, w := range answers {
			if w.Code != http.StatusCreated || w.Body.String() != answers[0].Body.String() ||
				w.Header().Get("Location") != answers[0].Header().Get("Location") || w.Header().Get("ETag") != answers[0].Header().Get("ETag") {
				t.Fatalf("key %d: %d %s beside %s", k, w.Code, w.Body, answers[0].Body)
			}
			if w.Header().Get("Idempotency-Replayed") == "" {
				first++
			}
		}
		if first != 1 {
			t.Fatalf("key %d: %d answers were the first", k, first)
		}
	}
	if n := len(mem.Items()); n != 3*keys {
		t.Errorf("%d items, want an order, an event and an answer for each of %d keys", n, keys)
	}
}

func TestListPagesThroughOwnOrders(t *testing.T) {
	s := newShop(t)
	var want []string
	for _, key := range []string{"a", "b", "c", "d", "e"} {
		want = append([]string{s.place(t, "usr_1", key)}, want...)
	}
	s.place(t, "usr_2", "f")
	var got []string
	cursor := ""
	for range 4 {
		w := s.do(call{user: "usr_1", method: "GET", path: "/api/orders?limit=2&cursor=" + cursor})
		var page struct {
			Items      []struct{ ID string }
			NextCursor string
		}
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		for _, it := range page.Items {
			got = append(got, it.ID)
		}
		if cursor = page.NextCursor; cursor == "" {
			break
		}
		if w := s.do(call{user: "usr_2", method: "GET", path: "/api/orders?limit=2&cursor=" + cursor}); w.Code != http.StatusBadRequest {
			t.Errorf("another customer's cursor: %d", w.Code)
		}
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("listed %v\nwant   %v", got, want)
	}
	if w := s.do(call{user: "usr_3", method: "GET", path: "/api/orders"}); w.Body.String() != `{"items":[]}` {
		t.Errorf("an empty list is %s", w.Body)
	}
}

func TestCancelAndHistory(t *testing.T) {
	s := newShop(t)
	ord := s.place(t, "usr_1", "k")
	path := "/api/orders/" + ord + "/cancellation"
	first := s.do(call{user: "usr_1", method: "POST", path: path, body: `{"reason":"too slow"}`, key: "c"})
	if first.Code != http.StatusOK || field(t, first, "status") != "cancelled" {
		t.Fatalf("%d %s", first.Code, first.Body)
	}
	second := s.do(call{user: "usr_1", method: "POST", path: path, body: `{"reason":"really"}`})
	if second.Code != http.StatusOK || second.Body.String() != first.Body.String() {
		t.Errorf("cancelling again: %d %s", second.Code, second.Body)
	}
	if replay := s.do(call{user: "usr_1", method: "POST", path: path, body: `{"reason":"too slow"}`, key: "c"}); replay.Header().Get("Idempotency-Replayed") != "true" {
		t.Error("a repeated cancellation is replayed")
	}
	w := s.do(call{user: "usr_9", admin: true, method: "GET", path: "/api/orders/" + ord + "/history"})
	var history struct {
		Items []struct{ Status, Cause string }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &history); err != nil {
		t.Fatal(err)
	}
	if len(history.Items) != 2 || history.Items[0].Status != "pending" || history.Items[1].Cause != "customer request" {
		t.Errorf("history %s", w.Body)
	}
}

func TestEveryOperation(t *testing.T) {
	s := newShop(t)
	s.handler.DemandAll()
	ord := s.place(t, "usr_1", "k")
	for _, path := range []string{"/api/orders/openapi.json", "/api/orders", "/api/orders/" + ord, "/api/orders/" + ord + "/history"} {
		if w := s.do(call{user: "usr_1", method: "GET", path: path}); w.Code != http.StatusOK {
			t.Errorf("GET %s: %d %s", path, w.Code, w.Body)
		}
	}
	if w := s.do(call{user: "usr_1", method: "POST", path: "/api/orders/" + ord + "/cancellation", body: `{"reason":"x"}`}); w.Code != http.StatusOK {
		t.Errorf("cancel: %d %s", w.Code, w.Body)
	}
}

// After the customer is erased nothing in the table holds what they wrote, and
// the order stays for the books.
func TestForgetUser(t *testing.T) {
	ctx := context.Background()
	s := newShop(t)
	mine, cancelled, others := s.place(t, "usr_1", "a"), s.place(t, "usr_1", "b"), s.place(t, "usr_2", "a")
	s.do(call{user: "usr_1", method: "POST", path: "/api/orders/" + cancelled + "/cancellation", body: `{"reason":"my cat Kiki is ill"}`, key: "c"})
	for range 2 { // it may be repeated
		if err := s.svc.ForgetUser(ctx, "usr_1"); err != nil {
			t.Fatal(err)
		}
	}
	for _, item := range s.table.Items() {
		text, err := json.Marshal(item)
		if err != nil {
			t.Fatal(err)
		}
		// A stored body is base64 in JSON: look into it as it is.
		if body, ok := item["body"].(*types.AttributeValueMemberB); ok {
			text = append(text, body.Value...)
		}
		if strings.Contains(string(text), others) || strings.Contains(string(text), "usr_2") {
			continue
		}
		for _, word := range []string{"Quay", "Kiel", "24103", "Kiki"} {
			if strings.Contains(string(text), word) {
				t.Errorf("%q is still in %s", word, text)
			}
		}
	}
	for id, wantAddress := range map[string]bool{mine: false, cancelled: false, others: true} {
		w := s.do(call{user: "usr_admin", admin: true, method: "GET", path: "/api/orders/" + id})
		if w.Code != http.StatusOK || strings.Contains(w.Body.String(), "shippingAddress") != wantAddress {
			t.Errorf("the admin reads %d %s", w.Code, w.Body)
		}
	}
	if w := s.do(call{user: "usr_1", method: "POST", path: "/api/orders", body: body("2"), key: "a"}); w.Code != http.StatusConflict {
		t.Errorf("a repeat of an erased request: %d %s", w.Code, w.Body)
	}
}
