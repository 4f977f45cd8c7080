package main

import (
	"cmp"
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
	total := &results{Tests: map[string]outcome{}}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		part, err := open(path)
		if errors.Is(err, fs.ErrNotExist) {
			total.Broken = append(total.Broken, name+" did not run")
			continue
		}
		if err != nil {
			return 0, err
		}
		passed, failed, skipped := part.count()
		fmt.Fprintf(out, "%-18s %5d passed %5d failed %5d skipped %8.1f s\n", cmp.Or(part.Beside, name), passed, failed, skipped, part.Seconds)
		if part.Beside != "" {
			fmt.Fprintf(out, "%-18s %.1f %% skipped\n", "", 100*float64(skipped)/float64(max(1, passed+failed+skipped)))
			part.skips(out, " on "+part.Beside)
		}
		for _, what := range part.Broken {
			total.Broken = append(total.Broken, name+": "+what)
		}
		for test, o := range part.Tests {
			total.Tests[test] = worse(total.Tests[test], o)
		}
	}

	total.skips(out, "")
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

// skips tells what was skipped and why.
func (r *results) skips(out io.Writer, where string) {
	for _, test := range slices.Sorted(maps.Keys(r.Tests)) {
		if o := r.Tests[test]; o.Status == "skip" {
			fmt.Fprintf(out, "skipped%s: %s: %s\n", where, test, o.Reason)
		}
	}
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
