package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"

	"tradewind/shared/cmd/tradewind/internal/command"
	"tradewind/shared/cmd/tradewind/internal/stage"
)

// archiving is how long an event may take to the archive.
const archiving = 10 * time.Minute

// Command is replay with its flags.
type Command struct {
	Event    command.Names `placeholder:"TYPES" help:"Only these event types, with commas between them. Default: all that the consumers take."`
	Consumer command.Names `placeholder:"NAMES" help:"Only to these services, with commas between them. Default: to all."`
	command.WindowFlags
	command.DryRunFlag
	command.StageFlags
}

// Help is the end of the command's help.
func (*Command) Help() string {
	return `Consumers know by an event's id that they had it, so an event takes effect once. A consumer that is new gets what it missed. Ctrl-C cancels the replay.

Example:

	tradewind replay --from 2h --consumer inventory --dry-run`
}

// Run replays and writes a report.
func (c *Command) Run(ctx context.Context, std command.IO) error {
	start := time.Now()
	s, err := c.Open(std)
	if err != nil {
		return err
	}
	window := c.Span()
	consumers, err := meant(ctx, s, c.Consumer)
	if err != nil {
		return err
	}
	r := &Replay{
		Bus: eventbridge.NewFromConfig(s.Config), BusName: s.Bus(), Window: window, Events: c.Event,
		ID: NewID(start), Settle: time.Minute, Poll: 5 * time.Second,
	}
	if s.Local() { // whose rules are followed at once
		r.Settle, r.Poll = 0, 100*time.Millisecond
	} else if start.Sub(window.To) < archiving {
		fmt.Fprintf(std.Progress, "events of the last %v may not be in the archive yet\n", archiving)
	}
	if c.DryRun {
		return preview(ctx, r, consumers, std.Out)
	}
	last := ""
	r.Note = func(text string) {
		if text != last {
			fmt.Fprintf(std.Progress, "replay %s: %s\n", r.Name(), text)
			last = text
		}
	}
	result, err := r.Do(ctx, consumers)
	if result.State != "" {
		fmt.Fprintf(std.Out, "replay %s of %s: %s after %.1f s\n", r.Name(), window, strings.ToLower(string(result.State)), time.Since(start).Seconds())
		for _, service := range slices.Sorted(maps.Keys(result.To)) {
			fmt.Fprintf(std.Out, "  %s: %s\n", service, strings.Join(result.To[service], ", "))
		}
	}
	return err
}

// preview writes what a replay would do.
func preview(ctx context.Context, r *Replay, consumers []Consumer, out io.Writer) error {
	p, err := r.Preview(ctx, consumers)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "would replay %s of archive %s, which holds %d events of all times\n", r.Window, r.BusName, p.Events)
	for _, service := range slices.Sorted(maps.Keys(p.To)) {
		fmt.Fprintf(out, "  %s: %s (by a copy of rule %s)\n", service, strings.Join(p.To[service], ", "), p.Rules[service])
	}
	fmt.Fprintln(out, "nothing was changed")
	return nil
}

// meant returns the consumers named, or all there are.
func meant(ctx context.Context, s *stage.Stage, names []string) ([]Consumer, error) {
	queues, err := s.Queues(ctx)
	if err != nil {
		return nil, err
	}
	var known []string
	for _, queue := range queues {
		if service, ok := strings.CutSuffix(strings.TrimPrefix(queue, s.Bus()+"-"), "-"+stage.Consumer); ok {
			known = append(known, service)
		}
	}
	if len(names) == 0 {
		names = known
	}
	if err := command.Known("--consumer", s, names, known); err != nil {
		return nil, err
	}
	var consumers []Consumer
	for _, name := range names {
		arn, err := s.QueueARN(ctx, name, stage.Consumer)
		if err != nil {
			return nil, err
		}
		consumers = append(consumers, Consumer{name, arn})
	}
	if len(consumers) == 0 {
		return nil, errors.New("the stage has no consumers")
	}
	return consumers, nil
}
