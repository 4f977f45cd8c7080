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

	"tradewind/shared/cmd/tradewind/internal/stage"
)

// archiving is how long an event may take to the archive.
const archiving = 10 * time.Minute

// Options are what an operator asks for.
type Options struct {
	From, To string
	Event    string // detail types, with commas; empty means all
	Consumer string // services, with commas; empty means all
}

// Main replays and writes a report.
func Main(ctx context.Context, s *stage.Stage, o Options, out, progress io.Writer) error {
	start := time.Now()
	window, err := stage.ParseWindow(o.From, o.To, start)
	if err != nil {
		return err
	}
	consumers, err := meant(ctx, s, stage.Split(o.Consumer))
	if err != nil {
		return err
	}
	r := &Replay{
		Bus: eventbridge.NewFromConfig(s.Config), BusName: s.Bus(), Window: window, Events: stage.Split(o.Event),
		ID: NewID(start), Settle: time.Minute, Poll: 5 * time.Second,
	}
	if s.Local() { // whose rules are followed at once
		r.Settle, r.Poll = 0, 100*time.Millisecond
	} else if start.Sub(window.To) < archiving {
		fmt.Fprintf(progress, "events of the last %v may not be in the archive yet\n", archiving)
	}
	last := ""
	r.Note = func(text string) {
		if text != last {
			fmt.Fprintf(progress, "replay %s: %s\n", r.Name(), text)
			last = text
		}
	}
	result, err := r.Do(ctx, consumers)
	if result.State != "" {
		fmt.Fprintf(out, "replay %s of %s: %s after %.1f s\n", r.Name(), window, strings.ToLower(string(result.State)), time.Since(start).Seconds())
		for _, service := range slices.Sorted(maps.Keys(result.To)) {
			fmt.Fprintf(out, "  %s: %s\n", service, strings.Join(result.To[service], ", "))
		}
	}
	return err
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
	var consumers []Consumer
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("CONSUMER=%s is none of stage %s; it has %s", name, s.Name, strings.Join(known, ", "))
		}
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
