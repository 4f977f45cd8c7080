// Package apperr classifies errors by what the caller can do about them, so
// that every edge (HTTP, queue consumer, outgoing call, log) decides from one
// word instead of guessing from a message.
//
// It exists because the domain must refuse things without knowing of HTTP or
// SQS. The domain says the kind and a stable code; the edge translates.
//
// Callers must keep: Code is part of the published contract and never changes
// for a given refusal; Message is shown to clients, so it holds no secrets and
// no names of the infrastructure. An error without a kind is Internal: its text
// is logged and never sent.
package apperr

import (
	"errors"
	"time"
)

// Kind says what a caller can do about an error.
type Kind int

// The kinds. The zero value is the safe one: nothing of it is shown.
const (
	// Internal is a defect. HTTP 500; a consumer retries, then dead-letters.
	Internal Kind = iota
	// Invalid will never succeed as it was sent. HTTP 422.
	Invalid
	// Unauthenticated has no valid proof of who asks. HTTP 401.
	Unauthenticated
	// Forbidden is known but not allowed. HTTP 403.
	Forbidden
	// NotFound is absent, or not the caller's to see. HTTP 404; a consumer
	// retries, because the message may have come early.
	NotFound
	// Conflict contradicts the present state. HTTP 409, or 412 for ErrStale.
	Conflict
	// Unavailable may succeed later. HTTP 503 with Retry-After; a consumer
	// retries, a circuit breaker counts it.
	Unavailable
)

// String returns the kind as it stands in logs.
func (k Kind) String() string {
	switch k {
	case Invalid:
		return "invalid"
	case Unauthenticated:
		return "unauthenticated"
	case Forbidden:
		return "forbidden"
	case NotFound:
		return "not_found"
	case Conflict:
		return "conflict"
	case Unavailable:
		return "unavailable"
	default:
		return "internal"
	}
}

// Error is a classified refusal.
type Error struct {
	Kind Kind
	// Code is a stable snake_case word for programs.
	Code string
	// Message is one sentence for people.
	Message string
	// Fields say what is wrong where, for Invalid.
	Fields []Field
	// RetryAfter is when a repeat makes sense, for Unavailable; zero means
	// "soon".
	RetryAfter time.Duration
	// Err is the cause. It is logged, never shown.
	Err error
}

// Field is one fault of an input.
type Field struct {
	// Pointer is an RFC 6901 JSON pointer into the request body.
	Pointer string `json:"pointer"`
	Message string `json:"message"`
}

// New returns an error of a kind.
func New(kind Kind, code, message string) *Error {
	return &Error{Kind: kind, Code: code, Message: message}
}

// Wrap returns an error of a kind that keeps its cause for the log.
func Wrap(err error, kind Kind, code, message string) *Error {
	return &Error{Kind: kind, Code: code, Message: message, Err: err}
}

// ErrStale says that the resource changed since the caller read it. Reading
// again and repeating the change is safe.
var ErrStale = New(Conflict, "stale_version", "The resource has changed since it was read; read it again and repeat the change.")

// Error returns the message and its cause.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Code + ": " + e.Message + ": " + e.Err.Error()
	}
	return e.Code + ": " + e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of err: that of the first classified error in its
// chain, else Internal.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// Check collects the faults of one input, so that a client learns all of them
// at once. The zero value is ready to use.
type Check struct{ fields []Field }

// Fail notes that what stands at pointer is wrong.
func (c *Check) Fail(pointer, message string) {
	c.fields = append(c.fields, Field{pointer, message})
}

// That notes a fault at pointer unless ok.
func (c *Check) That(ok bool, pointer, message string) {
	if !ok {
		c.Fail(pointer, message)
	}
}

// Err returns nil when nothing failed, else an Invalid error with code
// "invalid" that lists every fault.
func (c *Check) Err() error {
	if len(c.fields) == 0 {
		return nil
	}
	return &Error{Kind: Invalid, Code: "invalid", Message: "The request is well-formed but not valid; see errors.", Fields: c.fields}
}
