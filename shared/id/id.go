// Package id makes the platform's identifiers: a prefix that tells what the id
// is of, and a ULID, which sorts by the time it was made.
//
// Ids are made by servers only. Within one process and millisecond they are
// strictly increasing, so that events of one commit sort in the order in which
// they were made.
package id

import (
	"crypto/rand"
	"strings"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
)

var (
	mu      sync.Mutex
	entropy = ulid.Monotonic(rand.Reader, 0)
)

// New returns a fresh id such as "ord_01K9…". The prefix is given without its
// underscore.
func New(prefix string) string {
	mu.Lock()
	defer mu.Unlock()
	u, err := ulid.New(ulid.Timestamp(time.Now()), entropy)
	if err != nil {
		// More than 2^79 ids in one millisecond, or no system randomness:
		// neither can be answered by anything but stopping.
		panic("id: " + err.Error())
	}
	return prefix + "_" + u.String()
}

// Valid reports whether s is an id with the prefix. Anything else cannot name
// a stored thing, so that an edge may answer 404 without asking the store.
func Valid(prefix, s string) bool {
	rest, ok := strings.CutPrefix(s, prefix+"_")
	if !ok {
		return false
	}
	u, err := ulid.ParseStrict(rest)
	return err == nil && u.String() == rest // the parser takes lower case too
}
