// Command bench measures what a customer waits for, and fails when a budget is broken:
// how long each api function takes from its start until it asks the Lambda Runtime API
// for its first event, and what the kit costs in a function that has started.
//
// An absolute time says more of the machine than of the code, so each time is judged as
// a ratio to another that is measured in the same run, in turns with it: a start to that
// of a bare echo function built with the same flags, a call to the base of its benchmark.
// These ratios stay within their budgets on a busy machine too. Other programs still hide
// small differences, so only the figures of a quiet machine get into README.md.
//
//	go run ./localstack/tools/bench -build build/amd64 -bare build/bench/bootstrap
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

func main() {
	var c config
	flag.StringVar(&c.build, "build", filepath.Join("build", runtime.GOARCH), "`folder` of <service>/<function>/bootstrap")
	flag.StringVar(&c.bare, "bare", filepath.Join("build", "bench", "bootstrap"), "`binary` to compare with")
	flag.IntVar(&c.starts, "starts", 100, "measured starts of each binary, at least 50")
	flag.StringVar(&c.readme, "readme", "", "`file` whose tables are replaced by this run's if the machine was quiet")
	flag.Parse()
	if err := run(c, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type config struct {
	build, bare, readme string
	starts              int
}

func run(c config, out io.Writer) error {
	// Fewer starts let one disturbed round move a median.
	if c.starts < 50 {
		return fmt.Errorf("%d starts are too few for a median, take 50 or more", c.starts)
	}
	programs, err := find(c.build, c.bare)
	if err != nil {
		return err
	}
	temp, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if err := copyAll(programs, temp); err != nil {
		return err
	}
	began := time.Now()
	before, err := readProcessors()
	if err != nil {
		return err
	}
	if err := measure(programs, c.starts); err != nil {
		return err
	}
	costs, err := measureCosts()
	if err != nil {
		return err
	}
	after, err := readProcessors()
	if err != nil {
		return err
	}
	others := after.othersSince(before)

	machine := fmt.Sprintf("other programs took %.0f %% of the processors' time; linux/%s, %d cores, %s", 100*others, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
	starts := table{
		head: "| function | × bare | budget | MB | budget | | start, ms |", counted: "MB", precision: 2, unit: time.Millisecond,
		rows: startRows(programs), note: fmt.Sprintf("Medians of %d starts each in shuffled order; %s.", c.starts, machine),
	}
	calls := table{
		head: "| in the process | ratio | budget | allocations | budget | | µs |", counted: "allocations", precision: 0, unit: time.Microsecond,
		rows: costs, note: fmt.Sprintf("Medians of %d runs, of each the shortest tenth of its turns; %s.", rounds, machine),
	}
	fmt.Fprintf(out, "%s\n%s\nmeasured in %.0f s\n", starts, calls, time.Since(began).Seconds())
	if others > quiet {
		fmt.Fprintln(out, "These figures are not fit for README.md: the machine was not quiet.")
	}

	var failed error
	if broken := append(starts.broken(), calls.broken()...); len(broken) > 0 {
		failed = fmt.Errorf("budget broken:\n  %s", strings.Join(broken, "\n  "))
	}
	if c.readme != "" {
		failed = errors.Join(failed, publish(c.readme, others, map[string]string{"starts": starts.String(), "calls": calls.String()}))
	}
	return failed
}

// find returns the bare function first, then the api function of every service.
func find(build, bare string) ([]*program, error) {
	paths, err := filepath.Glob(filepath.Join(build, "*", "api", "bootstrap"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("no api function under %s: run make build", build)
	}
	programs := []*program{{name: "bare echo", path: bare}}
	for _, path := range paths {
		service := filepath.Base(filepath.Dir(filepath.Dir(path)))
		programs = append(programs, &program{name: service + "/api", service: service, path: path})
	}
	return programs, nil
}
