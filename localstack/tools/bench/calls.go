package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/perf/benchfmt"
)

// rounds is how often each benchmark is run; the medians of their figures are shown.
const rounds = 10

// costs are the benchmarks of the kit, in the order of the table. Each reports its
// figures and its budget.
var costs = []struct{ name, benchmark string }{
	{"a request ÷ one through a bare typed handler", "RequestRatio"},
	{"a line of the log ÷ one of slog's own", "LineRatio"},
	{"a call through the client ÷ one through a plain `http.Client`, no network", "CallRatio/loadbalancer"},
	{"the same, found in the registry", "CallRatio/registry"},
	{"the check of a token ÷ its raw RSA verification (2048 bits)", "VerifyRatio"},
}

// measureCosts runs the benchmarks. They run one package after the other, for two at
// once would measure each other.
func measureCosts() ([]row, error) {
	cmd := exec.Command("go", "test", "-p=1", "-run=^$", "-bench=Ratio$", "-benchtime=200ms", "-count="+strconv.Itoa(rounds),
		"./shared/lambdahttp", "./shared/logs", "./shared/client", "./shared/auth")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("go test -bench: %w\n%s", err, &out)
	}
	return costRows(&out)
}

// costRows makes the rows of the table from what the benchmarks printed.
func costRows(output io.Reader) ([]row, error) {
	values := map[string]map[string][]float64{} // by benchmark and unit
	results := benchfmt.NewReader(output, "go test -bench")
	for results.Scan() {
		switch r := results.Result().(type) {
		case *benchfmt.SyntaxError:
			return nil, r
		case *benchfmt.Result:
			name, _, _ := strings.Cut(string(r.Name), "-") // the number of processors
			if values[name] == nil {
				values[name] = map[string][]float64{}
			}
			for _, v := range r.Values {
				values[name][v.Unit] = append(values[name][v.Unit], v.Value)
			}
		}
	}
	if err := results.Err(); err != nil {
		return nil, err
	}
	var rows []row
	for _, c := range costs {
		v := values[c.benchmark]
		for _, unit := range []string{"sec/op", "ratio", "ratio-budget", "allocs", "allocs-budget"} {
			if len(v[unit]) == 0 {
				return nil, fmt.Errorf("benchmark %s did not report its %s", c.benchmark, unit)
			}
		}
		rows = append(rows, row{
			name:  c.name,
			ratio: median(v["ratio"]), ratioBudget: v["ratio-budget"][0],
			count: median(v["allocs"]).Center, countBudget: v["allocs-budget"][0],
			took: time.Duration(median(v["sec/op"]).Center * float64(time.Second)),
		})
	}
	return rows, nil
}
