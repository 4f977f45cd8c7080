package process

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// adopt makes orphans of the group children of the keeper instead of process 1,
// which does not reap everywhere: in many containers the dead stay listed.
func adopt() { _ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }

// reap collects adopted orphans that have ended. It is only to be called when
// the command itself has been waited for. It says whether any are left.
func reap() (left bool) {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if err != nil {
			return err == syscall.EINTR
		}
		if pid == 0 {
			return true
		}
	}
}

// endRunaways ends what has left the group, with a session of its own, say: as an
// orphan it is the keeper's by now, and so is whatever it leaves in turn.
func endRunaways() {
	for range 250 {
		if !reap() {
			return
		}
		for _, pid := range children() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// children are the keeper's, by /proc/<pid>/stat: "pid (name) state ppid …".
func children() []int {
	own := []byte(fmt.Sprintf(" %d ", os.Getpid()))
	paths, _ := filepath.Glob("/proc/[0-9]*/stat")
	var found []int
	for _, path := range paths {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		// The name may hold anything, a parenthesis too.
		rest := stat[bytes.LastIndexByte(stat, ')')+1:]
		if len(rest) > 2 && bytes.HasPrefix(rest[2:], own) {
			if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
				found = append(found, pid)
			}
		}
	}
	return found
}
