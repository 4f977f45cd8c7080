package client

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"tradewind/shared/discovery"
)

// target is what is remembered of a service: how many calls to it run, how it did
// lately, and what may be spent on repeats.
type target struct {
	name    string
	slots   chan struct{}
	breaker breaker
	budget  budget
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
	s := &target{
		name:    name,
		slots:   make(chan struct{}, t.cfg.Parallel),
		breaker: breaker{state: closed, openFor: t.cfg.OpenFor},
	}
	if changed := t.cfg.Observer.Breaker; changed != nil {
		s.breaker.changed = func(from, to string) { changed(name, from, to) }
	}
	s.budget.tenths.Store(initialBudget)
	t.targets[name] = s
	return s, nil
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
