package ministack_test

import (
	"path/filepath"
	"slices"
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
		"BIND_HOST=127.0.0.1", "IOT_MTLS_ENABLED=0", "GATEWAY_PORT=4566", "PYTHONPATH=/project/localstack/internal/endpoint/ministack/sitecustomize",
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
