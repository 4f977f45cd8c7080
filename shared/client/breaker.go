package client

import (
	"math/bits"
	"sync"
	"time"
)

// A circuit opens when so many of the last tries failed. It is a number of tries and not
// a time, so a service that is gone is noticed after ten failures however well the
// last minute went before, and however rarely it is called; and half of them is
// enough, so one that limps is noticed after twenty.
const (
	lastTries      = 20
	failuresToOpen = 10
)

// verdict is what a try says of its service.
type verdict int

const (
	nothing verdict = iota // it ended for a reason of its own
	good
	bad
)

// The states, as they are shown.
const (
	closed   = "closed"
	open     = "open"
	halfOpen = "half-open"
)

// breaker decides whether a service is called. It opens on failures, after a time lets
// one try through as a probe, and closes or opens again by what that comes to.
//
// It is written here for three reasons. failsafe-go's takes the late result of a try
// from before the circuit opened for that of its probe, and cannot let go of a probe
// that came to nothing. gobreaker's is right in both, but counts by time. And they make
// a function larger by 150 and 25 kB where this takes one, in a budget of which a few
// hundred are left.
type breaker struct {
	openFor time.Duration
	changed func(from, to string) // may be nil

	mu      sync.Mutex
	state   string
	since   time.Time // zero in the state it began with
	turn    int       // counts the changes of state, so that late results are known
	recent  uint32    // of the last tries, a bit for each that failed
	probing bool
}

// allow reports whether a try may be made, and in which turn. Its end is told to done.
func (b *breaker) allow(now time.Time) (turn int, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch b.at(now) {
	case open:
		return 0, false
	case halfOpen:
		if b.probing {
			return 0, false
		}
		b.probing = true
	}
	return b.turn, true
}

// done takes the end of a try.
func (b *breaker) done(turn int, v verdict) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case turn != b.turn: // it was made under other circumstances
	case b.state == halfOpen:
		b.probing = false
		switch v {
		case good:
			b.become(closed, time.Now())
		case bad:
			b.become(open, time.Now())
		}
	case v != nothing:
		b.recent = b.recent << 1 & (1<<lastTries - 1)
		if v == bad {
			b.recent |= 1
			if bits.OnesCount32(b.recent) >= failuresToOpen {
				b.become(open, time.Now())
			}
		}
	}
}

// look returns the state, and how long an open circuit stays so.
func (b *breaker) look(now time.Time) (state string, left time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if state = b.at(now); state == open {
		left = b.since.Add(b.openFor).Sub(now)
	}
	return state, left
}

// opened reports whether no try can be made for now.
func (b *breaker) opened() bool {
	state, _ := b.look(time.Now())
	return state == open
}

// at returns the state at a time, which ends the time of an open circuit.
func (b *breaker) at(now time.Time) string {
	if b.state == open && now.Sub(b.since) >= b.openFor {
		b.become(halfOpen, now)
	}
	return b.state
}

func (b *breaker) become(state string, now time.Time) {
	from := b.state
	b.state, b.since, b.recent = state, now, 0
	b.turn++
	if b.changed != nil {
		b.changed(from, state)
	}
}
