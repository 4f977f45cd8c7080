package client_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"tradewind/shared/client"
	"tradewind/shared/discovery"
	"tradewind/shared/logs"
	"tradewind/shared/metrics"
	"tradewind/shared/trace"
)

// instant answers at once, and costs next to nothing.
type instant struct{}

func (instant) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(document)), ContentLength: int64(len(document))}, nil
}

const document = `{"id":"prd_01K9ZZZZZZZZZZZZZZZZZZZZZZ","sku":"ROPE-10","name":"Rope","price":{"amount":1999,"currency":"EUR"},"status":"active","version":1}`

// BenchmarkCall compares a call through the kit, with everything that a function has
// switched on, with one through a plain client: what the kit costs is the difference.
func BenchmarkCall(b *testing.B) {
	getenv := func(string) string { return "orders" }
	cfg := client.Config{
		Resolver: place, Transport: instant{},
		Observer: client.Observe(logs.New(io.Discard, getenv), metrics.New(io.Discard, getenv)),
	}
	pool := cfg
	pool.Resolver = discovery.NewPool(discovery.PoolConfig{Source: twoPlaces{}})
	ctx := trace.With(context.Background(), trace.Trace{CorrelationID: "3f6c1f0e9d8b4a7c8e5d2b1a0f9e8d7c", Parent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"})
	ctx, cancel := context.WithCancel(client.WithToken(ctx, "Bearer abc"))
	defer cancel()
	for name, do := range map[string]func(*http.Request) (*http.Response, error){
		"plain":        (&http.Client{Transport: instant{}}).Do,
		"loadbalancer": client.New(cfg).Do,
		"registry":     client.New(pool).Do,
	} {
		b.Run(name, func(b *testing.B) {
			r := request(ctx, b, "GET", product, "")
			b.ReportAllocs()
			for b.Loop() {
				res, err := do(r)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, res.Body); err != nil {
					b.Fatal(err)
				}
				res.Body.Close()
			}
		})
	}
}

// TestCost holds the allocations of a call to their budget; its time is the
// benchmark's.
func TestCost(t *testing.T) {
	getenv := func(string) string { return "orders" }
	c := client.New(client.Config{
		Resolver: place, Transport: instant{},
		Observer: client.Observe(logs.New(io.Discard, getenv), metrics.New(io.Discard, getenv)),
	})
	ctx := client.WithToken(trace.With(t.Context(), trace.Trace{CorrelationID: "c-1", Parent: "p"}), "Bearer abc")
	r := request(ctx, t, "GET", product, "")
	count := func(do func(*http.Request) (*http.Response, error)) float64 {
		return testing.AllocsPerRun(200, func() {
			res, err := do(r)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
		})
	}
	plain, kit := count((&http.Client{Transport: instant{}}).Do), count(c.Do)
	if kit-plain > 30 {
		t.Errorf("%v allocations a call, %v of them the plain client's: more than 30 are the kit's", kit, plain)
	}
}
