//go:build !race

package logs_test

import (
	"testing"
)

// TestAllocations holds the line of a request to its budget; the race detector
// adds its own, so it is not measured then.
func TestAllocations(t *testing.T) {
	write := requestLine(t.Context(), kit())
	if allocs := testing.AllocsPerRun(200, write); allocs > budget.Allocs {
		t.Errorf("a line takes %.0f allocations, want at most %.0f", allocs, budget.Allocs)
	}
}
