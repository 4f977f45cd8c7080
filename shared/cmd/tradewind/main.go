// Command operate is what an operator runs against a deployed stage of the platform:
//
//	operate redrive    dead letters back to where they should have been processed
//	operate replay     archived events to consumers once more
//	operate reconcile  what stands in outboxes onto the bus once more
//
// What to do comes as environment variables, as the Makefile's targets of the same
// names pass them on. Which stage is meant says TRADEWIND_STAGE; without it, the
// platform that runs on this machine.
package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"tradewind/shared/cmd/tradewind/internal/reconcile"
	"tradewind/shared/cmd/tradewind/internal/redrive"
	"tradewind/shared/cmd/tradewind/internal/replay"
	"tradewind/shared/cmd/tradewind/internal/stage"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv)
	stop()
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "error:", err)
	if errors.Is(err, context.Canceled) {
		os.Exit(130)
	}
	os.Exit(1)
}

func run(ctx context.Context, args []string, getenv func(string) string) error {
	commands := map[string]func(*stage.Stage) error{
		"redrive": func(s *stage.Stage) error {
			return redrive.Main(ctx, s, redrive.Options{
				Queue: getenv("QUEUE"), Filter: getenv("FILTER"), Edit: getenv("EDIT"), DryRun: getenv("DRY_RUN") == "1",
			}, getenv, os.Stdout, os.Stderr)
		},
		"replay": func(s *stage.Stage) error {
			return replay.Main(ctx, s, replay.Options{
				From: getenv("FROM"), To: getenv("TO"), Event: getenv("EVENT"), Consumer: getenv("CONSUMER"),
			}, os.Stdout, os.Stderr)
		},
		"reconcile": func(s *stage.Stage) error {
			return reconcile.Main(ctx, s, reconcile.Options{
				Service: getenv("SERVICE"), From: getenv("FROM"), To: getenv("TO"), Event: getenv("EVENT"),
				Rate: getenv("RATE"), DryRun: getenv("DRY_RUN") == "1",
			}, os.Stdout, os.Stderr)
		},
	}
	if len(args) != 1 || commands[args[0]] == nil {
		return fmt.Errorf("usage: operate %s", strings.Join(slices.Sorted(maps.Keys(commands)), "|"))
	}
	s, err := stage.Open(getenv)
	if err != nil {
		return err
	}
	return commands[args[0]](s)
}
