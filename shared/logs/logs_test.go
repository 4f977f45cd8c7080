package logs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tradewind/shared/logs"
	"tradewind/shared/trace"
)

func environment(level string) func(string) string {
	return func(name string) string {
		return map[string]string{"SERVICE_NAME": "orders", "AWS_LAMBDA_FUNCTION_NAME": "orders-api", "LOG_LEVEL": level}[name]
	}
}

// line returns what one call of log writes, without the time.
func line(t *testing.T, level string, log func(*slog.Logger)) map[string]any {
	t.Helper()
	var out bytes.Buffer
	log(logs.New(&out, environment(level)))
	if out.Len() == 0 {
		return nil
	}
	if strings.Count(out.String(), "\n") != 1 {
		t.Errorf("not one line: %q", out.String())
	}
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v in %s", err, out.String())
	}
	if got["time"] == nil {
		t.Error("the line has no time")
	}
	delete(got, "time")
	return got
}

func TestLine(t *testing.T) {
	request := logs.WithInvocation(trace.With(context.Background(), trace.Trace{CorrelationID: "c-1"}), "req-1", true)
	later := logs.WithInvocation(context.Background(), "req-2", false)
	tests := map[string]struct {
		log  func(*slog.Logger)
		want map[string]any
	}{
		"without a context": {
			func(l *slog.Logger) { l.Info("hello") },
			map[string]any{"level": "INFO", "msg": "hello", "service": "orders", "function": "orders-api"},
		},
		"of a request": {
			func(l *slog.Logger) { l.WarnContext(request, "two\nlines", "orderId", "ord_1") },
			map[string]any{
				"level": "WARN", "msg": "two\nlines", "service": "orders", "function": "orders-api", "orderId": "ord_1",
				"correlationId": "c-1", "requestId": "req-1", "coldStart": true,
			},
		},
		"of a warm invocation": {
			func(l *slog.Logger) { l.InfoContext(later, "hello") },
			map[string]any{"level": "INFO", "msg": "hello", "service": "orders", "function": "orders-api", "requestId": "req-2", "coldStart": false},
		},
		"of a logger with attributes": {
			func(l *slog.Logger) { l.With("part", "sweeper").InfoContext(later, "hello") },
			map[string]any{"level": "INFO", "msg": "hello", "service": "orders", "function": "orders-api", "part": "sweeper", "requestId": "req-2", "coldStart": false},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, line(t, "", tt.log)); diff != "" {
				t.Errorf("line (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLevels(t *testing.T) {
	tests := map[string]int{"": 3, "debug": 4, "info": 3, "WARN": 2, "error": 1, "loud": 3}
	for level, want := range tests {
		got := 0
		for _, at := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
			if line(t, level, func(l *slog.Logger) { l.Log(context.Background(), at, "x") }) != nil {
				got++
			}
		}
		if got != want {
			t.Errorf("LOG_LEVEL=%q writes %d of four levels, want %d", level, got, want)
		}
	}
}

func TestDiscard(t *testing.T) {
	if logs.Discard().Enabled(context.Background(), slog.LevelError) {
		t.Error("something is written")
	}
}

// A line carries what its context knows; a call says only what happened.
func ExampleNew() {
	var out bytes.Buffer
	log := logs.New(&out, func(name string) string { return map[string]string{"SERVICE_NAME": "orders"}[name] })
	ctx := trace.With(context.Background(), trace.Trace{CorrelationID: "checkout-42"})
	log.InfoContext(ctx, "order placed", "orderId", "ord_1")

	_, fields, _ := strings.Cut(out.String(), `,"level"`) // the time differs
	fmt.Fprintln(os.Stdout, fields)

	// Output: :"INFO","msg":"order placed","service":"orders","function":"","orderId":"ord_1","correlationId":"checkout-42"}
}
