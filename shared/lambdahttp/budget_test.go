//go:build !race

package lambdahttp_test

import (
	"testing"
)

// maxAllocs is the budget of a whole request through the kit; the race detector
// adds its own, so it is not measured then.
const maxAllocs = 80

func TestAllocations(t *testing.T) {
	handler, payload := kit(), compact(t, "httpapi")
	allocs := testing.AllocsPerRun(200, func() {
		if _, err := handler.Invoke(t.Context(), payload); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > maxAllocs {
		t.Errorf("a request takes %.0f allocations, want at most %d", allocs, maxAllocs)
	}
}
