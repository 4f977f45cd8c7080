// Package tier divides the end-to-end tests in two. `make test` decides within
// minutes whether a change is good. `make test-full` adds what takes long: every
// suite on every endpoint, every way of discovery under faults, the large runs.
//
// Rules for tests of the second tier:
//
//   - Call [Full] first, with the time the test takes on two quiet cores.
//   - Keep a smaller form in the first tier where one exists; [Size] picks
//     between the two.
package tier

import (
	"os"
	"testing"
	"time"
)

// Variable asks for the second tier when it is 1. make test-full sets it.
const Variable = "TRADEWIND_FULL"

// IsFull reports whether the second tier was asked for.
func IsFull() bool { return os.Getenv(Variable) == "1" }

// Full skips the test unless the second tier was asked for. takes is about how
// long the test runs on two quiet cores.
func Full(t testing.TB, takes time.Duration) {
	t.Helper()
	if !IsFull() {
		t.Skipf("takes about %s: make test-full runs it", takes)
	}
}

// Size is the size of a run that both tiers have.
func Size(quick, full int) int {
	if IsFull() {
		return full
	}
	return quick
}
