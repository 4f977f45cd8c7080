// Command operate is what an operator runs against a deployed stage of the platform:
//
//	operate redrive    dead letters back to where they should have been processed
//
// What to do comes as environment variables, as the Makefile's targets of the same
// names pass them on. Which stage is meant says TRADEWIND_STAGE; without it, the
// platform that runs on this machine.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"tradewind/shared/operate/internal/redrive"
	"tradewind/shared/operate/internal/stage"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Getenv); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		if errors.Is(err, context.Canceled) {
			os.Exit(130)
		}
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, getenv func(string) string) error {
	commands := map[string]func(*stage.Stage) error{
		"redrive": func(s *stage.Stage) error {
			return redrive.Main(ctx, s, redrive.Options{
				Queue: getenv("QUEUE"), Filter: getenv("FILTER"), Edit: getenv("EDIT"), DryRun: getenv("DRY_RUN") == "1",
			}, getenv, os.Stdout, os.Stderr)
		},
	}
	if len(args) != 1 || commands[args[0]] == nil {
		return errors.New("usage: operate redrive")
	}
	s, err := stage.Open(getenv)
	if err != nil {
		return err
	}
	return commands[args[0]](s)
}
