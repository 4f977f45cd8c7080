package netns

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Main makes the namespace usable if this process was started inside one. Otherwise it
// does nothing.
func Main() {
	what, ok := os.LookupEnv(insideVar)
	if !ok {
		return
	}
	if what == stay {
		os.Unsetenv(insideVar)
		inside = true
		return
	}
	if err := enter(what); err != nil {
		fmt.Fprintln(os.Stderr, "network namespace:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// enter turns on the loopback interface and begins this program anew, without the
// privilege that took: it belongs to threads, and only a new program has none of them.
func enter(what string) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := raiseLoopback(); err != nil {
		return err
	}
	if what == try {
		return nil
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return err
	}
	if err := os.Setenv(insideVar, stay); err != nil {
		return err
	}
	return syscall.Exec("/proc/self/exe", os.Args, os.Environ())
}

// Check says whether a namespace can be had here.
func Check(ctx context.Context) error {
	var said bytes.Buffer
	cmd := command(ctx, try, nil)
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("no network namespace: %s", strings.TrimSpace(said.String()+" "+err.Error()))
	}
	return nil
}

// Run runs this program with arguments inside, until it ends. It ends with this
// process, at the latest.
func Run(ctx context.Context, args []string, handed ...*os.File) error {
	// The signal of a parent's death is that of the thread that started the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := command(ctx, pass, args)
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = os.Stdout, os.Stderr, handed
	return cmd.Run()
}

func command(ctx context.Context, what string, args []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "/proc/self/exe", args...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), insideVar+"="+what)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		// Everybody keeps their name, so files made inside are the user's own.
		UidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}},
		AmbientCaps: []uintptr{unix.CAP_NET_ADMIN},
		Pdeathsig:   syscall.SIGKILL,
	}
	return cmd
}

// raiseLoopback turns on the one interface there is.
func raiseLoopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	request := struct {
		name  [unix.IFNAMSIZ]byte
		flags uint16
		_     [22]byte // the kernel's union is larger than what is used of it
	}{flags: unix.IFF_UP | unix.IFF_RUNNING}
	copy(request.name[:], "lo")
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&request))); errno != 0 {
		return fmt.Errorf("turn on the loopback interface: %w", errno)
	}
	return nil
}
