package await_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tradewind/localstack/internal/await"
)

func TestUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		err := await.Until(t.Context(), time.Second, "the third try", func(context.Context) error {
			if tries++; tries < 3 {
				return errors.New("not yet")
			}
			return nil
		})
		if err != nil || tries != 3 {
			t.Errorf("Until: %v after %d tries", err, tries)
		}
	})
}

func TestUntilSaysWhatWasMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		missing := errors.New("order is pending")
		err := await.Until(ctx, time.Second, "the order to be confirmed", func(ctx context.Context) error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return missing
		})
		if !errors.Is(err, missing) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Until: %v", err)
		}
		if !strings.Contains(err.Error(), "waited 5s for the order to be confirmed") {
			t.Errorf("Until: %v", err)
		}
	})
}
