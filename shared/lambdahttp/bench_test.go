package lambdahttp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"tradewind/shared/benchtest"
	"tradewind/shared/httpkit"
	"tradewind/shared/identity"
	"tradewind/shared/lambdahttp"
	"tradewind/shared/logs"
)

// order is the request and, with an id, the answer of the benchmarks.
type order struct {
	ID    string `json:"id,omitempty"`
	Items []struct {
		ProductID string `json:"productId"`
		Quantity  int    `json:"quantity"`
	} `json:"items"`
	PaymentMethod   string `json:"paymentMethod"`
	ShippingAddress struct {
		Line1      string `json:"line1"`
		Line2      string `json:"line2,omitempty"`
		City       string `json:"city"`
		PostalCode string `json:"postalCode"`
		Country    string `json:"country"`
	} `json:"shippingAddress"`
}

// bare is the function that somebody would write without the kit: no routing,
// no identity, no checks, no log line.
func bare() lambda.Handler {
	return lambda.NewHandler(func(_ context.Context, ev events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
		var o order
		if err := json.Unmarshal([]byte(ev.Body), &o); err != nil {
			return events.APIGatewayV2HTTPResponse{StatusCode: http.StatusBadRequest}, nil
		}
		o.ID = "ord_1"
		body, err := json.Marshal(o)
		return events.APIGatewayV2HTTPResponse{
			StatusCode: http.StatusCreated, Body: string(body),
			Headers: map[string]string{"Content-Type": "application/json", "Location": "/api/orders/" + o.ID},
		}, err
	})
}

// kit is the same with all that the kit does for every request.
func kit() lambda.Handler {
	rt := httpkit.NewRouter(logs.New(io.Discard, func(string) string { return "" }))
	rt.Handle("GET /api/orders/{id}", func(*http.Request) (httpkit.Answer, error) { return httpkit.NoContent(), nil })
	rt.Handle("POST /api/orders", func(r *http.Request) (httpkit.Answer, error) {
		if _, err := identity.Caller(r.Context()); err != nil {
			return httpkit.Answer{}, err
		}
		o, err := httpkit.Decode[order](r)
		if err != nil {
			return httpkit.Answer{}, err
		}
		o.ID = "ord_1"
		return httpkit.Created("/api/orders/"+o.ID, 1, o), nil
	})
	return lambdahttp.New(rt)
}

// budget is of a whole request.
var budget = benchtest.Budget{Ratio: 0.65, Allocs: 80}

// post returns a func that handles a POST: the bytes of an event in, the bytes of an
// answer out.
func post(t testing.TB, handler lambda.Handler) func() {
	payload := compact(t, "httpapi")
	return func() {
		answer, err := handler.Invoke(t.Context(), payload)
		if err != nil {
			t.Fatal(err)
		}
		if len(answer) < 100 {
			t.Fatalf("answer %s", answer)
		}
	}
}

func BenchmarkRequest(b *testing.B) {
	for name, handler := range map[string]lambda.Handler{"bare": bare(), "kit": kit()} {
		b.Run(name, func(b *testing.B) {
			handle := post(b, handler)
			b.ReportAllocs()
			for b.Loop() {
				handle()
			}
		})
	}
}

// BenchmarkRequestRatio compares a request through the kit with one through a bare typed
// handler.
func BenchmarkRequestRatio(b *testing.B) {
	budget.Benchmark(b, post(b, bare()), post(b, kit()))
}

// compact returns an event as Lambda sends it.
func compact(t testing.TB, name string) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := json.Compact(&out, testdata(t, name)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
