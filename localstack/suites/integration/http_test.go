package integration

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"tradewind/events"
	"tradewind/localstack/internal/shop"
)

func badOrders(t *testing.T, p *platform) {
	c, product := p.customer(t), p.product(t, 10)
	good, err := json.Marshal(order(product.ID, 1, shop.CardOK))
	if err != nil {
		t.Fatal(err)
	}
	changed := func(change func(map[string]any)) []byte {
		var o map[string]any
		if err := json.Unmarshal(good, &o); err != nil {
			t.Fatal(err)
		}
		change(o)
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	item := func(id any, quantity any) []map[string]any {
		return []map[string]any{{"productId": id, "quantity": quantity}}
	}
	for name, tt := range map[string]struct {
		body    []byte
		status  int
		pointer string // of the first fault; "" means any
	}{
		"empty":            {[]byte(""), 400, ""},
		"not JSON":         {[]byte("{items"), 400, ""},
		"trailing bytes":   {append(bytes.Clone(good), " x"...), 400, ""},
		"too large":        {changed(func(o map[string]any) { o["note"] = strings.Repeat("x", 257<<10) }), 413, ""},
		"an array":         {[]byte("[]"), 422, ""},
		"null":             {[]byte("null"), 422, ""},
		"an unknown field": {changed(func(o map[string]any) { o["coupon"] = "X" }), 422, "/coupon"},
		"a price": {changed(func(o map[string]any) {
			o["items"] = []map[string]any{{"productId": product.ID, "quantity": 1, "unitPrice": 1}}
		}), 422, ""},
		"no items":            {changed(func(o map[string]any) { o["items"] = []any{} }), 422, "/items"},
		"items missing":       {changed(func(o map[string]any) { delete(o, "items") }), 422, "/items"},
		"items of wrong type": {changed(func(o map[string]any) { o["items"] = "all" }), 422, "/items"},
		"quantity 0":          {changed(func(o map[string]any) { o["items"] = item(product.ID, 0) }), 422, "/items/0/quantity"},
		"quantity -1":         {changed(func(o map[string]any) { o["items"] = item(product.ID, -1) }), 422, "/items/0/quantity"},
		"quantity 1000":       {changed(func(o map[string]any) { o["items"] = item(product.ID, 1000) }), 422, "/items/0/quantity"},
		"quantity 1.5":        {changed(func(o map[string]any) { o["items"] = item(product.ID, 1.5) }), 422, "/items/0/quantity"},
		"quantity as text":    {changed(func(o map[string]any) { o["items"] = item(product.ID, "1") }), 422, "/items/0/quantity"},
		"a product twice":     {changed(func(o map[string]any) { o["items"] = append(item(product.ID, 1), item(product.ID, 1)...) }), 422, ""},
		"51 items":            {changed(func(o map[string]any) { o["items"] = many(51) }), 422, "/items"},
		"an unknown product":  {changed(func(o map[string]any) { o["items"] = item("prd_01ARZ3NDEKTSV4RRFFQ69G5FAV", 1) }), 422, ""},
		"an odd product id":   {changed(func(o map[string]any) { o["items"] = item("../users", 1) }), 422, ""},
		"an unknown method":   {changed(func(o map[string]any) { o["paymentMethod"] = "pm_cash" }), 422, "/paymentMethod"},
		"no address":          {changed(func(o map[string]any) { delete(o, "shippingAddress") }), 422, ""},
		"half an address":     {changed(func(o map[string]any) { o["shippingAddress"] = map[string]any{"line1": "1 Road"} }), 422, ""},
	} {
		t.Run(name, func(t *testing.T) {
			resp := ask(t, c.Client, http.MethodPost, "/api/orders", shop.Header("Idempotency-Key", rand.Text()), tt.body)
			problem := refused(t, resp, tt.status)
			if tt.status == http.StatusUnprocessableEntity && len(problem.Errors) == 0 {
				t.Errorf("no pointer: %s", resp.Body)
			}
			if tt.pointer != "" && len(problem.Errors) > 0 && problem.Errors[0].Pointer != tt.pointer {
				t.Errorf("points at %+v, want %s", problem.Errors, tt.pointer)
			}
		})
	}
	if orders, err := c.Orders(t.Context(), ""); err != nil || len(orders) != 0 {
		t.Errorf("bad orders were taken: %+v, %v", orders, err)
	}
}

func many(n int) []map[string]any {
	items := make([]map[string]any, n)
	for i := range items {
		items[i] = map[string]any{"productId": fmt.Sprintf("prd_%026d", i), "quantity": 1}
	}
	return items
}

func replay(t *testing.T, p *platform) {
	c, product := p.customer(t), p.product(t, 10)
	key := shop.Header("Idempotency-Key", rand.Text())
	first := ask(t, c.Client, http.MethodPost, "/api/orders", key, order(product.ID, 2, shop.CardOK))
	if first.Status != http.StatusCreated || first.Header.Get("Idempotency-Replayed") != "" {
		t.Fatalf("the first: %d %v %s", first.Status, first.Header, first.Body)
	}
	var o shop.Order
	if err := first.Decode(&o); err != nil {
		t.Fatal(err)
	}
	if got, want := first.Header.Get("Location"), "/api/orders/"+o.ID; got != want {
		t.Errorf("Location %q, want %q", got, want)
	}
	c.ends(t, o.ID, shop.Confirmed, soon) // so that an answer made anew would differ
	second := ask(t, c.Client, http.MethodPost, "/api/orders", key, order(product.ID, 2, shop.CardOK))
	if second.Status != first.Status || !bytes.Equal(second.Body, first.Body) || second.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("the repeat: %d %v %s", second.Status, second.Header, second.Body)
	}
	for _, name := range []string{"Location", "ETag", "Content-Type"} {
		if first.Header.Get(name) != second.Header.Get(name) {
			t.Errorf("%s: first %q, then %q", name, first.Header.Get(name), second.Header.Get(name))
		}
	}
	refused(t, ask(t, c.Client, http.MethodPost, "/api/orders", key, order(product.ID, 3, shop.CardOK)), http.StatusUnprocessableEntity)
	p.stock(t, product.ID, 8, 0, soon)

	// A key belongs to its caller.
	other := p.customer(t)
	resp := ask(t, other.Client, http.MethodPost, "/api/orders", key, order(product.ID, 2, shop.CardOK))
	if resp.Status != http.StatusCreated || resp.Header.Get("Idempotency-Replayed") != "" {
		t.Errorf("another's order under the same key: %d %s", resp.Status, resp.Body)
	}
	p.stock(t, product.ID, 6, 0, soon)
}

