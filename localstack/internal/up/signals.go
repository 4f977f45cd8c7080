package up

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"tradewind/localstack/internal/process"
)

// Interrupt is the cause of a run's end that came from outside.
type Interrupt struct{ Signal syscall.Signal }

func (i *Interrupt) Error() string {
	by := map[syscall.Signal]string{
		syscall.SIGINT:  "Ctrl-C",
		syscall.SIGTERM: "SIGTERM",
		syscall.SIGHUP:  "the end of its terminal or of what started it",
	}[i.Signal]
	return fmt.Sprintf("interrupted by %s; nothing is left running, and it can be run again", by)
}

// ExitCode is what a shell reports of a process that such a signal ended.
func (i *Interrupt) ExitCode() int { return 128 + int(i.Signal) }

// Interruptible returns a context that ends with the first interrupt. The second
// one ends everything that was started, and this process, at once.
//
// The end of the process that started this one counts as an interrupt too: make and
// go run pass on a terminal's Ctrl-C, but not the SIGTERM that ends them. It does not
// under nohup, which is how one asks to outlive them.
func Interruptible(parent context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	watched := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		watched = append(watched, syscall.SIGHUP)
		go orphaned(os.Getppid(), func() { signals <- syscall.SIGHUP })
	}
	signal.Notify(signals, watched...)
	go func() {
		first := (<-signals).(syscall.Signal)
		fmt.Fprint(os.Stderr, "\nstopping; once more ends everything at once\n")
		cancel(&Interrupt{first})
		second := (<-signals).(syscall.Signal)
		process.KillAll()
		os.Exit((&Interrupt{second}).ExitCode())
	}()
	return ctx
}

// orphaned calls then when the parent is gone.
func orphaned(parent int, then func()) {
	for os.Getppid() == parent {
		time.Sleep(500 * time.Millisecond)
	}
	then()
}
