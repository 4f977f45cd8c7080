package reconcile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"

	"tradewind/shared/cmd/tradewind/internal/command"
	"tradewind/shared/cmd/tradewind/internal/stage"
	"tradewind/shared/relay"
)

const (
	defaultRate = 1000 // units a second: 4 MB; the default of --rate, too
	every       = time.Second
)

// Command is reconcile with its flags.
type Command struct {
	Service command.Names `placeholder:"NAMES" help:"The services whose outboxes are meant, with commas between them, or all."`
	Event   command.Names `placeholder:"TYPES" help:"Only these event types, with commas between them. Default: all."`
	Rate    float64       `default:"1000" help:"Read units a second, at most. 1000 are 4 MB."`
	command.WindowFlags
	command.DryRunFlag
	command.StageFlags
}

// Help is the end of the command's help.
func (*Command) Help() string {
	return `Everything of the window is published. To publish an event twice is harmless: consumers know by its id that they had it. With --dry-run the events are counted.

Example:

	tradewind reconcile --service orders --from 2h --to 30m --dry-run`
}

// Validate refuses a rate at which nothing would be read.
func (c *Command) Validate() error {
	if c.Rate <= 0 {
		return errors.New("--rate must be above 0")
	}
	return nil
}

// Run works through the services that are meant and writes a report on each.
func (c *Command) Run(ctx context.Context, std command.IO) error {
	s, err := c.Open(std)
	if err != nil {
		return err
	}
	services, err := meant(ctx, s, c.Service)
	if err != nil {
		return err
	}
	window := c.Span()
	var failed error
	for _, service := range services {
		run, err := New(ctx, s, service, window, std.Progress)
		if err != nil {
			return err
		}
		run.Events, run.Rate = c.Event, c.Rate
		if c.DryRun {
			run.Publish = nil
		}
		shown := time.Now()
		run.Note = func(r Result) {
			if time.Since(shown) >= every {
				shown = time.Now()
				fmt.Fprintf(std.Progress, "%s: %d published so far\n", service, r.Published)
			}
		}
		result, err := run.Do(ctx)
		failed = errors.Join(failed, report(std.Out, service, window, result, c.DryRun))
		if err != nil {
			return fmt.Errorf("%s: %w", service, err)
		}
	}
	return failed
}

// New returns what publishes a service's events of a window once more. It complains to
// progress while the bus does not answer.
func New(ctx context.Context, s *stage.Stage, service string, window stage.Window, progress io.Writer) (Run, error) {
	table, err := s.Table(ctx, service)
	if err != nil {
		return Run{}, err
	}
	bus := &relay.Publisher{Bus: eventbridge.NewFromConfig(s.Config), BusName: s.Bus(), Log: slog.New(slog.NewTextHandler(progress, nil))}
	return Run{
		DB: dynamodb.NewFromConfig(s.Config), Table: table, Window: window,
		Publish: bus.Publish, Rate: defaultRate, Note: func(Result) {},
	}, nil
}

// meant returns the services named.
func meant(ctx context.Context, s *stage.Stage, names []string) ([]string, error) {
	known, err := s.Services(ctx)
	switch {
	case err != nil:
		return nil, err
	case len(names) == 0:
		return nil, command.Misused("--service is missing: one or more of %s, or all", strings.Join(known, ", "))
	case slices.Equal(names, []string{"all"}):
		return known, nil
	}
	return names, command.Known("--service", s, names, known)
}

// report writes what came of it, and returns an error where the bus refused events.
func report(out io.Writer, service string, w stage.Window, r Result, dry bool) error {
	found := 0
	for _, n := range r.Found {
		found += n
	}
	fmt.Fprintf(out, "%s, %s: %d found", service, w, found)
	if !dry {
		fmt.Fprintf(out, ", %d published, %d refused", r.Published, len(r.Refused))
	}
	fmt.Fprintln(out)
	for _, name := range slices.Sorted(maps.Keys(r.Found)) {
		fmt.Fprintf(out, "%6d  %s\n", r.Found[name], name)
	}
	for _, e := range r.Refused {
		fmt.Fprintf(out, "refused: %s %s: %s\n", e.DetailType, e.EventID, e.Refusal)
	}
	if len(r.Refused) > 0 {
		return fmt.Errorf("%s: the bus does not take %d events", service, len(r.Refused))
	}
	return nil
}
