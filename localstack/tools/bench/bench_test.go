package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
)

// Copies of the test binary stand in for functions; the name of the copy says
// which.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "good":
		lambda.Start(func(context.Context, json.RawMessage) error { return nil })
	case "bad":
		os.Stdout.WriteString("TABLE_NAME is missing")
		os.Exit(3)
	case "busy":
		for ownSeconds() < busy.Seconds() {
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// busy is how much of a processor's time the function of that name takes.
const busy = time.Second / 2

func function(t *testing.T, name string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &program{path: self}
	dir := t.TempDir()
	if err := copyAll([]*program{p}, dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := os.Rename(p.path, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestBudgets(t *testing.T) {
	const bare = 4 * time.Millisecond
	tests := map[string]struct {
		service string
		times   float64 // the bare function's start
		size    int64
		want    []string // part of each breach
	}{
		"well inside":              {"users", 1.1, 8_000_000, nil},
		"at both limits":           {"users", 1.3, 8_500_000, nil},
		"slow":                     {"users", 1.31, 8_000_000, []string{"users/api: the ratio is 1.310"}},
		"large":                    {"users", 1.1, 8_501_000, []string{"users/api: 8.501 MB"}},
		"both":                     {"users", 1.5, 9_000_000, []string{"ratio is 1.500", "9.000 MB"}},
		"a caller may take longer": {"orders", 1.39, 8_000_000, nil},
		"but not any longer":       {"orders", 1.41, 8_000_000, []string{"orders/api: the ratio is 1.410"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			start := time.Duration(test.times * float64(bare))
			// The machine slows down, for both alike.
			rows := startRows([]*program{
				// The bare function has no budget, whatever it weighs.
				{name: "bare echo", size: 99_000_000, starts: []time.Duration{bare, 2 * bare, 4 * bare}},
				{name: test.service + "/api", service: test.service, size: test.size, starts: []time.Duration{start, 2 * start, 4 * start}},
			})
			checkTable(t, table{counted: "MB", precision: 2, unit: time.Millisecond, rows: rows}, test.want)
		})
	}
}

// checkTable compares what a table says of broken budgets with parts of each breach.
func checkTable(t *testing.T, table table, want []string) {
	t.Helper()
	got := table.broken()
	if len(got) != len(want) {
		t.Fatalf("breaches %q, want %d", got, len(want))
	}
	for i, want := range want {
		if !strings.Contains(got[i], want) {
			t.Errorf("breach %q, want %q in it", got[i], want)
		}
	}
	if broken := strings.Contains(table.String(), "**broken**"); broken != (len(want) > 0) {
		t.Errorf("the table says broken: %v\n%s", broken, table)
	}
}

func TestMeasure(t *testing.T) {
	programs := []*program{
		{name: "one", path: function(t, "good")},
		{name: "two", service: "orders", path: function(t, "good")},
	}
	if err := measure(programs, 2); err != nil {
		t.Fatal(err)
	}
	for _, p := range programs {
		if len(p.starts) != 2 || slices.Min(p.starts) <= 0 {
			t.Errorf("%s: starts %v, want 2 positive ones", p.name, p.starts)
		}
	}
}

func TestMeasureNamesWhatCannotStart(t *testing.T) {
	err := measure([]*program{{name: "users/api", path: function(t, "bad")}}, 1)
	if err == nil || !strings.Contains(err.Error(), "users/api") || !strings.Contains(err.Error(), "TABLE_NAME is missing") {
		t.Errorf("error %v, want the function's name and what it printed", err)
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	if _, err := find(dir, "bare"); err == nil {
		t.Error("an empty build is accepted")
	}
	for _, function := range []string{"users/api", "users/relay", "orders/api"} {
		if err := os.MkdirAll(filepath.Join(dir, function), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, function, "bootstrap"), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	programs, err := find(dir, "bare")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range programs {
		names = append(names, p.name)
	}
	if want := []string{"bare echo", "orders/api", "users/api"}; !slices.Equal(names, want) {
		t.Errorf("found %v, want %v", names, want)
	}
}

func TestRunWantsEnoughStarts(t *testing.T) {
	if err := run(config{starts: 49}, t.Output()); err == nil {
		t.Error("49 starts are accepted")
	}
}

func TestReplaceTables(t *testing.T) {
	path := filepath.Join(t.TempDir(), "README.md")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("before\n<!-- bench: b -->\nold\n<!-- /bench: b -->\nbetween\n<!-- bench: a -->\n<!-- /bench: a -->\nafter\n")
	for range 2 { // the second time changes nothing
		if err := replaceTables(path, map[string]string{"a": "new a\n", "b": "new b\n"}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	want := "before\n<!-- bench: b -->\nnew b\n<!-- /bench: b -->\nbetween\n<!-- bench: a -->\nnew a\n<!-- /bench: a -->\nafter\n"
	if err != nil || string(got) != want {
		t.Errorf("document %q, want %q (%v)", got, want, err)
	}
	for _, text := range []string{"no place\n", "<!-- bench: a -->\n", "<!-- /bench: a -->\n"} {
		write(text)
		if err := replaceTables(path, map[string]string{"a": "new\n"}); err == nil {
			t.Errorf("a document without a place for the table is accepted: %q", text)
		}
		if got, _ := os.ReadFile(path); string(got) != text {
			t.Errorf("a document without a place became %q", got)
		}
	}
}

func TestCosts(t *testing.T) {
	budget := func(ratio, allocs string) string {
		var lines strings.Builder
		for _, c := range costs {
			for _, seen := range []string{"1.9", "1.5", "1.6"} { // of which the median is judged
				fmt.Fprintf(&lines, "Benchmark%s-2  580  1900 ns/op  8.000 allocs  %s allocs-budget  %s ratio  %s ratio-budget\n", c.benchmark, allocs, seen, ratio)
			}
		}
		return lines.String()
	}
	tests := map[string]struct {
		output string
		want   string // part of each breach
	}{
		"kept":          {budget("2", "30"), ""},
		"at the limits": {budget("1.6", "8"), ""},
		"slow":          {budget("1.59", "30"), "the ratio is 1.600, the budget 1.59"},
		"wasteful":      {budget("2", "7"), "8.0 allocations, the budget is 7"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			rows, err := costRows(strings.NewReader("goos: linux\n" + test.output + "PASS\n"))
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			if test.want != "" {
				want = slices.Repeat([]string{test.want}, len(costs))
			}
			checkTable(t, table{counted: "allocations", unit: time.Microsecond, rows: rows}, want)
		})
	}
	for name, output := range map[string]string{
		"CallRatio/registry": strings.ReplaceAll(budget("2", "30"), "registry", "another"),
		"allocs-budget":      strings.ReplaceAll(budget("2", "30"), "allocs-budget", "another"),
		"parsing":            "BenchmarkLineRatio-2 1 fast ns/op\n",
	} {
		if _, err := costRows(strings.NewReader(output)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want one that names %s", err, name)
		}
	}
}

func TestPublishWantsAQuietMachine(t *testing.T) {
	const noTable, table = "<!-- bench: a -->\n<!-- /bench: a -->\n", "<!-- bench: a -->\nnew\n<!-- /bench: a -->\n"
	path := filepath.Join(t.TempDir(), "README.md")
	for _, test := range []struct {
		others float64
		want   string
	}{{0.051, noTable}, {0.05, table}} {
		if err := os.WriteFile(path, []byte(noTable), 0o600); err != nil {
			t.Fatal(err)
		}
		err := publish(path, test.others, map[string]string{"a": "new\n"})
		if got, _ := os.ReadFile(path); string(got) != test.want || (err == nil) != (test.want == table) {
			t.Errorf("others took %.3f: error %v, document %q", test.others, err, got)
		}
	}
}

func TestOthers(t *testing.T) {
	of := func(stat string, own float64) processors {
		p, err := parseStat(stat, own)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	before := of("cpu  100 0 100 400 100 0 0 0 0 0\ncpu0 1 1 1 1\n", 1)
	tests := map[string]struct {
		stat string
		own  float64
		want float64
	}{
		"all is this program's": {"cpu  250 0 200 900 100 0 0 0 0 0", 3.5, 0},
		"more than was counted": {"cpu  250 0 200 900 100 0 0 0 0 0", 3.6, 0},
		"others'":               {"cpu  250 0 200 900 100 0 0 0 0 0", 2.0, 0.2},
		"another machine's":     {"cpu  100 0 100 1150 100 0 0 250 0 0", 1.0, 0.25},
		"interrupts":            {"cpu  100 0 100 1150 100 125 125 0 0 0", 1.0, 0.25},
		"nothing":               {"cpu  100 0 100 1000 500 0 0 0 0 0", 1.0, 0},
	}
	for name, test := range tests {
		if got := of(test.stat, test.own).othersSince(before); math.Abs(got-test.want) > 1e-9 {
			t.Errorf("%s: others took %.3f, want %.3f", name, got, test.want)
		}
	}
	if _, err := parseStat("intr 1 2 3\n", 0); err == nil {
		t.Error("a file without the processors' times is accepted")
	}
}

func TestOwnSecondsCountChildren(t *testing.T) {
	if _, err := readProcessors(); err != nil {
		t.Fatal(err)
	}
	before := ownSeconds()
	if err := exec.Command(function(t, "busy")).Run(); err != nil {
		t.Fatal(err)
	}
	if took := ownSeconds() - before; took < busy.Seconds() {
		t.Errorf("%.3f s are this program's, want the child's %v among them", took, busy)
	}
}
