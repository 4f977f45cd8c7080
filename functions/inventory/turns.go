package inventory

import (
	"hash/fnv"
	"sync"
)

// turns makes changes of the same products wait for each other within one
// process, which handles a batch of messages at the same time. Nothing rests on
// it: who loses to another process reads again, as the store demands. But a
// product that everybody wants would make nine of ten messages lose to their own
// batch, each time at the price of a transaction.
//
// Products share a fixed number of locks, so there is nothing to clean up.
type turns [64]sync.Mutex

// take waits for its turn at all the products and returns what ends it. Locks
// are taken in one order, so that two never wait for each other.
func (t *turns) take(productIDs []string) (end func()) {
	var wanted [len(t)]bool
	for _, productID := range productIDs {
		h := fnv.New32a()
		h.Write([]byte(productID))
		wanted[h.Sum32()%uint32(len(t))] = true
	}
	for i := range t {
		if wanted[i] {
			t[i].Lock()
		}
	}
	return func() {
		for i := range t {
			if wanted[i] {
				t[i].Unlock()
			}
		}
	}
}
