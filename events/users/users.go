// Package users holds the contracts of the events that the users service
// publishes. They carry personal data (e-mail, name): a consumer that keeps
// any must erase it on DeletedV1.
package users

// Source is the EventBridge source of every event here.
const Source = "users"

// The detail types of the events here.
const (
	TypeRegistered = "user.registered"
	TypeUpdated    = "user.updated"
	TypeDeleted    = "user.deleted"
)

// RegisteredV1 says that someone has an account and can sign in. Consumer:
// notifications remembers where to write and says welcome.
type RegisteredV1 struct {
	UserID string `json:"userId"`
	Email  string `json:"email"`
	Name   string `json:"name"`
}

// UpdatedV1 carries the account's e-mail and name as they are now. Consumer:
// notifications. Version orders updates that arrive out of turn.
type UpdatedV1 struct {
	UserID  string `json:"userId"`
	Email   string `json:"email"`
	Name    string `json:"name"`
	Version int    `json:"version"`
}

// DeletedV1 says that the account's personal data was erased; the id stays.
// Consumers: notifications forgets the person, orders their addresses.
type DeletedV1 struct {
	UserID string `json:"userId"`
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
