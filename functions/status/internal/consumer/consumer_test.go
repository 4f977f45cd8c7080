package consumer_test

import (
	"context"
	"encoding/json"
	"os"
	"testing"
	"time"

	event "tradewind/events/status"
	"tradewind/functions/status"
	eventhandlers "tradewind/functions/status/internal/consumer"
	"tradewind/functions/status/internal/dynamo"
	"tradewind/shared/consumer"
	"tradewind/shared/inbox"
	"tradewind/shared/logs"
	"tradewind/shared/outbox"
	"tradewind/shared/table/tabletest"
)

// registry remembers what it was told last.
type registry struct{ marks map[string]bool }

func (r *registry) Mark(_ context.Context, healthy map[string]bool) error {
	r.marks = healthy
	return nil
}

// Both events have the registry told what the table says, whatever they say: here each
// comes when the state is already another.
func TestEvents(t *testing.T) {
	tbl, r := tabletest.New(), &registry{}
	monitor := status.NewMonitor(dynamo.New(tbl, outbox.New(event.Source, time.Now)), []string{"payment-service", status.Self}, time.Now)
	c := consumer.New(inbox.New(time.Now), logs.Discard())
	eventhandlers.Register(c, monitor, r)
	start := time.Now().Add(-time.Hour)
	for n, tt := range []struct {
		fault, event string
		want         bool
	}{{"answered 502", event.TypeRecovered, false}, {"", event.TypeDegraded, true}} {
		for i := range status.Threshold {
			p := status.Probe{At: start.Add(time.Duration(2*n+i) * time.Minute), Fault: tt.fault}
			if _, err := monitor.Observe(t.Context(), "payment-service", p); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 { // each is delivered twice
			if out := deliver(t, c, tt.event); out != `{"batchItemFailures":[]}` {
				t.Fatalf("%s: %s", tt.event, out)
			}
			if got := r.marks["payment-service"]; got != tt.want || !r.marks[status.Self] {
				t.Errorf("%s: the registry has %v", tt.event, r.marks)
			}
		}
	}
}

// deliver gives the consumer the contract's example of an event, as a queue does.
func deliver(t *testing.T, c *consumer.Consumer, detailType string) string {
	t.Helper()
	detail, err := os.ReadFile("../../../../events/status/examples/" + detailType + ".v1.json")
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(map[string]any{"source": event.Source, "detail-type": detailType, "detail": json.RawMessage(detail)})
	if err != nil {
		t.Fatal(err)
	}
	batch, err := json.Marshal(map[string]any{"Records": []map[string]string{{"messageId": "1", "body": string(body)}}})
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.Invoke(t.Context(), batch)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
