// Package plugins holds what LocalStack loads, in Python; see tradewind_plugins.
package plugins_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPython runs the Python tests. They need no more than a Python.
func TestPython(t *testing.T) {
	// Go's cache of results knows what this process has read, not what Python has.
	for _, pattern := range []string{"tests/*.py", "tradewind_plugins/*.py"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			if _, err := os.ReadFile(file); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, name := range []string{"process", "dynamodb", "answer"} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), "python3", "-B", "-m", "unittest", "-v", "tests/test_"+name+".py")
			cmd.Env = append(cmd.Environ(), "PYTHONPATH=.")
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			if !strings.Contains(string(out), "\nOK") {
				t.Errorf("no test passed:\n%s", out)
			}
		})
	}
}
