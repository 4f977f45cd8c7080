// Package linear says what the platform's resources would answer if each request had
// its effect at one moment between its call and its answer, as models for the
// linearizability checker porcupine.
//
// A history that no order of such moments explains shows a lost update, a read of
// what was never there, or an effect that happened twice.
package linear

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/anishathalye/porcupine"
)

// Action is what a client does with a stock line.
type Action int

// The actions.
const (
	Read Action = iota
	Count
	Adjust
)

// StockCall is one request.
type StockCall struct {
	Action  Action
	Units   int    // on hand for Count, more or less for Adjust
	IfMatch int    // the version that Count names
	Key     string // the idempotency key of Adjust; empty for none
}

// StockAnswer is what it was answered. Units and Version are of a success.
type StockAnswer struct {
	Status   int
	OnHand   int
	Version  int
	Replayed bool
}

// line is a stock line that nobody orders from. done has what each key was answered,
// as text, because states are compared.
type line struct {
	onHand, version int
	done            string
}

// Stock models one stock line that begins with units on hand at a version.
func Stock(onHand, version int) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return line{onHand: onHand, version: version} },
		Step: func(state, call, answer any) (bool, any) {
			return state.(line).step(call.(StockCall), answer.(StockAnswer))
		},
		DescribeOperation: func(call, answer any) string {
			return fmt.Sprintf("%+v -> %+v", call, answer)
		},
		DescribeState: func(state any) string { return fmt.Sprintf("%+v", state) },
	}
}

func (l line) step(c StockCall, a StockAnswer) (bool, any) {
	switch {
	case c.Action == Read:
		return a == l.answer(), l
	case c.Action == Count && c.IfMatch != l.version:
		return a.Status == http.StatusPreconditionFailed, l
	case c.Action == Count:
		if c.Units != l.onHand {
			l.onHand, l.version = c.Units, l.version+1
		}
		return a == l.answer(), l
	}
	if was, known := l.answered(c.Key); known {
		was.Replayed = true
		return a == was, l
	}
	if l.onHand+c.Units < 0 {
		return a.Status == http.StatusConflict, l
	}
	l.onHand, l.version = l.onHand+c.Units, l.version+1
	if c.Key != "" {
		entries := append(strings.Fields(l.done), fmt.Sprintf("%s=%d/%d", c.Key, l.onHand, l.version))
		slices.Sort(entries)
		l.done = strings.Join(entries, " ")
	}
	return a == l.answer(), l
}

func (l line) answer() StockAnswer {
	return StockAnswer{Status: http.StatusOK, OnHand: l.onHand, Version: l.version}
}

// answered returns the answer to the first request with a key.
func (l line) answered(key string) (StockAnswer, bool) {
	if key == "" {
		return StockAnswer{}, false
	}
	for entry := range strings.FieldsSeq(l.done) {
		if text, ok := strings.CutPrefix(entry, key+"="); ok {
			a := StockAnswer{Status: http.StatusOK}
			if _, err := fmt.Sscanf(text, "%d/%d", &a.OnHand, &a.Version); err != nil {
				panic(err) // written by step
			}
			return a, true
		}
	}
	return StockAnswer{}, false
}
