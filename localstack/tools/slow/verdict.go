package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The bounds that are not the plan's.
const (
	maxRatio = 1.2              // calls to orders
	maxCalls = 20               // before a circuit opens
	maxClose = 30 * time.Second // after the recovery
)

// bound is something that must hold, and what was seen of it.
type bound struct {
	what, limit, seen string
	kept              bool
}

// judge holds what was seen against the bounds.
func judge(p plan, r *record) []bound {
	recovery := p.healthy + p.slow
	var opened, probed []int
	var last time.Duration
	for i := range p.environments {
		c := r.circuit(p, i)
		opened, probed, last = append(opened, c.calls), append(probed, c.probes), max(last, c.closed)
	}

	var during []time.Duration // what answers took
	before, accepted, refused, other := 0, 0, 0, 0
	for _, a := range r.answers {
		switch at := a.asked(); {
		case a.at < p.healthy:
			before++
			if a.status == http.StatusCreated {
				accepted++
			}
		case at >= p.healthy && at < recovery:
			during = append(during, a.took)
		case at > recovery+last && a.status != http.StatusCreated:
			refused++
		}
		if a.status != http.StatusCreated && a.status != http.StatusServiceUnavailable {
			other++
		}
	}
	p99 := quantile(during, 0.99)
	ever, slow := r.ratios(p)

	return []bound{
		{"orders accepted before", "all", fmt.Sprintf("%d of %d", accepted, before), before > 0 && accepted == before},
		{"99 of 100 orders are answered while the catalog takes " + inSeconds(p.takes), "before " + inSeconds(p.deadline), fmt.Sprintf("%.2f s", p99.Seconds()), len(during) > 0 && p99 < p.deadline},
		{"calls that reach the catalog for an order, at any second since the start", fmt.Sprintf("≤ %.1f", maxRatio), fmt.Sprintf("%.2f", ever), ever <= maxRatio},
		{"the same while it is slow", fmt.Sprintf("≤ %.1f", maxRatio), fmt.Sprintf("%.2f", slow), slow <= maxRatio},
		{"calls until a circuit opens", fmt.Sprintf("≤ %d", maxCalls), span(opened), slices.Min(opened) > 0 && slices.Max(opened) <= maxCalls},
		{"probes by an open circuit while the catalog is slow", "≥ 1", span(probed), slices.Min(probed) > 0},
		{"the last circuit closes after the recovery", "≤ " + inSeconds(maxClose), fmt.Sprintf("%.1f s", last.Seconds()), last <= maxClose},
		{"orders refused after that", "none", fmt.Sprint(refused), refused == 0},
		{"answers but 201 and 503 at any time", "none", fmt.Sprint(other), other == 0},
	}
}

// circuit is what an environment's went through.
type circuit struct {
	calls  int           // that the catalog got while it was slow, before the circuit opened; zero if it did not
	probes int           // in that time
	closed time.Duration // after the recovery; longer than was looked if it did not
}

func (r *record) circuit(p plan, environment int) circuit {
	recovery := p.healthy + p.slow
	var c circuit
	opened, state := time.Duration(-1), closed
	for _, change := range r.changes {
		if change.environment != environment {
			continue
		}
		switch state = change.to; {
		case state == open && opened < 0:
			opened = change.at
		case state == halfOpen && change.at < recovery:
			c.probes++
		case state == closed:
			c.closed = max(change.at-recovery, 0)
		}
	}
	for _, call := range r.calls {
		if call.environment == environment && call.at >= p.healthy && call.at < opened {
			c.calls++
		}
	}
	if state != closed {
		c.closed = p.recovered + time.Hour
	}
	return c
}

// ratios returns how many calls the catalog got for an order: the most that it was by the
// end of any second, and while it was slow.
func (r *record) ratios(p plan) (ever, slow float64) {
	var orders, calls, slowOrders, slowCalls int
	for i, s := range r.seconds(p) {
		orders, calls = orders+s.orders, calls+s.calls
		ever = max(ever, float64(calls)/float64(max(orders, 1)))
		if at := time.Duration(i) * time.Second; at >= p.healthy && at < p.healthy+p.slow {
			slowOrders, slowCalls = slowOrders+s.orders, slowCalls+s.calls
		}
	}
	return ever, float64(slowCalls) / float64(max(slowOrders, 1))
}

func span(values []int) string {
	if from, to := slices.Min(values), slices.Max(values); from != to {
		return fmt.Sprintf("%d to %d", from, to)
	}
	return fmt.Sprint(values[0])
}

func broken(bounds []bound) error {
	var lines []string
	for _, b := range bounds {
		if !b.kept {
			lines = append(lines, fmt.Sprintf("%s: %s, want %s", b.what, b.seen, b.limit))
		}
	}
	if len(lines) > 0 {
		return fmt.Errorf("bound broken:\n  %s", strings.Join(lines, "\n  "))
	}
	return nil
}

// render returns the table as the page holds it.
func render(bounds []bound) string {
	var b strings.Builder
	b.WriteString("| | bound | seen | |\n|---|--:|--:|---|\n")
	for _, row := range bounds {
		verdict := "kept"
		if !row.kept {
			verdict = "**broken**"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", row.what, row.limit, row.seen, verdict)
	}
	return b.String()
}

// The table's place in the page.
const (
	tableBegin = "<!-- slow -->\n"
	tableEnd   = "<!-- /slow -->"
)

// publish puts the table into its place in a page, and the plot beside that.
func publish(page, table string, plotted []byte) error {
	document, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	before, rest, opened := strings.Cut(string(document), tableBegin)
	_, after, closed := strings.Cut(rest, tableEnd)
	if !opened || !closed {
		return fmt.Errorf("%s has no place for the table, between %q and %q", page, strings.TrimSpace(tableBegin), tableEnd)
	}
	if err := os.WriteFile(page, []byte(before+tableBegin+table+tableEnd+after), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(filepath.Dir(page), "slow.svg"), plotted, 0o644)
}
