package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// The budgets. A function that calls other services carries a client with
// retries, breaker and discovery, and is allowed what that costs at its start.
const (
	sizeBudget        = 8.5 // MB of 10^6 bytes, stripped
	startBudget       = 1.3 // times the bare function's median
	callerStartBudget = 1.4
)

var callers = map[string]bool{"orders": true}

// row is a program's line in the table.
type row struct {
	name              string
	megabytes         float64
	median, p90       time.Duration
	ratio             float64
	startBudget       float64 // zero for the bare function, which has none
	startOver, bigger bool
}

// judge compares each program with the first, the bare one.
func judge(programs []*program) []row {
	var rows []row
	for _, p := range programs {
		r := row{
			name:      p.name,
			megabytes: float64(p.size) / 1e6,
			median:    quantile(p.starts, 0.5),
			p90:       quantile(p.starts, 0.9),
			ratio:     1,
		}
		if p.service != "" {
			r.ratio = float64(r.median) / float64(rows[0].median)
			r.startBudget = startBudget
			if callers[p.service] {
				r.startBudget = callerStartBudget
			}
			r.startOver = r.ratio > r.startBudget
			r.bigger = r.megabytes > sizeBudget
		}
		rows = append(rows, r)
	}
	return rows
}

func breaches(rows []row) []string {
	var broken []string
	for _, r := range rows {
		if r.startOver {
			broken = append(broken, fmt.Sprintf("%s starts in %.3f times the bare function's time, the budget is %.1f", r.name, r.ratio, r.startBudget))
		}
		if r.bigger {
			broken = append(broken, fmt.Sprintf("%s has %.3f MB, the budget is %.1f", r.name, r.megabytes, sizeBudget))
		}
	}
	return broken
}

// quantile returns the value below which the share q of all lies, between two
// neighbours in proportion to their distance: for q = 0.5 the median.
func quantile(values []time.Duration, q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(values))
	if len(sorted) == 0 {
		return 0
	}
	at := q * float64(len(sorted)-1)
	below := int(at)
	if below == len(sorted)-1 {
		return sorted[below]
	}
	return sorted[below] + time.Duration((at-float64(below))*float64(sorted[below+1]-sorted[below]))
}

// render returns the table as README.md holds it.
func render(rows []row, circumstances string) string {
	var b strings.Builder
	b.WriteString("| function | MB | budget | start, ms | p90, ms | × bare | budget | |\n")
	b.WriteString("|---|--:|--:|--:|--:|--:|--:|---|\n")
	for _, r := range rows {
		sizeLimit, startLimit, verdict := "", "", ""
		if r.startBudget > 0 {
			sizeLimit, startLimit, verdict = fmt.Sprintf("%.1f", sizeBudget), fmt.Sprintf("%.1f", r.startBudget), "kept"
			if r.startOver || r.bigger {
				verdict = "**broken**"
			}
		}
		fmt.Fprintf(&b, "| %s | %.2f | %s | %.2f | %.2f | %.2f | %s | %s |\n",
			r.name, r.megabytes, sizeLimit, ms(r.median), ms(r.p90), r.ratio, startLimit, verdict)
	}
	fmt.Fprintf(&b, "\n%s\n", circumstances)
	return b.String()
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

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
