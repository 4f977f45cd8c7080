package up

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFindRoot(t *testing.T) {
	root := t.TempDir()
	deep := filepath.Join(root, "a", "b")
	if err := os.MkdirAll(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := findRoot(deep); err == nil {
		t.Error("a root was found where there is none")
	}
	if err := os.WriteFile(filepath.Join(root, "go.mod"), []byte("module tradewind\n\ngo 1.26\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := findRoot(deep); err != nil || got != root {
		t.Errorf("FindRoot = %q, %v", got, err)
	}
}

func TestAFolderServesOneRunAtATime(t *testing.T) {
	root := t.TempDir()
	first, err := openWorkspace(root, ".local")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openWorkspace(root, ".local"); err == nil || !strings.Contains(err.Error(), "another run (process ") {
		t.Errorf("a second run: %v", err)
	}
	other, err := openWorkspace(root, ".local/test")
	if err != nil {
		t.Errorf("a run in another folder: %v", err)
	} else {
		other.Close()
	}
	first.Close()
	again, err := openWorkspace(root, ".local")
	if err != nil {
		t.Fatalf("a run after the first: %v", err)
	}
	again.Close()
}

func TestOpenStartsAnewAndCloseKeepsTheLogs(t *testing.T) {
	root := t.TempDir()
	w, err := openWorkspace(root, ".local")
	if err != nil {
		t.Fatal(err)
	}
	leftover := filepath.Join(w.EndpointDir(), "state")
	for _, path := range []string{leftover, w.Log("build"), w.Outputs()} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	if _, err := os.Stat(leftover); !os.IsNotExist(err) {
		t.Error("the endpoint's state was kept")
	}
	for _, path := range []string{w.Log("build"), w.Outputs()} {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("not kept: %v", err)
		}
	}
	w, err = openWorkspace(root, ".local")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, path := range []string{w.Log("build"), w.Outputs()} {
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("%s is of an earlier run", path)
		}
	}
}

// A file where the folder should be fails like a read-only disk does, for root too.
func TestAFolderThatCannotBeWritten(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, ".local"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := openWorkspace(root, ".local")
	if err == nil || !strings.Contains(err.Error(), "cannot use ") || !strings.Contains(err.Error(), "-dir") {
		t.Errorf("Open: %v", err)
	}
}

func TestShown(t *testing.T) {
	w := &workspace{Root: "/project", Dir: "/project/.local"}
	if got := w.Shown(w.Log("deploy")); got != ".local/logs/deploy.log" {
		t.Errorf("Shown = %q", got)
	}
	if got := w.Shown("/elsewhere/x"); got != "/elsewhere/x" {
		t.Errorf("Shown = %q", got)
	}
}
