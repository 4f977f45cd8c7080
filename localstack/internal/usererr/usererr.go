// Package usererr holds the one error that a user sees at the end of a failed
// run: what is wrong, what to do about it, and where to read more.
//
// Code that knows what the user should do wraps the error here, once. An error
// that is not wrapped is printed as it is.
package usererr

import (
	"errors"
	"fmt"
)

// Error is a failure with advice.
type Error struct {
	What  string   // one clear sentence: what is wrong
	Do    string   // one clear sentence: what to do
	Log   string   // the file with the whole story; may be empty
	Tail  []string // its last lines; may be empty
	Cause error    // for errors.Is; may be nil
}

func (e *Error) Error() string {
	if e.Do == "" {
		return e.What
	}
	return e.What + "; " + e.Do
}

func (e *Error) Unwrap() error { return e.Cause }

// New makes a failure with advice from a cause, which may be nil.
func New(cause error, do, format string, args ...any) *Error {
	return &Error{What: fmt.Sprintf(format, args...), Do: do, Cause: cause}
}

// From finds the advice in an error, or makes an Error without any.
func From(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{What: err.Error(), Cause: err}
}
