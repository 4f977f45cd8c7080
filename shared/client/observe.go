package client

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"tradewind/shared/metrics"
)

// Observer hears what a client decides. Funcs that are nil are not called; the others
// return soon, for calls wait for them, and leave the client alone.
type Observer struct {
	// Call is told what became of a call, when it has ended.
	Call func(context.Context, Call)
	// Breaker is told that the breaker of a service went from one state to another.
	Breaker func(service, from, to string)
	// Flush is called when the request is done for which calls were made.
	Flush func()
}

// Call is what became of a call, and why.
type Call struct {
	Service, Method string
	// Outcome is one word for all of it; see the constants.
	Outcome string
	// Status is the answer's; zero without one.
	Status int
	// Tries counts the exchanges.
	Tries int
	// Stopped says why there was no other try after one that failed: "not
	// repeatable", "tries", "deadline", "circuit" or "budget". Empty where another
	// could not have helped.
	Stopped string
	// Waited is the time between tries.
	Waited time.Duration
	Took   time.Duration
	// Err is the cause of an outcome without an answer.
	Err error
}

// The outcomes.
const (
	Answered  = "answered"  // with whatever status but those of failed
	Failed    = "failed"    // by an answer that says so: 5xx, 429
	NoAnswer  = "no answer" // the network's errors, and answers that are too large
	TimedOut  = "timed out"
	Rejected  = "rejected"  // by the open circuit
	Crowded   = "crowded"   // no slot was free
	Cancelled = "cancelled" // by the caller
)

// conclude makes of the last try what the caller gets, and tells the observer.
func (c *call) conclude(o *outcome) {
	rec, ctx := &c.record, c.r.Context()
	switch {
	case o.err == nil:
		rec.Status, rec.Outcome = o.res.StatusCode, Answered
		if o.failed() || o.res.StatusCode == http.StatusTooManyRequests {
			rec.Outcome = Failed
		}
	case errors.Is(ctx.Err(), context.Canceled):
		rec.Outcome, rec.Err = Cancelled, o.err
		o.err = ctx.Err()
	default:
		after := retryAfter
		switch {
		case errors.Is(o.err, ErrOpen):
			rec.Outcome = Rejected
			_, after = c.s.breaker.look(time.Now())
		case errors.Is(o.err, ErrBusy):
			rec.Outcome = Crowded
		case timedOut(o.err):
			rec.Outcome = TimedOut
		default:
			rec.Outcome = NoAnswer
		}
		rec.Err = o.err
		o.err = unavailable(c.s.name, after, o.err)
	}
	if c.cfg.Observer.Call != nil {
		c.cfg.Observer.Call(ctx, *rec)
	}
}

// Observe returns an observer that logs what did not go as usual (the rest at level
// debug) and counts everything.
func Observe(log *slog.Logger, meter *metrics.Meter) Observer {
	var counters sync.Map // of service to *counts
	of := func(service string) *counts {
		if c, ok := counters.Load(service); ok {
			return c.(*counts)
		}
		// Two at once make two, and one of them is never counted with.
		c, _ := counters.LoadOrStore(service, newCounts(meter, service))
		return c.(*counts)
	}
	return Observer{
		Call: func(ctx context.Context, c Call) {
			of(c.Service).count(&c)
			level := slog.LevelDebug
			switch {
			case c.Outcome != Answered:
				level = slog.LevelWarn
			case c.Tries > 1:
				level = slog.LevelInfo
			}
			if log.Enabled(ctx, level) {
				log.LogAttrs(ctx, level, "call", c.attrs()...)
			}
		},
		Breaker: func(service, from, to string) {
			of(service).breaker(to)
			log.Warn("breaker", "target", service, "from", from, "to", to)
		},
		Flush: meter.Flush,
	}
}

func (c *Call) attrs() []slog.Attr {
	attrs := []slog.Attr{
		slog.String("target", c.Service),
		slog.String("method", c.Method),
		slog.String("outcome", c.Outcome),
		slog.Int("status", c.Status),
		slog.Int("tries", c.Tries),
		slog.Int64("micros", c.Took.Microseconds()),
	}
	if c.Waited > 0 {
		attrs = append(attrs, slog.Int64("waitedMicros", c.Waited.Microseconds()))
	}
	if c.Stopped != "" {
		attrs = append(attrs, slog.String("stopped", c.Stopped))
	}
	if c.Err != nil {
		attrs = append(attrs, slog.String("error", c.Err.Error()))
	}
	return attrs
}

// counts are the metrics of the calls to one service.
type counts struct {
	calls, tries, retries, overBudget             *metrics.Counter
	failed, noAnswer, timedOut, rejected, crowded *metrics.Counter
	cancelled, breakerOpened, breakerClosed       *metrics.Counter
	took                                          *metrics.Timer
}

func newCounts(meter *metrics.Meter, service string) *counts {
	g := meter.Group(metrics.Target(service))
	return &counts{
		calls: g.Counter("Calls"), tries: g.Counter("CallTries"), retries: g.Counter("CallRetries"),
		overBudget: g.Counter("CallRetriesOverBudget"),
		failed:     g.Counter("CallsFailed"), noAnswer: g.Counter("CallsNoAnswer"), timedOut: g.Counter("CallsTimedOut"),
		rejected: g.Counter("CallsRejected"), crowded: g.Counter("CallsCrowded"), cancelled: g.Counter("CallsCancelled"),
		breakerOpened: g.Counter("BreakerOpened"), breakerClosed: g.Counter("BreakerClosed"),
		took: g.Timer("CallTime"),
	}
}

func (m *counts) count(c *Call) {
	m.calls.Add(1)
	m.tries.Add(c.Tries)
	m.took.Observe(c.Took)
	if retries := c.Tries - 1; retries > 0 {
		m.retries.Add(retries)
	}
	if c.Stopped == "budget" {
		m.overBudget.Add(1)
	}
	switch c.Outcome {
	case Failed:
		m.failed.Add(1)
	case NoAnswer:
		m.noAnswer.Add(1)
	case TimedOut:
		m.timedOut.Add(1)
	case Rejected:
		m.rejected.Add(1)
	case Crowded:
		m.crowded.Add(1)
	case Cancelled:
		m.cancelled.Add(1)
	}
}

func (m *counts) breaker(to string) {
	switch to {
	case open:
		m.breakerOpened.Add(1)
	case closed:
		m.breakerClosed.Add(1)
	}
}
