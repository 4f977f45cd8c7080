package client

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"tradewind/shared/discovery"
)

// target is what is remembered of a service: how many calls to it run, how it did
// lately, and what may be spent on repeats.
type target struct {
	name    string
	slots   chan struct{}
	breaker *gobreaker.TwoStepCircuitBreaker[struct{}]
	budget  budget
	changed atomic.Int64 // when the breaker last did, in Unix nanoseconds; zero: never
}

func (t *transport) target(name string) (*target, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.targets[name]; s != nil {
		return s, nil
	}
	if err := discovery.Check(name); err != nil {
		return nil, err
	}
	if len(t.targets) == maxTargets {
		return nil, fmt.Errorf("call %s: there are more than %d services", name, maxTargets)
	}
	s := &target{name: name, slots: make(chan struct{}, t.cfg.Parallel)}
	s.budget.tenths.Store(initialBudget)
	s.breaker = newBreaker(s, t.cfg)
	t.targets[name] = s
	return s, nil
}

// When a circuit opens: after so many failures in a row, or when half of at least so
// many tries within the last minute failed. The row does not depend on how much
// went well before, so a service that is gone is noticed at once; the share finds
// one that limps.
const (
	failuresInRow = 10
	enoughTries   = 20
	window        = time.Minute
	windowPart    = 10 * time.Second
)

// What a try says of its service. Nothing, when it ended for another reason.
var (
	errFailed  = errors.New("failed")
	errNothing = errors.New("nothing")
)

// newBreaker returns a closed breaker. It is gobreaker's and not failsafe-go's,
// because that one takes the late result of a call from before the circuit opened
// for the result of its probe, cannot let go of a probe that came to nothing, and
// makes a function larger by 150 kB where this takes 25.
func newBreaker(s *target, cfg Config) *gobreaker.TwoStepCircuitBreaker[struct{}] {
	return gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests:  1,
		Interval:     window,
		BucketPeriod: windowPart,
		Timeout:      cfg.OpenFor,
		ReadyToTrip: func(n gobreaker.Counts) bool {
			return n.ConsecutiveFailures >= failuresInRow || n.Requests >= enoughTries && 2*n.TotalFailures >= n.Requests
		},
		IsExcluded: func(err error) bool { return errors.Is(err, errNothing) },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			s.changed.Store(time.Now().UnixNano())
			if cfg.Observer.Breaker != nil {
				cfg.Observer.Breaker(s.name, from.String(), to.String())
			}
		},
	})
}

func (s *target) since() time.Time {
	if at := s.changed.Load(); at != 0 {
		return time.Unix(0, at)
	}
	return time.Time{}
}

// enter takes a slot, for which it waits a moment: a burst should not fail where a
// queue is short, and nobody should queue for a service that hangs.
func (s *target) enter(ctx context.Context, deadline time.Time) error {
	select {
	case s.slots <- struct{}{}:
		return nil
	default:
	}
	const patience = 100 * time.Millisecond
	timer := time.NewTimer(min(patience, time.Until(deadline)))
	defer timer.Stop()
	select {
	case s.slots <- struct{}{}:
		return nil
	case <-timer.C:
		return ErrBusy
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *target) leave() { <-s.slots }

// budget is a token bucket of what may be spent on second tries: a tenth of a try for
// each call. So however much fails, a service that is overrun gets a tenth more
// calls, not three times as many. A fresh process has one in hand, and what good
// times leave is ten at most.
type budget struct{ tenths atomic.Int32 }

const (
	initialBudget = 10
	maxBudget     = 100
	tryCosts      = 10
)

// earn adds what a call brings.
func (b *budget) earn() {
	for {
		n := b.tenths.Load()
		if n >= maxBudget || b.tenths.CompareAndSwap(n, n+1) {
			return
		}
	}
}

// spend pays for another try, if there is enough.
func (b *budget) spend() bool {
	for {
		n := b.tenths.Load()
		if n < tryCosts {
			return false
		}
		if b.tenths.CompareAndSwap(n, n-tryCosts) {
			return true
		}
	}
}
