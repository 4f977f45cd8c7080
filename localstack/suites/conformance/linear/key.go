package linear

import (
	"fmt"
	"net/http"

	"github.com/anishathalye/porcupine"
)

// KeyCall is a request under an idempotency key.
type KeyCall struct{ Key, Payload string }

// KeyAnswer is what it was answered. Result is what the request made.
type KeyAnswer struct {
	Status   int
	Result   string
	Replayed bool
}

// used is what a key was used for; its zero value is a key that was not.
type used struct{ payload, result string }

// Keys models idempotency keys: registers that are written once, by whoever comes
// first, and answer everybody after with that. Requests create something, so the
// first answer has status 201.
func Keys() porcupine.Model {
	return porcupine.Model{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			byKey := map[string]int{}
			var parts [][]porcupine.Operation
			for _, op := range history {
				key := op.Input.(KeyCall).Key
				i, known := byKey[key]
				if !known {
					i = len(parts)
					byKey[key] = i
					parts = append(parts, nil)
				}
				parts[i] = append(parts[i], op)
			}
			return parts
		},
		Init: func() any { return used{} },
		Step: func(state, call, answer any) (bool, any) {
			return state.(used).step(call.(KeyCall), answer.(KeyAnswer))
		},
		DescribeOperation: func(call, answer any) string { return fmt.Sprintf("%+v -> %+v", call, answer) },
		DescribeState:     func(state any) string { return fmt.Sprintf("%+v", state) },
	}
}

func (u used) step(c KeyCall, a KeyAnswer) (bool, any) {
	switch u.payload {
	case "":
		return a.Status == http.StatusCreated && a.Result != "" && !a.Replayed, used{c.Payload, a.Result}
	case c.Payload:
		return a == KeyAnswer{http.StatusCreated, u.result, true}, u
	default:
		return a.Status == http.StatusUnprocessableEntity, u
	}
}
