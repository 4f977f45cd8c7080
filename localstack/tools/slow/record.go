package main

import (
	"encoding/json"
	"io"
	"slices"
	"sync"
	"time"
)

// answer is what became of an order.
type answer struct {
	environment int
	at          time.Duration // when it came
	took        time.Duration
	status      int
}

// asked is when the order was placed.
func (a answer) asked() time.Duration { return a.at - a.took }

// call is a try that reached the catalog.
type call struct {
	environment int
	at          time.Duration
}

// change is a circuit's.
type change struct {
	environment int
	at          time.Duration
	to          string
}

// The states of a circuit, as the functions log them.
const (
	closed   = "closed"
	halfOpen = "half-open"
	open     = "open"
)

// record is what was seen, since it began.
type record struct {
	log io.Writer // of all functions

	mu      sync.Mutex
	began   time.Time // zero before anything counts
	answers []answer
	calls   []call
	changes []change
}

// begin forgets what was before.
func (r *record) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.began, r.answers, r.calls, r.changes = time.Now(), nil, nil, nil
}

func (r *record) answer(a answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a.at = time.Since(r.began)
	r.answers = append(r.answers, a)
}

func (r *record) call(environment int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, call{environment, time.Since(r.began)})
}

// line returns what takes an environment's log, where the changes of its circuits are.
func (r *record) line(environment int) func([]byte) {
	return func(line []byte) {
		r.mu.Lock()
		defer r.mu.Unlock()
		_, _ = r.log.Write(append(slices.Clip(line), '\n'))
		var entry struct{ Msg, Target, To string }
		if json.Unmarshal(line, &entry) == nil && entry.Msg == "breaker" && entry.Target == "catalog-service" {
			r.changes = append(r.changes, change{environment, time.Since(r.began), entry.To})
		}
	}
}

// second is what was seen in one.
type second struct {
	orders, calls    int           // placed and made in it
	median, p99      time.Duration // of the answers that came in it; zero without any
	closed, halfOpen int           // circuits at its end
	open             int
}

// seconds folds what was seen.
func (r *record) seconds(p plan) []second {
	out := make([]second, int(p.end()/time.Second))
	at := func(d time.Duration) int { return min(max(int(d/time.Second), 0), len(out)-1) }
	took := make([][]time.Duration, len(out))
	for _, a := range r.answers {
		out[at(a.asked())].orders++
		took[at(a.at)] = append(took[at(a.at)], a.took)
	}
	for _, c := range r.calls {
		out[at(c.at)].calls++
	}
	state := slices.Repeat([]string{closed}, p.environments)
	changes := r.changes
	for i := range out {
		for len(changes) > 0 && at(changes[0].at) <= i {
			state[changes[0].environment] = changes[0].to
			changes = changes[1:]
		}
		s := &out[i]
		s.median, s.p99 = quantile(took[i], 0.5), quantile(took[i], 0.99)
		for _, st := range state {
			switch st {
			case closed:
				s.closed++
			case halfOpen:
				s.halfOpen++
			case open:
				s.open++
			}
		}
	}
	return out
}

// quantile returns the value that a share q of all does not exceed; zero of none.
func quantile(values []time.Duration, q float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
