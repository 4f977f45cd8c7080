package benchtest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"tradewind/shared/benchtest"
)

// TestMeasure interrupts more than half of the turns of the base and of the subject.
func TestMeasure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		takes := func(d time.Duration) func() {
			return func() {
				calls++
				if calls%17 == 0 {
					time.Sleep(time.Second)
				}
				time.Sleep(d)
			}
		}
		turns := 0
		loop := func() bool { turns++; return turns <= 100 }
		cost := benchtest.Measure(loop, takes(2*time.Millisecond), takes(3*time.Millisecond))
		if cost.Ratio != 1.5 || cost.Time != 3*time.Millisecond {
			t.Errorf("measured %+v, want a ratio of 1.5 and 3 ms", cost)
		}
	})
}

var sink []byte

func TestMeasureCountsAllocationsOfTheSubject(t *testing.T) {
	once := true
	loop := func() bool { defer func() { once = false }(); return once }
	two := func() { sink = make([]byte, 1); sink = make([]byte, 2) }
	if cost := benchtest.Measure(loop, func() {}, two); cost.Allocs != 2 {
		t.Errorf("measured %+v, want 2 allocations", cost)
	}
}
