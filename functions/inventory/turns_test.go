package inventory

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
)

// Whoever has its turn at a product is alone with it, and everybody gets one,
// whatever the products and their order.
func TestTurns(t *testing.T) {
	var (
		turns = newTurns()
		alone [10]bool
		wg    sync.WaitGroup
	)
	for range 200 {
		wg.Go(func() {
			products := rand.Perm(len(alone))[:1+rand.IntN(5)]
			ids := make([]string, len(products))
			for i, p := range products {
				ids[i] = fmt.Sprint("prd_", p)
			}
			end, err := turns.take(t.Context(), ids)
			if err != nil {
				t.Error(err)
				return
			}
			defer end()
			for _, p := range products {
				if alone[p] {
					t.Errorf("two have their turn at product %d", p)
				}
				alone[p] = true
			}
			for _, p := range products {
				alone[p] = false
			}
		})
	}
	wg.Wait()
}

func TestTurnThatNeverComes(t *testing.T) {
	turns := newTurns()
	end, err := turns.take(t.Context(), []string{"rope"})
	if err != nil {
		t.Fatal(err)
	}
	late, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := turns.take(late, []string{"knot", "rope", "mast"}); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting without time: %v", err)
	}
	end()
	// Whoever gave up has kept nothing.
	end, err = turns.take(t.Context(), []string{"knot", "rope", "mast"})
	if err != nil {
		t.Fatal(err)
	}
	end()
}