func concurrentReplay(t *testing.T, p *platform) {
	c, product := p.customer(t), p.product(t, 10)
	key := shop.Header("Idempotency-Key", rand.Text())
	answers := make([]*shop.Response, 8)
	var group sync.WaitGroup
	for i := range answers {
		group.Go(func() {
			var err error
			answers[i], err = c.Do(t.Context(), shop.Request{
				Method: http.MethodPost, Path: "/api/orders", Header: key, Body: order(product.ID, 1, shop.CardOK),
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if t.Failed() {
		return
	}
	made := 0
	for _, a := range answers {
		if a.Status != http.StatusCreated || !bytes.Equal(a.Body, answers[0].Body) {
			t.Errorf("answered %d %s, and %s", a.Status, a.Body, answers[0].Body)
		}
		if a.Header.Get("Idempotency-Replayed") == "" {
			made++
		}
	}
	if made != 1 {
		t.Errorf("%d answers are not replays", made)
	}
	if orders, err := c.Orders(t.Context(), ""); err != nil || len(orders) != 1 {
		t.Errorf("orders: %+v, %v", orders, err)
	}
	p.stock(t, product.ID, 9, 0, soon)
}

func keyNeeded(t *testing.T, p *platform) {
	c, product := p.customer(t), p.product(t, 1)
	for name, key := range map[string]string{"none": "", "too long": strings.Repeat("k", 256), "not visible": "a\tb"} {
		header := http.Header{}
		if key != "" {
			header.Set("Idempotency-Key", key)
		}
		t.Run(name, func(t *testing.T) {
			refused(t, ask(t, c.Client, http.MethodPost, "/api/orders", header, order(product.ID, 1, shop.CardOK)), http.StatusBadRequest)
		})
	}
}

func unknownRoutes(t *testing.T, p *platform) {
	c := p.customer(t)
	for _, r := range []struct {
		method, path string
		status       int
		allow        string // one method that must be allowed
	}{
		{http.MethodGet, "/api/orders/ord_01ARZ3NDEKTSV4RRFFQ69G5FAV", 404, ""},
		{http.MethodGet, "/api/orders/nonsense", 404, ""},
		{http.MethodGet, "/api/orders/ord_1/nothing/here", 404, ""},
		{http.MethodGet, "/api/products/prd_01ARZ3NDEKTSV4RRFFQ69G5FAV", 404, ""},
		{http.MethodGet, "/api/stock/prd_01ARZ3NDEKTSV4RRFFQ69G5FAV", 404, ""},
		{http.MethodGet, "/api/payments/pay_01ARZ3NDEKTSV4RRFFQ69G5FAV", 404, ""},
		{http.MethodGet, "/api/notifications/ntf_01ARZ3NDEKTSV4RRFFQ69G5FAV", 404, ""},
		{http.MethodGet, "/api/users/usr_01ARZ3NDEKTSV4RRFFQ69G5FAV", 404, ""},
		{http.MethodPut, "/api/orders", 405, "POST"},
		{http.MethodDelete, "/api/orders/ord_1", 405, "GET"},
		{http.MethodPut, "/api/products", 405, "GET"},
		{http.MethodPost, "/api/payments", 405, "GET"},
		{http.MethodPost, "/api/notifications", 405, "GET"},
		{http.MethodDelete, "/api/stock/prd_1", 405, "PUT"},
		{http.MethodPut, "/api/users", 405, "POST"},
	} {
		resp := ask(t, c.Client, r.method, r.path, nil, nil)
		t.Run(r.method+" "+r.path, func(t *testing.T) {
			refused(t, resp, r.status)
			if allow := resp.Header.Get("Allow"); !strings.Contains(allow, r.allow) {
				t.Errorf("Allow: %q, want %s", allow, r.allow)
			}
		})
	}
	for _, path := range []string{"/", "/nope", "/api", "/api/nothing", "/api/nothing/here", "/health/live", "/health/ready", "/health/nope"} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			t.Run(method+" "+path, func(t *testing.T) { refused(t, ask(t, p.anyone, method, path, nil, nil), http.StatusNotFound) })
		}
	}
}

func mediaTypes(t *testing.T, p *platform) {
	c, product := p.customer(t), p.product(t, 1)
	header := shop.Header("Idempotency-Key", rand.Text(), "Content-Type", "text/plain")
	refused(t, ask(t, c.Client, http.MethodPost, "/api/orders", header, order(product.ID, 1, shop.CardOK)), http.StatusUnsupportedMediaType)
	refused(t, ask(t, p.anyone, http.MethodGet, "/api/products", shop.Header("Accept", "text/csv"), nil), http.StatusNotAcceptable)
	for _, accept := range []string{"application/json", "*/*", "text/html, application/*;q=0.5"} {
		if resp := ask(t, p.anyone, http.MethodGet, "/api/products", shop.Header("Accept", accept), nil); resp.Status != http.StatusOK {
			t.Errorf("Accept %q: %d", accept, resp.Status)
		}
	}
}

func pages(t *testing.T, p *platform) {
	c, product := p.customer(t), p.product(t, 10)
	placed := map[string]bool{}
	for range 3 {
		placed[c.place(t, order(product.ID, 1, shop.CardOK)).ID] = true
	}
	read := func(query string) shop.Page[shop.Order] {
		t.Helper()
		resp := ask(t, c.Client, http.MethodGet, "/api/orders?"+query, nil, nil)
		var page shop.Page[shop.Order]
		if resp.Status != http.StatusOK {
			t.Fatalf("%s: %d %s", query, resp.Status, resp.Body)
		}
		if err := resp.Decode(&page); err != nil {
			t.Fatal(err)
		}
		return page
	}
	first := read("limit=2")
	if len(first.Items) != 2 || first.NextCursor == "" {
		t.Fatalf("the first page: %+v", first)
	}
	last := read("limit=2&cursor=" + url.QueryEscape(first.NextCursor))
	if len(last.Items) != 1 || last.NextCursor != "" {
		t.Errorf("the last page: %+v", last)
	}
	for _, o := range append(first.Items, last.Items...) {
		delete(placed, o.ID)
	}
	if len(placed) > 0 {
		t.Errorf("not listed: %v", placed)
	}
	forged := []byte(first.NextCursor)
	forged[len(forged)/2] ^= 1
	for name, query := range map[string]string{
		"forged": "cursor=" + url.QueryEscape(string(forged)), "nonsense": "cursor=x", "limit 0": "limit=0", "limit 101": "limit=101", "limit text": "limit=all",
	} {
		resp := ask(t, c.Client, http.MethodGet, "/api/orders?"+query, nil, nil)
		if want := map[bool]int{true: 400, false: 422}[strings.HasPrefix(query, "cursor")]; resp.Status != want && resp.Status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, resp.Status, resp.Body)
		}
	}
	// A cursor is its caller's.
	resp := ask(t, p.customer(t).Client, http.MethodGet, "/api/orders?cursor="+url.QueryEscape(first.NextCursor), nil, nil)
	if resp.Status == http.StatusOK && strings.Contains(string(resp.Body), "ord_") {
		t.Errorf("another's cursor lists: %s", resp.Body)
	}
}

func staleWrites(t *testing.T, p *platform) {
	product := p.product(t, 5)
	line, err := p.anyone.Stock(t.Context(), product.ID)
	if err != nil {
		t.Fatal(err)
	}
	path, body := "/api/stock/"+product.ID, map[string]int{"onHand": 5}
	read := ask(t, p.anyone, http.MethodGet, path, nil, nil)
	if want := fmt.Sprintf("%q", fmt.Sprint(line.Version)); read.Header.Get("ETag") != want {
		t.Errorf("ETag %s of version %d", read.Header.Get("ETag"), line.Version)
	}
	refused(t, ask(t, p.admin, http.MethodPut, path, nil, body), http.StatusPreconditionRequired)
	refused(t, ask(t, p.admin, http.MethodPut, path, shop.Header("If-Match", `"999"`), body), http.StatusPreconditionFailed)
	refused(t, ask(t, p.admin, http.MethodPut, path, shop.Header("If-Match", "nonsense"), body), http.StatusBadRequest)
	resp := ask(t, p.admin, http.MethodPut, path, shop.Header("If-Match", read.Header.Get("ETag")), body)
	if resp.Status != http.StatusOK {
		t.Errorf("with the right version: %d %s", resp.Status, resp.Body)
	}
}

func adjustment(t *testing.T, p *platform) {
	product := p.product(t, 5)
	path := "/api/stock/" + product.ID + "/adjustments"
	resp := ask(t, p.admin, http.MethodPost, path, shop.Header("Idempotency-Key", "once"), map[string]any{"delta": -2, "reason": "broken"})
	var line shop.Stock
	if err := resp.Decode(&line); err != nil || resp.Status != http.StatusOK || line.OnHand != 3 {
		t.Fatalf("adjusted: %d %s", resp.Status, resp.Body)
	}
	again := ask(t, p.admin, http.MethodPost, path, shop.Header("Idempotency-Key", "once"), map[string]any{"delta": -2, "reason": "broken"})
	if again.Header.Get("Idempotency-Replayed") != "true" || !bytes.Equal(again.Body, resp.Body) {
		t.Errorf("repeated: %d %s", again.Status, again.Body)
	}
	if resp := ask(t, p.admin, http.MethodPost, path, nil, map[string]any{"delta": -4, "reason": "too many"}); resp.Status < 400 || resp.Status >= 500 {
		t.Errorf("below zero: %d %s", resp.Status, resp.Body)
	}
	p.mu.Lock()
	p.opening[product.ID] = 3
	p.mu.Unlock()
}

func discontinued(t *testing.T, p *platform) {
	c, product := p.customer(t), p.product(t, 5)
	resp := ask(t, p.admin, http.MethodDelete, "/api/products/"+product.ID, shop.Header("If-Match", `"1"`), nil)
	if resp.Status != http.StatusNoContent {
		t.Fatalf("discontinue: %d %s", resp.Status, resp.Body)
	}
	still, err := p.anyone.Product(t.Context(), product.ID)
	if err != nil || still.Status != "discontinued" {
		t.Errorf("it reads %+v, %v", still, err)
	}
	_, err = c.PlaceOrder(t.Context(), rand.Text(), order(product.ID, 1, shop.CardOK))
	if !shop.IsStatus(err, http.StatusUnprocessableEntity) {
		t.Errorf("ordered: %v", err)
	}
	_, err = p.admin.CreateProduct(t.Context(), shop.NewProduct{
		SKU: product.SKU, Name: "Again", Description: "x", Category: "tests", Price: events.Money{Amount: 1, Currency: "EUR"},
	})
	if !shop.IsStatus(err, http.StatusConflict) {
		t.Errorf("its SKU again: %v", err)
	}
}

func correlation(t *testing.T, p *platform) {
	id := "test-" + strings.ToLower(rand.Text())
	for _, path := range []string{"/api/products", "/api/products/prd_none"} {
		resp := ask(t, p.anyone, http.MethodGet, path, shop.Header("X-Correlation-Id", id), nil)
		if got := resp.Header.Get("X-Correlation-Id"); got != id {
			t.Errorf("%s: correlation id %q, sent %q", path, got, id)
		}
	}
	resp := ask(t, p.anyone, http.MethodGet, "/api/products", shop.Header("X-Correlation-Id", "not one!"), nil)
	if got := resp.Header.Get("X-Correlation-Id"); got == "" || got == "not one!" {
		t.Errorf("an invalid id becomes %q", got)
	}
}

func documents(t *testing.T, p *platform) {
	for _, base := range []string{"/api/users", "/api/products", "/api/stock", "/api/orders", "/api/payments", "/api/notifications", "/health"} {
		resp := ask(t, p.anyone, http.MethodGet, base+"/openapi.json", nil, nil)
		var doc struct {
			OpenAPI string
			Paths   map[string]any
		}
		if err := resp.Decode(&doc); err != nil || resp.Status != http.StatusOK || !strings.HasPrefix(doc.OpenAPI, "3.1") {
			t.Errorf("%s: %d %.80s", base, resp.Status, resp.Body)
		}
		if _, ok := doc.Paths[base]; !ok && base != "/api/stock" {
			t.Errorf("%s: no path of its own in %d", base, len(doc.Paths))
		}
	}
	for path, media := range map[string]string{"/docs/events": "text/html", "/docs/events/asyncapi.json": "application/json"} {
		resp := ask(t, p.anyone, http.MethodGet, path, nil, nil)
		if resp.Status != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), media) || !bytes.Contains(resp.Body, []byte("order.created")) {
			t.Errorf("%s: %d %s, %d bytes", path, resp.Status, resp.Header.Get("Content-Type"), len(resp.Body))
		}
	}
}

func crossOrigin(t *testing.T, p *platform) {
	resp := ask(t, p.anyone, http.MethodOptions, "/api/orders", shop.Header(
		"Origin", "https://shop.example", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type"), nil)
	if resp.Status >= 300 || resp.Header.Get("Access-Control-Allow-Origin") == "" {
		t.Errorf("preflight: %d %v", resp.Status, resp.Header)
	}
}
