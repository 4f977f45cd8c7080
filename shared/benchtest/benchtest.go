// Package benchtest measures what a call through the kit costs, as a ratio to
// something else measured in the same run. A time by itself says more of the machine
// than of the code.
package benchtest

import (
	"slices"
	"testing"
	"time"
)

// Budget limits what a call may cost.
type Budget struct {
	Ratio  float64 // of its time to the base's
	Allocs float64
}

// Cost is what a call was measured to cost.
type Cost struct {
	Ratio  float64 // of its time to the base's
	Time   time.Duration
	Allocs float64
}

// Measure times calls of base and subject in alternate turns, for as long as loop
// returns true. It compares the shortest tenth of their turns: other work on the
// machine makes a turn longer, and nothing makes it shorter.
func Measure(loop func() bool, base, subject func()) Cost {
	const calls = 10 // in a turn: short enough to be rarely interrupted
	turn := func(call func()) time.Duration {
		start := time.Now()
		for range calls {
			call()
		}
		return time.Since(start)
	}
	var bases, subjects []time.Duration
	for loop() {
		bases, subjects = append(bases, turn(base)), append(subjects, turn(subject))
	}
	slices.Sort(bases)
	slices.Sort(subjects)
	tenth := len(bases) / 10
	return Cost{
		Ratio:  float64(subjects[tenth]) / float64(bases[tenth]),
		Time:   subjects[tenth] / calls,
		Allocs: testing.AllocsPerRun(100, subject),
	}
}

// Benchmark reports what a call of subject costs, and the budget, in units that
// `make bench` reads.
func (budget Budget) Benchmark(b *testing.B, base, subject func()) {
	cost := Measure(b.Loop, base, subject)
	b.ReportMetric(float64(cost.Time), "ns/op")
	b.ReportMetric(cost.Ratio, "ratio")
	b.ReportMetric(budget.Ratio, "ratio-budget")
	b.ReportMetric(cost.Allocs, "allocs")
	b.ReportMetric(budget.Allocs, "allocs-budget")
}
