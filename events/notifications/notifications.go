// Package notifications holds the contracts of the events that the
// notifications service publishes. They name the template and the outcome,
// never the text or the address.
package notifications

// Source is the EventBridge source of every event here.
const Source = "notifications"

// The detail types of the events here.
const (
	TypeSent   = "notification.sent"
	TypeFailed = "notification.failed"
)

// SentV1 says that a message was handed to its channel.
type SentV1 struct {
	NotificationID string `json:"notificationId"`
	UserID         string `json:"userId"`
	OrderID        string `json:"orderId,omitempty"`
	Template       string `json:"template"`
}

// FailedV1 says that a message will not reach its reader.
type FailedV1 struct {
	NotificationID string `json:"notificationId"`
	UserID         string `json:"userId"`
	OrderID        string `json:"orderId,omitempty"`
	Template       string `json:"template"`
	Cause          string `json:"cause"`
}

// EventType implements events.Event.
func (SentV1) EventType() string   { return TypeSent }
func (FailedV1) EventType() string { return TypeFailed }

// SchemaVersion implements events.Event.
func (SentV1) SchemaVersion() int   { return 1 }
func (FailedV1) SchemaVersion() int { return 1 }

// Subject is the notification's id.
func (e SentV1) Subject() string   { return e.NotificationID }
func (e FailedV1) Subject() string { return e.NotificationID }
