// Package status holds the contracts of the events that the status service
// publishes: that a service of the platform has stopped working, and that it works
// again. Of one service they alternate, beginning with the former.
package status

import "tradewind/events"

// Source is the EventBridge source of every event here.
const Source = "status"

// The detail types of the events here.
const (
	TypeDegraded  = "service.degraded"
	TypeRecovered = "service.recovered"
)

// DegradedV1 says that a service failed enough probes in a row to count as not
// working. Consumer: status itself takes its instances out of the registry.
type DegradedV1 struct {
	Service string `json:"service"`
	// SinceAt is when the first of the probes in a row failed.
	SinceAt events.Timestamp `json:"sinceAt"`
	// Cause is what the last of them saw, for people.
	Cause  string `json:"cause"`
	Probes int    `json:"probes"`
}

// RecoveredV1 says that a degraded service passed enough probes in a row to count
// as working again. Consumer: status itself puts its instances back into the
// registry.
type RecoveredV1 struct {
	Service string `json:"service"`
	// SinceAt is when the first of the probes in a row passed.
	SinceAt events.Timestamp `json:"sinceAt"`
	// DegradedAt is since when it had not worked, and Cause why.
	DegradedAt events.Timestamp `json:"degradedAt"`
	Cause      string           `json:"cause"`
	Probes     int              `json:"probes"`
}

// EventType implements events.Event.
func (DegradedV1) EventType() string  { return TypeDegraded }
func (RecoveredV1) EventType() string { return TypeRecovered }

// SchemaVersion implements events.Event.
func (DegradedV1) SchemaVersion() int  { return 1 }
func (RecoveredV1) SchemaVersion() int { return 1 }

// Subject is the service's name.
func (e DegradedV1) Subject() string  { return e.Service }
func (e RecoveredV1) Subject() string { return e.Service }
