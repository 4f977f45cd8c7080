package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// results is what one command's tests came to.
type results struct {
	Seconds float64
	Full    bool               `json:",omitempty"` // run by make test-full
	Beside  string             `json:",omitempty"` // the endpoint, by name and version
	Tests   map[string]outcome // by "package.Test/subtest"
	Broken  []string           // what failed without a test that did: a build, a panic, the command
}

type outcome struct {
	Status string // pass, fail or skip
	Reason string `json:",omitempty"` // why it was skipped
}

// event is one line of `go test -json`; see `go doc cmd/test2json`.
type event struct {
	Action      string
	Package     string
	ImportPath  string
	Test        string
	Output      string
	Elapsed     float64
	FailedBuild string
}

func (e event) name() string { return e.Package + "." + e.Test }

// read takes events from in until it ends and shows on out one line per package
// and per slow test, all that a failing test printed, and every line that is no event.
func read(in io.Reader, out io.Writer) (*results, error) {
	r := &results{Tests: map[string]outcome{}}
	printed := map[string]*strings.Builder{} // output by test, and by "package." for the package's own
	for lines := bufio.NewReader(in); ; {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if line[0] != '{' || json.Unmarshal(line, &e) != nil || e.Action == "" {
				_, _ = out.Write(line)
			} else {
				r.add(e, printed, out)
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			r.unfinished(printed, out)
			return r, nil
		case err != nil:
			return nil, fmt.Errorf("read the tests' events: %w", err)
		}
	}
}

const started = "started"

// slow is how many seconds make a test worth a line: it shows that a long stage
// moves, and where its time goes.
const slow = 10

func (r *results) add(e event, printed map[string]*strings.Builder, out io.Writer) {
	name := e.name()
	switch e.Action {
	case "run":
		r.Tests[name] = outcome{Status: started}
	case "output":
		if printed[name] == nil {
			printed[name] = &strings.Builder{}
		}
		printed[name].WriteString(e.Output)
	case "build-output":
		fmt.Fprint(out, e.Output)
	case "pass", "fail", "skip":
		text := ""
		if b := printed[name]; b != nil {
			text = b.String()
			delete(printed, name)
		}
		if e.Test == "" {
			r.addPackage(e, text, out)
			return
		}
		o := outcome{Status: e.Action}
		if e.Action == "skip" {
			o.Reason = reason(text)
		}
		switch {
		case e.Action == "fail":
			fmt.Fprint(out, telling(text))
		case e.Elapsed >= slow:
			fmt.Fprintf(out, "      %-50s %7.2f s\n", e.Test, e.Elapsed)
		}
		r.Tests[name] = o
	}
}

// addPackage shows the end of a package's tests. One that failed though none of its
// tests did was not built, or its process died: that counts as a failure by itself.
func (r *results) addPackage(e event, text string, out io.Writer) {
	switch e.Action {
	case "pass":
		fmt.Fprintf(out, "ok    %-50s %7.2f s\n", e.Package, e.Elapsed)
	case "fail":
		blamed := false
		for name, o := range r.Tests {
			if !strings.HasPrefix(name, e.Package+".") {
				continue
			}
			if o.Status == started { // it took the process down, or was stopped with it
				r.Tests[name] = outcome{Status: "fail"}
				o.Status = "fail"
			}
			blamed = blamed || o.Status == "fail"
		}
		if !blamed {
			what := "failed outside its tests"
			if e.FailedBuild != "" {
				what = "does not build"
			}
			r.Broken = append(r.Broken, e.Package+" "+what)
		}
		fmt.Fprintf(out, "%sFAIL  %-50s %7.2f s\n", telling(text), e.Package, e.Elapsed)
	}
}

// unfinished counts as failed what was running when the events stopped.
func (r *results) unfinished(printed map[string]*strings.Builder, out io.Writer) {
	for _, name := range slices.Sorted(maps.Keys(r.Tests)) {
		if r.Tests[name].Status != started {
			continue
		}
		r.Tests[name] = outcome{Status: "fail"}
		if b := printed[name]; b != nil {
			fmt.Fprint(out, telling(b.String()))
		}
		fmt.Fprintf(out, "FAIL  %s did not end\n", name)
	}
}

func (r *results) failed() bool {
	if len(r.Broken) > 0 {
		return true
	}
	for _, o := range r.Tests {
		if o.Status == "fail" {
			return true
		}
	}
	return false
}

// reason picks out of a skipped test's output what it said itself, which
// testing writes as "    file_test.go:12: why".
func reason(text string) string {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "=== ") || strings.HasPrefix(line, "--- ") {
			continue
		}
		if at, why, ok := strings.Cut(line, ": "); ok && strings.Contains(at, ".go:") {
			return why
		}
		return line
	}
	return "no reason given"
}

// telling leaves out of a failure's output what is said anyway: that a test began,
// waited and went on, and that its package failed.
func telling(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		switch word, _, _ := strings.Cut(strings.TrimSpace(line), " "); {
		case word == "===", word == "FAIL", strings.HasPrefix(word, "FAIL\t"):
		default:
			b.WriteString(line)
		}
	}
	return b.String()
}

func (r *results) save(path string) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}

func open(path string) (*results, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := &results{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}
