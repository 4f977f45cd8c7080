package prober_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	event "tradewind/events/status"
	"tradewind/functions/status"
	"tradewind/functions/status/internal/dynamo"
	"tradewind/functions/status/internal/prober"
	"tradewind/functions/status/internal/readiness"
	"tradewind/shared/logs"
	"tradewind/shared/metrics"
	"tradewind/shared/outbox"
	"tradewind/shared/table"
	"tradewind/shared/table/tabletest"
)

var names = []string{"order-service", "user-service", status.Self}

// rig is a prober of services that do as a test says.
type rig struct {
	*prober.Prober
	monitor *status.Monitor
	table   *tabletest.Memory
	out     bytes.Buffer // of metrics

	mu     sync.Mutex
	faults map[string]string
	takes  map[string]time.Duration
	checks []status.Check // of every service
}

func newRig() *rig {
	r := &rig{table: &tabletest.Memory{}, faults: map[string]string{}, takes: map[string]time.Duration{}}
	r.monitor = status.NewMonitor(dynamo.New(table.New(r.table), outbox.New(event.Source, time.Now)), names, time.Now)
	env := func(string) string { return "status" }
	r.Prober = prober.New(r.monitor, r.ask, metrics.New(&r.out, env), logs.Discard())
	return r
}

func (r *rig) ask(ctx context.Context, service string) ([]status.Check, *readiness.Fault) {
	r.mu.Lock()
	cause, takes := r.faults[service], r.takes[service]
	r.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return nil, &readiness.Fault{Cause: "no answer", Err: ctx.Err()}
	}
	if cause != "" {
		return nil, &readiness.Fault{Cause: cause, Err: errors.New("dial tcp 10.0.0.1: refused")}
	}
	return r.checks, nil
}

// conditions shows what the platform is like as text.
func (r *rig) conditions(t *testing.T) []string {
	t.Helper()
	report, err := r.monitor.Report(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, c := range report.Services {
		list = append(list, strings.TrimSpace(fmt.Sprint(c.Name, " ", c.Status, " ", c.State, " ", c.Cause)))
	}
	return list
}

// measured returns the metrics of the last run, by service.
func (r *rig) measured(t *testing.T) map[string]string {
	t.Helper()
	got := map[string]string{}
	for line := range strings.Lines(r.out.String()) {
		var m struct {
			Service, Target string
			ServiceHealthy  int
			ProbeLatency    []float64
		}
		if err := json.Unmarshal([]byte(line), &m); err != nil || m.Service != "status" {
			t.Fatalf("%v: %s", err, line)
		}
		got[m.Target] = fmt.Sprint(m.ServiceHealthy, " ", m.ProbeLatency)
	}
	r.out.Reset()
	return got
}

func TestRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		r.takes["user-service"] = 30 * time.Millisecond
		run := func(id string) {
			t.Helper()
			if _, err := r.Invoke(t.Context(), fmt.Appendf(nil, `{"id":%q,"detail-type":"Scheduled Event"}`, id)); err != nil {
				t.Fatal(err)
			}
		}
		expect := func(when, condition, metric string) {
			t.Helper()
			if diff := cmp.Diff([]string{condition, "user-service pass healthy", "status-service pass healthy"}, r.conditions(t)); diff != "" {
				t.Errorf("%s:\n%s", when, diff)
			}
			want := map[string]string{"order-service": metric, "user-service": "1 [30]", "status-service": "1 [0]"}
			if diff := cmp.Diff(want, r.measured(t)); diff != "" {
				t.Errorf("%s: measured:\n%s", when, diff)
			}
			time.Sleep(time.Minute)
		}
		run("1")
		expect("all is well", "order-service pass healthy", "1 [0]")
		r.faults["order-service"] = "answered 502"
		run("2")
		expect("after the first failure", "order-service fail healthy answered 502", "1 [0]")
		run("2")
		expect("after the same run again", "order-service fail healthy answered 502", "1 [0]")
		run("3")
		expect("after the second failure", "order-service fail degraded answered 502", "0 [0]")
		delete(r.faults, "order-service")
		run("4")
		expect("after the first success", "order-service pass degraded", "0 [0]")
		run("5")
		expect("after the second", "order-service pass healthy", "1 [0]")
	})
}

// Work that waits is shown and does not degrade a service.
func TestBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		r.checks = []status.Check{{Name: "orders", Status: status.Warn, Backlog: &status.Backlog{Waiting: 212, Oldest: 90 * time.Second}}}
		for i := range 5 {
			if _, err := r.Invoke(t.Context(), fmt.Appendf(nil, `{"id":"%d"}`, i)); err != nil {
				t.Fatal(err)
			}
			if got := r.conditions(t)[0]; got != "order-service warn healthy orders: 212 waiting, the oldest for 90 s" {
				t.Error(got)
			}
			time.Sleep(time.Minute)
		}
	})
}

// Whoever calls without a run's id, by hand, makes a run of its own.
func TestRunsByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		r.faults["order-service"] = "answered 502"
		for _, payload := range []string{`{}`, ``} {
			if _, err := r.Invoke(t.Context(), []byte(payload)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if got := r.conditions(t)[0]; got != "order-service fail degraded answered 502" {
			t.Error(got)
		}
	})
}

// One service that hangs is found to, in time for it to be noted, and delays no other.
func TestATimeLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		r.takes["order-service"] = time.Hour
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		start := time.Now()
		if _, err := r.Invoke(ctx, nil); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 15*time.Second {
			t.Errorf("it took %v", took)
		}
		if diff := cmp.Diff([]string{"order-service fail unknown no answer", "user-service pass healthy", "status-service pass healthy"}, r.conditions(t)); diff != "" {
			t.Error(diff)
		}
	})
}

// A probe that cannot be noted is the prober's failure, is not measured, and leaves
// the others alone.
func TestNotNoted(t *testing.T) {
	r := newRig()
	r.table.Before = func(ops []table.Op) error {
		if strings.Contains(ops[0].Key.SK, "order-service") {
			return errors.New("no answer")
		}
		return nil
	}
	_, err := r.Invoke(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "order-service") || strings.Contains(err.Error(), "user-service") {
		t.Errorf("got %v", err)
	}
	if got := r.measured(t); len(got) != 2 || got["order-service"] != "" {
		t.Errorf("measured %v", got)
	}
}

// A probe that loses against another prober's is noted on top of it.
func TestLostRace(t *testing.T) {
	r := newRig()
	lost := map[string]bool{}
	r.table.Before = func(ops []table.Op) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		if name := ops[0].Key.SK; !lost[name] {
			lost[name] = true
			return &table.Cancelled{Failed: []int{0}}
		}
		return nil
	}
	if _, err := r.Invoke(t.Context(), nil); err != nil || len(lost) != len(names) {
		t.Errorf("%d lost: %v", len(lost), err)
	}
}
