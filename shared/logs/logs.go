// Package logs writes structured JSON log lines for a Lambda function: one
// object a line, with the service, the function, the correlation id, the
// invocation's request id and whether it was a cold start, so that any line can
// be joined with the others of the same request across services.
//
// Callers must keep: pass the context to every log call (InfoContext and so
// on), for the fields come from it. Never log bodies, tokens or personal data;
// ids are enough to find them.
package logs

import (
	"context"
	"io"
	"log/slog"

	"tradewind/shared/trace"
)

// New returns a logger that writes to w. It reads SERVICE_NAME,
// AWS_LAMBDA_FUNCTION_NAME and LOG_LEVEL (debug, info, warn, error; info where
// it is unset or unknown) from getenv.
func New(w io.Writer, getenv func(string) string) *slog.Logger {
	var level slog.Level
	if level.UnmarshalText([]byte(getenv("LOG_LEVEL"))) != nil {
		level = slog.LevelInfo
	}
	json := slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})
	return slog.New(handler{json.WithAttrs([]slog.Attr{
		slog.String("service", getenv("SERVICE_NAME")),
		slog.String("function", getenv("AWS_LAMBDA_FUNCTION_NAME")),
	})})
}

// Discard returns a logger for tests that do not look at logs.
func Discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

type invocation struct {
	requestID string
	cold      bool
}

type key struct{}

// WithInvocation returns a context whose log lines carry the invocation's
// request id and whether it is its environment's first.
func WithInvocation(ctx context.Context, requestID string, cold bool) context.Context {
	return context.WithValue(ctx, key{}, invocation{requestID, cold})
}

// handler adds to each line what the context knows.
type handler struct{ slog.Handler }

func (h handler) Handle(ctx context.Context, r slog.Record) error {
	if t := trace.From(ctx); t.CorrelationID != "" {
		r.AddAttrs(slog.String("correlationId", t.CorrelationID))
	}
	if inv, ok := ctx.Value(key{}).(invocation); ok {
		r.AddAttrs(slog.String("requestId", inv.requestID), slog.Bool("coldStart", inv.cold))
	}
	return h.Handler.Handle(ctx, r)
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attrs)}
}
func (h handler) WithGroup(name string) slog.Handler { return handler{h.Handler.WithGroup(name)} }
