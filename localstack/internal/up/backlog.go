package up

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"tradewind/localstack/internal/shop"
)

const (
	lookEvery   = 5 * time.Second
	remindEvery = 30 * time.Second
	manyOrders  = 10 // fewer are pending because of their payment method
	longPending = 10 * time.Second
)

// stay waits until ctx ends, and tells meanwhile when orders begin to wait for their
// decision and when they do no more: an order is accepted faster than it is decided.
func (r *run) stay(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var b backlog
	for {
		if waiting, oldest, err := pending(ctx, r.shop.At(r.outputs.ALBURL)); err == nil {
			if line := b.line(time.Now(), waiting, oldest); line != "" {
				fmt.Fprintf(r.board, "%s  %s\n", time.Now().Format(time.TimeOnly), line)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// pending asks the orders service how many orders are, and for how long the oldest.
func pending(ctx context.Context, inside *shop.Client) (waiting int, oldest time.Duration, err error) {
	resp, err := inside.Do(ctx, shop.Request{
		Method: http.MethodGet, Path: "/health/ready", Header: shop.Header("Host", "order-service."+domain),
	})
	if err != nil {
		return 0, 0, err
	}
	var report struct {
		Checks struct {
			Orders struct{ Waiting, ObservedValue int }
		}
	}
	err = resp.Decode(&report)
	return report.Checks.Orders.Waiting, time.Duration(report.Checks.Orders.ObservedValue) * time.Second, err
}

// backlog is what was told of one.
type backlog struct {
	told time.Time // zero while there is none
}

// line returns what is to be told now, if anything.
func (b *backlog) line(now time.Time, waiting int, oldest time.Duration) string {
	there := waiting >= manyOrders && oldest >= longPending
	gone := waiting < manyOrders/2 || oldest < longPending/2
	switch {
	case there && now.Sub(b.told) >= remindEvery:
		b.told = now
		return fmt.Sprintf("orders: %d pending, the oldest for %d s", waiting, int(oldest.Seconds()))
	case gone && !b.told.IsZero():
		b.told = time.Time{}
		return "orders: the backlog is gone"
	}
	return ""
}
