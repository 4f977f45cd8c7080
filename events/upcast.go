package events

import (
	"encoding/json"
	"fmt"
)

// Upcaster is an event type of version 2 or up: it knows how to be read from data
// of the version before. A consumer that takes the new version so takes what was
// published before it too, from queues, dead-letter queues and the archive.
type Upcaster interface {
	Event
	// Upcast returns the way from the version before; see From.
	Upcast() Upcast
}

// Upcast is the way from one version of an event type to the next.
type Upcast struct {
	older Event
	read  func(version int, data json.RawMessage) (Event, error)
}

// From makes an Upcast of a function from the version before. Versions are lifted
// one by one: what takes version 3 reads version 1 by way of 2.
//
//	func (CreatedV2) Upcast() events.Upcast {
//		return events.From(func(old CreatedV1) CreatedV2 { … })
//	}
func From[Old, New Event](lift func(Old) New) Upcast {
	var older Old
	return Upcast{older, func(version int, data json.RawMessage) (Event, error) {
		old, err := Read[Old](version, data)
		if err != nil {
			return nil, err
		}
		return lift(old), nil
	}}
}

// Older is the zero value of the version that is lifted.
func (u Upcast) Older() Event { return u.older }

// Read decodes data of the older version, or one before that, and lifts it.
func (u Upcast) Read(version int, data json.RawMessage) (Event, error) { return u.read(version, data) }

// Read decodes an event's data as an E. The version is the metadata's; one older
// than E's is lifted where E is an Upcaster. Fields that E does not have are
// passed over: a contract may gain some.
func Read[E Event](version int, data json.RawMessage) (E, error) {
	var ev E
	newest := ev.SchemaVersion()
	if version == newest {
		err := json.Unmarshal(data, &ev)
		return ev, err
	}
	upcaster, ok := any(ev).(Upcaster)
	if !ok || version < 1 || version > newest {
		return ev, fmt.Errorf("%s v%d cannot be read as v%d", ev.EventType(), version, newest)
	}
	lifted, err := upcaster.Upcast().Read(version, data)
	if err != nil {
		return ev, err
	}
	ev, ok = lifted.(E)
	if !ok {
		return ev, fmt.Errorf("the upcast of %s v%d makes a %T", ev.EventType(), newest, lifted)
	}
	return ev, nil
}
