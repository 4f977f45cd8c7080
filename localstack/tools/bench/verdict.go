package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/perf/benchmath"
)

// The budgets of the functions; the kit's stand beside its benchmarks. A function that
// calls other services carries a client with retries, breaker and discovery, and is
// allowed what that costs at its start.
const (
	sizeBudget        = 8.5 // MB of 10^6 bytes, stripped
	startBudget       = 1.3 // times the bare function's start
	callerStartBudget = 1.4
)

var callers = map[string]bool{"orders": true}

// row is a line in a table.
type row struct {
	name        string
	ratio       benchmath.Summary
	ratioBudget float64 // zero for the bare function, which has no budget
	count       float64 // megabytes or allocations
	countBudget float64
	took        time.Duration
}

func (r row) slow() bool  { return r.ratioBudget > 0 && r.ratio.Center > r.ratioBudget }
func (r row) large() bool { return r.countBudget > 0 && r.count > r.countBudget }

// startRows compares each program with the first, the bare one, round by round.
func startRows(programs []*program) []row {
	var rows []row
	for _, p := range programs {
		times, ratios := make([]float64, len(p.starts)), make([]float64, len(p.starts))
		for i, start := range p.starts {
			times[i], ratios[i] = float64(start), float64(start)/float64(programs[0].starts[i])
		}
		r := row{name: p.name, ratio: median(ratios), count: float64(p.size) / 1e6, took: time.Duration(median(times).Center)}
		if p.service != "" {
			r.ratioBudget, r.countBudget = startBudget, sizeBudget
			if callers[p.service] {
				r.ratioBudget = callerStartBudget
			}
		}
		rows = append(rows, r)
	}
	return rows
}

// median returns the median of values, which it sorts, with its confidence interval.
func median(values []float64) benchmath.Summary {
	return benchmath.AssumeNothing.Summary(benchmath.NewSample(values, &benchmath.DefaultThresholds), 0.95)
}

// table is a table of README.md.
type table struct {
	head      string
	counted   string // the unit of the rows' counts
	precision int    // their digits behind the point
	unit      time.Duration
	rows      []row
	note      string
}

// broken says which budgets are.
func (t table) broken() []string {
	var broken []string
	for _, r := range t.rows {
		if r.slow() {
			broken = append(broken, fmt.Sprintf("%s: the ratio is %.3f, the budget %g", r.name, r.ratio.Center, r.ratioBudget))
		}
		if r.large() {
			broken = append(broken, fmt.Sprintf("%s: %.*f %s, the budget is %g", r.name, t.precision+1, r.count, t.counted, r.countBudget))
		}
	}
	return broken
}

// String returns the table as README.md holds it.
func (t table) String() string {
	var b strings.Builder
	b.WriteString(t.head + "\n|---|--:|--:|--:|--:|---|--:|\n")
	for _, r := range t.rows {
		ratioBudget, countBudget, verdict := "", "", ""
		if r.ratioBudget > 0 {
			ratioBudget, countBudget, verdict = fmt.Sprint(r.ratioBudget), fmt.Sprint(r.countBudget), "kept"
		}
		if r.slow() || r.large() {
			verdict = "**broken**"
		}
		fmt.Fprintf(&b, "| %s | %.2f ± %s | %s | %.*f | %s | %s | %.2f |\n", r.name, r.ratio.Center, r.ratio.PctRangeString(),
			ratioBudget, t.precision, r.count, countBudget, verdict, float64(r.took)/float64(t.unit))
	}
	return b.String() + "\n" + t.note + "\n"
}

// replaceTables puts each table into its place in a document.
func replaceTables(path string, tables map[string]string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	document := string(text)
	for name, table := range tables {
		begin, end := "<!-- bench: "+name+" -->\n", "<!-- /bench: "+name+" -->"
		before, rest, opened := strings.Cut(document, begin)
		_, after, closed := strings.Cut(rest, end)
		if !opened || !closed {
			return fmt.Errorf("%s has no place for the table, between %q and %q", path, strings.TrimSpace(begin), end)
		}
		document = before + begin + table + end + after
	}
	return os.WriteFile(path, []byte(document), 0o644)
}
