package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"tradewind/localstack/internal/shop"
)

// report writes what was seen, and fails unless every accepted order was confirmed.
func (r *record) report(out io.Writer, p plan) error {
	ends, meanwhile, last := map[string]int{}, 0, r.began
	var took []time.Duration
	for _, o := range r.orders {
		end := o.Status
		if o.Cancellation != nil {
			end += ", " + o.Cancellation.Reason
		}
		ends[end]++
		took = append(took, o.UpdatedAt.Sub(o.CreatedAt))
		if o.UpdatedAt.Before(r.began.Add(p.lasts)) {
			meanwhile++
		}
		if o.UpdatedAt.After(last) {
			last = o.UpdatedAt
		}
	}
	rate := func(n int) string { return fmt.Sprintf("%.1f a second", float64(n)/p.lasts.Seconds()) }
	fmt.Fprintf(out, "accepted  %d, %s, answered after %s\n", len(r.answered), rate(len(r.answered)), spread(r.answered))
	count(out, "refused", r.refused)
	fmt.Fprintf(out, "decided   %s meanwhile, the last %.1f s after the start, each after %s\n", rate(meanwhile), last.Sub(r.began).Seconds(), spread(took))
	count(out, "ended", ends)
	count(out, "/health", r.health)
	switch {
	case len(r.answered) == 0:
		return errors.New("no order was accepted")
	case ends[shop.Confirmed] < max(len(r.answered), len(r.orders)):
		return errors.New("not every accepted order was confirmed")
	}
	return nil
}

// count writes how often each was seen.
func count(out io.Writer, name string, seen map[string]int) {
	for _, what := range slices.Sorted(maps.Keys(seen)) {
		fmt.Fprintf(out, "%-8s  %d × %s\n", name, seen[what], what)
	}
}

// spread returns the median and the value that one of a hundred exceeds.
func spread(took []time.Duration) string {
	if len(took) == 0 {
		return "no time"
	}
	slices.Sort(took)
	return fmt.Sprintf("p50 %.2f s, p99 %.2f s", took[len(took)/2].Seconds(), took[len(took)*99/100].Seconds())
}
