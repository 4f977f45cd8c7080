package leash

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// adopt makes orphans of the group children of the keeper instead of process 1,
// which does not reap everywhere: in many containers the dead stay listed.
func adopt() { _ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }

// reap collects adopted orphans that have ended. It is only to be called when
// the command itself has been waited for.
func reap() {
	for {
		if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 || err != nil {
			return
		}
	}
}
