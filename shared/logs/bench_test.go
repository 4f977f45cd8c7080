package logs_test

import (
	"context"
	"io"
	"log/slog"
	"testing"

	"tradewind/shared/benchtest"
	"tradewind/shared/logs"
	"tradewind/shared/trace"
)

var budget = benchtest.Budget{Ratio: 2, Allocs: 1}

// requestLine returns a func that writes to log the line that every request writes.
func requestLine(ctx context.Context, log *slog.Logger) func() {
	ctx = trace.With(ctx, trace.Trace{CorrelationID: "3f6c1f0e9d8b4a7c8e5d2b1a0f9e8d7c"})
	ctx = logs.WithInvocation(ctx, "8e03978e-40d5-43dd-bc93-6894a57f9324", false)
	return func() {
		log.LogAttrs(ctx, slog.LevelInfo, "request",
			slog.String("method", "POST"),
			slog.String("route", "POST /api/orders"),
			slog.Int("status", 201),
			slog.Int64("micros", 12345),
		)
	}
}

func kit() *slog.Logger { return logs.New(io.Discard, func(name string) string { return name }) }

// BenchmarkLineRatio compares a line with that of slog's own handler, which is shorter:
// it lacks what the kit adds.
func BenchmarkLineRatio(b *testing.B) {
	plain := slog.New(slog.NewJSONHandler(io.Discard, nil)) //nolint:sloglint // a discarding handler would not format the line
	budget.Benchmark(b, requestLine(b.Context(), plain), requestLine(b.Context(), kit()))
}
