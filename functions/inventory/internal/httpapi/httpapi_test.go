package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"tradewind/events"
	event "tradewind/events/inventory"
	"tradewind/functions/inventory"
	"tradewind/functions/inventory/internal/dynamo"
	"tradewind/functions/inventory/internal/httpapi"
	"tradewind/shared/id"
	"tradewind/shared/idempotency"
	"tradewind/shared/identity"
	"tradewind/shared/logs"
	"tradewind/shared/openapi/openapitest"
	"tradewind/shared/outbox"
	"tradewind/shared/table"
	"tradewind/shared/table/tabletest"
)

const (
	rope   = "prd_01K9ZZZZZZZZZZZZZZZZZZZZZZ"
	absent = "prd_01K9ZZZZZZZZZZZZZZZZZZZZZ0"
)

type house struct {
	t       *testing.T
	handler *openapitest.Handler
	svc     *inventory.Service
	table   *tabletest.Memory
}

// newHouse returns an inventory with five ropes, two of them reserved. Its line
// is at version 3.
func newHouse(t *testing.T) *house {
	t.Helper()
	mem := &tabletest.Memory{}
	tbl := table.New(mem)
	svc := inventory.NewService(dynamo.New(tbl, outbox.New(event.Source, time.Now)), time.Now, id.New)
	h := &house{t, openapitest.New(t, inventory.OpenAPI, httpapi.Routes(svc, idempotency.New(tbl, time.Now), logs.Discard())), svc, mem}
	ctx := context.Background()
	if err := svc.Open(ctx, rope); err != nil {
		t.Fatal(err)
	}
	if _, err := svc.Adjust(ctx, rope, 5, "delivery", "usr_1"); err != nil {
		t.Fatal(err)
	}
	if err := svc.OrderCreated(ctx, inventory.Order{ID: "ord_1", Lines: []events.Line{{ProductID: rope, Quantity: 2}}}); err != nil {
		t.Fatal(err)
	}
	return h
}

type call struct {
	who, method, path, body string
	header                  map[string]string
}

const (
	admin    = "admin"
	customer = "customer"
	nobody   = ""
)

func (h *house) do(c call) *httptest.ResponseRecorder {
	h.t.Helper()
	r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
	if c.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for name, value := range c.header {
		r.Header.Set(name, value)
	}
	if c.who != nobody {
		claims := map[string]string{"token_use": "access", "username": "usr_" + c.who, "cognito:groups": "[" + c.who + "]"}
		r = r.WithContext(identity.WithClaims(r.Context(), claims))
	}
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	return w
}

func (h *house) set(ifMatch, body string) *httptest.ResponseRecorder {
	h.t.Helper()
	return h.do(call{admin, "PUT", "/api/stock/" + rope, body, map[string]string{"If-Match": ifMatch}})
}

func (h *house) adjust(key, body string) *httptest.ResponseRecorder {
	h.t.Helper()
	header := map[string]string{}
	if key != "" {
		header["Idempotency-Key"] = key
	}
	return h.do(call{admin, "POST", "/api/stock/" + rope + "/adjustments", body, header})
}

// line returns a stock line in an answer as "version: onHand/reserved/available".
func line(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	var s struct {
		ID, ProductID                        string
		OnHand, Reserved, Available, Version int
	}
	if err := json.Unmarshal(w.Body.Bytes(), &s); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if etag := w.Header().Get("ETag"); etag != fmt.Sprintf("%q", fmt.Sprint(s.Version)) || s.ID != rope || s.ProductID != rope {
		t.Errorf("ETag %s of %s", etag, w.Body)
	}
	return fmt.Sprintf("%d: %d/%d/%d", s.Version, s.OnHand, s.Reserved, s.Available)
}

func want(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %s, want %s", what, got, want)
	}
}

func TestRoutes(t *testing.T) {
	h := newHouse(t)
	h.handler.DemandAll()
	get := func() *httptest.ResponseRecorder {
		return h.do(call{who: nobody, method: "GET", path: "/api/stock/" + rope})
	}
	want(t, "line", line(t, get()), "3: 5/2/3")
	want(t, "line that was set", line(t, h.set(`"3"`, `{"onHand":9}`)), "4: 9/2/7")
	want(t, "line that was set to the same", line(t, h.set(`"4"`, `{"onHand":9}`)), "4: 9/2/7")
	want(t, "line that was adjusted", line(t, h.adjust("", `{"delta":-7,"reason":"theft"}`)), "5: 2/2/0")
	want(t, "line", line(t, get()), "5: 2/2/0")
	if w := h.do(call{who: nobody, method: "GET", path: "/api/stock/openapi.json"}); w.Body.String() != string(inventory.OpenAPI) {
		t.Errorf("document: %d %s", w.Code, w.Body)
	}
}

