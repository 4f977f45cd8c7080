package payments

import (
	"context"
	"math/rand/v2"
	"time"

	"tradewind/shared/apperr"
)

// Limits of asking the provider within one delivery.
const (
	// reserve is kept of a delivery's time for asking what became of a charge
	// and for storing the answer.
	reserve = 4 * time.Second
	// firstPause bounds the wait after the first refusal; it doubles from there.
	firstPause  = 200 * time.Millisecond
	maxAttempts = 6
)

// errNoTime is returned when a call would leave no time to store its outcome.
var errNoTime = apperr.New(apperr.Unavailable, "provider_slow", "The payment provider takes too long; the payment is tried again.")

// once calls the provider, bounded by limit and by the time that is left. A call
// that is cut short has an unknown outcome.
func once[T any](ctx context.Context, limit, keep time.Duration, call func(context.Context) (T, error)) (T, error) {
	if deadline, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(deadline)-keep)
	}
	if limit <= 0 {
		var none T
		return none, errNoTime
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return call(ctx)
}

// patiently calls the provider until it takes the request, as long as there is
// time. What comes back may still be an Unavailable error: then the message has
// to come again.
func patiently[T any](ctx context.Context, limit time.Duration, call func(context.Context) (T, error)) (T, error) {
	for attempt := 1; ; attempt++ {
		result, err := once(ctx, limit, reserve, call)
		if apperr.KindOf(err) != apperr.Unavailable || err == nil || attempt == maxAttempts || !pause(ctx, attempt) {
			return result, err
		}
	}
}

// pause waits with full jitter under a bound that doubles, so that deliveries
// which failed together do not come back together
// (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/).
// It reports false when the time is up.
func pause(ctx context.Context, attempt int) bool {
	wait := rand.N(firstPause << min(attempt-1, 5))
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline)-wait <= reserve {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
