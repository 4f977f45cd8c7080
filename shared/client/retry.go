package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Backoff before a repeat: anything up to a bound that doubles.
const (
	firstBackoff = 50 * time.Millisecond
	maxBackoff   = time.Second
)

// repeatable reports whether a request may reach its service twice: by its method
// (RFC 9110, 9.2.2) or because it carries a key by which the service knows it again.
func repeatable(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
	default:
		if r.Header.Get("Idempotency-Key") == "" {
			return false
		}
	}
	return resendable(r)
}

// resendable reports whether a request is there once more.
func resendable(r *http.Request) bool {
	return r.Body == nil || r.Body == http.NoBody || r.GetBody != nil
}

// unsent reports whether nothing of the request left, for want of a connection. Such a
// try was no load for the service, and no work of it.
func (o *outcome) unsent() bool {
	fault, ok := errors.AsType[*net.OpError](o.err)
	return ok && fault.Op == "dial"
}

// passing reports whether what a try came to may be otherwise the next time.
func (o *outcome) passing() bool {
	if o.err != nil {
		return !errors.Is(o.err, ErrTooLarge) && !errors.Is(o.err, ErrOpen) && !errors.Is(o.err, context.Canceled)
	}
	switch o.res.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// pause is how long to wait before the next try, after n of them.
func (o *outcome) pause(n int, now time.Time) time.Duration {
	wait := rand.N(min(firstBackoff<<min(n-1, 10), maxBackoff))
	if o.res != nil {
		if after, ok := parseRetryAfter(o.res.Header, now); ok {
			wait += after // the jitter on top: others were told the same
		}
	}
	return wait
}

// parseRetryAfter reads the header in both its forms (RFC 9110, 10.2.3).
func parseRetryAfter(h http.Header, now time.Time) (time.Duration, bool) {
	value := h.Get("Retry-After")
	if value == "" {
		return 0, false
	}
	if seconds, err := strconv.Atoi(value); err == nil && seconds >= 0 {
		const day = 24 * 60 * 60
		return time.Duration(min(seconds, day)) * time.Second, true
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), 0), true
	}
	return 0, false
}

// sleep waits, unless the caller goes away meanwhile.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
