package status_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tradewind/functions/status"
)

var noon = time.Date(2026, 11, 12, 12, 0, 0, 0, time.UTC)

// minute is the time of the nth probe of a prober that is on time.
func minute(n int) time.Time { return noon.Add(time.Duration(n) * time.Minute) }

func passed(n int) status.Probe {
	return status.Probe{Run: fmt.Sprint("run ", n), At: minute(n), Latency: 7 * time.Millisecond}
}

func failed(n int) status.Probe {
	p := passed(n)
	p.Fault = fmt.Sprint("fault ", n)
	return p
}

// Each step of a story is a probe a minute: "+" one that passes, "-" one that fails,
// "." none. Below it is the first letter of the state that leads to.
func TestStates(t *testing.T) {
	for name, story := range map[string][2]string{
		"well from the start":                  {"+++", "hhh"},
		"ill from the start":                   {"---", "udd"},
		"one failure at the start is none":     {"-+-+", "uhhh"},
		"one failure is none":                  {"+-++-+", "hhhhhh"},
		"two in a row are":                     {"+--", "hhd"},
		"two are none with a pass between":     {"+-+-+-", "hhhhhh"},
		"one pass is no recovery":              {"+---+-+-", "hhdddddd"},
		"two passes in a row are":              {"+--++", "hhddh"},
		"down and up and down":                 {"+--++--++", "hhddhhddh"},
		"a run that was left out":              {"+-.-", "hhhd"},
		"two runs that were left out":          {"+-..-", "hhhhd"},
		"failures too far apart":               {"+-...-", "hhhhhh"},
		"and what follows them":                {"+-...--", "hhhhhhd"},
		"passes too far apart":                 {"--+...+", "udddddd"},
		"and what follows those":               {"--+...++", "uddddddh"},
		"failures too far apart, at the start": {"-...-", "uuuuu"},
	} {
		t.Run(name, func(t *testing.T) {
			var s status.Service
			var states strings.Builder
			for n, step := range story[0] {
				switch step {
				case '+':
					s.Observe(passed(n))
				case '-':
					s.Observe(failed(n))
				}
				states.WriteByte(s.State()[0])
			}
			if states.String() != story[1] {
				t.Errorf("%s leads to %s, want %s", story[0], states.String(), story[1])
			}
		})
	}
}

// A state began with the first of the probes that made it, and what made a service
// degraded is what the last of them saw.
func TestSince(t *testing.T) {
	var s status.Service
	for _, p := range []status.Probe{passed(0), passed(1), failed(2), failed(3), failed(4), passed(5), failed(6), passed(7), passed(8)} {
		s.Observe(p)
	}
	want := []status.Change{
		{State: status.Healthy, Since: minute(7)},
		{State: status.Degraded, Since: minute(2), Cause: "fault 3"},
		{State: status.Healthy, Since: minute(0)},
	}
	if diff := cmp.Diff(want, s.Changes); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(passed(8), s.Last); diff != "" {
		t.Error(diff)
	}
}

func TestAProbeCountsOnce(t *testing.T) {
	again := failed(1)
	again.At = again.At.Add(time.Second) // the second delivery of the same run
	late := failed(2)
	late.At = minute(0).Add(time.Second) // of a run that was overtaken
	var s status.Service
	s.Observe(passed(0))
	if !s.Observe(failed(1)) {
		t.Error("a new probe was not counted")
	}
	before := s
	for name, p := range map[string]status.Probe{"a run's second delivery": again, "a probe older than the last": late} {
		if s.Observe(p) || !cmp.Equal(before, s) {
			t.Errorf("%s changed %+v to %+v", name, before, s)
		}
	}
}

// What is kept does not grow with the times a service goes down.
func TestThePastIsBounded(t *testing.T) {
	var s status.Service
	for n := 0; n < 200; n += 4 {
		for _, p := range []status.Probe{failed(n), failed(n + 1), passed(n + 2), passed(n + 3)} {
			s.Observe(p)
		}
	}
	if len(s.Changes) != 10 || s.Changes[0].Since != minute(198) {
		t.Errorf("%d changes, the last of %v", len(s.Changes), s.Changes[0].Since)
	}
	weeks := 20 * 24 * 60
	s.Observe(failed(weeks))
	s.Observe(failed(weeks + 1))
	want := []status.Change{{State: status.Degraded, Since: minute(weeks), Cause: fmt.Sprint("fault ", weeks+1)}}
	if diff := cmp.Diff(want, s.Changes); diff != "" {
		t.Error(diff)
	}
}

// Whatever the probes see, and however they come: states alternate, none is left
// before two probes in a row speak against it, and none is kept once they have.
func TestHysteresis(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s status.Service
		now := noon
		var row []status.Probe // those in a row that saw the same
		for n := range rapid.IntRange(1, 60).Draw(t, "probes") {
			now = now.Add(time.Duration(rapid.IntRange(-30, 300).Draw(t, "seconds")) * time.Second)
			p := status.Probe{Run: fmt.Sprint(rapid.IntRange(max(0, n-2), n).Draw(t, "run")), At: now}
			if rapid.Bool().Draw(t, "fails") {
				p.Fault = "fault"
			}
			before := s
			if !s.Observe(p) {
				if !cmp.Equal(before, s) {
					t.Fatalf("a probe that did not count changed %+v to %+v", before, s)
				}
				continue
			}
			last := before.Last
			if !last.At.IsZero() && (!p.At.After(last.At) || p.Run == last.Run) {
				t.Fatalf("%+v counted after %+v", p, last)
			}
			if len(row) > 0 && (row[0].Passed() != p.Passed() || p.At.Sub(last.At) > status.Patience) {
				row = nil
			}
			row = append(row, p)
			says := map[bool]status.State{true: status.Healthy, false: status.Degraded}[p.Passed()]
			if changed := before.State() != s.State(); changed {
				first := before.State() == status.Unknown && p.Passed()
				switch {
				case s.State() != says:
					t.Fatalf("from %s to %s by a probe that says %s", before.State(), s.State(), says)
				case !first && len(row) != status.Threshold:
					t.Fatalf("from %s to %s after %d in a row", before.State(), s.State(), len(row))
				case first && s.Changes[0].Since != p.At, !first && s.Changes[0].Since != row[0].At:
					t.Fatalf("%s since %v", s.State(), s.Changes[0].Since)
				}
			} else if len(row) >= status.Threshold && s.State() != says {
				t.Fatalf("%d in a row say %s, and it is %s", len(row), says, s.State())
			}
			for i := 1; i < len(s.Changes); i++ {
				if s.Changes[i].State == s.Changes[i-1].State || s.Changes[i].Since.After(s.Changes[i-1].Since) {
					t.Fatalf("changes %+v", s.Changes)
				}
			}
		}
	})
}
