package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// rounds is how often each benchmark is run; the medians of their figures are shown.
const rounds = 5

// undisturbed is the unit of the time that a benchmark's shortest tenth took. Beside it
// a median says more of the machine's other work than of the code.
const undisturbed = "undisturbed-ns/op"

// costs are what the kit adds to a call, in the order of the table.
var costs = []cost{
	{
		name:      "a call through the client, more than a plain `http.Client`'s",
		benchmark: "BenchmarkOverhead/loadbalancer", micros: 2, allocsUnit: "added-allocs/op", allocs: 30,
	},
	{
		name:      "the same, found in the registry",
		benchmark: "BenchmarkOverhead/registry", micros: 2, allocsUnit: "added-allocs/op", allocs: 30,
	},
	{
		name:      "the check of a token (RS256, 2048 bits)",
		benchmark: "BenchmarkVerify", micros: 60, allocsUnit: "allocs/op", allocs: 80,
	},
}

// cost is a benchmark of the kit with its budget.
type cost struct {
	name, benchmark string
	micros          float64 // the budget
	allocsUnit      string
	allocs          float64 // the budget
}

// measureCosts runs the benchmarks and returns what each said, a value a round, by its
// name and unit. They run one package after the other, for two at once would measure
// each other.
func measureCosts() (map[string]map[string][]float64, error) {
	cmd := exec.Command("go", "test", "-p=1", "-run=^$", "-bench=^(BenchmarkOverhead|BenchmarkVerify)$",
		"-benchtime=300ms", "-count="+strconv.Itoa(rounds), "./shared/client", "./shared/auth")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("go test -bench: %w\n%s", err, &out)
	}
	return parseBenchmarks(&out)
}

// parseBenchmarks reads the format of go test -bench: a name with the number of
// processors behind it, how often it ran, then values, each with its unit.
func parseBenchmarks(r io.Reader) (map[string]map[string][]float64, error) {
	values := map[string]map[string][]float64{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 2 || !strings.HasPrefix(f[0], "Benchmark") {
			continue
		}
		name := f[0]
		if at := strings.LastIndexByte(name, '-'); at > 0 {
			name = name[:at]
		}
		if values[name] == nil {
			values[name] = map[string][]float64{}
		}
		for i := 2; i+1 < len(f); i += 2 {
			v, err := strconv.ParseFloat(f[i], 64)
			if err != nil {
				return nil, fmt.Errorf("go test -bench says %q", lines.Text())
			}
			values[name][f[i+1]] = append(values[name][f[i+1]], v)
		}
	}
	return values, lines.Err()
}

// costRow is a line in the table.
type costRow struct {
	cost
	took, made float64 // µs and allocations
	over       bool
}

// judgeCosts holds what was measured against the budgets.
func judgeCosts(costs []cost, values map[string]map[string][]float64) ([]costRow, error) {
	var rows []costRow
	for _, c := range costs {
		took, made := values[c.benchmark][undisturbed], values[c.benchmark][c.allocsUnit]
		if len(took) == 0 || len(made) == 0 {
			return nil, fmt.Errorf("%s did not say its %s and %s", c.benchmark, undisturbed, c.allocsUnit)
		}
		r := costRow{cost: c, took: middle(took) / 1000, made: middle(made)}
		r.over = r.took > c.micros || r.made > c.allocs
		rows = append(rows, r)
	}
	return rows, nil
}

// middle returns the median, the lower of two.
func middle(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[(len(sorted)-1)/2]
}

func costBreaches(rows []costRow) []string {
	var broken []string
	for _, r := range rows {
		if r.over {
			broken = append(broken, fmt.Sprintf("%s takes %.2f µs and %.0f allocations, the budget is %.0f and %.0f", r.name, r.took, r.made, r.micros, r.allocs))
		}
	}
	return broken
}

// renderCosts returns the table as README.md holds it.
func renderCosts(rows []costRow, circumstances string) string {
	var b strings.Builder
	b.WriteString("| in the process | µs | budget | allocations | budget | |\n")
	b.WriteString("|---|--:|--:|--:|--:|---|\n")
	for _, r := range rows {
		verdict := "kept"
		if r.over {
			verdict = "**broken**"
		}
		fmt.Fprintf(&b, "| %s | %.2f | %.0f | %.0f | %.0f | %s |\n", r.name, r.took, r.micros, r.made, r.allocs, verdict)
	}
	fmt.Fprintf(&b, "\n%s\n", circumstances)
	return b.String()
}
