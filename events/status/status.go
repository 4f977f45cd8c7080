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

// Published declares the service's contracts.
func Published() []events.Contract {
	return events.Publishes(Source,
		events.Contract{
			Event: DegradedV1{}, Causes: []string{events.Clock},
			Consumers: events.Consumers{"status": "takes the service's instances out of the registry"},
		},
		events.Contract{
			Event: RecoveredV1{}, Causes: []string{events.Clock},
			Consumers: events.Consumers{"status": "puts the service's instances back into the registry"},
		},
	)
}

// DegradedV1 says that a service failed enough probes in a row to count as not
// working.
type DegradedV1 struct {
	Service string           `json:"service" pattern:"^[a-z0-9-]+-service$"` // Its name in discovery.
	SinceAt events.Timestamp `json:"sinceAt"`                                // When the first of the probes in a row failed.
	Cause   string           `json:"cause" minLength:"1"`                    // What the last of them saw, for people.
	Probes  int              `json:"probes" minimum:"1"`                     // How many failed in a row.
}

// RecoveredV1 says that a degraded service passed enough probes in a row to count
// as working again.
type RecoveredV1 struct {
	Service    string           `json:"service" pattern:"^[a-z0-9-]+-service$"` // Its name in discovery.
	SinceAt    events.Timestamp `json:"sinceAt"`                                // When the first of the probes in a row passed.
	DegradedAt events.Timestamp `json:"degradedAt"`                             // Since when it had not worked.
	Cause      string           `json:"cause" minLength:"1"`                    // Why it had not.
	Probes     int              `json:"probes" minimum:"1"`                     // How many passed in a row.
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
