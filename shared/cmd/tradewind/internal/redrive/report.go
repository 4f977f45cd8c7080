package redrive

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"tradewind/shared/cmd/tradewind/internal/command"
)

// every is how often progress is shown.
const every = time.Second

// Report shows what happens in one queue: the messages, where they are listed or
// discarded, else how far it is; and in the end what came of it all.
type Report struct {
	queue string
	flags *Command
	std   command.IO

	shown     time.Time
	rows      *tabwriter.Writer
	found     int
	sent      int
	discarded int
	back      int
	failures  []string
	groups    map[string]int // by type and cause
}

// NewReport returns the report of a command on a queue.
func NewReport(queue string, c *Command, std command.IO) *Report {
	return &Report{queue: queue, flags: c, std: std, groups: map[string]int{}}
}

// Seen is a Run's Seen.
func (r *Report) Seen(l Letter, o Outcome) {
	n := l.Note
	r.found++
	r.groups[cell(n.EventType)+": "+cell(n.Cause)]++
	switch {
	case o.Sent:
		r.sent++
	case o.Discarded:
		r.discarded++
	case o.Back:
		r.back++
	case o.Err != nil:
		r.failures = append(r.failures, fmt.Sprintf("%s %s: %s", cell(n.EventType), cell(n.EventID), cell(o.Err.Error())))
	}
	switch {
	case r.flags.DryRun, o.Discarded:
		r.list(l)
	case !r.flags.Discard && time.Since(r.shown) >= every:
		r.shown = time.Now()
		fmt.Fprintf(r.std.Progress, "%s: %d sent back so far\n", r.queue, r.sent)
	}
}

// list writes a message to the list.
func (r *Report) list(l Letter) {
	n := l.Note
	if r.flags.JSON {
		_ = json.NewEncoder(r.std.Out).Encode(object{r.queue, n.EventType, n.EventID, n.Subject, n.Attempts, n.FirstSeen.UTC(), n.Cause, l.Body})
		return
	}
	r.row(n.EventType, n.EventID, n.Subject, tries(n.Attempts), n.FirstSeen.UTC().Format("2006-01-02T15:04:05Z"), n.Cause)
}

// object is a message in a list for programs. The body is text: it may not be JSON.
type object struct {
	Queue     string    `json:"queue"`
	EventType string    `json:"eventType"`
	EventID   string    `json:"eventId"`
	Subject   string    `json:"subject"`
	Attempts  int       `json:"attempts"`
	FirstSeen time.Time `json:"firstSeen"`
	Cause     string    `json:"cause"`
	Body      string    `json:"body"`
}

func (r *Report) row(cells ...string) {
	if r.rows == nil {
		fmt.Fprintf(r.std.Out, "%s\n", r.queue)
		r.rows = tabwriter.NewWriter(r.std.Out, 0, 0, 2, ' ', 0)
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

// End writes what came of it, and returns an error if a message is still there that
// should not be.
func (r *Report) End() error {
	out := r.std.Out
	if r.flags.JSON { // what is written there is for a program
		out = r.std.Progress
	}
	if r.rows != nil {
		r.rows.Flush()
		fmt.Fprintln(out)
	}
	fmt.Fprintf(out, "%s: %d found", r.queue, r.found)
	switch {
	case r.flags.DryRun:
	case r.flags.Discard:
		fmt.Fprintf(out, ", %d discarded, %d failed", r.discarded, len(r.failures))
	default:
		fmt.Fprintf(out, ", %d sent back, %d came back, %d failed", r.sent, r.back, len(r.failures))
	}
	fmt.Fprintln(out)
	byNumber := func(a, b string) int { return cmp.Or(r.groups[b]-r.groups[a], strings.Compare(a, b)) }
	for _, group := range slices.SortedFunc(maps.Keys(r.groups), byNumber) {
		fmt.Fprintf(out, "%6d  %s\n", r.groups[group], group)
	}
	for _, failure := range r.failures {
		fmt.Fprintf(out, "failed, and kept: %s\n", failure)
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
