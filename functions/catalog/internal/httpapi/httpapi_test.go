package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	event "tradewind/events/catalog"
	"tradewind/functions/catalog"
	"tradewind/functions/catalog/internal/dynamo"
	"tradewind/functions/catalog/internal/httpapi"
	"tradewind/shared/cursor"
	"tradewind/shared/id"
	"tradewind/shared/idempotency"
	"tradewind/shared/identity"
	"tradewind/shared/logs"
	"tradewind/shared/openapi/openapitest"
	"tradewind/shared/outbox"
	"tradewind/shared/table"
	"tradewind/shared/table/tabletest"
)

type shop struct {
	t       *testing.T
	handler *openapitest.Handler
	table   *tabletest.Memory
}

func newShop(t *testing.T) *shop {
	t.Helper()
	mem := &tabletest.Memory{}
	tbl := table.New(mem)
	svc := catalog.NewService(dynamo.New(tbl, outbox.New(event.Source, time.Now)), time.Now, id.New)
	pages := cursor.New([]byte(strings.Repeat("k", 32)), time.Now)
	return &shop{t, openapitest.New(t, catalog.OpenAPI, httpapi.Routes(svc, idempotency.New(tbl, time.Now), pages, logs.Discard())), mem}
}

type call struct {
	who, method, path, body string
	header                  map[string]string
}

const (
	admin    = "admin"
	customer = "customer"
	nobody   = ""

	collection = "/api/products"
	absent     = collection + "/prd_01K9ZZZZZZZZZZZZZZZZZZZZZ0"
)

func (s *shop) do(c call) *httptest.ResponseRecorder {
	s.t.Helper()
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
	s.handler.ServeHTTP(w, r)
	return w
}

func match(version string) map[string]string {
	return map[string]string{"If-Match": `"` + version + `"`}
}

// mug is the body of a new product.
func mug(sku string) string {
	return `{"sku":"` + sku + `","name":"Blue Mug","category":"kitchen","price":{"amount":1999,"currency":"EUR"}}`
}

// create makes a product and returns its address.
func (s *shop) create(sku string) string {
	s.t.Helper()
	w := s.do(call{admin, "POST", collection, mug(sku), nil})
	if w.Code != http.StatusCreated {
		s.t.Fatalf("create: %d %s", w.Code, w.Body)
	}
	return w.Header().Get("Location")
}

// product is a product in an answer.
type product struct {
	ID, SKU, Name, Description, Category, Status string
	Price                                        struct {
		Amount   int
		Currency string
	}
	Version int
}

func read(t *testing.T, w *httptest.ResponseRecorder, status int) product {
	t.Helper()
	var p product
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != status {
		t.Fatalf("%d %s, want %d", w.Code, w.Body, status)
	}
	if etag := w.Header().Get("ETag"); etag != fmt.Sprintf("%q", fmt.Sprint(p.Version)) {
		t.Errorf("ETag %s of %s", etag, w.Body)
	}
	return p
}

func TestLifeOfAProduct(t *testing.T) {
	s := newShop(t)
	s.handler.DemandAll()
	w := s.do(call{admin, "POST", collection, mug("MUG-1"), nil})
	p := read(t, w, http.StatusCreated)
	at := w.Header().Get("Location")
	if at != collection+"/"+p.ID || p.Name != "Blue Mug" || p.Description != "" || p.Price.Amount != 1999 || p.Status != "active" || p.Version != 1 {
		t.Errorf("created %+v at %s", p, at)
	}
	if got := s.do(call{nobody, "GET", at, "", nil}); got.Body.String() != w.Body.String() {
		t.Errorf("read %s\nafter %s", got.Body, w.Body)
	}

	changed := read(t, s.do(call{admin, "PATCH", at, `{"price":{"amount":5},"description":" Holds tea. "}`, match("1")}), http.StatusOK)
	want := p
	want.Price.Amount, want.Description, want.Version = 5, " Holds tea. ", 2
	if changed != want {
		t.Errorf("changed to %+v, want %+v", changed, want)
	}
	merge := match("2")
	merge["Content-Type"] = "application/merge-patch+json"
	if again := read(t, s.do(call{admin, "PATCH", at, `{}`, merge}), http.StatusOK); again != changed {
		t.Errorf("changed by nothing to %+v", again)
	}

	if w := s.do(call{admin, "DELETE", at, "", match("2")}); w.Code != http.StatusNoContent || w.Body.Len() > 0 {
		t.Fatalf("discontinue: %d %s", w.Code, w.Body)
	}
	if w := s.do(call{admin, "DELETE", at, "", match("2")}); w.Code != http.StatusPreconditionFailed {
		t.Errorf("discontinue the version before: %d %s", w.Code, w.Body)
	}
	if w := s.do(call{admin, "DELETE", at, "", match("3")}); w.Code != http.StatusNoContent {
		t.Errorf("discontinue again: %d %s", w.Code, w.Body)
	}
	if gone := read(t, s.do(call{nobody, "GET", at, "", nil}), http.StatusOK); gone.Status != "discontinued" || gone.Version != 3 {
		t.Errorf("discontinued %+v", gone)
	}
	if w := s.do(call{admin, "GET", collection, "", nil}); w.Body.String() != `{"items":[]}` {
		t.Errorf("list after the end: %s", w.Body)
	}
	if back := read(t, s.do(call{admin, "PATCH", at, `{"status":"active"}`, match("3")}), http.StatusOK); back.Status != "active" || back.Version != 4 {
		t.Errorf("made active %+v", back)
	}
	if w := s.do(call{nobody, "GET", collection + "/openapi.json", "", nil}); w.Body.String() != string(catalog.OpenAPI) {
		t.Errorf("document: %d %s", w.Code, w.Body)
	}
}

