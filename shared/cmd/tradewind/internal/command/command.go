// Package command holds what the tool's commands have in common: the flags that several
// of them take, their streams, and how one reports wrong use.
//
// It exists so that a flag has one name, one syntax and one rule in every command. A
// command is a struct of flags with a Run method, in a package of its own:
//
//	type Command struct {
//		command.StageFlags
//		command.DryRunFlag
//		Queue string `placeholder:"NAME" help:"…"`
//	}
//
//	func (c *Command) Run(ctx context.Context, std command.IO) error
//
// Rules for commands:
//   - Results go to std.Out, progress to std.Progress.
//   - A command that changes something takes DryRunFlag.
//   - Values are checked in UnmarshalText or Validate, before anything is done. What
//     only the stage can tell, such as an unknown queue, is returned as a UsageError.
package command

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"tradewind/shared/cmd/tradewind/internal/stage"
)

// IO is what a command talks to.
type IO struct {
	Out      io.Writer // results
	Progress io.Writer // for people who watch
	Getenv   func(string) string
}

// UsageError means that the command was used wrongly: nothing was done.
type UsageError struct{ text string }

func (e *UsageError) Error() string { return e.text }

// Misused returns a UsageError.
func Misused(format string, args ...any) error { return &UsageError{fmt.Sprintf(format, args...)} }

// DryRunFlag is the flag of every command that changes something.
type DryRunFlag struct {
	DryRun bool `help:"Say what would be done, and change nothing."`
}

// StageFlags are the flags that say which stage of the platform is meant. The default is the
// run on this machine, and never an account that happens to be set in the environment.
type StageFlags struct {
	Stage   StageName `placeholder:"NAME" help:"A stage on AWS, in the account of the environment's credentials. Default: what make run runs on this machine."`
	Outputs string    `placeholder:"FILE" env:"TRADEWIND_OUTPUTS" default:".local/outputs.json" help:"The outputs.json of a run on this machine."`
}

// Open returns the stage.
func (s StageFlags) Open(std IO) (*stage.Stage, error) {
	if s.Stage != "" {
		return stage.OnAWS(string(s.Stage), std.Getenv)
	}
	return stage.Here(s.Outputs)
}

// StageName is the name of a stage on AWS.
type StageName string

// UnmarshalText refuses a name that no stage on AWS can have.
func (n *StageName) UnmarshalText(text []byte) error {
	*n = StageName(text)
	return stage.CheckName(string(text))
}

// WindowFlags are the flags for a span of time.
type WindowFlags struct {
	From Moment `placeholder:"TIME" help:"Where the window begins: a time such as 2026-11-12T14:00:00Z, or how long ago, such as 90m."`
	To   Moment `placeholder:"TIME" help:"Where it ends. Default: now."`
}

// Validate refuses a window without a beginning, and an empty one.
func (w WindowFlags) Validate() error {
	if w.From.IsZero() {
		return errors.New("--from is missing: " + momentRule)
	}
	if span := w.Span(); !span.From.Before(span.To) {
		return fmt.Errorf("the window from %s is empty: --from must be before --to", span)
	}
	return nil
}

// Span is the window as a span of time.
func (w WindowFlags) Span() stage.Window {
	to := w.To.Time
	if to.IsZero() {
		to = time.Now().UTC()
	}
	return stage.Window{From: w.From.Time, To: to}
}

const momentRule = "a time such as 2026-11-12T14:00:00Z, or how long ago, such as 2h"

// Moment is a point in time: given in RFC 3339, or as how long ago it was.
type Moment struct{ time.Time }

// UnmarshalText reads either form.
func (m *Moment) UnmarshalText(text []byte) error {
	if ago, err := time.ParseDuration(string(text)); err == nil && ago >= 0 {
		m.Time = time.Now().Add(-ago).UTC()
		return nil
	}
	t, err := time.Parse(time.RFC3339, string(text))
	if err != nil {
		return fmt.Errorf("%q is not a time: give %s", text, momentRule)
	}
	m.Time = t.UTC()
	return nil
}

// Names is a list of names with commas between them.
type Names []string

// UnmarshalText splits the list.
func (n *Names) UnmarshalText(text []byte) error {
	*n = strings.FieldsFunc(string(text), func(r rune) bool { return r == ',' || r == ' ' })
	return nil
}

// Known returns a UsageError if one of names is not among those that the stage has.
func Known(flag string, s *stage.Stage, names, known []string) error {
	for _, name := range names {
		if !slices.Contains(known, name) {
			return Misused("%s=%s: stage %s has no %[2]s; it has %[4]s", flag, name, s.Name, strings.Join(known, ", "))
		}
	}
	return nil
}
