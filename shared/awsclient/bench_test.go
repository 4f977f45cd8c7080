package awsclient_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"tradewind/shared/awsclient"
)

// BenchmarkReadAfterTwoFailures measures a read that a server fails twice, with the
// retries of this package and with those of the SDK:
//
//	go test -run '^$' -bench ReadAfterTwoFailures -benchtime 40x ./shared/awsclient
//
// The reads run at the same time, for with the SDK's retries each takes seconds.
func BenchmarkReadAfterTwoFailures(b *testing.B) {
	for name, retryer := range map[string]func(*aws.Config){
		"sdk": func(cfg *aws.Config) { cfg.Retryer = nil },
		"kit": func(*aws.Config) {},
	} {
		b.Run(name, func(b *testing.B) {
			took := make([]time.Duration, b.N)
			var wg sync.WaitGroup
			for i := range took {
				wg.Go(func() {
					var asked atomic.Int32
					server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
						w.Header().Set("Content-Type", "application/x-amz-json-1.0")
						if asked.Add(1) <= 2 {
							w.WriteHeader(http.StatusInternalServerError)
							fmt.Fprint(w, `{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError"}`)
							return
						}
						fmt.Fprint(w, `{}`)
					}))
					defer server.Close()
					e := env{"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_ENDPOINT_URL": server.URL}
					cfg := awsclient.Config(e.get, "DYNAMODB")
					retryer(&cfg)
					client := dynamodb.NewFromConfig(cfg)
					start := time.Now()
					if err := read(b.Context(), client); err != nil {
						b.Error(err)
					}
					took[i] = time.Since(start)
				})
			}
			wg.Wait()
			slices.Sort(took)
			ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
			b.ReportMetric(ms(took[0]), "least-ms")
			b.ReportMetric(ms(took[b.N/2]), "median-ms")
			b.ReportMetric(ms(took[b.N-1]), "most-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}
