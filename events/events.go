// Package events is the common vocabulary of the platform's domain events: the
// envelope every event travels in, and the value types that more than one
// publisher uses. Each publisher's own contracts are in a sub-package named
// after the service.
//
// It exists so that publisher and consumer agree on one Go type and no service
// has to import another. A contract is written by hand and is never the image
// of a stored row: tables change, contracts only grow.
//
// # One place
//
// A contract is the Go type with its comments, and its entry in the publisher's
// function Published, which says upon what it is published and who consumes it.
// From these are made the JSON Schema of the data in published/, the rules and
// queues of package infra, asyncapi.json and catalogue.html. Beside each type's
// package, examples/ has whole events, which tests hold to type and schema.
//
// Struct tags say of a field what its Go type cannot: the keywords of JSON Schema
// minimum, maximum, minLength, maxLength, minItems, maxItems, pattern, format and
// enum (closed: a value more or less is a new version); known lists values of a
// set that may grow; id:"ord" is the pattern of the platform's ids. A field is
// required unless its JSON tag has omitempty or omitzero.
//
// # Changing a contract
//
// The schemas in published/ are what consumers were promised. `make check` and
// `make test` compare them with the types, `make publish-events` makes the types'
// schemas the published ones, and all refuse what would break someone: the events
// of tomorrow must fit consumers of today, and those of yesterday, which wait in
// queues and the archive, the consumers of tomorrow. So only optional fields,
// known values, comments and consumers can be added to a published version.
//
// Anything else is a new version beside the old one, in three steps, each deployed
// before the next:
//
//  1. Declare CreatedV2 with its Upcast from CreatedV1, and its entry in Published,
//     without causes. Publish the schema.
//  2. Move each consumer: its handler takes CreatedV2, its name goes from the old
//     entry's Consumers to the new one's. It still gets V1, lifted on reading.
//  3. When no consumer is left on V1, and tests refuse to go on before, publish V2:
//     the causes move to its entry. V1 and its upcast stay for as long as queues
//     and the archive may hold one.
//
// To drop an event, publish it without consumers first, then remove it.
//
// Callers must keep: the standard library is the only dependency, and names and
// JSON tags are the wire format.
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
	// This event. It may be delivered more than once: what was done for an id is
	// not done again.
	EventID string `json:"eventId" id:"evt"`
	// When it happened: RFC 3339 in UTC with milliseconds.
	OccurredAt Timestamp `json:"occurredAt"`
	// The version of the data's schema.
	SchemaVersion int `json:"schemaVersion" minimum:"1"`
	// Shared by everything that one request caused.
	CorrelationID string `json:"correlationId" pattern:"^[A-Za-z0-9._-]{0,128}$"`
	// The id of the event that caused this one; empty where a request did, or the
	// clock.
	CausationID string `json:"causationId"`
	// W3C trace context; empty where the cause carried none.
	Traceparent string `json:"traceparent"`
	// The id of the aggregate that the event is about.
	Subject string `json:"subject" minLength:"1"`
	// Reserved for data that are kept outside of the event. Nothing publishes such
	// events, and consumers refuse them.
	Claim *Claim `json:"claim,omitempty"`
}

// Claim would say where the data of an event are that does not carry them itself. It
// is a published part of the envelope, so it stays.
type Claim struct {
	Key    string `json:"key"`                             // The object in the store, named after the event.
	Bytes  int    `json:"bytes" minimum:"0"`               // The size of the data.
	SHA256 string `json:"sha256" pattern:"^[0-9a-f]{64}$"` // The SHA-256 of the data.
}

// Envelope is the EventBridge entry's Detail.
type Envelope struct {
	// Which event this is, and what it belongs to.
	Metadata Metadata `json:"metadata"`
	// What happened, as the schema of the event's type and version has it.
	Data json.RawMessage `json:"data"`
}

// Money is an amount in minor units (cents) of an ISO 4217 currency. Never a
// float: 0.1 has no binary representation, and money must add up.
type Money struct {
	Amount   int64  `json:"amount"`                        // Minor units, such as cents.
	Currency string `json:"currency" pattern:"^[A-Z]{3}$"` // ISO 4217.
}

// Line is a quantity of a product.
type Line struct {
	ProductID string `json:"productId" id:"prd"`   // The product.
	Quantity  int    `json:"quantity" minimum:"1"` // Units of the product.
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
