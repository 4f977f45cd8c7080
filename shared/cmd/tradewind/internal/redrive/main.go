package redrive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"tradewind/shared/cmd/tradewind/internal/command"
	"tradewind/shared/cmd/tradewind/internal/reconcile"
	"tradewind/shared/cmd/tradewind/internal/stage"
	"tradewind/shared/relay"
)

// parts are the dead-letter queues a service may have, by what a message was to be
// done by.
var parts = map[string]string{"consumer": stage.ConsumerDLQ, "rule": stage.RuleDLQ, "relay": stage.RelayDLQ}

// Command is redrive with its flags.
type Command struct {
	Queue   string `placeholder:"NAME" help:"The dead-letter queues that are meant: of a service (inventory), one (inventory/consumer), or all. Without it the queues are listed."`
	Filter  Filter `placeholder:"TERMS" help:"Only messages for which all terms hold: type=, cause=, subject=, eventId=. A * stands for any text; a cause need only contain its value."`
	Edit    string `placeholder:"COMMAND" help:"Change each body on the way: a shell command that reads it and writes another, or \"editor\" for your own."`
	Discard bool   `help:"Delete the messages for good instead of sending them back. Needs --filter."`
	JSON    bool   `name:"json" help:"List the messages as one JSON object a line, bodies included. Needs --dry-run or --discard."`
	command.DryRunFlag
	command.StageFlags
}

// Help is the end of the command's help.
func (*Command) Help() string {
	return `A message is deleted only after it was sent. What cannot be sent stays in the queue. A listing holds messages for a moment and gives them back.

Examples:

	tradewind redrive --queue inventory --dry-run
	tradewind redrive --queue inventory --filter cause=event_malformed --edit "sed s/EURO/EUR/"
	tradewind redrive --queue inventory --filter eventId=evt_01J… --dry-run --json > discarded.jsonl
	tradewind redrive --queue inventory --filter eventId=evt_01J… --discard`
}

// Validate refuses flags that contradict each other.
func (c *Command) Validate() error {
	switch {
	case c.Discard && len(c.Filter) == 0:
		return errors.New("--discard deletes messages for good: say which with --filter")
	case c.Discard && c.Edit != "":
		return errors.New("--edit changes what is sent back, and --discard sends nothing back: take one")
	case c.JSON && !c.Discard && !c.DryRun:
		return errors.New("--json lists messages: it needs --dry-run or --discard")
	}
	return nil
}

// Run works through the queues that are meant and writes a report on each.
func (c *Command) Run(ctx context.Context, std command.IO) error {
	s, err := c.Open(std)
	if err != nil {
		return err
	}
	targets, err := find(ctx, s, c.Queue)
	if err != nil {
		return err
	}
	var failed error
	for _, t := range targets {
		run, err := t.run(ctx, s, std.Progress)
		if err != nil {
			return err
		}
		report := NewReport(t.name, c, std)
		run.Filter, run.List, run.Discard, run.Seen = c.Filter, c.DryRun, c.Discard, report.Seen
		if c.Edit != "" {
			run.Edit = Editing(c.Edit, std.Getenv)
		}
		ended := run.Do(ctx)
		failed = errors.Join(failed, report.End())
		if ended != nil {
			return fmt.Errorf("%s: %w", t.name, ended)
		}
	}
	return failed
}

// target is a dead-letter queue.
type target struct{ name, service, part string }

// find returns the dead-letter queues a text names.
func find(ctx context.Context, s *stage.Stage, text string) ([]target, error) {
	names, err := s.Queues(ctx)
	if err != nil {
		return nil, err
	}
	var found []target
	var known []string
	for _, name := range names {
		for part, suffix := range parts {
			service, ok := strings.CutSuffix(strings.TrimPrefix(name, s.Bus()+"-"), "-"+suffix)
			if !ok {
				continue
			}
			short := service + "/" + part
			known = append(known, short)
			switch text {
			case "all", service, short, service + "-" + suffix, name:
				found = append(found, target{short, service, part})
			}
		}
	}
	slices.Sort(known)
	have := fmt.Sprintf("the dead-letter queues of stage %s are %s; a service's name means its queues, and all means all of them", s.Name, strings.Join(known, ", "))
	switch {
	case text == "":
		return nil, command.Misused("--queue is missing: %s", have)
	case len(found) == 0:
		return nil, command.Misused("--queue=%s is not a dead-letter queue: %s", text, have)
	}
	return found, nil
}

// run returns what sends the target's letters back.
func (t target) run(ctx context.Context, s *stage.Stage, progress io.Writer) (Run, error) {
	client := sqs.NewFromConfig(s.Config)
	url, err := s.QueueURL(ctx, t.service, parts[t.part])
	if err != nil {
		return Run{}, err
	}
	run := Run{SQS: client, URL: url}
	if t.part == "relay" {
		p := &relay.Publisher{Bus: eventbridge.NewFromConfig(s.Config), BusName: s.Bus(), Log: slog.New(slog.NewTextHandler(progress, nil))}
		run.Send = ToBus(p, func(ctx context.Context, lost Lost) error { return publish(ctx, s, t.service, lost, progress) })
		return run, nil
	}
	back, err := s.QueueURL(ctx, t.service, stage.Consumer)
	run.Send = ToQueue(client, back)
	return run, err
}

// around is how far the moment in which an event is made may be from that in which the
// stream has it.
const around = time.Minute

// publish publishes the events of a part of a stream from the table.
func publish(ctx context.Context, s *stage.Stage, service string, lost Lost, progress io.Writer) error {
	run, err := reconcile.New(ctx, s, service, stage.Window{From: lost.First.Add(-around), To: lost.Last.Add(around)}, progress)
	if err != nil {
		return err
	}
	result, err := run.Do(ctx)
	switch {
	case err != nil:
		return err
	case len(result.Refused) > 0:
		return fmt.Errorf("the bus does not take event %s of that time: %s", result.Refused[0].EventID, result.Refused[0].Refusal)
	case result.Published == 0:
		return errors.New("the outbox holds no events of that time any more: they have expired, or were erased; if that is right, discard the message")
	}
	return nil
}
