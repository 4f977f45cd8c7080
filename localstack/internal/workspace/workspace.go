// Package workspace is the folder in which one run keeps everything it writes:
// the endpoint's state, logs, outputs. Two runs cannot share one, which a lock
// sees to; the kernel drops the lock however its holder ends.
package workspace

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"tradewind/localstack/internal/fault"
)

// Workspace is the folder of a run.
type Workspace struct {
	Root string // of the project
	Dir  string // of the run
	lock *os.File
}

// FindRoot returns the project's root: the nearest folder upwards from dir that
// holds its go.mod.
func FindRoot(dir string) (string, error) {
	for at := dir; ; at = filepath.Dir(at) {
		text, err := os.ReadFile(filepath.Join(at, "go.mod"))
		if err == nil && strings.HasPrefix(string(text), "module tradewind\n") {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fault.New(nil, "run this inside a clone of it", "%s is not inside the tradewind project", dir)
		}
	}
}

// Open makes the folder ready for a run: what an earlier run's endpoint left is
// removed, logs are started anew. dir is relative to the root unless absolute.
func Open(root, dir string) (*Workspace, error) {
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(root, dir)
	}
	w := &Workspace{Root: root, Dir: dir}
	if err := w.prepare(); err != nil {
		w.Close()
		if advised, ok := errors.AsType[*fault.Error](err); ok {
			return nil, advised
		}
		return nil, fault.New(err, "make it a folder you can write to, or name another with -dir",
			"cannot use %s for the state of this run: %v", dir, err)
	}
	return w, nil
}

func (w *Workspace) prepare() error {
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
func (w *Workspace) acquire() error {
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
		return fault.New(err, "stop that run first, or name another folder with -dir and another port with -port",
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
func (w *Workspace) Close() {
	if w.lock == nil {
		return
	}
	_ = os.RemoveAll(w.EndpointDir()) // an unfinished removal is repeated by the next Open
	w.lock.Close()
	w.lock = nil
}

// LogDir holds a log for each step.
func (w *Workspace) LogDir() string { return filepath.Join(w.Dir, "logs") }

// Log is the log of a step.
func (w *Workspace) Log(step string) string { return filepath.Join(w.LogDir(), step+".log") }

// EndpointDir is the endpoint's: its state and temporary files.
func (w *Workspace) EndpointDir() string { return filepath.Join(w.Dir, "endpoint") }

// Outputs is where the run tells what it made.
func (w *Workspace) Outputs() string { return filepath.Join(w.Dir, "outputs.json") }

// StackOutputs is where the deployment writes the outputs of its stacks.
func (w *Workspace) StackOutputs() string { return filepath.Join(w.LogDir(), "stacks.json") }

// Shown is a path as a person in the project's root would write it.
func (w *Workspace) Shown(path string) string {
	if rel, err := filepath.Rel(w.Root, path); err == nil && !strings.HasPrefix(rel, "..") {
		return rel
	}
	return path
}
