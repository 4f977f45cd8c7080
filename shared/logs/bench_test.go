package logs_test

import (
	"io"
	"log/slog"
	"testing"

	"tradewind/shared/logs"
	"tradewind/shared/trace"
)

// BenchmarkLine writes the line that every request writes.
func BenchmarkLine(b *testing.B) {
	log := logs.New(io.Discard, func(name string) string { return name })
	ctx := trace.With(b.Context(), trace.Trace{CorrelationID: "3f6c1f0e9d8b4a7c8e5d2b1a0f9e8d7c"})
	ctx = logs.WithInvocation(ctx, "8e03978e-40d5-43dd-bc93-6894a57f9324", false)
	b.ReportAllocs()
	for b.Loop() {
		log.LogAttrs(ctx, slog.LevelInfo, "request",
			slog.String("method", "POST"),
			slog.String("route", "POST /api/orders"),
			slog.Int("status", 201),
			slog.Int64("micros", 12345),
		)
	}
}