func TestRefusals(t *testing.T) {
	s := newShop(t)
	at := s.create("MUG-1")
	s.create("MUG-2")
	with := func(was, is string) string { return strings.Replace(mug("MUG-3"), was, is, 1) }
	current := match("1")
	tests := map[string]struct {
		call    call
		want    int
		code    string
		pointer string
	}{
		"absent product read":         {call{nobody, "GET", absent, "", nil}, 404, "product_not_found", ""},
		"absent product changed":      {call{admin, "PATCH", absent, `{}`, current}, 404, "product_not_found", ""},
		"absent product discontinued": {call{admin, "DELETE", absent, "", current}, 404, "product_not_found", ""},
		"no id read":                  {call{nobody, "GET", collection + "/1", "", nil}, 404, "product_not_found", ""},
		"no id changed":               {call{admin, "PATCH", collection + "/1", `{}`, current}, 404, "product_not_found", ""},
		"no id discontinued":          {call{admin, "DELETE", collection + "/1", "", current}, 404, "product_not_found", ""},
		"part of a product":           {call{nobody, "GET", at + "/price", "", nil}, 404, "not_found", ""},
		"put":                         {call{admin, "PUT", at, mug("MUG-1"), current}, 405, "method_not_allowed", ""},
		"delete all":                  {call{admin, "DELETE", collection, "", current}, 405, "method_not_allowed", ""},
		"answer in XML":               {call{nobody, "GET", at, "", map[string]string{"Accept": "application/xml"}}, 406, "not_acceptable", ""},

		"nobody creates":        {call{nobody, "POST", collection, mug("MUG-3"), nil}, 401, "unauthenticated", ""},
		"nobody changes":        {call{nobody, "PATCH", at, `{}`, current}, 401, "unauthenticated", ""},
		"nobody discontinues":   {call{nobody, "DELETE", at, "", current}, 401, "unauthenticated", ""},
		"customer creates":      {call{customer, "POST", collection, mug("MUG-3"), nil}, 403, "forbidden", ""},
		"customer changes":      {call{customer, "PATCH", at, `{}`, current}, 403, "forbidden", ""},
		"customer discontinues": {call{customer, "DELETE", at, "", nil}, 403, "forbidden", ""},

		"taken SKU":                {call{admin, "POST", collection, mug("MUG-1"), nil}, 409, "sku_taken", ""},
		"no SKU":                   {call{admin, "POST", collection, with(`"sku":"MUG-3",`, ""), nil}, 422, "invalid", "/sku"},
		"null SKU":                 {call{admin, "POST", collection, with(`"MUG-3"`, "null"), nil}, 422, "invalid", "/sku"},
		"number for a SKU":         {call{admin, "POST", collection, with(`"MUG-3"`, "3"), nil}, 422, "invalid", "/sku"},
		"long name":                {call{admin, "POST", collection, with("Blue Mug", strings.Repeat("x", 201)), nil}, 422, "invalid", "/name"},
		"null description":         {call{admin, "POST", collection, with(`"category"`, `"description":null,"category"`), nil}, 422, "invalid", "/description"},
		"no price":                 {call{admin, "POST", collection, `{"sku":"MUG-3","name":"x","category":"x"}`, nil}, 422, "invalid", "/price/amount"},
		"null price":               {call{admin, "POST", collection, with(`{"amount":1999,"currency":"EUR"}`, "null"), nil}, 422, "invalid", "/price"},
		"price without amount":     {call{admin, "POST", collection, with(`"amount":1999,`, ""), nil}, 422, "invalid", "/price/amount"},
		"null amount":              {call{admin, "POST", collection, with("1999", "null"), nil}, 422, "invalid", "/price/amount"},
		"float amount":             {call{admin, "POST", collection, with("1999", "19.99"), nil}, 422, "invalid", "/price/amount"},
		"text amount":              {call{admin, "POST", collection, with("1999", `"1999"`), nil}, 422, "invalid", "/price/amount"},
		"negative amount":          {call{admin, "POST", collection, with("1999", "-1"), nil}, 422, "invalid", "/price/amount"},
		"unknown currency":         {call{admin, "POST", collection, with("EUR", "euro"), nil}, 422, "invalid", "/price/currency"},
		"text price":               {call{admin, "POST", collection, with(`{"amount":1999,"currency":"EUR"}`, `"19.99 EUR"`), nil}, 422, "invalid", "/price"},
		"price with another word":  {call{admin, "POST", collection, with(`"amount"`, `"tax":7,"amount"`), nil}, 422, "invalid", "/price/tax"},
		"id from the client":       {call{admin, "POST", collection, with(`"sku"`, `"id":"prd_1","sku"`), nil}, 422, "invalid", "/id"},
		"new but discontinued":     {call{admin, "POST", collection, with(`"sku"`, `"status":"discontinued","sku"`), nil}, 422, "invalid", "/status"},
		"list for a product":       {call{admin, "POST", collection, `[]`, nil}, 422, "invalid", ""},
		"null for a product":       {call{admin, "POST", collection, `null`, nil}, 422, "invalid", ""},
		"no JSON":                  {call{admin, "POST", collection, `{"sku"`, nil}, 400, "malformed_json", ""},
		"two values":               {call{admin, "POST", collection, mug("MUG-3") + `{}`, nil}, 400, "malformed_json", ""},
		"form":                     {call{admin, "POST", collection, "sku=MUG-3", map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}, 415, "unsupported_media_type", ""},
		"large body":               {call{admin, "POST", collection, with("Blue Mug", strings.Repeat("x", 256<<10)), nil}, 413, "body_too_large", ""},
		"bad idempotency key":      {call{admin, "POST", collection, mug("MUG-3"), map[string]string{"Idempotency-Key": "ü"}}, 400, "idempotency_key_malformed", ""},
		"change without a version": {call{admin, "PATCH", at, `{}`, nil}, 428, "if_match_required", ""},
		"change of any version":    {call{admin, "PATCH", at, `{}`, map[string]string{"If-Match": "*"}}, 400, "if_match_malformed", ""},
		"change of an old version": {call{admin, "PATCH", at, `{"name":"x"}`, match("2")}, 412, "stale_version", ""},
		"change to a taken SKU":    {call{admin, "PATCH", at, `{"sku":"MUG-2"}`, current}, 409, "sku_taken", ""},
		"change to null":           {call{admin, "PATCH", at, `{"description":null}`, current}, 422, "invalid", "/description"},
		"change to a null price":   {call{admin, "PATCH", at, `{"price":null}`, current}, 422, "invalid", "/price"},
		"change to a null amount":  {call{admin, "PATCH", at, `{"price":{"amount":null}}`, current}, 422, "invalid", "/price/amount"},
		"change to blank":          {call{admin, "PATCH", at, `{"category":" "}`, current}, 422, "invalid", "/category"},
		"change of the version":    {call{admin, "PATCH", at, `{"version":7}`, current}, 422, "invalid", "/version"},
		"change to unknown status": {call{admin, "PATCH", at, `{"status":"sold"}`, current}, 422, "invalid", "/status"},
		"end without a version":    {call{admin, "DELETE", at, "", nil}, 428, "if_match_required", ""},
		"end of an old version":    {call{admin, "DELETE", at, "", match("2")}, 412, "stale_version", ""},
		"limit of zero":            {call{nobody, "GET", collection + "?limit=0", "", nil}, 422, "invalid", ""},
		"limit of many":            {call{nobody, "GET", collection + "?limit=101", "", nil}, 422, "invalid", ""},
		"long text":                {call{nobody, "GET", collection + "?q=" + strings.Repeat("x", 201), "", nil}, 422, "invalid", ""},
		"long category":            {call{nobody, "GET", collection + "?category=" + strings.Repeat("x", 201), "", nil}, 422, "invalid", ""},
		"forged cursor":            {call{nobody, "GET", collection + "?cursor=AAAA", "", nil}, 400, "cursor_invalid", ""},
	}
	before := s.table.Items()
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := s.do(tt.call)
			var problem struct {
				Code   string
				Errors []struct{ Pointer string }
			}
			if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil || w.Code != tt.want || problem.Code != tt.code {
				t.Fatalf("%d %s, want %d %s", w.Code, w.Body, tt.want, tt.code)
			}
			if tt.want == 422 && (len(problem.Errors) == 0 || problem.Errors[0].Pointer != tt.pointer) {
				t.Errorf("errors %v, want one at %q", problem.Errors, tt.pointer)
			}
		})
	}
	if after := s.table.Items(); len(after) != len(before) {
		t.Errorf("refused requests left %d items", len(after)-len(before))
	}
	if p := read(t, s.do(call{nobody, "GET", at, "", nil}), http.StatusOK); p.Version != 1 {
		t.Errorf("refused requests made %+v", p)
	}
}

