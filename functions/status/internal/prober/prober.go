// Package prober looks at every service of the platform, each time a schedule calls
// it, and notes what it saw.
//
// A run is delivered at least once: its id goes with each probe, so that a second
// delivery counts for nothing. Services are probed at the same time, and one that is
// slow, or cannot be noted, holds up no other.
package prober

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"tradewind/functions/status"
	"tradewind/functions/status/internal/readiness"
	"tradewind/shared/metrics"
	"tradewind/shared/table"
	"tradewind/shared/trace"
)

// margin is kept of the function's time for what was seen to be noted.
const margin = 5 * time.Second

// Prober is a Lambda handler for a schedule.
type Prober struct {
	monitor *status.Monitor
	ask     func(ctx context.Context, service string) ([]status.Check, *readiness.Fault)
	meter   *metrics.Meter
	gauges  map[string]gauge
	log     *slog.Logger
}

// gauge is what is measured of a service. The service's alarm is on the first.
type gauge struct {
	healthy *metrics.Counter
	latency *metrics.Timer
}

// New returns a prober of the monitor's services.
func New(m *status.Monitor, ask func(context.Context, string) ([]status.Check, *readiness.Fault), meter *metrics.Meter, log *slog.Logger) *Prober {
	p := &Prober{m, ask, meter, map[string]gauge{}, log}
	for _, name := range m.Names() {
		g := meter.Group(metrics.Target(name))
		p.gauges[name] = gauge{g.Counter(metrics.ServiceHealthy), g.Timer("ProbeLatency")}
	}
	return p
}

// Invoke probes every service once. It fails when any probe could not be noted, so
// that it shows in the function's error metric; a service that is not well is no
// failure of the prober.
func (p *Prober) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	defer p.meter.Flush()
	t := trace.New("", "")
	ctx = trace.With(ctx, t)
	run := runOf(payload)
	if run == "" {
		run = t.CorrelationID
	}
	var wg sync.WaitGroup
	names := p.monitor.Names()
	errs := make([]error, len(names))
	for i, name := range names {
		wg.Go(func() { errs[i] = p.probe(ctx, run, name) })
	}
	wg.Wait()
	err := errors.Join(errs...)
	p.log.InfoContext(ctx, "probed", "run", run, "services", len(names))
	return []byte("null"), err
}

// runOf returns the id of the event by which a schedule calls, or "".
func runOf(payload []byte) string {
	var event struct{ ID string }
	_ = json.Unmarshal(payload, &event) // whoever else calls need not have one
	return event.ID
}

func (p *Prober) probe(ctx context.Context, run, name string) error {
	seen := status.Probe{Run: run, At: p.monitor.Now()}
	start := time.Now()
	checks, fault := p.asked(ctx, name)
	seen.Latency, seen.Checks = time.Since(start), checks
	if fault != nil {
		seen.Fault = fault.Cause
		p.log.WarnContext(ctx, "probe failed", "target", name, "error", fault)
	}
	var s status.Service
	err := table.Again(ctx, func() (err error) {
		s, err = p.monitor.Observe(ctx, name, seen)
		return err
	})
	if err != nil {
		return fmt.Errorf("note the probe of %s: %w", name, err)
	}
	g := p.gauges[name]
	healthy := 1
	if s.State() == status.Degraded {
		healthy = 0
	}
	g.healthy.Add(healthy)
	g.latency.Observe(seen.Latency)
	return nil
}

// asked asks a service within the function's time less what is needed afterwards.
func (p *Prober) asked(ctx context.Context, name string) ([]status.Check, *readiness.Fault) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-margin))
		defer cancel()
	}
	return p.ask(ctx, name)
}
