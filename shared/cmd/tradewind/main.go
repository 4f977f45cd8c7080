// Command tradewind is the tool of those who operate and develop the platform:
//
//	tradewind <command> [flags]
//	tradewind <command> --help
//
// It works on the run on this machine, or with --stage on a stage on AWS. Results go to
// stdout and progress to stderr. The exit code is 0 when all is done, 1 when something
// failed, 2 when the command was used wrongly, and 130 when it was interrupted.
//
// A new command is a package with a Command (see package command) and a line in the
// table below. The make target of the same name hands its variables over as flags:
// DRY_RUN=1 is --dry-run.
//
// Flags and help are made by kong from the fields of a command. It was chosen over cobra
// and urfave/cli because a field's type checks its value, because arguments that no
// command takes are refused without a line of ours, and because it brings no other module.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"reflect"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"tradewind/shared/cmd/tradewind/internal/command"
	"tradewind/shared/cmd/tradewind/internal/reconcile"
	"tradewind/shared/cmd/tradewind/internal/redrive"
	"tradewind/shared/cmd/tradewind/internal/replay"
)

type commands struct {
	Redrive   redrive.Command   `cmd:"" help:"Send the messages of a dead-letter queue back to where they should have been processed."`
	Replay    replay.Command    `cmd:"" help:"Send archived events to consumers once more."`
	Reconcile reconcile.Command `cmd:"" help:"Publish events from the outboxes once more, for a time in which the bus may have lost some."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], command.IO{Out: os.Stdout, Progress: os.Stderr, Getenv: os.Getenv})
	stop()
	os.Exit(code)
}

// run returns the exit code.
func run(ctx context.Context, args []string, std command.IO) int {
	helped := false
	parser, err := kong.New(&commands{}, kong.Name("tradewind"),
		kong.Description("The tool of those who operate and develop the platform."),
		kong.Writers(std.Out, std.Progress),
		kong.Exit(func(int) { helped = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(std),
	)
	if err != nil {
		panic(err) // the table is wrong, whatever the arguments
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if helped {
		return 0
	}
	if err == nil {
		err = empty(parsed)
	}
	if err == nil {
		err = parsed.Run()
	}
	return report(err, std)
}

// empty refuses a flag with an empty value, which is more likely a variable of the shell
// that is not set than a wish: --consumer= would mean all of them.
func empty(parsed *kong.Context) error {
	for _, given := range parsed.Path {
		if given.Flag == nil {
			continue
		}
		value := given.Flag.Target
		if kind := value.Kind(); (kind == reflect.String || kind == reflect.Slice) && value.Len() == 0 {
			return command.Misused("--%s is empty: give it a value, or leave it out", given.Flag.Name)
		}
	}
	return nil
}

// report tells of an error and returns the exit code for it.
func report(err error, std command.IO) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(std.Progress, "error:", err)
	unparsed, ok := errors.AsType[*kong.ParseError](err)
	if ok {
		fmt.Fprintln(std.Progress, takes(unparsed.Context))
	}
	switch {
	case ok, errors.As(err, new(*command.UsageError)):
		if std.Getenv("MAKELEVEL") != "" {
			fmt.Fprintln(std.Progress, "in make a flag is a variable: --from is FROM=")
		}
		return 2
	case errors.Is(err, context.Canceled):
		return 130
	}
	return 1
}

// takes says what could have been given.
func takes(parsed *kong.Context) string {
	var names []string
	chosen := parsed.Selected()
	if chosen == nil {
		for _, c := range parsed.Model.Children {
			names = append(names, c.Name)
		}
		return "the commands are " + strings.Join(names, ", ") + "; tradewind --help explains them"
	}
	for _, f := range chosen.Flags {
		names = append(names, f.Summary())
	}
	return fmt.Sprintf("%s takes %s; tradewind %[1]s --help explains them", chosen.Name, strings.Join(names, " "))
}
