package client_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"tradewind/shared/benchtest"
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

// doer makes calls of which the costs are compared.
type doer func(*http.Request) (*http.Response, error)

// plain is what everything is compared with.
var plain doer = (&http.Client{Transport: instant{}}).Do

// kits returns clients with everything that a function has switched on, by the way in
// which they find services.
func kits() map[string]doer {
	getenv := func(string) string { return "orders" }
	of := func(r discovery.Resolver) doer {
		return client.New(client.Config{
			Resolver: r, Transport: instant{},
			Observer: client.Observe(logs.New(io.Discard, getenv), metrics.New(io.Discard, getenv)),
		}).Do
	}
	return map[string]doer{
		"loadbalancer": of(place),
		"registry":     of(discovery.NewPool(discovery.PoolConfig{Source: twoPlaces{}})),
	}
}

// usual returns a call as a function makes it: with a caller, a trace and an end.
func usual(t testing.TB) *http.Request {
	ctx := trace.With(context.Background(), trace.Trace{CorrelationID: "3f6c1f0e9d8b4a7c8e5d2b1a0f9e8d7c", Parent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"})
	ctx, cancel := context.WithTimeout(client.WithToken(ctx, "Bearer abc"), time.Hour)
	t.Cleanup(cancel)
	return request(ctx, t, "GET", product, "")
}

// once makes a call and reads its answer.
func (do doer) once(t testing.TB, r *http.Request) {
	res, err := do(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
}

func BenchmarkCall(b *testing.B) {
	ways := kits()
	ways["plain"] = plain
	for name, do := range ways {
		b.Run(name, func(b *testing.B) {
			r := usual(b)
			b.ReportAllocs()
			for b.Loop() {
				do.once(b, r)
			}
		})
	}
}

// budget is for a call without a network: over one, a plain call takes so long that a
// slower client would go unnoticed.
var budget = benchtest.Budget{Ratio: 7.2, Allocs: 18}

// BenchmarkCallRatio compares a call through the client with a plain one.
func BenchmarkCallRatio(b *testing.B) {
	for name, kit := range kits() {
		b.Run(name, func(b *testing.B) {
			r := usual(b)
			budget.Benchmark(b, func() { plain.once(b, r) }, func() { kit.once(b, r) })
		})
	}
}
