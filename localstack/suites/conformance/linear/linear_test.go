package linear_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/anishathalye/porcupine"

	"tradewind/localstack/suites/conformance/linear"
)

type (
	call  = linear.StockCall
	reply = linear.StockAnswer
)

// at is a call of its own client between two moments.
func at(from, to int64, in, out any) porcupine.Operation {
	return porcupine.Operation{ClientId: int(from), Input: in, Call: from, Output: out, Return: to}
}

func TestStock(t *testing.T) {
	read := call{Action: linear.Read}
	count := func(units, version int) call {
		return call{Action: linear.Count, Units: units, IfMatch: version}
	}
	adjust := func(units int, key string) call {
		return call{Action: linear.Adjust, Units: units, Key: key}
	}
	line := func(onHand, version int) reply {
		return reply{Status: 200, OnHand: onHand, Version: version}
	}
	replayed := func(onHand, version int) reply {
		return reply{Status: 200, OnHand: onHand, Version: version, Replayed: true}
	}
	tests := map[string]struct {
		history []porcupine.Operation
		want    bool
	}{
		"in turn": {[]porcupine.Operation{
			at(1, 2, read, line(10, 2)), at(3, 4, count(7, 2), line(7, 3)), at(5, 6, adjust(-2, ""), line(5, 4)), at(7, 8, read, line(5, 4)),
		}, true},
		"a read of what will be": {[]porcupine.Operation{
			at(1, 2, read, line(7, 3)), at(3, 4, count(7, 2), line(7, 3)),
		}, false},
		"a stale read": {[]porcupine.Operation{
			at(1, 2, count(7, 2), line(7, 3)), at(3, 4, read, line(10, 2)),
		}, false},
		"a read meanwhile sees either": {[]porcupine.Operation{
			at(1, 9, count(7, 2), line(7, 3)), at(2, 3, read, line(10, 2)), at(4, 5, read, line(7, 3)),
		}, true},
		"but not the old after the new": {[]porcupine.Operation{
			at(1, 9, count(7, 2), line(7, 3)), at(2, 3, read, line(7, 3)), at(4, 5, read, line(10, 2)),
		}, false},
		"a lost update": {[]porcupine.Operation{
			at(1, 9, adjust(1, ""), line(11, 3)), at(2, 8, adjust(1, ""), line(11, 3)),
		}, false},
		"two counts of one version": {[]porcupine.Operation{
			at(1, 9, count(7, 2), line(7, 3)), at(2, 8, count(8, 2), line(8, 3)),
		}, false},
		"one of two counts is stale": {[]porcupine.Operation{
			at(1, 9, count(7, 2), line(7, 3)), at(2, 8, count(8, 2), reply{Status: 412}),
		}, true},
		"stale for no reason": {[]porcupine.Operation{
			at(1, 2, count(7, 2), reply{Status: 412}),
		}, false},
		"the same count": {[]porcupine.Operation{
			at(1, 2, count(10, 2), line(10, 2)), at(3, 4, count(10, 2), line(10, 2)),
		}, true},
		"a key once": {[]porcupine.Operation{
			at(1, 9, adjust(1, "k"), replayed(11, 3)), at(2, 8, adjust(1, "k"), line(11, 3)), at(10, 11, adjust(1, "l"), line(12, 4)), at(12, 13, adjust(1, "k"), replayed(11, 3)),
		}, true},
		"a key twice": {[]porcupine.Operation{
			at(1, 2, adjust(1, "k"), line(11, 3)), at(3, 4, adjust(1, "k"), line(12, 4)),
		}, false},
		"a replay of nothing": {[]porcupine.Operation{
			at(1, 2, adjust(1, "k"), replayed(11, 3)),
		}, false},
		"a replay that is no replay": {[]porcupine.Operation{
			at(1, 2, adjust(1, "k"), line(11, 3)), at(3, 4, adjust(1, "k"), line(11, 3)),
		}, false},
		"fewer than none": {[]porcupine.Operation{
			at(1, 2, adjust(-11, ""), reply{Status: 409}), at(3, 4, adjust(-10, ""), line(0, 3)), at(5, 6, adjust(-1, ""), reply{Status: 409}),
		}, true},
		"refused for no reason": {[]porcupine.Operation{
			at(1, 2, adjust(-1, ""), reply{Status: 409}),
		}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := porcupine.CheckOperations(linear.Stock(10, 2), tt.history); got != tt.want {
				t.Errorf("linearizable: %t", got)
			}
		})
	}
}

func TestKeys(t *testing.T) {
	ask := func(key, payload string) linear.KeyCall { return linear.KeyCall{Key: key, Payload: payload} }
	made := func(id string) linear.KeyAnswer { return linear.KeyAnswer{Status: 201, Result: id} }
	again := func(id string) linear.KeyAnswer {
		return linear.KeyAnswer{Status: 201, Result: id, Replayed: true}
	}
	other := linear.KeyAnswer{Status: 422}
	tests := map[string]struct {
		history []porcupine.Operation
		want    bool
	}{
		"one wins":                    {[]porcupine.Operation{at(1, 9, ask("k", "a"), again("1")), at(2, 8, ask("k", "a"), made("1")), at(10, 11, ask("k", "a"), again("1"))}, true},
		"keys are apart":              {[]porcupine.Operation{at(1, 9, ask("k", "a"), made("1")), at(2, 8, ask("l", "b"), made("2"))}, true},
		"another payload":             {[]porcupine.Operation{at(1, 9, ask("k", "a"), other), at(2, 8, ask("k", "b"), made("1"))}, true},
		"two win":                     {[]porcupine.Operation{at(1, 9, ask("k", "a"), made("1")), at(2, 8, ask("k", "a"), made("2"))}, false},
		"nobody wins":                 {[]porcupine.Operation{at(1, 9, ask("k", "a"), again("1")), at(2, 8, ask("k", "a"), again("1"))}, false},
		"another's result":            {[]porcupine.Operation{at(1, 2, ask("k", "a"), made("1")), at(3, 4, ask("k", "a"), again("2"))}, false},
		"a replay of another payload": {[]porcupine.Operation{at(1, 2, ask("k", "a"), made("1")), at(3, 4, ask("k", "b"), again("1"))}, false},
		"refused before its first":    {[]porcupine.Operation{at(1, 2, ask("k", "b"), other), at(3, 4, ask("k", "a"), made("1"))}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := porcupine.CheckOperations(linear.Keys(), tt.history); got != tt.want {
				t.Errorf("linearizable: %t", got)
			}
		})
	}
}

func TestTheRecorderNotesWhatWasAnswered(t *testing.T) {
	var r linear.Recorder
	var group sync.WaitGroup
	for client := range 4 {
		group.Go(func() {
			for i := range 10 {
				err := r.Do(client, i, func() (any, error) {
					if i == 9 {
						return nil, errors.New("no answer")
					}
					return -i, nil
				})
				if (err != nil) != (i == 9) {
					t.Errorf("call %d: %v", i, err)
				}
			}
		})
	}
	group.Wait()
	history := r.History()
	if len(history) != 36 {
		t.Fatalf("%d calls noted", len(history))
	}
	for _, op := range history {
		if op.Return < op.Call || op.Output != -op.Input.(int) {
			t.Errorf("noted %+v", op)
		}
	}
}
