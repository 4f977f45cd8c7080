package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// sum adds up the files that run wrote and returns the exit code: 1 if anything
// failed or did not run.
func sum(paths []string, began int64, out io.Writer) (code int, err error) {
	if len(paths) == 0 {
		return 0, errors.New("no results to add up")
	}
	parts := make([]*results, len(paths)) // nil where a file is missing
	total := &results{Tests: map[string]outcome{}}
	for i, path := range paths {
		part, err := open(path)
		if errors.Is(err, fs.ErrNotExist) {
			total.Broken = append(total.Broken, title(path)+" did not run")
			continue
		}
		if err != nil {
			return 0, err
		}
		for _, what := range part.Broken {
			total.Broken = append(total.Broken, title(path)+": "+what)
		}
		for test, o := range part.Tests {
			total.Tests[test] = worse(total.Tests[test], o)
		}
		parts[i] = part
	}
	for i, part := range parts {
		if part == nil {
			continue
		}
		passed, failed, skipped := part.count()
		below := part.below(total)
		for _, n := range below {
			skipped += n
		}
		beside := ""
		if part.Beside != "" {
			beside = fmt.Sprintf(" on %s, %.1f %% skipped", part.Beside, 100*float64(skipped)/float64(max(1, passed+failed+skipped)))
		}
		tier := "test"
		if part.Full {
			tier = "test-full"
		}
		fmt.Fprintf(out, "%-12s %-9s %5d passed %5d failed %5d skipped %8.1f s%s\n", title(paths[i]), tier, passed, failed, skipped, part.Seconds, beside)
		if part.Beside != "" {
			part.skips(out, " on "+part.Beside, below)
		}
	}

	total.skips(out, "", nil)
	for _, test := range slices.Sorted(maps.Keys(total.Tests)) {
		if total.Tests[test].Status == "fail" {
			fmt.Fprintf(out, "failed: %s\n", test)
		}
	}
	for _, what := range total.Broken {
		fmt.Fprintf(out, "failed: %s\n", what)
	}
	passed, failed, skipped := total.count()
	if began > 0 {
		fmt.Fprintf(out, "took %s\n", time.Since(time.Unix(began, 0)).Round(time.Second))
	}
	if passed+failed == 0 {
		return 0, errors.New("no test ran")
	}
	fmt.Fprintf(out, "%d passed, %d failed, %d skipped\n", passed, failed, skipped)
	if failed > 0 {
		code = 1
	}
	return code, nil
}

// title is what a part is called after its file.
func title(path string) string { return strings.TrimSuffix(filepath.Base(path), ".json") }

// skips tells what was skipped and why, and how many tests that took along.
func (r *results) skips(out io.Writer, where string, below map[string]int) {
	for _, test := range slices.Sorted(maps.Keys(r.Tests)) {
		o := r.Tests[test]
		if o.Status != "skip" {
			continue
		}
		with := ""
		if n := below[test]; n > 0 {
			with = fmt.Sprintf(" and %d below it", n)
		}
		fmt.Fprintf(out, "skipped%s: %s%s: %s\n", where, test, with, o.Reason)
	}
}

// below counts the tests that were never begun because the one above them was skipped,
// as far as they ran in another part: a test that skips itself says nothing of those.
func (r *results) below(all *results) map[string]int {
	n := map[string]int{}
	for test := range all.Tests {
		if _, begun := r.Tests[test]; begun {
			continue
		}
		for above := test; ; {
			slash := strings.LastIndexByte(above, '/')
			if slash < 0 {
				break
			}
			above = above[:slash]
			if r.Tests[above].Status == "skip" {
				n[above]++
				break
			}
		}
	}
	return n
}

// worse says what a test counts as that ran more than once: failed if it ever did,
// and skipped only if it never ran.
func worse(a, b outcome) outcome {
	rank := map[string]int{"": 0, "skip": 1, "pass": 2, "fail": 3}
	if rank[a.Status] > rank[b.Status] {
		return a
	}
	return b
}

func (r *results) count() (passed, failed, skipped int) {
	for _, o := range r.Tests {
		switch o.Status {
		case "pass":
			passed++
		case "skip":
			skipped++
		default:
			failed++
		}
	}
	return passed, failed + len(r.Broken), skipped
}
