package httpapi_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tradewind/events"
	event "tradewind/events/payments"
	"tradewind/functions/payments"
	"tradewind/functions/payments/internal/dynamo"
	"tradewind/functions/payments/internal/httpapi"
	"tradewind/functions/payments/internal/sandbox"
	"tradewind/shared/identity"
	"tradewind/shared/logs"
	"tradewind/shared/openapi/openapitest"
	"tradewind/shared/outbox"
	"tradewind/shared/table"
	"tradewind/shared/table/tabletest"
)

// The ids of orders and, with their own prefix, of their payments.
const (
	captured = "01K9ZZZZZZZZZZZZZZZZZZZZZA"
	declined = "01K9ZZZZZZZZZZZZZZZZZZZZZB"
	refunded = "01K9ZZZZZZZZZZZZZZZZZZZZZC"
	barred   = "01K9ZZZZZZZZZZZZZZZZZZZZZD"
	absent   = "01K9ZZZZZZZZZZZZZZZZZZZZZE"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// bounded refuses a key that is longer than DynamoDB takes.
type bounded struct{ table.Backend }

func (b bounded) Get(ctx context.Context, key table.Key) (table.Item, error) {
	if len(key.PK) > 2048 {
		return nil, errors.New("ValidationException: size of hashkey has exceeded the maximum size limit of 2048 bytes")
	}
	return b.Backend.Get(ctx, key)
}

// newAPI is the service with orders of usr_1 in every status.
func newAPI(t *testing.T) *openapitest.Handler {
	t.Helper()
	clock := func() time.Time { return noon }
	tbl := table.New(bounded{&tabletest.Memory{}})
	refundID := func(prefix string) string { return prefix + "_01K9ZZZZZZZZZZZZZZZZZZZZZR" }
	svc := payments.NewService(dynamo.New(tbl, outbox.New(event.Source, clock)), sandbox.New(tbl, clock), time.Second, clock, refundID)
	order := func(id, method string) payments.Order {
		return payments.Order{ID: "ord_" + id, UserID: "usr_1", Total: events.Money{Amount: 1999, Currency: "EUR"}, Method: method}
	}
	err := errors.Join(
		svc.StockReserved(t.Context(), order(captured, "pm_card_ok")),
		svc.StockReserved(t.Context(), order(declined, "pm_card_declined")),
		svc.StockReserved(t.Context(), order(refunded, "pm_card_ok")),
		svc.OrderCancelled(t.Context(), order(refunded, "")),
		svc.OrderCancelled(t.Context(), order(barred, "")),
	)
	if err != nil {
		t.Fatal(err)
	}
	return openapitest.New(t, payments.OpenAPI, httpapi.Routes(svc, logs.Discard()))
}

type call struct {
	user, method, path string
	admin              bool
	header             map[string]string
}

func do(h http.Handler, c call) *httptest.ResponseRecorder {
	if c.method == "" {
		c.method = http.MethodGet
	}
	r := httptest.NewRequest(c.method, c.path, nil)
	for name, value := range c.header {
		r.Header.Set(name, value)
	}
	if c.user != "" {
		claims := map[string]string{"token_use": "access", "username": c.user}
		if c.admin {
			claims["cognito:groups"] = "[admin]"
		}
		r = r.WithContext(identity.WithClaims(r.Context(), claims))
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

const (
	capturedJSON = `{"id":"pay_` + captured + `","orderId":"ord_` + captured + `","userId":"usr_1","amount":{"amount":1999,"currency":"EUR"},` +
		`"status":"captured","version":1,"createdAt":"2026-01-02T12:00:00.000Z","updatedAt":"2026-01-02T12:00:00.000Z"}`
	declinedJSON = `{"id":"pay_` + declined + `","orderId":"ord_` + declined + `","userId":"usr_1","amount":{"amount":1999,"currency":"EUR"},` +
		`"status":"declined","declineCode":"card_declined","version":1,"createdAt":"2026-01-02T12:00:00.000Z","updatedAt":"2026-01-02T12:00:00.000Z"}`
	refundedJSON = `{"id":"pay_` + refunded + `","orderId":"ord_` + refunded + `","userId":"usr_1","amount":{"amount":1999,"currency":"EUR"},` +
		`"status":"refunded","refund":{"id":"ref_01K9ZZZZZZZZZZZZZZZZZZZZZR","amount":{"amount":1999,"currency":"EUR"},"createdAt":"2026-01-02T12:00:00.000Z"},` +
		`"version":2,"createdAt":"2026-01-02T12:00:00.000Z","updatedAt":"2026-01-02T12:00:00.000Z"}`
	emptyJSON = `{"items":[]}`
)

func TestReading(t *testing.T) {
	h := newAPI(t).DemandAll()
	list := func(item string) string { return `{"items":[` + item + `]}` }
	tests := map[string]struct {
		call call
		want string
		etag string
	}{
		"captured":            {call{user: "usr_1", path: "/api/payments/pay_" + captured}, capturedJSON, `"1"`},
		"declined":            {call{user: "usr_1", path: "/api/payments/pay_" + declined}, declinedJSON, `"1"`},
		"refunded":            {call{user: "usr_1", path: "/api/payments/pay_" + refunded}, refundedJSON, `"2"`},
		"admin reads":         {call{user: "usr_9", admin: true, path: "/api/payments/pay_" + captured}, capturedJSON, `"1"`},
		"own order":           {call{user: "usr_1", path: "/api/payments?orderId=ord_" + captured}, list(capturedJSON), ""},
		"admin lists":         {call{user: "usr_9", admin: true, path: "/api/payments?orderId=ord_" + refunded + "&limit=100"}, list(refundedJSON), ""},
		"another's order":     {call{user: "usr_2", path: "/api/payments?orderId=ord_" + captured}, emptyJSON, ""},
		"order of nobody":     {call{user: "usr_1", path: "/api/payments?orderId=ord_" + absent}, emptyJSON, ""},
		"cancelled uncharged": {call{user: "usr_1", path: "/api/payments?orderId=ord_" + barred}, emptyJSON, ""},
		"no order's id":       {call{user: "usr_1", path: "/api/payments?orderId=x"}, emptyJSON, ""},
		"longer than a key":   {call{user: "usr_1", path: "/api/payments?orderId=ord_" + strings.Repeat("x", 5000)}, emptyJSON, ""},
		"no text":             {call{user: "usr_1", path: "/api/payments?orderId=%ff%00"}, emptyJSON, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := do(h, tt.call)
			if w.Code != http.StatusOK || w.Body.String() != tt.want || w.Header().Get("ETag") != tt.etag {
				t.Errorf("%d %v\n%s\nwant\n%s", w.Code, w.Header(), w.Body, tt.want)
			}
		})
	}
	if w := do(h, call{path: "/api/payments/openapi.json"}); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"openapi":"3.1.0"`) {
		t.Errorf("document: %d %s", w.Code, w.Body)
	}
}

func TestRefusals(t *testing.T) {
	h := newAPI(t)
	own := "/api/payments/pay_" + captured
	list := "/api/payments?orderId=ord_" + captured
	tests := map[string]struct {
		call call
		want int
		code string
	}{
		"nobody reads":         {call{path: own}, 401, "unauthenticated"},
		"nobody lists":         {call{path: list}, 401, "unauthenticated"},
		"nobody, bad limit":    {call{path: list + "&limit=0"}, 401, "unauthenticated"},
		"another's payment":    {call{user: "usr_2", path: own}, 404, "payment_not_found"},
		"absent payment":       {call{user: "usr_1", path: "/api/payments/pay_" + absent}, 404, "payment_not_found"},
		"order never charged":  {call{user: "usr_1", path: "/api/payments/pay_" + barred}, 404, "payment_not_found"},
		"admin, never charged": {call{user: "usr_9", admin: true, path: "/api/payments/pay_" + barred}, 404, "payment_not_found"},
		"the order's id":       {call{user: "usr_1", path: "/api/payments/ord_" + captured}, 404, "payment_not_found"},
		"no id":                {call{user: "usr_1", path: "/api/payments/1"}, 404, "payment_not_found"},
		"below a payment":      {call{user: "usr_1", path: own + "/refund"}, 404, "not_found"},
		"no order":             {call{user: "usr_1", path: "/api/payments"}, 422, "invalid"},
		"empty order":          {call{user: "usr_1", path: "/api/payments?orderId="}, 422, "invalid"},
		"limit too small":      {call{user: "usr_1", path: list + "&limit=0"}, 422, "invalid"},
		"limit too large":      {call{user: "usr_1", path: list + "&limit=101"}, 422, "invalid"},
		"limit no number":      {call{user: "usr_1", path: list + "&limit=ten"}, 422, "invalid"},
		"cursor":               {call{user: "usr_1", path: list + "&cursor=AAAA"}, 400, "cursor_invalid"},
		"create":               {call{user: "usr_1", method: "POST", path: "/api/payments"}, 405, "method_not_allowed"},
		"change":               {call{user: "usr_1", method: "PATCH", path: own}, 405, "method_not_allowed"},
		"delete":               {call{user: "usr_1", method: "DELETE", path: own}, 405, "method_not_allowed"},
		"not JSON":             {call{user: "usr_1", path: own, header: map[string]string{"Accept": "text/html"}}, 406, "not_acceptable"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := do(h, tt.call)
			if w.Code != tt.want || !strings.Contains(w.Body.String(), `"code":"`+tt.code+`"`) {
				t.Errorf("%d %s, want %d %s", w.Code, w.Body, tt.want, tt.code)
			}
			if w.Code == http.StatusMethodNotAllowed && w.Header().Get("Allow") != "GET, HEAD" {
				t.Errorf("Allow: %q", w.Header().Get("Allow"))
			}
		})
	}
}

// broken is a database that does not answer.
type broken struct{ table.Backend }

func (broken) Get(context.Context, table.Key) (table.Item, error) {
	return nil, errors.New("dial tcp 10.0.0.1:443: connection refused")
}

func TestFailureTellsNothing(t *testing.T) {
	svc := payments.NewService(dynamo.New(table.New(broken{}), outbox.New(event.Source, time.Now)), nil, 0, time.Now, nil)
	h := httpapi.Routes(svc, logs.Discard())
	for _, path := range []string{"/api/payments/pay_" + captured, "/api/payments?orderId=ord_" + captured} {
		w := do(h, call{user: "usr_1", path: path})
		if w.Code < 500 || strings.Contains(w.Body.String(), "10.0.0.1") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}
