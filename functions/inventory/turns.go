package inventory

import (
	"context"
	"fmt"
	"hash/fnv"
)

// turns makes changes of the same products wait for each other within one
// process, which handles a batch of messages at the same time. Nothing rests on
// it: who loses to another process reads again, as the store demands. But a
// product that everybody wants would make nine of ten messages lose to their own
// batch, each time at the price of a transaction.
//
// Products share a fixed number of turns, so there is nothing to clean up.
type turns [64]chan struct{}

func newTurns() *turns {
	var t turns
	for i := range t {
		t[i] = make(chan struct{}, 1)
	}
	return &t
}

// take waits for its turn at all the products and returns what ends it. It waits
// in one order, whatever that of the products, so that two never wait for each
// other.
func (t *turns) take(ctx context.Context, productIDs []string) (end func(), err error) {
	var wanted [len(t)]bool
	for _, productID := range productIDs {
		h := fnv.New32a()
		h.Write([]byte(productID))
		wanted[h.Sum32()%uint32(len(t))] = true
	}
	var taken []chan struct{}
	end = func() {
		for _, turn := range taken {
			<-turn
		}
	}
	for i, turn := range t {
		if !wanted[i] {
			continue
		}
		select {
		case turn <- struct{}{}:
			taken = append(taken, turn)
		case <-ctx.Done():
			end()
			return nil, fmt.Errorf("wait for a turn: %w", ctx.Err())
		}
	}
	return end, nil
}
