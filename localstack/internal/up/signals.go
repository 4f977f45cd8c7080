package up

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"tradewind/localstack/internal/leash"
)

// Interrupt is the cause of a run's end that somebody asked for.
type Interrupt struct{ Signal syscall.Signal }

func (i *Interrupt) Error() string {
	by := map[syscall.Signal]string{syscall.SIGINT: "Ctrl-C", syscall.SIGTERM: "SIGTERM", syscall.SIGHUP: "the end of its terminal"}[i.Signal]
	return fmt.Sprintf("interrupted by %s; nothing is left running, and it can be run again", by)
}

// ExitCode is what a shell reports of a process that such a signal ended.
func (i *Interrupt) ExitCode() int { return 128 + int(i.Signal) }

// Interruptible returns a context that ends with the first interrupt. The second
// one ends everything that was started, and this process, at once.
func Interruptible(parent context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	watched := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // it is under nohup
		watched = append(watched, syscall.SIGHUP)
	}
	signal.Notify(signals, watched...)
	go func() {
		first := (<-signals).(syscall.Signal)
		fmt.Fprint(os.Stderr, "\nstopping; once more ends everything at once\n")
		cancel(&Interrupt{first})
		second := (<-signals).(syscall.Signal)
		leash.KillAll()
		os.Exit((&Interrupt{second}).ExitCode())
	}()
	return ctx
}
