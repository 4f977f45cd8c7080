//go:build !race

package client_test

import "testing"

// TestOverhead guards what a call costs. Its time is held against the plain one's, for
// the machine may be busy; `make bench` has it in microseconds.
func TestOverhead(t *testing.T) {
	for name, kit := range kits() {
		if n := allocations(t, kit); n > 10 {
			t.Errorf("%s: %v allocations a call more than a plain one, want 10 at most", name, n)
		}
		base, overhead := turns(t, kit, func(turn int) bool { return turn < 200 })
		t.Logf("%s: %v more than a plain call's %v", name, overhead, base)
		if overhead > 15*base {
			t.Errorf("%s: a call takes %v more than a plain one's %v: that was five times as much", name, overhead, base)
		}
	}
}
