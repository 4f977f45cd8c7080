package shop_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tradewind/localstack/internal/shop"
)

// answer is a platform that gives one answer and remembers what it was asked.
func answer(t *testing.T, status int, contentType, body string) (*shop.Client, *http.Request) {
	t.Helper()
	asked := new(http.Request)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		*asked = *r.Clone(t.Context())
		asked.Body = io.NopCloser(strings.NewReader(string(text)))
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return shop.New(server.URL + "/base"), asked
}

func TestACallSaysWhoCalls(t *testing.T) {
	c, asked := answer(t, http.StatusOK, "application/json", `{"productId": "prd_1", "onHand": 7, "version": 3}`)
	line, err := c.As("secret").SetStock(t.Context(), "prd_1", 7, 2)
	if err != nil || line.OnHand != 7 || line.Version != 3 {
		t.Fatalf("SetStock = %+v, %v", line, err)
	}
	body, _ := io.ReadAll(asked.Body)
	got := []string{
		asked.Method, asked.URL.Path, asked.Header.Get("Authorization"),
		asked.Header.Get("If-Match"), asked.Header.Get("Content-Type"), string(body),
	}
	want := []string{"PUT", "/base/api/stock/prd_1", "Bearer secret", `"2"`, "application/json", `{"onHand":7}`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := c.Stock(t.Context(), "prd_1"); err != nil || asked.Header.Get("Authorization") != "" {
		t.Errorf("the first client has the token too: %v", err)
	}
}

func TestARefusalIsAProblem(t *testing.T) {
	c, _ := answer(t, http.StatusUnprocessableEntity, "application/problem+json", `{"type": "about:blank", "title": "Unprocessable",
		"status": 422, "code": "invalid", "detail": "see errors", "correlationId": "c-1",
		"errors": [{"pointer": "/items/0/quantity", "message": "must be at least 1"}]}`)
	_, err := c.PlaceOrder(t.Context(), "key", shop.NewOrder{})
	if !shop.IsStatus(err, http.StatusUnprocessableEntity) || shop.IsStatus(err, http.StatusNotFound) {
		t.Fatalf("PlaceOrder: %v", err)
	}
	p, _ := errors.AsType[*shop.Problem](err)
	if p.Code != "invalid" || p.Errors[0].Pointer != "/items/0/quantity" {
		t.Errorf("problem: %+v", p)
	}
	for _, want := range []string{"POST /api/orders", "422 invalid", "/items/0/quantity must be at least 1", "c-1"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q: %v", want, err)
		}
	}
}

func TestAnAnswerThatIsNoProblemIsQuoted(t *testing.T) {
	tests := map[string]struct {
		status            int
		contentType, body string
		want              string
	}{
		"plain":        {502, "application/json", `{"message": "Internal"}`, "status 502, not 200"},
		"incomplete":   {404, "application/problem+json", `{"status": 404}`, "status 404, not 200"},
		"other status": {404, "application/problem+json", `{"type": "t", "title": "t", "status": 400, "code": "c", "correlationId": "i"}`, "status 404, not 200"},
		"success":      {200, "application/json", `{`, "decode {"},
		"long":         {500, "text/html", strings.Repeat("x", 1000), "xxx…"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, _ := answer(t, tt.status, tt.contentType, tt.body)
			_, err := c.Order(t.Context(), "ord_1")
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "GET /api/orders/ord_1") {
				t.Errorf("Order: %v, want %q", err, tt.want)
			}
			if _, ok := errors.AsType[*shop.Problem](err); ok {
				t.Error("taken for a problem document")
			}
		})
	}
}

func TestAListIsReadToItsEnd(t *testing.T) {
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RawQuery)
		if r.URL.Query().Get("cursor") == "" {
			_, _ = io.WriteString(w, `{"items": [{"id": "pay_1"}], "nextCursor": "a+b"}`)
			return
		}
		_, _ = io.WriteString(w, `{"items": [{"id": "pay_2"}]}`)
	}))
	defer server.Close()
	got, err := shop.New(server.URL).Payments(t.Context(), "ord_1")
	if err != nil || len(got) != 2 || got[1].ID != "pay_2" {
		t.Fatalf("Payments = %+v, %v", got, err)
	}
	want := []string{"limit=100&orderId=ord_1", "cursor=a%2Bb&limit=100&orderId=ord_1"}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Error(diff)
	}
}

func TestRawBodiesAreSentAsTheyAre(t *testing.T) {
	c, asked := answer(t, http.StatusBadRequest, "text/plain", "no")
	resp, err := c.Do(t.Context(), shop.Request{
		Method: http.MethodPost, Path: "/api/orders", Body: []byte("{broken"),
		Header: shop.Header("content-type", "text/plain"),
	})
	if err != nil || resp.Status != http.StatusBadRequest {
		t.Fatalf("Do = %+v, %v", resp, err)
	}
	if body, _ := io.ReadAll(asked.Body); string(body) != "{broken" || asked.Header.Get("Content-Type") != "text/plain" {
		t.Errorf("sent %q as %q", body, asked.Header.Get("Content-Type"))
	}
}

func TestNoAnswer(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	if _, err := shop.New(server.URL).Order(t.Context(), "ord_1"); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("Order: %v", err)
	}
}

func TestWhatIsNoURLIsSentToo(t *testing.T) {
	var asked string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked = r.RequestURI }))
	defer server.Close()
	for _, path := range []string{"/api/orders/a%2Fb?x=%31", "/api/orders/../x"} {
		if _, err := shop.New(server.URL+"/base").Do(t.Context(), shop.Request{Method: http.MethodGet, Path: path}); err != nil || asked != "/base"+path {
			t.Errorf("%s was sent as %s: %v", path, asked, err)
		}
	}
	// What this server itself refuses has been sent.
	resp, err := shop.New(server.URL+"/base").Do(t.Context(), shop.Request{Method: http.MethodGet, Path: "/api/orders/%zz"})
	if err != nil || resp.Status != http.StatusBadRequest {
		t.Errorf("a bad escape: %+v, %v", resp, err)
	}
}

func TestAWatcherSeesCallsAndAnswers(t *testing.T) {
	var seen []string
	c, _ := answer(t, http.StatusOK, "application/json", `{"id": "ord_1"}`)
	watched := c.Watched(func(r shop.Request, a *shop.Response) {
		seen = append(seen, r.Method+" "+r.Path+" "+r.Header.Get("Authorization")+" "+string(a.Body))
	}).As("secret")
	for _, client := range []*shop.Client{watched, c} {
		if _, err := client.Order(t.Context(), "ord_1"); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{`GET /api/orders/ord_1 Bearer secret {"id": "ord_1"}`}, seen); diff != "" {
		t.Error(diff)
	}
}
