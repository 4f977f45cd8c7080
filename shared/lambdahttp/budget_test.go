//go:build !race

package lambdahttp_test

import (
	"testing"
)

// TestAllocations holds a request to its budget; the race detector adds its own
// allocations, so they are not counted then.
func TestAllocations(t *testing.T) {
	if allocs := testing.AllocsPerRun(200, post(t, kit())); allocs > budget.Allocs {
		t.Errorf("a request takes %.0f allocations, want at most %.0f", allocs, budget.Allocs)
	}
}
