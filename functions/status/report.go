package status

import (
	"fmt"
	"time"
)

// Result is what the last probe of a service came to, or what the platform is like,
// in the words of the application/health+json draft
// (https://datatracker.ietf.org/doc/html/draft-inadarei-api-health-check-06).
type Result string

// The results. A service that passed with a concern, such as work that waits for long,
// is Warn: it answers, and counts as passed for its state.
const (
	Pass       Result = "pass"
	Warn       Result = "warn"
	Fail       Result = "fail"
	NotChecked Result = "unknown"
)

// never and outdated are said of a service of which nothing is known.
const never = "not probed yet"

var outdated = fmt.Sprintf("not probed in the last %d min", int(Patience.Minutes()))

// Report is what the platform is like.
type Report struct {
	Status   Result
	Services []Condition
}

// Condition is what a service is like at a time.
type Condition struct {
	Name string
	// Status is the last probe's result; NotChecked where there is none recent
	// enough, and then the state is Unknown.
	Status Result
	State  State
	Since  time.Time // of the state; zero where nothing was ever known
	Cause  string    // of anything but a pass

	LastProbe time.Time // zero before the first
	Latency   time.Duration
	Checks    []Check  // of the last probe, if that is recent enough
	Changes   []Change // of the last days, newest first
}

// At returns what the service is like at a time.
func (s *Service) At(now time.Time) Condition {
	c := Condition{
		Name: s.Name, Status: Pass, State: s.State(), Since: s.present().Since, Cause: s.Last.Fault,
		LastProbe: s.Last.At, Latency: s.Last.Latency, Checks: s.Last.Checks, Changes: recent(s.Changes, now),
	}
	switch {
	case s.Last.At.IsZero():
		c.Status, c.Cause = NotChecked, never
	case now.Sub(s.Last.At) > Patience:
		// What it was is not what it is. It has been unknown since the last probe
		// ceased to say anything.
		c.Status, c.State, c.Since, c.Cause, c.Checks = NotChecked, Unknown, s.Last.At.Add(Patience), outdated, nil
	case !s.Last.Passed():
		c.Status = Fail
	case s.Last.concern() != "":
		c.Status, c.Cause = Warn, s.Last.concern()
	}
	return c
}

// Overall judges the platform by its services. It passes when all pass and are
// healthy, and fails when none but this one does any more: who asks by the status
// alone, to send customers elsewhere, must not do that for a part of the shop.
func Overall(services []Condition) Result {
	well, failing, others := true, 0, 0
	for _, c := range services {
		well = well && c.Status == Pass && c.State == Healthy
		if c.Name == Self {
			continue
		}
		others++
		if c.Status == Fail {
			failing++
		}
	}
	switch {
	case well:
		return Pass
	case failing == others && others > 0:
		return Fail
	}
	return Warn
}
