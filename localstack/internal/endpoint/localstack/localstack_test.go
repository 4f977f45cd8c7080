package localstack

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What LocalStack finds must be what was installed, and what it writes must stay in the
// run's folder.
func TestPrepare(t *testing.T) {
	if _, err := exec.LookPath("java"); err != nil {
		t.Skip(err)
	}
	t.Setenv("AWS_PROFILE", "production")
	dir := t.TempDir()
	env, err := prepare(Options{Root: "/project", App: "/project/app", Dir: dir, Port: 4566}, 4700, 4701, "http://127.0.0.1:4800")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"GATEWAY_LISTEN=127.0.0.1:4700", "DYNAMODB_LOCAL_PORT=4701", "LOCALSTACK_HOST=127.0.0.1:4566", "TRADEWIND_FUNCTION_ENDPOINT=http://127.0.0.1:4566",
		"TRADEWIND_LENDER=http://127.0.0.1:4800", "PYTHONPATH=/project/localstack/internal/endpoint/localstack/plugins", "DYNAMODB_JARS=/project/.local/tools/dynamodb",
		"TMPDIR=" + filepath.Join(dir, "tmp"), "HOME=" + filepath.Join(dir, "home"), "FILESYSTEM_ROOT=" + filepath.Join(dir, "localstack"),
	} {
		if !slices.Contains(env, want) {
			t.Errorf("the environment lacks %s", want)
		}
	}
	for _, v := range env {
		if strings.Contains(v, "production") {
			t.Error("the user's profile is passed on")
		}
		if library, ok := strings.CutPrefix(v, "DYNAMODB_JVM="); ok {
			if _, err := os.Stat(library); err != nil {
				t.Error(err)
			}
		}
	}
	instead, err := os.ReadFile(filepath.Join(dir, "localstack/var/lib/localstack/lib/java/21/bin/java"))
	if want := "exec '/project/.local/tools/localstack/bin/python' -m tradewind_plugins.dynamodb \"$@\"\n"; err != nil || !strings.HasSuffix(string(instead), want) {
		t.Errorf("instead of Java: %q, %v", instead, err)
	}
}
