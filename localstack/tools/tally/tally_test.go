package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// module makes a module of one package with the given test file.
func module(t *testing.T, test string) string {
	t.Helper()
	path := write(t, "x_test.go", "package x\n\nimport (\n\t\"os\"\n\t\"testing\"\n)\n\nvar _ = os.Exit\n\n"+test)
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "go.mod"), []byte("module x\n\ngo 1.26\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return filepath.Dir(path)
}

// The real go command is asked, not a record of what it once said.
func TestRun(t *testing.T) {
	tests := map[string]struct {
		source string
		code   int
		counts [3]int // passed, failed, skipped
		shown  string
		hidden string
	}{
		"passes": {
			`func TestA(t *testing.T) { t.Log("quiet"); t.Run("sub", func(t *testing.T) {}) }`,
			0, [3]int{2, 0, 0}, "ok    x", "quiet",
		},
		"skips": {
			`func TestA(t *testing.T) { t.Skip("no endpoint") }`,
			0, [3]int{0, 0, 1}, "ok    x", "no endpoint",
		},
		"fails": {
			"func TestA(t *testing.T) { t.Error(\"want 2\") }\nfunc TestB(t *testing.T) {}",
			1, [3]int{1, 1, 0}, "want 2", "=== RUN",
		},
		"panics": {
			"func TestA(t *testing.T) {}\nfunc TestB(t *testing.T) { panic(\"oh\") }",
			1, [3]int{1, 1, 0}, "panic: oh", "",
		},
		"leaves": {
			`func TestA(t *testing.T) { os.Exit(4) }`,
			1, [3]int{0, 1, 0}, "FAIL  x", "",
		},
		"fails outside its tests": {
			"func TestA(t *testing.T) {}\nfunc TestMain(m *testing.M) { m.Run(); os.Exit(2) }",
			1, [3]int{1, 1, 0}, "FAIL  x", "",
		},
		"does not build": {
			`func TestA(t *testing.T) { missing() }`,
			1, [3]int{0, 1, 0}, "undefined: missing", "",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			record := filepath.Join(t.TempDir(), "new", "unit.json")
			var out strings.Builder
			code, err := run(record, []string{"go", "test", "-C", module(t, test.source), "-json", "."}, &out)
			if err != nil || code != test.code {
				t.Errorf("run = %d, %v; want %d", code, err, test.code)
			}
			if !strings.Contains(out.String(), test.shown) || test.hidden != "" && strings.Contains(out.String(), test.hidden) {
				t.Errorf("shown, with %q and without %q wanted:\n%s", test.shown, test.hidden, out.String())
			}
			r, err := open(record)
			if err != nil {
				t.Fatal(err)
			}
			passed, failed, skipped := r.count()
			if got := [3]int{passed, failed, skipped}; got != test.counts {
				t.Errorf("counted %v, want %v: %+v", got, test.counts, r)
			}
		})
	}
}

func TestRunOfOtherCommands(t *testing.T) {
	t.Setenv("TRADEWIND_FULL", "1")
	record := filepath.Join(t.TempDir(), "endpoint.json")
	var out strings.Builder
	code, err := run(record, []string{"sh", "-c", "echo endpoint did not start; echo '{\"not\": \"an event\"}'; exit 7"}, &out)
	if err != nil || code != 7 {
		t.Errorf("run = %d, %v; want 7", code, err)
	}
	if want := "endpoint did not start\n{\"not\": \"an event\"}\n"; out.String() != want {
		t.Errorf("shown %q, want %q", out.String(), want)
	}
	if r, err := open(record); err != nil || len(r.Broken) != 1 || !r.Full {
		t.Errorf("recorded %+v, %v; want one failure", r, err)
	}
	if _, err := run(record, nil, &out); err == nil {
		t.Error("no command is accepted")
	}
	if _, err := run(record, []string{"/no/such/command"}, &out); err == nil {
		t.Error("a command that does not exist is accepted")
	}
}

