package redrive

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// every is how often progress is shown.
const every = time.Second

// Report shows what happens in one queue: a table of its letters where they are only
// listed, else how far it is, and in the end what came of it all.
type Report struct {
	queue    string
	list     bool
	out      io.Writer
	progress io.Writer

	shown    time.Time
	rows     *tabwriter.Writer
	found    int
	sent     int
	back     int
	failures []string
	groups   map[string]int // by type and cause
}

// NewReport returns the report on a queue. Progress is for people who watch.
func NewReport(queue string, list bool, out, progress io.Writer) *Report {
	return &Report{queue: queue, list: list, out: out, progress: progress, groups: map[string]int{}}
}

// Seen is a Run's Seen.
func (r *Report) Seen(l Letter, o Outcome) {
	n := l.Note
	r.found++
	r.groups[cell(n.EventType)+": "+cell(n.Cause)]++
	switch {
	case o.Sent:
		r.sent++
	case o.Back:
		r.back++
	case o.Err != nil:
		r.failures = append(r.failures, fmt.Sprintf("%s %s: %s", cell(n.EventType), cell(n.EventID), cell(o.Err.Error())))
	}
	if r.list {
		r.row(n.EventType, n.EventID, n.Subject, tries(n.Attempts), n.FirstSeen.UTC().Format("2006-01-02T15:04:05Z"), n.Cause)
		return
	}
	if time.Since(r.shown) >= every {
		r.shown = time.Now()
		fmt.Fprintf(r.progress, "%s: %d sent back so far\n", r.queue, r.sent)
	}
}

func (r *Report) row(cells ...string) {
	if r.rows == nil {
		fmt.Fprintf(r.out, "%s\n", r.queue)
		r.rows = tabwriter.NewWriter(r.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(r.rows, "EVENT TYPE\tEVENT ID\tSUBJECT\tATTEMPTS\tFIRST SEEN\tCAUSE")
	}
	for i, c := range cells {
		cells[i] = cell(c)
	}
	fmt.Fprintln(r.rows, strings.Join(cells, "\t"))
}

func tries(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// End writes what came of it, and returns an error if something that should have gone
// back did not.
func (r *Report) End() error {
	if r.rows != nil {
		r.rows.Flush()
		fmt.Fprintln(r.out)
	}
	if r.list {
		fmt.Fprintf(r.out, "%s: %d found\n", r.queue, r.found)
	} else {
		fmt.Fprintf(r.out, "%s: %d found, %d sent back, %d came back, %d failed\n", r.queue, r.found, r.sent, r.back, len(r.failures))
	}
	for _, group := range slices.SortedFunc(maps.Keys(r.groups), func(a, b string) int { return r.groups[b] - r.groups[a] }) {
		fmt.Fprintf(r.out, "%6d  %s\n", r.groups[group], group)
	}
	for _, failure := range r.failures {
		fmt.Fprintf(r.out, "failed, and kept: %s\n", failure)
	}
	if n := len(r.failures) + r.back; n > 0 {
		return fmt.Errorf("%s: %d messages are still there", r.queue, n)
	}
	return nil
}

// cell is text for one cell, without what could play with the terminal: a malformed
// event may hold anything.
func cell(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, s)
	if s == "" {
		return "-"
	}
	return s
}
