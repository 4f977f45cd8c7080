package main

import (
	"context"
	"encoding/json"
	"os"
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
	}
	os.Exit(m.Run())
}

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

func TestQuantile(t *testing.T) {
	tests := map[string]struct {
		values []time.Duration
		q      float64
		want   time.Duration
	}{
		"nothing":       {nil, 0.5, 0},
		"one":           {[]time.Duration{7}, 0.9, 7},
		"odd, unsorted": {[]time.Duration{9, 1, 5}, 0.5, 5},
		"even":          {[]time.Duration{10, 40, 20, 30}, 0.5, 25},
		"largest":       {[]time.Duration{1, 2, 3}, 1, 3},
		"smallest":      {[]time.Duration{8, 2}, 0, 2},
		"between two":   {[]time.Duration{0, 100}, 0.9, 90},
		"one outlier":   {[]time.Duration{3, 3, 3, 3, 900}, 0.5, 3},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			before := slices.Clone(test.values)
			if got := quantile(test.values, test.q); got != test.want {
				t.Errorf("quantile(%v, %v) = %d, want %d", test.values, test.q, got, test.want)
			}
			if !slices.Equal(before, test.values) {
				t.Errorf("quantile reordered its argument to %v", test.values)
			}
		})
	}
}

func TestJudge(t *testing.T) {
	const bare = 4 * time.Millisecond
	tests := map[string]struct {
		service string
		times   float64 // the bare function's start
		size    int64
		want    []string // part of each breach
	}{
		"well inside":              {"users", 1.1, 8_000_000, nil},
		"at both limits":           {"users", 1.3, 8_500_000, nil},
		"slow":                     {"users", 1.31, 8_000_000, []string{"users/api starts in 1.310"}},
		"large":                    {"users", 1.1, 8_500_001, []string{"users/api has 8.500 MB"}},
		"both":                     {"users", 1.5, 9_000_000, []string{"starts in 1.500", "has 9.000 MB"}},
		"a caller may take longer": {"orders", 1.39, 8_000_000, nil},
		"but not any longer":       {"orders", 1.41, 8_000_000, []string{"orders/api starts in 1.410"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			rows := judge([]*program{
				// The bare function has no budget, whatever it weighs.
				{name: "bare echo", size: 99_000_000, starts: []time.Duration{bare, bare, 9 * bare}},
				{name: test.service + "/api", service: test.service, size: test.size, starts: []time.Duration{time.Duration(test.times * float64(bare))}},
			})
			got := breaches(rows)
			if len(got) != len(test.want) {
				t.Fatalf("breaches %q, want %d", got, len(test.want))
			}
			for i, want := range test.want {
				if !strings.Contains(got[i], want) {
					t.Errorf("breach %q, want %q in it", got[i], want)
				}
			}
			table := render(rows, "Measured here.")
			if broken := strings.Contains(table, "**broken**"); broken != (len(test.want) > 0) {
				t.Errorf("the table says broken: %v\n%s", broken, table)
			}
		})
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

const benchmarks = `goos: linux
BenchmarkOverhead/registry-2         	     580	      1900 undisturbed-ns/op	      8.000 added-allocs/op
BenchmarkOverhead/registry-2         	     745	      1541 undisturbed-ns/op	      8.000 added-allocs/op
BenchmarkOverhead/registry-2         	     745	      1600 undisturbed-ns/op	      9.000 added-allocs/op
PASS
BenchmarkVerify                      	     146	   3253934 ns/op	     43367 undisturbed-ns/op	    5836 B/op	      69 allocs/op
ok  	tradewind/shared/auth	3.497s
`

func TestCosts(t *testing.T) {
	values, err := parseBenchmarks(strings.NewReader(benchmarks))
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		cost   cost
		broken bool
	}{
		"kept":                 {cost{"a call", "BenchmarkOverhead/registry", 2, "added-allocs/op", 30}, false},
		"at the limits":        {cost{"a call", "BenchmarkOverhead/registry", 1.6, "added-allocs/op", 8}, false},
		"slow":                 {cost{"a call", "BenchmarkOverhead/registry", 1.59, "added-allocs/op", 30}, true},
		"wasteful":             {cost{"a call", "BenchmarkOverhead/registry", 2, "added-allocs/op", 7}, true},
		"kept, one round only": {cost{"a check", "BenchmarkVerify", 60, "allocs/op", 80}, false},
	}
	for name, test := range tests {
		rows, err := judgeCosts([]cost{test.cost}, values)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(costBreaches(rows)) > 0; got != test.broken {
			t.Errorf("%s: broken %v of %+v", name, got, rows)
		}
		if got := strings.Contains(renderCosts(rows, "Here."), "**broken**"); got != test.broken {
			t.Errorf("%s: the table says broken %v", name, got)
		}
	}
	for _, c := range []cost{{benchmark: "BenchmarkNone", allocsUnit: "allocs/op"}, {benchmark: "BenchmarkVerify", allocsUnit: "none"}} {
		if _, err := judgeCosts([]cost{c}, values); err == nil || !strings.Contains(err.Error(), c.benchmark) {
			t.Errorf("what was not measured is judged: %v", err)
		}
	}
	if _, err := parseBenchmarks(strings.NewReader("BenchmarkX-2 1 fast ns/op\n")); err == nil {
		t.Error("a value of words is accepted")
	}
}
