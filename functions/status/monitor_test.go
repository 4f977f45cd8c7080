package status_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tradewind/events"
	event "tradewind/events/status"
	"tradewind/functions/status"
	"tradewind/functions/status/internal/dynamo"
	"tradewind/shared/apperr"
	"tradewind/shared/outbox"
	"tradewind/shared/table"
	"tradewind/shared/table/tabletest"
)

var names = []string{"order-service", "user-service", status.Self}

// watch is a monitor over a table in memory, at a time that a test sets.
type watch struct {
	*status.Monitor
	table *tabletest.Memory
	now   time.Time
}

func newWatch() *watch {
	w := &watch{table: &tabletest.Memory{}, now: noon}
	clock := func() time.Time { return w.now }
	w.Monitor = status.NewMonitor(dynamo.New(table.New(w.table), outbox.New(event.Source, clock)), names, clock)
	return w
}

func (w *watch) observe(t *testing.T, name string, probes ...status.Probe) {
	t.Helper()
	for _, p := range probes {
		w.now = p.At
		if _, err := w.Observe(t.Context(), name, p); err != nil {
			t.Fatal(err)
		}
	}
}

// published returns the events in the outbox, in the order in which they were made.
func (w *watch) published(t *testing.T) []events.Event {
	t.Helper()
	records, _, err := table.List[outbox.Record](t.Context(), table.New(w.table), table.Query{PK: "SERVICES", SKPrefix: "OUTBOX#", Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	var evs []events.Event
	for _, r := range records {
		var envelope events.Envelope
		if err := json.Unmarshal([]byte(r.Detail), &envelope); err != nil {
			t.Fatal(err)
		}
		switch r.DetailType {
		case event.TypeDegraded:
			evs = append(evs, decode[event.DegradedV1](t, envelope.Data))
		case event.TypeRecovered:
			evs = append(evs, decode[event.RecoveredV1](t, envelope.Data))
		default:
			t.Errorf("an event %s", r.DetailType)
		}
	}
	return evs
}

func decode[E events.Event](t *testing.T, data []byte) events.Event {
	t.Helper()
	var ev E
	if err := json.Unmarshal(data, &ev); err != nil {
		t.Fatal(err)
	}
	return ev
}

var same = cmp.Comparer(func(a, b events.Timestamp) bool { return a.String() == b.String() })

func TestObserve(t *testing.T) {
	w := newWatch()
	w.observe(t, "user-service", passed(0))
	w.observe(t, "order-service", passed(0), failed(1), failed(2), failed(3), passed(4), passed(5), failed(6))
	want := []events.Event{
		event.DegradedV1{Service: "order-service", SinceAt: events.Timestamp(minute(1)), Cause: "fault 2", Probes: 2},
		event.RecoveredV1{
			Service: "order-service", SinceAt: events.Timestamp(minute(4)),
			DegradedAt: events.Timestamp(minute(1)), Cause: "fault 2", Probes: 2,
		},
	}
	if diff := cmp.Diff(want, w.published(t), same); diff != "" {
		t.Error(diff)
	}
	report, err := w.Report(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range report.Services {
		got = append(got, fmt.Sprint(c.Name, " ", c.Status, " ", c.State))
	}
	// The other was probed at the start alone, this service never.
	if diff := cmp.Diff([]string{"order-service fail healthy", "user-service unknown unknown", "status-service unknown unknown"}, got); diff != "" {
		t.Error(diff)
	}
	if report.Status != status.Warn {
		t.Error(report.Status)
	}
}

// Runs that are delivered twice, at the same time, count once, and lose nothing.
func TestTwoProbers(t *testing.T) {
	w := newWatch()
	w.observe(t, "order-service", passed(0))
	for n := 1; n <= 2; n++ {
		w.now = minute(n)
		var both sync.WaitGroup
		for copied := range 4 {
			both.Go(func() {
				p := failed(n)
				p.At = p.At.Add(time.Duration(copied) * time.Millisecond)
				err := table.Again(t.Context(), func() error {
					_, err := w.Observe(t.Context(), "order-service", p)
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		if got := len(w.published(t)); got != n-1 {
			t.Fatalf("after %d failing runs, delivered four times each, there are %d events", n, got)
		}
	}
}

func TestObserveStale(t *testing.T) {
	w := newWatch()
	w.table.Before = func([]table.Op) error {
		w.table.Before = nil
		w.observe(t, "order-service", passed(0)) // somebody else's, in between
		return nil
	}
	if _, err := w.Observe(t.Context(), "order-service", failed(1)); !errors.Is(err, apperr.ErrStale) {
		t.Errorf("got %v", err)
	}
}

// Over any probes, a service's events alternate, and say what its states were.
func TestEventsAlternate(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWatch()
		var states []status.State
		for n := range rapid.IntRange(1, 40).Draw(rt, "probes") {
			p := passed(n)
			if rapid.Bool().Draw(rt, "fails") {
				p = failed(n)
			}
			w.now = p.At
			s, err := w.Observe(t.Context(), "order-service", p)
			if err != nil {
				rt.Fatal(err)
			}
			if state := s.State(); len(states) == 0 || states[len(states)-1] != state {
				states = append(states, state)
			}
		}
		var want []string
		for i, state := range states {
			switch {
			case state == status.Degraded:
				want = append(want, event.TypeDegraded)
			case state == status.Healthy && i > 0 && states[i-1] == status.Degraded:
				want = append(want, event.TypeRecovered)
			}
		}
		var got []string
		for i, ev := range w.published(t) {
			got = append(got, ev.EventType())
			if wanted := []string{event.TypeDegraded, event.TypeRecovered}[i%2]; ev.EventType() != wanted {
				rt.Fatalf("event %d is %s", i, ev.EventType())
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Fatal(diff)
		}
	})
}

// registry is one in memory that tells before it takes what it is told.
type registry struct {
	mu     sync.Mutex
	marks  map[string]bool
	before func()
	err    error
	calls  int
}

func (r *registry) Mark(_ context.Context, healthy map[string]bool) error {
	if before := r.before; before != nil {
		before()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	if r.err != nil {
		return r.err
	}
	r.marks = maps.Clone(healthy)
	return nil
}

func TestAnnounce(t *testing.T) {
	down := []status.Probe{failed(0), failed(1)}
	for name, tt := range map[string]struct {
		down []string
		want map[string]bool
	}{
		"all are well":   {nil, map[string]bool{"order-service": true, "user-service": true, status.Self: true}},
		"one is down":    {names[:1], map[string]bool{"order-service": false, "user-service": true, status.Self: true}},
		"all but this":   {names[:2], map[string]bool{"order-service": false, "user-service": false, status.Self: true}},
		"all, as if":     {names, map[string]bool{"order-service": true, "user-service": true, status.Self: true}},
		"one not of us":  {[]string{"gone-service"}, map[string]bool{"order-service": true, "user-service": true, status.Self: true}},
		"this one alone": {names[2:], map[string]bool{"order-service": true, "user-service": true, status.Self: false}},
	} {
		t.Run(name, func(t *testing.T) {
			w, r := newWatch(), &registry{}
			for _, service := range tt.down {
				w.observe(t, service, down...)
			}
			if err := w.Announce(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, r.marks); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A state that changes while the registry is told of the one before is told too,
// although its own event may have come before.
func TestAnnounceLooksAgain(t *testing.T) {
	w, r := newWatch(), &registry{}
	w.observe(t, "order-service", failed(0), failed(1))
	r.before = func() {
		r.before = nil
		w.observe(t, "order-service", passed(2), passed(3))
		if err := w.Announce(t.Context(), r); err != nil { // for its event
			t.Error(err)
		}
	}
	if err := w.Announce(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if !r.marks["order-service"] {
		t.Errorf("the registry was left with %v", r.marks)
	}
}

func TestAnnounceFails(t *testing.T) {
	w, r := newWatch(), &registry{err: errors.New("no answer")}
	if err := w.Announce(t.Context(), r); !errors.Is(err, r.err) {
		t.Errorf("the registry does not answer: %v", err)
	}
	r.err = nil
	n := 0
	r.before = func() { // a service that never rests
		n += 2
		if n%4 == 2 {
			w.observe(t, "order-service", failed(n), failed(n+1))
		} else {
			w.observe(t, "order-service", passed(n), passed(n+1))
		}
	}
	if err := w.Announce(t.Context(), r); apperr.KindOf(err) != apperr.Unavailable {
		t.Errorf("a service never rests: %v", err)
	}
}
