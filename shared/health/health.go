// Package health answers whether a service works: /health/live says that the
// process answers, /health/ready that what it needs answers too. Load balancers
// and the platform's prober ask both.
//
// It exists so that every service says it in the same words, those of the
// application/health+json draft
// (https://datatracker.ietf.org/doc/html/draft-inadarei-api-health-check-06).
//
// A service whose work is done later, by events, adds a [Backlog]: how much of it
// waits, and since when. A backlog is a concern and no failure, for the service
// itself can answer.
//
// Rules for callers:
//   - A check takes no token and changes nothing.
//   - It says nothing of the infrastructure beyond its own name.
//
// Answers are kept for a moment, so frequent questions cost one check.
package health

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"tradewind/shared/httpkit"
	"tradewind/shared/table"
)

// The statuses. Only a check is given Warn, a service never.
const (
	Pass = "pass"
	Warn = "warn"
	Fail = "fail"
)

const (
	// checkTimeout bounds all checks of one answer; the prober waits 5 s.
	checkTimeout = 2 * time.Second
	// freshness is how long an answer is given again.
	freshness = 2 * time.Second
)

// Check is one thing a service needs.
type Check struct {
	Name string
	Ask  func(context.Context) error

	backlog func(context.Context) (Result, error)
}

// Backlog returns a check of work that waits to be done. ask returns how many pieces
// wait and for how long the oldest has. It warns if that is longer than patience, or
// if ask fails.
func Backlog(name string, patience time.Duration, ask func(context.Context) (waiting int, oldest time.Duration, err error)) Check {
	return Check{Name: name, backlog: func(ctx context.Context) (Result, error) {
		waiting, oldest, err := ask(ctx)
		if err != nil {
			return Result{Status: Warn}, err
		}
		r := Result{Status: Pass, ObservedValue: new(int(oldest.Seconds())), ObservedUnit: "s", Waiting: &waiting}
		if oldest > patience {
			r.Status = Warn
		}
		return r, nil
	}}
}

// ask returns what a check found, and why if that is not a pass.
func (c Check) ask(ctx context.Context) (Result, error) {
	if c.backlog != nil {
		return c.backlog(ctx)
	}
	if err := c.Ask(ctx); err != nil {
		return Result{Status: Fail}, err
	}
	return Result{Status: Pass}, nil
}

// Report is an answer.
type Report struct {
	Status string            `json:"status"`
	Checks map[string]Result `json:"checks"`
}

// Result is what one check found. Of a backlog, the observed value is for how long the
// oldest piece of work has waited.
type Result struct {
	Status        string `json:"status"`
	ObservedValue *int   `json:"observedValue,omitempty"`
	ObservedUnit  string `json:"observedUnit,omitempty"`
	Waiting       *int   `json:"waiting,omitempty"`
}

// Table returns the checks of a service that keeps its data in a table: that it
// can be read, and that it takes the transaction that a change and its events are.
// What comes after, stream and relay, an api function has no right to see; the
// relay's lag is an alarm.
func Table(t *table.Table) []Check {
	return []Check{{Name: "table", Ask: t.Readable}, {Name: "events", Ask: t.Writable}}
}

// Handle adds both routes to a router and returns it. Why a check fails is
// logged, not sent.
func Handle(rt *httpkit.Router, checks ...Check) *httpkit.Router {
	rt.Handle("GET /health/live", func(*http.Request) (httpkit.Answer, error) {
		return answer(Report{Status: Pass, Checks: map[string]Result{}}), nil
	})
	p := &prober{log: rt.Logger(), checks: checks, now: time.Now, turn: make(chan struct{}, 1)}
	rt.Handle("GET /health/ready", func(r *http.Request) (httpkit.Answer, error) {
		return answer(p.report(r.Context())), nil
	})
	return rt
}

func answer(r Report) httpkit.Answer {
	status := http.StatusOK
	if r.Status != Pass {
		status = http.StatusServiceUnavailable
	}
	return httpkit.JSON(status, r).With("Content-Type", "application/health+json").With("Cache-Control", "no-store")
}

type prober struct {
	log    *slog.Logger
	checks []Check
	now    func() time.Time

	turn chan struct{} // held by who asks the checks
	last Report
	at   time.Time
}

// report asks all checks at the same time. Who comes while that goes on waits
// and gets the same answer.
func (p *prober) report(ctx context.Context) Report {
	p.turn <- struct{}{}
	defer func() { <-p.turn }()
	if p.last.Status != "" && p.now().Sub(p.at) < freshness {
		return p.last
	}
	// The answer is for everybody who waits, so it does not end with the first
	// one's request.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTimeout)
	defer cancel()
	results, errs := make([]Result, len(p.checks)), make([]error, len(p.checks))
	var wg sync.WaitGroup
	for i, check := range p.checks {
		wg.Go(func() { results[i], errs[i] = check.ask(ctx) })
	}
	wg.Wait()
	report := Report{Status: Pass, Checks: make(map[string]Result, len(p.checks))}
	for i, check := range p.checks {
		if errs[i] != nil {
			p.log.WarnContext(ctx, "health check failed", "check", check.Name, "error", errs[i])
		}
		if results[i].Status == Fail {
			report.Status = Fail
		}
		report.Checks[check.Name] = results[i]
	}
	p.last, p.at = report, p.now()
	return report
}
