package catalog_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tradewind/events"
	"tradewind/functions/orders"
	"tradewind/functions/orders/internal/catalog"
	"tradewind/shared/apperr"
	"tradewind/shared/client"
)

// service is the catalog service, without the way to it.
type service http.HandlerFunc

func (s service) Do(r *http.Request) (*http.Response, error) {
	if r.URL.Host != "catalog-service" {
		return nil, fmt.Errorf("called %s", r.URL)
	}
	w := httptest.NewRecorder()
	s(w, r)
	return w.Result(), nil
}

// shop has a rope, a knot that is no longer sold, and a page that is no product.
func shop(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	switch r.URL.EscapedPath() {
	case "/api/products/prd_rope":
		fmt.Fprint(w, `{"name":"Rope","status":"active","price":{"amount":1999,"currency":"EUR"},"version":3}`)
	case "/api/products/prd_knot":
		fmt.Fprint(w, `{"name":"Knot","status":"discontinued","price":{"amount":1,"currency":"EUR"}}`)
	case "/api/products/openapi.json":
		fmt.Fprint(w, `{"openapi":"3.1.0"}`)
	case "/api/products/prd_down":
		w.WriteHeader(http.StatusServiceUnavailable)
	default:
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"code":"product_not_found"}`)
	}
}

func TestProducts(t *testing.T) {
	got, err := catalog.New(service(shop)).Products(t.Context(), []string{"prd_rope", "prd_knot", "prd_none", "openapi.json", "a/b", ""})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]orders.Product{"prd_rope": {Name: "Rope", Price: events.Money{Amount: 1999, Currency: "EUR"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("products (-want +got):\n%s", diff)
	}
}

// TestWholeOrNothing: a price that cannot be had is no product that does not exist.
func TestWholeOrNothing(t *testing.T) {
	got, err := catalog.New(service(shop)).Products(t.Context(), []string{"prd_rope", "prd_down"})
	e, ok := errors.AsType[*apperr.Error](err)
	if got != nil || !ok || e.Kind != apperr.Unavailable || e.Code != "catalog_unavailable" || e.RetryAfter <= 0 {
		t.Errorf("got %v, %v", got, err)
	}
}

// TestManyAtOnce asks for fifty products, a few at a time, and stops at a failure.
func TestManyAtOnce(t *testing.T) {
	ids := make([]string, 50)
	for i := range ids {
		ids[i] = fmt.Sprintf("prd_%d", i)
	}
	var running, most, calls atomic.Int32
	c := catalog.New(service(func(w http.ResponseWriter, r *http.Request) {
		n := running.Add(1)
		defer running.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		calls.Add(1)
		time.Sleep(time.Millisecond)
		if strings.HasSuffix(r.URL.Path, "_20") {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		if r.Context().Err() != nil {
			calls.Add(-1) // nobody waits for it
		}
		fmt.Fprint(w, `{"name":"Rope","status":"active"}`)
	}))
	if _, err := c.Products(t.Context(), ids); apperr.KindOf(err) != apperr.Unavailable {
		t.Errorf("got %v", err)
	}
	if most.Load() > 8 || calls.Load() > 40 {
		t.Errorf("%d calls at once, %d in all", most.Load(), calls.Load())
	}
	if got, err := c.Products(t.Context(), ids[:20]); err != nil || len(got) != 20 {
		t.Errorf("got %d products, %v", len(got), err)
	}
}

var _ client.Doer = service(nil)
