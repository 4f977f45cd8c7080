// Package sweeper cancels orders that have been pending for too long, each time
// a schedule calls it.
//
// It is the saga's last resort: whatever event was lost or service stood still,
// no order stays pending for more than its timeout and two sweeps. An order that
// fails to be cancelled is left for the next sweep and holds up no other.
package sweeper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"tradewind/functions/orders"
	"tradewind/shared/table"
)

const (
	page = 100
	// margin is kept of the function's time, to end between two orders.
	margin = 2 * time.Second
)

// Sweeper is a Lambda handler for a schedule.
type Sweeper struct {
	svc     *orders.Service
	timeout time.Duration
	log     *slog.Logger
}

// New returns a sweeper that cancels what has been pending for timeout.
func New(svc *orders.Service, timeout time.Duration, log *slog.Logger) *Sweeper {
	return &Sweeper{svc, timeout, log}
}

// Invoke sweeps once. It fails when any order did, so that it shows in the
// function's error metric.
func (s *Sweeper) Invoke(ctx context.Context, _ []byte) ([]byte, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-margin))
		defer cancel()
	}
	var (
		swept  = map[string]bool{}
		failed []error
	)
	for ctx.Err() == nil {
		ids, err := s.svc.Overdue(ctx, s.timeout, page)
		if err != nil {
			return nil, fmt.Errorf("look for overdue orders: %w", err)
		}
		fresh := 0
		for _, id := range ids {
			if swept[id] {
				continue // the index lags, or the order failed in this sweep
			}
			swept[id] = true
			fresh++
			if err := table.Again(ctx, func() error { return s.svc.TimeOut(ctx, id) }); err != nil {
				failed = append(failed, fmt.Errorf("time out %s: %w", id, err))
			}
		}
		if fresh == 0 {
			break
		}
	}
	s.log.InfoContext(ctx, "swept", "orders", len(swept), "failed", len(failed))
	return []byte("null"), errors.Join(failed...)
}
