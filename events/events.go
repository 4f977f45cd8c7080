// Package events is the common vocabulary of the platform's domain events: the
// envelope every event travels in, and the value types that more than one
// publisher uses. Each publisher's own contracts are in a sub-package named
// after the service.
//
// It exists so that publisher and consumer agree on one Go type and no service
// has to import another. A contract is written by hand and is never the image
// of a stored row: tables change, contracts only grow. Each has three forms that
// tests hold to one another: the Go type, a JSON Schema of the data in schemas/,
// and a whole example in examples/. The envelope's schema is event.v1.json.
//
// Callers must keep: the standard library is the only dependency, names and
// JSON tags are the wire format, and a published type is never changed in a way
// that breaks a consumer. Such a change is a new version beside the old.
package events

import (
	"encoding/json"
	"fmt"
	"time"
)

// Event is one fact about one aggregate, in the past tense.
type Event interface {
	// EventType is the EventBridge detail type, such as "order.created". It is
	// written out, never derived from the Go type's name: renaming a struct
	// must not change the wire.
	EventType() string
	// SchemaVersion counts breaking changes of the type, from 1.
	SchemaVersion() int
	// Subject is the id of the aggregate the fact is about.
	Subject() string
}

// Metadata says which event this is and what it belongs to.
type Metadata struct {
	EventID       string    `json:"eventId"`
	OccurredAt    Timestamp `json:"occurredAt"`
	SchemaVersion int       `json:"schemaVersion"`
	// CorrelationID is shared by everything that one request caused.
	CorrelationID string `json:"correlationId"`
	// CausationID is the id of the event that caused this one; empty where a
	// request did.
	CausationID string `json:"causationId"`
	// Traceparent is the W3C trace context, where the cause carried one.
	Traceparent string `json:"traceparent"`
	Subject     string `json:"subject"`
}

// Envelope is the EventBridge entry's Detail.
type Envelope struct {
	Metadata Metadata        `json:"metadata"`
	Data     json.RawMessage `json:"data"`
}

// Money is an amount in minor units (cents) of an ISO 4217 currency. Never a
// float: 0.1 has no binary representation, and money must add up.
type Money struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

// Line is a quantity of a product.
type Line struct {
	ProductID string `json:"productId"`
	Quantity  int    `json:"quantity"`
}

// Timestamp is a time as the platform writes it everywhere: RFC 3339 in UTC
// with millisecond precision.
type Timestamp time.Time

const timestampLayout = "2006-01-02T15:04:05.000Z"

// Time returns t as a time.Time.
func (t Timestamp) Time() time.Time { return time.Time(t) }

// String returns t as it stands on the wire.
func (t Timestamp) String() string { return time.Time(t).UTC().Format(timestampLayout) }

// MarshalText writes t with millisecond precision.
func (t Timestamp) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads any RFC 3339 time.
func (t *Timestamp) UnmarshalText(text []byte) error {
	parsed, err := time.Parse(time.RFC3339Nano, string(text))
	if err != nil {
		return fmt.Errorf("timestamp %q: %w", text, err)
	}
	*t = Timestamp(parsed.UTC())
	return nil
}
