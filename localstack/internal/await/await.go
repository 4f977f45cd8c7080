// Package await waits for something that happens elsewhere, such as an order
// that a chain of events brings to its end.
//
// The context's deadline is the patience; the error at its end says what was
// waited for and what was seen last, for a bare "deadline exceeded" helps nobody.
package await

import (
	"context"
	"fmt"
	"time"
)

// Until calls check every interval until it is content, which it says by
// returning a nil error, or until ctx ends. The error check returned last says
// what was missing.
func Until(ctx context.Context, interval time.Duration, what string, check func(context.Context) error) error {
	start := time.Now()
	var last error
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil {
			last = err // later ones only tell that time is up
		}
		select {
		case <-ctx.Done():
			if last == nil {
				last = err
			}
			return fmt.Errorf("waited %s for %s: %w (last seen: %w)",
				time.Since(start).Round(100*time.Millisecond), what, context.Cause(ctx), last)
		case <-time.After(interval):
		}
	}
}
