//go:build !race

package client_test

import (
	"testing"

	"tradewind/shared/benchtest"
)

// TestBudget guards what a call costs. The race detector and the counters of coverage
// add to it, so it is not measured with them.
func TestBudget(t *testing.T) {
	if testing.CoverMode() != "" {
		t.Skip("counting coverage takes time")
	}
	for name, kit := range kits() {
		r, turns := usual(t), 0
		loop := func() bool { turns++; return turns <= 10_000 }
		cost := benchtest.Measure(loop, func() { plain.once(t, r) }, func() { kit.once(t, r) })
		t.Logf("%s: %+v", name, cost)
		if cost.Ratio > budget.Ratio || cost.Allocs > budget.Allocs {
			t.Errorf("%s: a call costs %+v, the budget is %+v", name, cost, budget)
		}
	}
}
