package inventory

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
)

// Whoever has its turn at a product is alone with it, and everybody gets one,
// whatever the products and their order.
func TestTurns(t *testing.T) {
	var (
		turns turns
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
			defer turns.take(ids)()
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
