// Package trace carries what ties one piece of work to its cause: correlation
// id, causing event, and W3C trace context. It travels in the context.Context
// within a process, in headers between services, and in event metadata over the
// bus.
//
// Callers must keep: what comes from outside is checked before it is carried
// on, because it ends up in logs, headers and other teams' tables.
package trace

import (
	"context"
	"crypto/rand"
	"encoding/hex"
)

// The headers that carry a Trace over HTTP.
const (
	CorrelationHeader = "X-Correlation-Id"
	ParentHeader      = "Traceparent"
)

// Trace says what a piece of work belongs to.
type Trace struct {
	// CorrelationID is shared by everything that one request caused.
	CorrelationID string
	// CausationID is the id of the event being handled; empty for a request.
	CausationID string
	// Parent is a W3C traceparent; empty where the caller sent none.
	Parent string
}

type key struct{}

// With returns a context that carries t.
func With(ctx context.Context, t Trace) context.Context {
	return context.WithValue(ctx, key{}, t)
}

// From returns the trace of ctx; its zero value when there is none.
func From(ctx context.Context) Trace {
	t, _ := ctx.Value(key{}).(Trace)
	return t
}

// New returns the trace of an incoming request: the caller's correlation id and
// traceparent where they are well-formed, else a new id and none.
func New(correlationID, parent string) Trace {
	if !validCorrelationID(correlationID) {
		correlationID = NewCorrelationID()
	}
	if !validParent(parent) {
		parent = ""
	}
	return Trace{CorrelationID: correlationID, Parent: parent}
}

// NewCorrelationID returns 128 random bits in hex.
func NewCorrelationID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(b[:])
}

// validCorrelationID accepts 1 to 128 of [A-Za-z0-9._-].
func validCorrelationID(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-') {
			return false
		}
	}
	return true
}

// validParent accepts version 00 of the W3C format with non-zero ids
// (https://www.w3.org/TR/trace-context/#traceparent-header).
func validParent(s string) bool {
	if len(s) != 55 || s[:3] != "00-" || s[35] != '-' || s[52] != '-' {
		return false
	}
	return hexNonZero(s[3:35]) && hexNonZero(s[36:52]) && isHex(s[53:])
}

func isHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f') {
			return false
		}
	}
	return true
}

func hexNonZero(s string) bool {
	if !isHex(s) {
		return false
	}
	for i := range len(s) {
		if s[i] != '0' {
			return true
		}
	}
	return false
}
