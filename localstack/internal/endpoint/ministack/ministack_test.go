package ministack_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tradewind/localstack/internal/endpoint/ministack"
)

func TestItListensOnLoopbackAndKeepsToItsFolder(t *testing.T) {
	t.Setenv("AWS_PROFILE", "production")
	t.Setenv("TRADEWIND_CALLS", "calls")
	dir := t.TempDir()
	cfg, err := ministack.Config("/project", dir, "log", 4566)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"BIND_HOST=127.0.0.1", "IOT_MTLS_ENABLED=0", "GATEWAY_PORT=4566",
		"TRADEWIND_CALLS=calls",
		"TMPDIR=" + filepath.Join(dir, "tmp"), "HOME=" + filepath.Join(dir, "home"), "STATE_DIR=" + filepath.Join(dir, "state"),
	} {
		if !slices.Contains(cfg.Env, want) {
			t.Errorf("the environment lacks %s", want)
		}
	}
	if slices.Contains(cfg.Env, "AWS_PROFILE=production") {
		t.Error("the user's profile is passed on")
	}
}

// TestStart runs the tests of start.py and streams.py. They need no more than a Python.
func TestStart(t *testing.T) {
	// Go's cache of results knows what this process has read, not what Python has.
	for _, file := range []string{"start/start.py", "start/test_start.py", "start/streams.py", "start/test_streams.py"} {
		if _, err := os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "python3", "-B", "-m", "unittest", "-v", "test_start.py", "test_streams.py")
	cmd.Dir = "start"
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "\nOK") {
		t.Errorf("%v\n%s", err, out)
	}
}
