// Package status watches the services of the platform: what a probe of each saw,
// which state that puts the service in, and what the platform is like as a whole.
//
//	state     probes         becomes    event
//	unknown   1 passed       healthy
//	unknown   2 failed       degraded   service.degraded
//	healthy   2 failed       degraded   service.degraded
//	degraded  2 passed       healthy    service.recovered
//
// The probes that count are in a row, and not too far apart to belong together. It
// exists because one answer that got lost is no outage: alarms, the registry and
// people act on the state, which does not flap, while GET /health also shows what
// the last probe saw, at once.
//
// Callers must keep: every probe has the id of its run, for a run may be delivered
// twice and counts once. What a probe says of a fault is told to anybody, so it holds
// no addresses and no names of the infrastructure.
//
// The package knows no AWS and no HTTP; adapters are in internal/.
package status

import (
	"fmt"
	"slices"
	"time"
)

// Self is the name of this service, which watches itself too.
const Self = "status-service"

// State is what a service counts as.
type State string

// The states.
const (
	Unknown  State = "unknown"
	Healthy  State = "healthy"
	Degraded State = "degraded"
)

const (
	// Threshold is how many probes in a row it takes to leave healthy or degraded.
	Threshold = 2
	// Patience is how long a probe says anything: a later one is not in a row with it,
	// and without a later one nothing is known. It is three of the prober's rounds, so
	// that one that is lost or late loses nothing else.
	Patience = 3 * time.Minute

	// What is kept of the past, so that it is bounded however a service behaves.
	maxChanges = 10
	maxAge     = 7 * 24 * time.Hour
)

// Probe is one look at a service.
type Probe struct {
	Run     string // the id of the run it was made in
	At      time.Time
	Latency time.Duration
	Fault   string // what was wrong, in words for everybody; empty where nothing was
	Checks  []Check
}

// Check is what a service said of one thing that it needs, or of work that waits in it.
type Check struct {
	Name    string
	Status  Result
	Backlog *Backlog // nil if it is of no work that waits
}

// Backlog is work that waits.
type Backlog struct {
	Waiting int           // pieces of it
	Oldest  time.Duration // how long the oldest has waited
}

// Passed reports whether the service was well.
func (p Probe) Passed() bool { return p.Fault == "" }

// concern returns what a passed probe warns of, in words for everybody; empty where it
// warns of nothing.
func (p Probe) concern() string {
	for _, c := range p.Checks {
		switch {
		case c.Status != Warn:
		case c.Backlog == nil:
			return c.Name + ": warn"
		default:
			return fmt.Sprintf("%s: %d waiting, the oldest for %d s", c.Name, c.Backlog.Waiting, int(c.Backlog.Oldest.Seconds()))
		}
	}
	return ""
}

// Change is a state that a service went into.
type Change struct {
	State State
	Since time.Time
	Cause string // of degraded
}

// Service is what is known of one of the platform's services.
type Service struct {
	Name    string
	Changes []Change // newest first; the first is the present state, and none is unknown
	Last    Probe

	// Streak counts the probes in a row, up to the last, that speak against the state;
	// Began is when the first of them was made.
	Streak int
	Began  time.Time

	Version int
}

// State returns what the service counts as.
func (s *Service) State() State { return s.present().State }

// present returns the state with its beginning and cause.
func (s *Service) present() Change {
	if len(s.Changes) == 0 {
		return Change{State: Unknown}
	}
	return s.Changes[0]
}

// Observe takes a probe into account and reports whether it did: one of a run that
// was counted, and one older than the last, change nothing.
func (s *Service) Observe(p Probe) bool {
	if !p.At.After(s.Last.At) || p.Run != "" && p.Run == s.Last.Run {
		return false
	}
	speaks := Healthy
	if !p.Passed() {
		speaks = Degraded
	}
	if p.At.Sub(s.Last.At) > Patience || speaks == s.State() || p.Passed() != s.Last.Passed() {
		s.Streak = 0
	}
	s.Last = p
	if speaks == s.State() {
		return true
	}
	if s.Streak == 0 {
		s.Began = p.At
	}
	s.Streak++
	if s.Streak == Threshold || s.State() == Unknown && p.Passed() {
		s.become(speaks)
	}
	return true
}

// become puts the service into another state, since its streak began.
func (s *Service) become(state State) {
	change := Change{State: state, Since: s.Began}
	if state == Degraded {
		change.Cause = s.Last.Fault
	}
	s.Changes = recent(slices.Insert(slices.Clone(s.Changes), 0, change), s.Last.At)
	s.Streak = 0
}

// recent returns the changes that are still told of. The first, which is the present
// state, always is.
func recent(changes []Change, now time.Time) []Change {
	n := 0
	for n < len(changes) && n < maxChanges && (n == 0 || now.Sub(changes[n].Since) <= maxAge) {
		n++
	}
	return changes[:n]
}
