// Package netns runs this program once more where nothing but itself can be reached:
// in a network namespace of its own, in which only the loopback interface is up.
//
// It exists for programs that listen on all interfaces whatever they are told. Inside,
// all interfaces are one. A listener opened outside and handed in still accepts
// connections from outside, for a socket stays in the namespace it was made in; so the
// one way in is the one that was opened on purpose.
//
// No privilege is needed where the system lets users make namespaces; many do, some
// containers do not. Callers must call [Main] first thing in main, and in TestMain.
package netns

import (
	"errors"
	"os"
)

// insideVar marks the process inside; its value is what to do there.
const insideVar = "TRADEWIND_NETNS"

const (
	try  = "try"  // make sure that it works, and end
	pass = "pass" // make it usable, and begin anew
	stay = "stay" // go on with main
)

// ErrUnsupported is in the error of a system that has no network namespaces.
var ErrUnsupported = errors.New("network namespaces are Linux's")

var inside bool

// Inside says whether this process is the one inside.
func Inside() bool { return inside }

// Handed returns the i-th of the files that were handed in.
func Handed(i int) *os.File { return os.NewFile(uintptr(3+i), "handed") }
