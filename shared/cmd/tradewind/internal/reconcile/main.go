package reconcile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"

	"tradewind/shared/cmd/tradewind/internal/stage"
	"tradewind/shared/relay"
)

const (
	defaultRate = 1000 // units a second: 4 MB
	every       = time.Second
)

// Options are what an operator asks for.
type Options struct {
	Service  string // services, with commas, or "all"
	From, To string
	Event    string // detail types, with commas; empty means all
	Rate     string
	DryRun   bool
}

// Main works through the services that are meant and writes a report on each.
func Main(ctx context.Context, s *stage.Stage, o Options, out, progress io.Writer) error {
	window, err := stage.ParseWindow(o.From, o.To, time.Now())
	if err != nil {
		return err
	}
	rate := float64(defaultRate)
	if o.Rate != "" {
		if rate, err = strconv.ParseFloat(o.Rate, 64); err != nil || rate <= 0 {
			return fmt.Errorf("RATE=%s is no number of read units a second", o.Rate)
		}
	}
	services, err := meant(ctx, s, o.Service)
	if err != nil {
		return err
	}
	var failed error
	for _, service := range services {
		run, err := New(ctx, s, service, window, progress)
		if err != nil {
			return err
		}
		run.Events, run.Rate = stage.Split(o.Event), rate
		if o.DryRun {
			run.Publish = nil
		}
		shown := time.Now()
		run.Note = func(r Result) {
			if time.Since(shown) >= every {
				shown = time.Now()
				fmt.Fprintf(progress, "%s: %d published so far\n", service, r.Published)
			}
		}
		result, err := run.Do(ctx)
		failed = errors.Join(failed, report(out, service, window, result, o.DryRun))
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
func meant(ctx context.Context, s *stage.Stage, text string) ([]string, error) {
	known, err := s.Services(ctx)
	if err != nil || text == "all" {
		return known, err
	}
	names := stage.Split(text)
	if len(names) == 0 {
		return nil, fmt.Errorf("SERVICE= is missing: one or more of %s, or all", strings.Join(known, ", "))
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("SERVICE=%s is none of stage %s; it has %s", name, s.Name, strings.Join(known, ", "))
		}
	}
	return names, nil
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
