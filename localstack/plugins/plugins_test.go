// Package plugins holds what LocalStack loads, in Python; see tradewind_plugins.
package plugins_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestPython runs the Python tests. They need no more than a Python.
func TestPython(t *testing.T) {
	for _, name := range []string{"process", "dynamodb"} {
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