// skus returns the SKUs of a page.
func skus(t *testing.T, w *httptest.ResponseRecorder) (skus []string, next string) {
	t.Helper()
	var page struct {
		Items      []product
		NextCursor string
	}
	if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	for _, p := range page.Items {
		skus = append(skus, p.SKU)
	}
	return skus, page.NextCursor
}

func TestLists(t *testing.T) {
	s := newShop(t)
	for i := range 5 {
		s.create(fmt.Sprintf("MUG-%d", i))
	}
	tests := map[string]string{
		"":                            "MUG-4 MUG-3 MUG-2 MUG-1 MUG-0",
		"category=kitchen":            "MUG-4 MUG-3 MUG-2 MUG-1 MUG-0",
		"category=garden":             "",
		"q=mug-3":                     "MUG-3",
		"q=Blue%20M&category=kitchen": "MUG-0 MUG-1 MUG-2 MUG-3 MUG-4",
		"q=blue&category=garden":      "",
		"q=&category=":                "MUG-4 MUG-3 MUG-2 MUG-1 MUG-0",
	}
	for query, want := range tests {
		t.Run(query, func(t *testing.T) {
			for _, limit := range []int{1, 2, 5, 100} {
				var got []string
				cursor := ""
				for range 7 {
					page, next := skus(t, s.do(call{nobody, "GET", fmt.Sprintf("%s?%s&limit=%d&cursor=%s", collection, query, limit, url.QueryEscape(cursor)), "", nil}))
					if len(page) > limit {
						t.Errorf("%d products on a page of %d", len(page), limit)
					}
					got = append(got, page...)
					if cursor = next; cursor == "" {
						break
					}
				}
				if strings.Join(got, " ") != want {
					t.Errorf("by %d: %v, want %s", limit, got, want)
				}
			}
		})
	}
	_, cursor := skus(t, s.do(call{nobody, "GET", collection + "?limit=2", "", nil}))
	if w := s.do(call{nobody, "GET", collection + "?category=kitchen&cursor=" + url.QueryEscape(cursor), "", nil}); w.Code != http.StatusBadRequest {
		t.Errorf("another list's cursor: %d %s", w.Code, w.Body)
	}
}

