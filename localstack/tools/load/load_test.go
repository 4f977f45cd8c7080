package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tradewind/localstack/internal/endpoint"
	"tradewind/localstack/internal/shop"
	"tradewind/localstack/internal/shop/shoptest"
)

// platform serves one in memory whose health is a text, and returns its outputs file.
func platform(t *testing.T, health string) (*shoptest.Platform, string) {
	t.Helper()
	p := shoptest.New()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == shoptest.GatewayPath+"/health" {
			_, _ = io.WriteString(w, health)
			return
		}
		p.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	if err := shop.NewPool(endpoint.AWS(server.URL, "us-east-1"), "pool-1", "client-1").Promote(t.Context(), "usr_admin"); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "outputs.json")
	if err := shop.WriteOutputs(file, shop.Outputs{
		Endpoint: server.URL, Region: "us-east-1", APIURL: server.URL + shoptest.GatewayPath,
		UserPoolID: "pool-1", ClientID: "client-1", Admin: shop.Identity{Token: shoptest.Token("usr_admin")},
	}); err != nil {
		t.Fatal(err)
	}
	return p, file
}

func TestLoad(t *testing.T) {
	_, outputs := platform(t, `{"status": "warn", "services": [{"name": "user-service", "status": "pass"},
		{"name": "order-service", "status": "warn", "cause": "orders: 212 waiting, the oldest for 90 s"}]}`)
	var out bytes.Buffer
	if err := run(t.Context(), plan{clients: 3, lasts: 300 * time.Millisecond}, outputs, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"3 clients place orders for 300ms\n", "accepted  ", " a second, answered after p50 ", "decided   ", "ended     ", " × confirmed\n",
		" × warn, order warn (orders: 212 waiting, the oldest for 90 s)\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, &out)
		}
	}
	if strings.Contains(out.String(), "refused") || strings.Contains(out.String(), "cancelled") {
		t.Errorf("printed:\n%s", &out)
	}
}

func TestALostOrder(t *testing.T) {
	p, outputs := platform(t, "")
	go func() { // one that was confirmed becomes one that was not
		for t.Context().Err() == nil {
			time.Sleep(5 * time.Millisecond)
			p.Lock()
			for _, o := range p.Orders {
				if o.Status == shop.Confirmed {
					o.Status, o.Cancellation = shop.Cancelled, &shop.Cancellation{Reason: "timed_out"}
					p.Unlock()
					return
				}
			}
			p.Unlock()
		}
	}()
	var out bytes.Buffer
	err := run(t.Context(), plan{clients: 2, lasts: 200 * time.Millisecond}, outputs, &out)
	if err == nil || !strings.Contains(err.Error(), "not every accepted order was confirmed") {
		t.Errorf("run: %v", err)
	}
	for _, want := range []string{"ended     1 × cancelled, timed_out\n", " × confirmed\n", " × answer 200\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, &out)
		}
	}
}

func TestNoLoad(t *testing.T) {
	for _, p := range []plan{{clients: 0, lasts: time.Second}, {clients: 1}} {
		if err := run(t.Context(), p, "", io.Discard); err == nil || !strings.Contains(err.Error(), "no load") {
			t.Errorf("%+v: %v", p, err)
		}
	}
}

func TestWithoutAPlatform(t *testing.T) {
	one := plan{clients: 1, lasts: time.Second}
	err := run(t.Context(), one, filepath.Join(t.TempDir(), "outputs.json"), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "start it with make run") {
		t.Errorf("without its file: %v", err)
	}
	_, outputs := platform(t, "")
	o, err := shop.ReadOutputs(outputs)
	if err != nil {
		t.Fatal(err)
	}
	o.APIURL = "http://127.0.0.1:1" // of a run that has ended
	if err := shop.WriteOutputs(outputs, o); err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), one, outputs, io.Discard); err == nil || !strings.Contains(err.Error(), "is make run still up") {
		t.Errorf("with that of a run that has ended: %v", err)
	}
}

func TestReport(t *testing.T) {
	began := time.Now()
	order := func(status string, created, decided float64) shop.Order {
		at := func(s float64) time.Time { return began.Add(time.Duration(s * float64(time.Second))) }
		return shop.Order{Status: status, Meta: shop.Meta{CreatedAt: at(created), UpdatedAt: at(decided)}}
	}
	r := &record{
		began:    began,
		answered: []time.Duration{3 * time.Second, time.Second, 2 * time.Second},
		refused:  map[string]int{"503 users_timeout": 2},
		orders:   []shop.Order{order(shop.Confirmed, 1, 2), order(shop.Confirmed, 4, 9), order(shop.Confirmed, 8, 12.5)},
		health:   map[string]int{"pass": 12},
	}
	var out bytes.Buffer
	if err := r.report(&out, plan{lasts: 10 * time.Second}); err != nil {
		t.Error(err)
	}
	want := `accepted  3, 0.3 a second, answered after p50 2.00 s, p99 3.00 s
refused   2 × 503 users_timeout
decided   0.2 a second meanwhile, the last 12.5 s after the start, each after p50 4.50 s, p99 5.00 s
ended     3 × confirmed
/health   12 × pass
`
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", &out, want)
	}
	r.answered = append(r.answered, time.Second) // of an order that is nowhere
	if r.report(io.Discard, plan{lasts: time.Second}) == nil {
		t.Error("a lost order is no failure")
	}
	if (&record{}).report(io.Discard, plan{lasts: time.Second}) == nil {
		t.Error("nothing at all is no failure")
	}
}