func TestRefusals(t *testing.T) {
	const (
		path  = "/api/stock/" + rope
		posts = path + "/adjustments"
	)
	current := map[string]string{"If-Match": `"3"`}
	match := func(tag string) map[string]string { return map[string]string{"If-Match": tag} }
	tests := map[string]struct {
		call call
		want int
		code string
	}{
		"absent product read":     {call{nobody, "GET", "/api/stock/" + absent, "", nil}, 404, "stock_not_found"},
		"absent product set":      {call{admin, "PUT", "/api/stock/" + absent, `{"onHand":1}`, current}, 404, "stock_not_found"},
		"absent product adjusted": {call{admin, "POST", "/api/stock/" + absent + "/adjustments", `{"delta":1,"reason":"x"}`, nil}, 404, "stock_not_found"},
		"no id read":              {call{nobody, "GET", "/api/stock/1", "", nil}, 404, "stock_not_found"},
		"no id set":               {call{admin, "PUT", "/api/stock/1", `{"onHand":1}`, current}, 404, "stock_not_found"},
		"no id adjusted":          {call{admin, "POST", "/api/stock/1/adjustments", `{"delta":1,"reason":"x"}`, nil}, 404, "stock_not_found"},
		"no collection":           {call{nobody, "GET", "/api/stock", "", nil}, 404, "not_found"},
		"delete":                  {call{admin, "DELETE", path, "", current}, 405, "method_not_allowed"},
		"list of adjustments":     {call{admin, "GET", posts, "", nil}, 405, "method_not_allowed"},

		"nobody sets":           {call{nobody, "PUT", path, `{"onHand":1}`, current}, 401, "unauthenticated"},
		"nobody adjusts":        {call{nobody, "POST", posts, `{"delta":1,"reason":"x"}`, nil}, 401, "unauthenticated"},
		"customer sets":         {call{customer, "PUT", path, `{"onHand":1}`, current}, 403, "forbidden"},
		"customer adjusts":      {call{customer, "POST", posts, `{"delta":1,"reason":"x"}`, nil}, 403, "forbidden"},
		"customer sets nothing": {call{customer, "PUT", "/api/stock/" + absent, "", nil}, 403, "forbidden"},

		"set without version":   {call{admin, "PUT", path, `{"onHand":9}`, nil}, 428, "if_match_required"},
		"set any version":       {call{admin, "PUT", path, `{"onHand":9}`, match("*")}, 400, "if_match_malformed"},
		"set unquoted version":  {call{admin, "PUT", path, `{"onHand":9}`, match("3")}, 400, "if_match_malformed"},
		"set old version":       {call{admin, "PUT", path, `{"onHand":9}`, match(`"2"`)}, 412, "stale_version"},
		"set future version":    {call{admin, "PUT", path, `{"onHand":9}`, match(`"4"`)}, 412, "stale_version"},
		"set below the reserve": {call{admin, "PUT", path, `{"onHand":1}`, current}, 409, "insufficient_stock"},
		"set below nothing":     {call{admin, "PUT", path, `{"onHand":-1}`, current}, 422, "invalid"},
		"set too many":          {call{admin, "PUT", path, `{"onHand":1000000001}`, current}, 422, "invalid"},
		"set a huge number":     {call{admin, "PUT", path, `{"onHand":1e30}`, current}, 422, "invalid"},
		"set a half":            {call{admin, "PUT", path, `{"onHand":1.5}`, current}, 422, "invalid"},
		"set text":              {call{admin, "PUT", path, `{"onHand":"1"}`, current}, 422, "invalid"},
		"set null":              {call{admin, "PUT", path, `{"onHand":null}`, current}, 422, "invalid"},
		"set nothing":           {call{admin, "PUT", path, `{}`, current}, 422, "invalid"},
		"set what is computed":  {call{admin, "PUT", path, `{"onHand":9,"available":9}`, current}, 422, "invalid"},
		"set a list":            {call{admin, "PUT", path, `[9]`, current}, 422, "invalid"},
		"set no JSON":           {call{admin, "PUT", path, `{"onHand":9}}`, current}, 400, "malformed_json"},
		"set a form":            {call{admin, "PUT", path, ``, current}, 415, "unsupported_media_type"},

		"adjust below the reserve": {call{admin, "POST", posts, `{"delta":-4,"reason":"x"}`, nil}, 409, "insufficient_stock"},
		"adjust above the most":    {call{admin, "POST", posts, `{"delta":1000000000,"reason":"x"}`, nil}, 409, "stock_limit_exceeded"},
		"adjust by nothing":        {call{admin, "POST", posts, `{"delta":0,"reason":"x"}`, nil}, 422, "invalid"},
		"adjust by no delta":       {call{admin, "POST", posts, `{"reason":"x"}`, nil}, 422, "invalid"},
		"adjust by null":           {call{admin, "POST", posts, `{"delta":null,"reason":"x"}`, nil}, 422, "invalid"},
		"adjust by too many":       {call{admin, "POST", posts, `{"delta":1000000001,"reason":"x"}`, nil}, 422, "invalid"},
		"adjust without reason":    {call{admin, "POST", posts, `{"delta":1}`, nil}, 422, "invalid"},
		"adjust with null reason":  {call{admin, "POST", posts, `{"delta":1,"reason":null}`, nil}, 422, "invalid"},
		"adjust with blank reason": {call{admin, "POST", posts, `{"delta":1,"reason":" "}`, nil}, 422, "invalid"},
		"adjust with long reason":  {call{admin, "POST", posts, `{"delta":1,"reason":"` + strings.Repeat("x", 201) + `"}`, nil}, 422, "invalid"},
		"adjust with another word": {call{admin, "POST", posts, `{"delta":1,"reason":"x","note":"y"}`, nil}, 422, "invalid"},
		"adjust no JSON":           {call{admin, "POST", posts, `{`, nil}, 400, "malformed_json"},
		"adjust with a large body": {call{admin, "POST", posts, `{"delta":1,"reason":"` + strings.Repeat("x", 256<<10) + `"}`, nil}, 413, "body_too_large"},
		"adjust with a bad key":    {call{admin, "POST", posts, `{"delta":1,"reason":"x"}`, map[string]string{"Idempotency-Key": "a b"}}, 400, "idempotency_key_malformed"},
		"answer in HTML":           {call{nobody, "GET", path, "", map[string]string{"Accept": "text/html"}}, 406, "not_acceptable"},
	}
	h := newHouse(t)
	before := h.table.Items()
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := h.do(tt.call)
			var problem struct{ Code string }
			if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil || w.Code != tt.want || problem.Code != tt.code {
				t.Errorf("%d %s, want %d %s", w.Code, w.Body, tt.want, tt.code)
			}
		})
	}
	if after := h.table.Items(); len(after) != len(before) {
		t.Errorf("refused requests left %d items", len(after)-len(before))
	}
	want(t, "line", line(t, h.do(call{who: nobody, method: "GET", path: path})), "3: 5/2/3")
}

func TestAdjustmentIsMadeOncePerKey(t *testing.T) {
	h := newHouse(t)
	const n = 20
	answers := make([]*httptest.ResponseRecorder, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { answers[i] = h.adjust("same", `{"delta":1,"reason":"found"}`) })
	}
	wg.Wait()
	replayed := 0
	for _, w := range answers {
		want(t, "line", line(t, w), "4: 6/2/4")
		if w.Header().Get("Idempotency-Replayed") == "true" {
			replayed++
		}
	}
	if replayed != n-1 {
		t.Errorf("%d of %d answers are replays", replayed, n)
	}
	if w := h.adjust("same", `{"delta":2,"reason":"found"}`); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("the key with another payload: %d %s", w.Code, w.Body)
	}
}

// Adjustments count from what is there, so none of them is ever stale.
func TestConcurrentAdjustments(t *testing.T) {
	h := newHouse(t)
	const n = 5
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if w := h.adjust("", `{"delta":1,"reason":"found"}`); w.Code != http.StatusOK {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
	wg.Wait()
	want(t, "line", line(t, h.do(call{who: nobody, method: "GET", path: "/api/stock/" + rope})), "8: 10/2/8")
}
