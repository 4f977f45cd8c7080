// Command bench measures what a customer waits for when a function starts cold,
// and fails when a budget is broken: the time from the start of the process until
// it asks the Lambda Runtime API for its first event, and the size of the binary.
//
// Absolute times say more of the machine than of the code, so each start is read
// against a bare echo function built with the same flags and measured in the same
// run, in shuffled order. Keep the machine quiet meanwhile: the medians bear some
// load, a compiler beside them they do not.
//
// A second table has what the kit costs in each call, by the benchmarks of the client
// and of the tokens' check.
//
//	go run ./localstack/tools/bench -build build/amd64 -bare build/bench/bootstrap
package main

import (
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
	flag.StringVar(&c.readme, "readme", "", "`file` whose tables are replaced by this run's")
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
	started := time.Now()
	if err := measure(programs, c.starts); err != nil {
		return err
	}

	rows := judge(programs)
	starts := render(rows, fmt.Sprintf("%d starts each in shuffled order, medians, %s.", c.starts, machine()))
	fmt.Fprintf(out, "%s\nmeasured in %.0f s\n\n", starts, time.Since(started).Seconds())

	values, err := measureCosts()
	if err != nil {
		return err
	}
	costRows, err := judgeCosts(costs, values)
	if err != nil {
		return err
	}
	calls := renderCosts(costRows, fmt.Sprintf("The shortest tenth of a run's turns, medians of %d runs, %s.", rounds, machine()))
	fmt.Fprint(out, calls)

	if c.readme != "" {
		if err := replaceTables(c.readme, map[string]string{"starts": starts, "calls": calls}); err != nil {
			return err
		}
	}
	if broken := append(breaches(rows), costBreaches(costRows)...); len(broken) > 0 {
		return fmt.Errorf("budget broken:\n  %s", strings.Join(broken, "\n  "))
	}
	return nil
}

// machine says where it was measured.
func machine() string {
	return fmt.Sprintf("linux/%s, %d cores, %s", runtime.GOARCH, runtime.NumCPU(), runtime.Version())
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
