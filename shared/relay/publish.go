package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"tradewind/shared/quarantine"
)

// Limits of one PutEvents call
// (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html).
const (
	maxEntries = 10
	maxBytes   = 256 << 10
)

// patience is how old an event may grow on which the bus fails although it answers.
// One on which it never does otherwise would hold up all behind it for as long as
// the stream lasts.
const patience = 15 * time.Minute

// Bus is what publishing needs of EventBridge.
type Bus interface {
	PutEvents(context.Context, *eventbridge.PutEventsInput, ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error)
}

// Entry is an event on its way to the bus.
type Entry struct {
	EventID    string
	Source     string
	DetailType string
	Detail     string
	Since      time.Time // when it was written; zero where that is not known

	// What became of it so far.
	Attempts int
	Refusal  string // the last, redacted; empty when there was none

	// Where it stands in the stream, for a relay.
	sequence string
	index    int // in the batch
}

func (e Entry) size() int { return len(e.Source) + len(e.DetailType) + len(e.Detail) + 14 } // + time

// Published says what became of entries.
type Published struct {
	Taken []Entry
	Again []Entry // not taken so far; in order
	Never []Entry // what the bus will never take
}

// Publisher puts events on a bus. It is what relays publish with, and tools that
// publish what a relay could not.
type Publisher struct {
	Bus     Bus
	BusName string
	Log     *slog.Logger
}

// Publish puts entries on the bus in their order, within the limits of a call, and
// repeats what fails for the moment until ctx ends. Then it leaves the rest: what
// comes later must not overtake.
func (p *Publisher) Publish(ctx context.Context, entries []Entry) Published {
	var done Published
	for len(entries) > 0 && len(done.Again) == 0 {
		n := fit(entries)
		p.place(ctx, entries[:n], &done)
		entries = entries[n:]
	}
	done.Again = append(done.Again, entries...)
	return done
}

// fit returns how many of the first entries go into one call; at least one.
func fit(entries []Entry) int {
	bytes := 0
	for i, e := range entries {
		bytes += e.size()
		if i == maxEntries || (i > 0 && bytes > maxBytes) {
			return i
		}
	}
	return len(entries)
}

// place publishes the entries of one call, and what of them failed in calls after it.
func (p *Publisher) place(ctx context.Context, entries []Entry, done *Published) {
	for attempt := 0; len(entries) > 0; attempt++ {
		if attempt > 0 && !sleep(ctx, attempt) {
			done.Again = entries
			return
		}
		again, err := p.put(ctx, entries, done)
		if err != nil {
			p.Log.WarnContext(ctx, "the call to the bus failed", "entries", len(entries), "attempt", attempt, "error", quarantine.Redact(err.Error()))
		}
		entries = again
	}
}

// put makes one call and sorts what came of it; what may be repeated it returns.
func (p *Publisher) put(ctx context.Context, entries []Entry, done *Published) (again []Entry, err error) {
	in := &eventbridge.PutEventsInput{Entries: make([]types.PutEventsRequestEntry, len(entries))}
	for i := range entries {
		e := &entries[i]
		e.Attempts++
		in.Entries[i] = types.PutEventsRequestEntry{EventBusName: &p.BusName, Source: &e.Source, DetailType: &e.DetailType, Detail: &e.Detail}
	}
	out, err := p.Bus.PutEvents(ctx, in)
	if err == nil && len(out.Entries) != len(entries) {
		err = fmt.Errorf("the bus answered for %d of %d entries", len(out.Entries), len(entries))
	}
	if err != nil {
		for i := range entries {
			entries[i].Refusal = quarantine.Redact(err.Error())
		}
		switch {
		case !refusedForGood(err):
			return entries, err
		case len(entries) == 1:
			done.Never = append(done.Never, entries...)
			return nil, err
		}
		// One entry spoils the call for all: find it.
		for i := range entries {
			a, _ := p.put(ctx, entries[i:i+1], done)
			again = append(again, a...)
		}
		return again, err
	}
	for i, result := range out.Entries {
		e := entries[i]
		code := aws.ToString(result.ErrorCode)
		if code == "" {
			done.Taken = append(done.Taken, e)
			continue
		}
		e.Refusal = code + ": " + quarantine.Redact(aws.ToString(result.ErrorMessage))
		if e.passes(code) {
			again = append(again, e)
		} else {
			done.Never = append(done.Never, e)
		}
	}
	return again, nil
}

// refusedForGood reports whether a whole call was refused for what is in it.
func refusedForGood(err error) bool {
	var api interface{ ErrorCode() string }
	return errors.As(err, &api) && api.ErrorCode() == "ValidationException"
}

// passes reports whether the bus may take the entry later. Codes that are not known
// are taken for final: parking loses nothing.
func (e Entry) passes(code string) bool {
	switch code {
	case "ThrottlingException":
		return true
	case "InternalFailure", "InternalException", "ServiceUnavailable":
		return e.Since.IsZero() || time.Since(e.Since) < patience
	}
	return false
}

// sleep waits before a repeat, with full jitter under a bound that doubles from
// 100 ms to 3.2 s; false when the time is up.
func sleep(ctx context.Context, attempt int) bool {
	timer := time.NewTimer(rand.N(100 * time.Millisecond << min(attempt-1, 5)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}
