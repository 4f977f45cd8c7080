package status

import (
	"context"
	"fmt"
	"maps"
	"time"

	"tradewind/events"
	event "tradewind/events/status"
	"tradewind/shared/apperr"
)

// Store keeps what is known of the services.
type Store interface {
	// Service returns what is known of a service; where that is nothing, a service
	// with version zero.
	Service(ctx context.Context, name string) (Service, error)
	// Services returns everything that is known, in any order.
	Services(ctx context.Context) ([]Service, error)
	// Save saves the version after the one that was read and publishes the events, or
	// returns apperr.ErrStale when that is not the stored one.
	Save(ctx context.Context, s Service, evs ...events.Event) error
}

// Registry is where callers look up the instances of a service.
type Registry interface {
	// Mark sets the health of all instances of each service. It passes over a service
	// that the registry does not have.
	Mark(ctx context.Context, healthy map[string]bool) error
}

// Monitor is what can be done with the services' health.
type Monitor struct {
	store Store
	names []string
	now   func() time.Time
}

// NewMonitor returns a monitor of the services with these names.
func NewMonitor(store Store, names []string, now func() time.Time) *Monitor {
	return &Monitor{store, names, func() time.Time { return now().UTC().Truncate(time.Millisecond) }}
}

// Names returns the names of the services.
func (m *Monitor) Names() []string { return m.names }

// Now returns the time as probes are dated.
func (m *Monitor) Now() time.Time { return m.now() }

// Observe notes a probe of a service and tells of the state it leads to. It returns
// the service as it is then.
func (m *Monitor) Observe(ctx context.Context, name string, p Probe) (Service, error) {
	s, err := m.store.Service(ctx, name)
	if err != nil {
		return Service{}, err
	}
	before := s.present()
	if !s.Observe(p) {
		return s, nil
	}
	s.Version++
	var evs []events.Event
	switch after := s.present(); {
	case after.State == before.State:
	case after.State == Degraded:
		evs = append(evs, event.DegradedV1{
			Service: name, SinceAt: events.Timestamp(after.Since), Cause: after.Cause, Probes: Threshold,
		})
	case before.State == Degraded:
		evs = append(evs, event.RecoveredV1{
			Service: name, SinceAt: events.Timestamp(after.Since),
			DegradedAt: events.Timestamp(before.Since), Cause: before.Cause, Probes: Threshold,
		})
	}
	return s, m.store.Save(ctx, s, evs...)
}

// Report returns what the platform is like now, in the order of the names. What is
// known of other services, which were watched once, is left out.
func (m *Monitor) Report(ctx context.Context) (Report, error) {
	known, err := m.known(ctx)
	if err != nil {
		return Report{}, err
	}
	var r Report
	now := m.now()
	for _, name := range m.names {
		s := known[name]
		s.Name = name
		r.Services = append(r.Services, s.At(now))
	}
	r.Status = Overall(r.Services)
	return r, nil
}

func (m *Monitor) known(ctx context.Context) (map[string]Service, error) {
	list, err := m.store.Services(ctx)
	if err != nil {
		return nil, err
	}
	known := make(map[string]Service, len(list))
	for _, s := range list {
		known[s.Name] = s
	}
	return known, nil
}

// settle bounds how often Announce starts again.
const settle = 5

// Announce brings a registry in line with the states as they are now. When it is
// called matters, not by which event: two of them may come in any order, at the same
// time, and twice. So whoever has written looks whether it still holds; the last to
// write is then right.
func (m *Monitor) Announce(ctx context.Context, r Registry) error {
	var told map[string]bool
	for range settle {
		known, err := m.known(ctx)
		if err != nil {
			return err
		}
		marks := m.marks(known)
		if maps.Equal(told, marks) {
			return nil
		}
		if err := r.Mark(ctx, marks); err != nil {
			return fmt.Errorf("mark services in the registry: %w", err)
		}
		told = marks
	}
	return apperr.New(apperr.Unavailable, "unsettled", "The services change faster than the registry can be told.")
}

// marks returns which services callers should find. Where none is left, this one
// included, it is more likely that the prober's own way is broken than that all broke
// at once, and callers who found nobody would be worse off: then all are healthy.
func (m *Monitor) marks(known map[string]Service) map[string]bool {
	marks := make(map[string]bool, len(m.names))
	degraded := 0
	for _, name := range m.names {
		s := known[name]
		marks[name] = s.State() != Degraded
		if !marks[name] {
			degraded++
		}
	}
	if degraded == len(m.names) {
		for name := range marks {
			marks[name] = true
		}
	}
	return marks
}
