package inventory_test

import (
	"testing"

	"tradewind/events/orders"
	"tradewind/functions/inventory"
)

// Every event in every state. The rows are written out, not computed: this is
// what the saga's invariants rest on.
func TestNext(t *testing.T) {
	const created, confirmed, cancelled = orders.TypeCreated, orders.TypeConfirmed, orders.TypeCancelled
	tests := []struct {
		state inventory.State
		event string
		want  inventory.Step
	}{
		{inventory.None, created, inventory.Reserve},
		{inventory.None, confirmed, inventory.Wait},
		{inventory.None, cancelled, inventory.Bar},
		{inventory.Held, created, inventory.Nothing},
		{inventory.Held, confirmed, inventory.Take},
		{inventory.Held, cancelled, inventory.Release},
		{inventory.Rejected, created, inventory.Nothing},
		{inventory.Rejected, confirmed, inventory.Refuse},
		{inventory.Rejected, cancelled, inventory.Nothing},
		{inventory.Taken, created, inventory.Nothing},
		{inventory.Taken, confirmed, inventory.Nothing},
		{inventory.Taken, cancelled, inventory.PutBack},
		{inventory.Released, created, inventory.Nothing},
		{inventory.Released, confirmed, inventory.Nothing},
		{inventory.Released, cancelled, inventory.Nothing},
	}
	for _, tt := range tests {
		if got := (inventory.Reservation{State: tt.state}).Next(tt.event); got != tt.want {
			t.Errorf("%s in %q: step %d, want %d", tt.event, tt.state, got, tt.want)
		}
	}
}
