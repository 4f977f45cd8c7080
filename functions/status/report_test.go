package status_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tradewind/functions/status"
)

func TestAt(t *testing.T) {
	observed := func(probes ...status.Probe) status.Service {
		s := status.Service{Name: "order-service"}
		for _, p := range probes {
			s.Observe(p)
		}
		return s
	}
	said := func(n int, checks ...status.Check) status.Probe { p := passed(n); p.Checks = checks; return p }
	calm := status.Check{Name: "orders", Status: status.Pass, Backlog: &status.Backlog{Waiting: 3, Oldest: time.Second}}
	busy := status.Check{Name: "orders", Status: status.Warn, Backlog: &status.Backlog{Waiting: 212, Oldest: 90 * time.Second}}
	uncounted := status.Check{Name: "orders", Status: status.Warn}
	well := status.Change{State: status.Healthy, Since: minute(0)}
	down := status.Change{State: status.Degraded, Since: minute(1), Cause: "fault 2"}
	const latency = 7 * time.Millisecond
	for name, tt := range map[string]struct {
		service status.Service
		now     time.Time
		want    status.Condition
	}{
		"never probed": {
			observed(), minute(0),
			status.Condition{Status: status.NotChecked, State: status.Unknown, Cause: "not probed yet"},
		},
		"well": {
			observed(passed(0), passed(1)), minute(2),
			status.Condition{Status: status.Pass, State: status.Healthy, Since: minute(0), LastProbe: minute(1), Latency: latency, Changes: []status.Change{well}},
		},
		"little waits": {
			observed(passed(0), said(1, calm)), minute(1),
			status.Condition{
				Status: status.Pass, State: status.Healthy, Since: minute(0),
				LastProbe: minute(1), Latency: latency, Checks: []status.Check{calm}, Changes: []status.Change{well},
			},
		},
		"work waits for long": {
			observed(passed(0), said(1, calm), said(2, busy), said(3, busy)), minute(3),
			status.Condition{
				Status: status.Warn, State: status.Healthy, Since: minute(0), Cause: "orders: 212 waiting, the oldest for 90 s",
				LastProbe: minute(3), Latency: latency, Checks: []status.Check{busy}, Changes: []status.Change{well},
			},
		},
		"how much waits is not known": {
			observed(said(0, uncounted)), minute(0),
			status.Condition{
				Status: status.Warn, State: status.Healthy, Since: minute(0), Cause: "orders: warn",
				LastProbe: minute(0), Latency: latency, Checks: []status.Check{uncounted}, Changes: []status.Change{well},
			},
		},
		"how much waited long ago": {
			observed(said(0, busy)), minute(4),
			status.Condition{
				Status: status.NotChecked, State: status.Unknown, Since: minute(3), Cause: "not probed in the last 3 min",
				LastProbe: minute(0), Latency: latency, Changes: []status.Change{well},
			},
		},
		"one failure shows at once": {
			observed(passed(0), failed(1)), minute(1),
			status.Condition{Status: status.Fail, State: status.Healthy, Since: minute(0), Cause: "fault 1", LastProbe: minute(1), Latency: latency, Changes: []status.Change{well}},
		},
		"degraded": {
			observed(passed(0), failed(1), failed(2), failed(3)), minute(3),
			status.Condition{Status: status.Fail, State: status.Degraded, Since: minute(1), Cause: "fault 3", LastProbe: minute(3), Latency: latency, Changes: []status.Change{down, well}},
		},
		"about to recover": {
			observed(passed(0), failed(1), failed(2), passed(3)), minute(3),
			status.Condition{Status: status.Pass, State: status.Degraded, Since: minute(1), LastProbe: minute(3), Latency: latency, Changes: []status.Change{down, well}},
		},
		"failed once, at the start": {
			observed(failed(0)), minute(0),
			status.Condition{Status: status.Fail, State: status.Unknown, Cause: "fault 0", LastProbe: minute(0), Latency: latency},
		},
		"just not too old": {
			observed(passed(0)), minute(3),
			status.Condition{Status: status.Pass, State: status.Healthy, Since: minute(0), LastProbe: minute(0), Latency: latency, Changes: []status.Change{well}},
		},
		"well for longer than the past is told": {
			func() status.Service { s := observed(passed(0)); s.Observe(passed(30_000)); return s }(), minute(30_000),
			status.Condition{Status: status.Pass, State: status.Healthy, Since: minute(0), LastProbe: minute(30_000), Latency: latency, Changes: []status.Change{well}},
		},
		"the prober stands still": {
			observed(passed(0)), minute(4),
			status.Condition{
				Status: status.NotChecked, State: status.Unknown, Since: minute(3), Cause: "not probed in the last 3 min",
				LastProbe: minute(0), Latency: latency, Changes: []status.Change{well},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tt.want.Name = "order-service"
			if diff := cmp.Diff(tt.want, tt.service.At(tt.now)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOverall(t *testing.T) {
	well := status.Condition{Name: "order-service", Status: status.Pass, State: status.Healthy}
	with := func(c status.Condition, s status.Result, state status.State) status.Condition {
		c.Status, c.State = s, state
		return c
	}
	fails, down := with(well, status.Fail, status.Healthy), with(well, status.Fail, status.Degraded)
	back, unknown := with(well, status.Pass, status.Degraded), with(well, status.NotChecked, status.Unknown)
	self := well
	self.Name = status.Self
	for name, tt := range map[string]struct {
		services []status.Condition
		want     status.Result
	}{
		"all well":                              {[]status.Condition{well, well, self}, status.Pass},
		"one fails":                             {[]status.Condition{well, fails, self}, status.Warn},
		"one is degraded":                       {[]status.Condition{well, down, self}, status.Warn},
		"the work of one waits":                 {[]status.Condition{well, with(well, status.Warn, status.Healthy), self}, status.Warn},
		"the work of one waits, others fail":    {[]status.Condition{fails, with(well, status.Warn, status.Healthy), self}, status.Warn},
		"one is about to recover":               {[]status.Condition{well, back, self}, status.Warn},
		"of one nothing is known":               {[]status.Condition{well, unknown, self}, status.Warn},
		"of none anything is known":             {[]status.Condition{unknown, unknown, with(self, status.NotChecked, status.Unknown)}, status.Warn},
		"this one fails":                        {[]status.Condition{well, well, with(self, status.Fail, status.Degraded)}, status.Warn},
		"all others fail":                       {[]status.Condition{fails, down, self}, status.Fail},
		"all fail":                              {[]status.Condition{down, down, with(self, status.Fail, status.Degraded)}, status.Fail},
		"all but one of which nothing is known": {[]status.Condition{down, unknown, self}, status.Warn},
		"alone":                                 {[]status.Condition{with(self, status.Fail, status.Degraded)}, status.Warn},
	} {
		t.Run(name, func(t *testing.T) {
			if got := status.Overall(tt.services); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}