func TestProductIsMadeOncePerKey(t *testing.T) {
	s := newShop(t)
	post := func(body string) *httptest.ResponseRecorder {
		return s.do(call{admin, "POST", collection, body, map[string]string{"Idempotency-Key": "same"}})
	}
	const n = 20
	answers := make([]*httptest.ResponseRecorder, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { answers[i] = post(mug("MUG-1")) })
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
	if w := post(mug("MUG-2")); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("the key with another payload: %d %s", w.Code, w.Body)
	}
	if page, _ := skus(t, s.do(call{nobody, "GET", collection, "", nil})); len(page) != 1 {
		t.Errorf("products %v", page)
	}
}

// Of writers who saw the same version one wins.
func TestConcurrentChanges(t *testing.T) {
	s := newShop(t)
	at := s.create("MUG-1")
	codes := make([]int, 20)
	var wg sync.WaitGroup
	for i := range codes {
		wg.Go(func() {
			codes[i] = s.do(call{admin, "PATCH", at, fmt.Sprintf(`{"name":"Mug %d"}`, i), match("1")}).Code
		})
	}
	wg.Wait()
	won := 0
	for _, code := range codes {
		switch code {
		case http.StatusOK:
			won++
		case http.StatusPreconditionFailed:
		default:
			t.Errorf("answered %d", code)
		}
	}
	if won != 1 {
		t.Errorf("%d writers won", won)
	}
}
