package process

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

// keeperVar makes this executable a keeper; its value is the grace period.
const keeperVar = "TRADEWIND_KEEPER_GRACE"

// What the parent may write into the pipe. Its end means the same as stopSoon.
const (
	stopSoon = "s"
	killNow  = "k"
)

// The keeper's inherited files, after the standard three.
const (
	holdFD   = 3
	reportFD = 4
)

// Main turns the process into a keeper, and does not return, if it was started
// as one. Otherwise it does nothing.
func Main() {
	text, ok := os.LookupEnv(keeperVar)
	if !ok {
		return
	}
	grace, err := time.ParseDuration(text)
	if err != nil {
		grace = DefaultGrace
	}
	os.Unsetenv(keeperVar)
	keep(grace)
	os.Exit(0)
}

// keep runs the command in its own group until it ends or the parent lets go,
// empties the group, and reports how the command ended.
func keep(grace time.Duration) {
	// The command must not inherit the pipes: a forgotten child of it would hold them open.
	syscall.CloseOnExec(holdFD)
	syscall.CloseOnExec(reportFD)
	hold := os.NewFile(holdFD, "hold")
	report := os.NewFile(reportFD, "report")

	// Only the parent decides. Catching, unlike ignoring, is not inherited by the command.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)

	adopt()
	cmd := &exec.Cmd{
		Path:        os.Args[1],
		Args:        os.Args[2:],
		Stdout:      os.Stdout,
		Stderr:      os.Stderr,
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true},
	}
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(report, err)
		return
	}
	group := -cmd.Process.Pid
	fmt.Fprintln(report, cmd.Process.Pid)

	words := make(chan string)
	go listen(hold, words)
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()

	err := await(ended, words, group, grace)
	empty(group)
	fmt.Fprintln(report, exitLine(err))
}

// await returns how the command ended, having ended it if asked to.
func await(ended <-chan error, words <-chan string, group int, grace time.Duration) error {
	var tooLong <-chan time.Time
	for {
		select {
		case err := <-ended:
			return err
		case word := <-words:
			if word == killNow {
				_ = syscall.Kill(group, syscall.SIGKILL)
				continue
			}
			if tooLong == nil {
				_ = syscall.Kill(group, syscall.SIGTERM)
				tooLong = time.After(grace)
			}
		case <-tooLong:
			_ = syscall.Kill(group, syscall.SIGKILL)
		}
	}
}

// empty kills what is left of the group and waits until it is gone, so that its
// port and files are free again. The wait is bounded, for a dead process stays
// listed until somebody reaps it.
func empty(group int) {
	for range 250 {
		if syscall.Kill(group, syscall.SIGKILL) != nil {
			break
		}
		time.Sleep(2 * time.Millisecond)
		reap()
	}
	endRunaways()
}

// listen passes on the parent's words, and its end as stopSoon.
func listen(hold io.Reader, words chan<- string) {
	buf := make([]byte, 1)
	for {
		n, err := hold.Read(buf)
		if n > 0 {
			words <- string(buf[:n])
		}
		if err != nil {
			words <- stopSoon
			return
		}
	}
}

func exitLine(err error) string {
	if err == nil {
		return "exit 0"
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return "exit 1"
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return fmt.Sprintf("signal %d", int(status.Signal()))
	}
	return fmt.Sprintf("exit %d", exit.ExitCode())
}