func TestSum(t *testing.T) {
	const (
		unit     = `{"Tests": {"x.A": {"Status": "pass"}, "x.B": {"Status": "skip", "Reason": "no endpoint"}, "x.C": {"Status": "skip", "Reason": "on AWS only"}}}`
		endpoint = `{"Tests": {"x.A": {"Status": "pass"}, "x.B": {"Status": "pass"}}}`
		flaky    = `{"Tests": {"x.A": {"Status": "fail"}}}`
		other    = `{"Beside": "Other 1.2", "Tests": {"x.B": {"Status": "skip", "Reason": "it has no B"}, "x.C": {"Status": "pass"}}}`
		whole    = `{"Beside": "Whole 1.0", "Tests": {"x.B": {"Status": "pass"}, "x.B/a": {"Status": "pass"}, "x.B/a/b": {"Status": "pass"}, "x.Bee": {"Status": "pass"}}}`
		long     = `{"Full": true, "Tests": {"x.A": {"Status": "pass"}}}`
		broken   = `{"Broken": ["y does not build"]}`
	)
	tests := map[string]struct {
		parts []string
		code  int
		last  string
		shown string
	}{
		"one part":             {[]string{unit}, 0, "1 passed, 0 failed, 2 skipped", "skipped: x.B: no endpoint"},
		"run later":            {[]string{unit, endpoint}, 0, "2 passed, 0 failed, 1 skipped", "skipped: x.C: on AWS only"},
		"beside an endpoint":   {[]string{unit, other, endpoint}, 0, "3 passed, 0 failed, 0 skipped", "skipped on Other 1.2: x.B: it has no B"},
		"its share":            {[]string{other}, 0, "1 passed, 0 failed, 1 skipped", "50.0 % skipped\n"},
		"with those below":     {[]string{other, whole}, 0, "5 passed, 0 failed, 0 skipped", "skipped on Other 1.2: x.B and 2 below it: it has no B"},
		"counted with them":    {[]string{whole, other}, 0, "5 passed, 0 failed, 0 skipped", "on Other 1.2, 75.0 % skipped\nskipped on Other"},
		"the short tier":       {[]string{endpoint}, 0, "2 passed, 0 failed, 0 skipped", "part         test          2 passed"},
		"the long tier":        {[]string{long}, 0, "1 passed, 0 failed, 0 skipped", "part         test-full     1 passed"},
		"its name":             {[]string{other}, 0, "1 passed, 0 failed, 1 skipped", " on Other 1.2, "},
		"failed in one of two": {[]string{flaky, endpoint}, 1, "1 passed, 1 failed, 0 skipped", "failed: x.A"},
		"a build failed":       {[]string{endpoint, broken}, 1, "2 passed, 1 failed, 0 skipped", "failed: part: y does not build"},
		"a part is missing":    {[]string{unit, ""}, 1, "1 passed, 1 failed, 2 skipped", "failed: missing did not run"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var paths []string
			for _, part := range test.parts {
				if part == "" {
					paths = append(paths, filepath.Join(t.TempDir(), "missing.json"))
					continue
				}
				paths = append(paths, write(t, "part.json", part))
			}
			var out strings.Builder
			code, err := sum(paths, 1, &out)
			if err != nil || code != test.code {
				t.Errorf("sum = %d, %v; want %d", code, err, test.code)
			}
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			if last := lines[len(lines)-1]; last != test.last {
				t.Errorf("last line %q, want %q", last, test.last)
			}
			if !strings.Contains(out.String(), test.shown) {
				t.Errorf("shown, with %q wanted:\n%s", test.shown, out.String())
			}
		})
	}
	t.Run("nothing ran", func(t *testing.T) {
		var out strings.Builder
		if _, err := sum([]string{write(t, "part.json", `{}`)}, 0, &out); err == nil {
			t.Error("a sum without a single test is accepted")
		}
	})
}

func TestReason(t *testing.T) {
	tests := map[string]string{
		"=== RUN   TestA\n    a_test.go:9: DYNAMODB_ENDPOINT: not set\n--- SKIP: TestA (0.00s)\n": "DYNAMODB_ENDPOINT: not set",
		"=== RUN   TestA\n--- SKIP: TestA (0.00s)\n":                                              "no reason given",
		"odd\n": "odd",
	}
	for text, want := range tests {
		if got := reason(text); got != want {
			t.Errorf("reason(%q) = %q, want %q", text, got, want)
		}
	}
}
