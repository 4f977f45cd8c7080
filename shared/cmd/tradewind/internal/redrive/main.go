package redrive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"tradewind/shared/cmd/tradewind/internal/reconcile"
	"tradewind/shared/cmd/tradewind/internal/stage"
	"tradewind/shared/relay"
)

// parts are the dead-letter queues a service may have, by what a message was to be
// done by.
var parts = map[string]string{"consumer": stage.ConsumerDLQ, "rule": stage.RuleDLQ, "relay": stage.RelayDLQ}

// Options are what an operator asks for.
type Options struct {
	Queue  string // "inventory", "inventory/consumer", or a queue's name
	Filter string
	Edit   string
	DryRun bool
}

// Main works through the queues that are meant and writes a report on each.
func Main(ctx context.Context, s *stage.Stage, o Options, getenv func(string) string, out, progress io.Writer) error {
	filter, err := ParseFilter(o.Filter)
	if err != nil {
		return err
	}
	targets, err := find(ctx, s, o.Queue)
	if err != nil {
		return err
	}
	var failed error
	for _, t := range targets {
		run, err := t.run(ctx, s, progress)
		if err != nil {
			return err
		}
		report := NewReport(t.name, o.DryRun, out, progress)
		run.Filter, run.List, run.Seen = filter, o.DryRun, report.Seen
		if o.Edit != "" {
			run.Edit = Editing(o.Edit, getenv)
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
	if len(found) == 0 {
		return nil, fmt.Errorf("QUEUE=%s is no dead-letter queue of stage %s; it has %s, and all", text, s.Name, strings.Join(known, ", "))
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
		return errors.New("the outbox holds no events of that time any more: they have expired, or were erased; if that is right, delete the message by hand")
	}
	return nil
}
