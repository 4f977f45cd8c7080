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

func TestReplaceTable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "README.md")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("before\n" + tableBegin + "old\n" + tableEnd + "\nafter\n")
	for range 2 { // the second time changes nothing
		if err := replaceTable(path, "new\n"); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if want := "before\n" + tableBegin + "new\n" + tableEnd + "\nafter\n"; err != nil || string(got) != want {
		t.Errorf("document %q, want %q (%v)", got, want, err)
	}
	write("no place\n")
	if err := replaceTable(path, "new\n"); err == nil {
		t.Error("a document without a place for the table is accepted")
	}
}
