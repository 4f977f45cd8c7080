package tier_test

import (
	"testing"
	"time"

	"tradewind/localstack/internal/tier"
)

func TestTiers(t *testing.T) {
	for value, full := range map[string]bool{"": false, "0": false, "true": false, "1": true} {
		t.Run("TRADEWIND_FULL="+value, func(t *testing.T) {
			t.Setenv(tier.Variable, value)
			ran := false
			t.Run("long", func(t *testing.T) {
				tier.Full(t, time.Minute)
				ran = true
			})
			if ran != full || tier.IsFull() != full {
				t.Errorf("ran %t, IsFull %t; want %t", ran, tier.IsFull(), full)
			}
			want := 1
			if full {
				want = 100
			}
			if got := tier.Size(1, 100); got != want {
				t.Errorf("Size = %d, want %d", got, want)
			}
		})
	}
}
