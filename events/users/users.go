// Package users holds the contracts of the events that the users service
// publishes. They carry personal data (e-mail, name): a consumer that keeps
// any must erase it upon user.deleted.
package users

import "tradewind/events"

// Source is the EventBridge source of every event here.
const Source = "users"

// The detail types of the events here.
const (
	TypeRegistered = "user.registered"
	TypeUpdated    = "user.updated"
	TypeDeleted    = "user.deleted"
)

// Published declares the service's contracts.
func Published() []events.Contract {
	return events.Publishes(Source,
		events.Contract{
			Event: RegisteredV1{}, Causes: []string{events.Request},
			Consumers: events.Consumers{"notifications": "remembers where to write, and says welcome"},
		},
		events.Contract{
			Event: UpdatedV1{}, Causes: []string{events.Request},
			Consumers: events.Consumers{"notifications": "remembers where to write from now on"},
		},
		events.Contract{
			Event: DeletedV1{}, Causes: []string{events.Request},
			Consumers: events.Consumers{
				"notifications": "forgets the person",
				"orders":        "erases the addresses in their orders",
			},
		},
	)
}

// RegisteredV1 says that someone has an account and can sign in.
type RegisteredV1 struct {
	UserID string `json:"userId" id:"usr"`     // The customer.
	Email  string `json:"email" minLength:"1"` // Where to write; personal data.
	Name   string `json:"name" minLength:"1"`  // How to address them; personal data.
}

// UpdatedV1 carries an account's e-mail address and name as they are now.
type UpdatedV1 struct {
	UserID  string `json:"userId" id:"usr"`     // The customer.
	Email   string `json:"email" minLength:"1"` // Where to write; personal data.
	Name    string `json:"name" minLength:"1"`  // How to address them; personal data.
	Version int    `json:"version" minimum:"1"` // The user's version after the change. It orders updates that arrive out of turn.
}

// DeletedV1 says that an account's personal data was erased; the id stays. Who
// keeps any of it erases it too.
type DeletedV1 struct {
	UserID string `json:"userId" id:"usr"` // The customer.
}

// EventType implements events.Event.
func (RegisteredV1) EventType() string { return TypeRegistered }
func (UpdatedV1) EventType() string    { return TypeUpdated }
func (DeletedV1) EventType() string    { return TypeDeleted }

// SchemaVersion implements events.Event.
func (RegisteredV1) SchemaVersion() int { return 1 }
func (UpdatedV1) SchemaVersion() int    { return 1 }
func (DeletedV1) SchemaVersion() int    { return 1 }

// Subject is the user's id.
func (e RegisteredV1) Subject() string { return e.UserID }
func (e UpdatedV1) Subject() string    { return e.UserID }
func (e DeletedV1) Subject() string    { return e.UserID }
