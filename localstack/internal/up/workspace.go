package up

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"tradewind/localstack/internal/usererr"
)

// workspace is the folder of a run.
type workspace struct {
	Root string // of the project
	Dir  string // of the run
	lock *os.File
}

// findRoot returns the project's root: the nearest folder upwards from dir that
// holds its go.mod.
func findRoot(dir string) (string, error) {
	for at := dir; ; at = filepath.Dir(at) {
		text, err := os.ReadFile(filepath.Join(at, "go.mod"))
		if err == nil && strings.HasPrefix(string(text), "module tradewind\n") {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", usererr.New(nil, "run this inside a clone of it", "%s is not inside the tradewind project", dir)
		}
	}
}

// openWorkspace makes the folder ready for a run: what an earlier run's endpoint left is
// removed, logs are started anew. dir is relative to the root unless absolute.
func openWorkspace(root, dir string) (*workspace, error) {
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(root, dir)
	}
	w := &workspace{Root: root, Dir: dir}
	if err := w.prepare(); err != nil {
		w.Close()
		if advised, ok := errors.AsType[*usererr.Error](err); ok {
			return nil, advised
		}
		return nil, usererr.New(err, "make it a folder you can write to, or name another with -dir",
			"cannot use %s for the state of this run: %v", dir, err)
	}
	return w, nil
}

func (w *workspace) prepare() error {
	if err := os.MkdirAll(w.Dir, 0o755); err != nil {
		return err
	}
	if err := w.acquire(); err != nil {
		return err
	}
	for _, stale := range []string{w.EndpointDir(), w.LogDir(), w.Outputs()} {
		if err := os.RemoveAll(stale); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(w.LogDir(), 0o755); err != nil {
		return err
	}
	return os.MkdirAll(w.EndpointDir(), 0o700)
}

// acquire takes the lock; the file tells who has it.
func (w *workspace) acquire() error {
	f, err := os.OpenFile(filepath.Join(w.Dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return fmt.Errorf("lock: %w", err)
		}
		holder := make([]byte, 20)
		n, _ := f.Read(holder)
		return usererr.New(err, "stop that run first, or name another folder with -dir and another port with -port",
			"another run (process %s) uses %s", strings.TrimSpace(string(holder[:n])), w.Dir)
	}
	w.lock = f
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, os.Getpid())
	return err
}

// Close removes what only the endpoint needed and gives the folder free. Logs
// and outputs stay, for they are what one looks for afterwards.
func (w *workspace) Close() {
	if w.lock == nil {
		return
	}
	_ = os.RemoveAll(w.EndpointDir()) // an unfinished removal is repeated by the next openWorkspace
	w.lock.Close()
	w.lock = nil
}

// LogDir holds a log for each step.
func (w *workspace) LogDir() string { return filepath.Join(w.Dir, "logs") }

// Log is the log of a step.
func (w *workspace) Log(step string) string { return filepath.Join(w.LogDir(), step+".log") }

// EndpointDir is the endpoint's: its state and temporary files.
func (w *workspace) EndpointDir() string { return filepath.Join(w.Dir, "endpoint") }

// Outputs is where the run tells what it made.
func (w *workspace) Outputs() string { return filepath.Join(w.Dir, "outputs.json") }

// StackOutputs is where the deployment writes the outputs of its stacks.
func (w *workspace) StackOutputs() string { return filepath.Join(w.LogDir(), "stacks.json") }

// Shown is a path as a person in the project's root would write it.
func (w *workspace) Shown(path string) string {
	if rel, err := filepath.Rel(w.Root, path); err == nil && !strings.HasPrefix(rel, "..") {
		return rel
	}
	return path
}
