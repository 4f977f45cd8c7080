package client_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tradewind/shared/client"
	"tradewind/shared/logs"
	"tradewind/shared/metrics"
	"tradewind/shared/trace"
)

// observed returns a client whose log and metrics go into a buffer.
func observed(service http.RoundTripper, level string) (*client.Client, *bytes.Buffer) {
	var out bytes.Buffer
	getenv := func(name string) string {
		return map[string]string{"STAGE": "test", "SERVICE_NAME": "orders", "LOG_LEVEL": level}[name]
	}
	return client.New(client.Config{
		Resolver: place, Transport: service, OpenFor: 10 * time.Second,
		Observer: client.Observe(logs.New(&out, getenv), metrics.New(&out, getenv)),
	}), &out
}

func lines(t *testing.T, out *bytes.Buffer) []map[string]any {
	t.Helper()
	var all []map[string]any
	for line := range bytes.Lines(out.Bytes()) {
		var m map[string]any
		if err := json.Unmarshal(line, &m); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		all = append(all, m)
	}
	out.Reset()
	return all
}

func flush(c *client.Client) {
	c.Handler(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
}

func TestLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := inTurn(200, 503, 200, 503)
		c, out := observed(service, "info")
		ctx := trace.With(t.Context(), trace.Trace{CorrelationID: "c-1"})
		_, _ = get(ctx, t, c)
		if got := lines(t, out); len(got) > 0 {
			t.Errorf("a call that went as usual is logged: %v", got)
		}
		_, _ = get(ctx, t, c)
		_, _ = get(ctx, t, c)
		got := lines(t, out)
		if len(got) != 2 {
			t.Fatalf("%d lines: %v", len(got), got)
		}
		for _, line := range got {
			for _, name := range []string{"time", "micros", "waitedMicros", "function"} {
				delete(line, name)
			}
		}
		want := []map[string]any{
			{"level": "INFO", "msg": "call", "service": "orders", "correlationId": "c-1", "target": "catalog-service", "method": "GET", "outcome": "answered", "status": 200.0, "tries": 2.0},
			{"level": "WARN", "msg": "call", "service": "orders", "correlationId": "c-1", "target": "catalog-service", "method": "GET", "outcome": "failed", "status": 503.0, "tries": 1.0, "stopped": "budget"},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("log (-want +got):\n%s", diff)
		}
	})
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := answers(http.StatusServiceUnavailable)
		c, out := observed(service, "error")
		for range 15 {
			_, _ = get(t.Context(), t, c)
		}
		time.Sleep(13 * time.Second)
		service.answer = answers(http.StatusOK).answer
		_, _ = get(t.Context(), t, c)
		flush(c)
		got := lines(t, out)
		if len(got) != 1 {
			t.Fatalf("%d lines: %v", len(got), got)
		}
		counted := map[string]any{}
		for name, value := range got[0] {
			if name != "_aws" && name != "CallTime" {
				counted[name] = value
			}
		}
		want := map[string]any{
			"stage": "test", "service": "orders", "target": "catalog-service",
			"Calls": 16.0, "CallTries": 11.0, "CallRetries": 1.0, "CallRetriesOverBudget": 8.0,
			"CallsFailed": 9.0, "CallsRejected": 6.0, "BreakerOpened": 1.0, "BreakerClosed": 1.0,
		}
		if diff := cmp.Diff(want, counted); diff != "" {
			t.Errorf("metrics (-want +got):\n%s", diff)
		}
		if times, _ := got[0]["CallTime"].([]any); len(times) != 16 {
			t.Errorf("times %v", got[0]["CallTime"])
		}
		flush(c)
		if out.Len() > 0 {
			t.Errorf("nothing was called, and %s is written", out)
		}
	})
}

// TestOutcomes: each has a word in the log and a metric.
func TestOutcomes(t *testing.T) {
	tests := map[string]struct {
		service http.RoundTripper
		word    string
		metric  string
	}{
		"timed out": {hangs(time.Hour), client.TimedOut, "CallsTimedOut"},
		"no answer": {refuses(), client.NoAnswer, "CallsNoAnswer"},
		"too large": {tooMuch(), client.NoAnswer, "CallsNoAnswer"},
		"failed":    {answers(500), client.Failed, "CallsFailed"},
		"throttled": {answers(429), client.Failed, "CallsFailed"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, out := observed(test.service, "info")
				_, _ = get(t.Context(), t, c)
				flush(c)
				text := out.String()
				if !strings.Contains(text, `"outcome":"`+test.word+`"`) || !strings.Contains(text, `"`+test.metric+`":1`) {
					t.Errorf("got %s", text)
				}
			})
		})
	}
}

func BenchmarkObserved(b *testing.B) {
	getenv := func(string) string { return "orders" }
	o := client.Observe(slog.New(slog.DiscardHandler), metrics.New(io.Discard, getenv))
	call := client.Call{Service: "catalog-service", Method: "GET", Outcome: client.Answered, Status: 200, Tries: 1, Took: time.Millisecond}
	b.ReportAllocs()
	for b.Loop() {
		o.Call(b.Context(), call)
	}
}
