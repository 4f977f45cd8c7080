// Package notifications is the business of telling people what happened: one
// notification for each thing they should hear of, never two.
//
// It remembers where to write to whom (a Contact) from the users' events, and
// writes a Notification for each event of an order. Three decisions shape it.
//
// A notification's id is made of what it tells of (see idOf), so that telling
// the same twice is a write that fails, whatever became of the record of the
// event.
//
// What is stored holds nothing of the person. The name goes into the greeting
// when the mail is sent, the address stays with the contact; so forgetting a
// person is to erase one contact.
//
// A mail is sent at most once. A mail server knows no idempotency keys, so the
// right to send is claimed first, and a claim that was left behind by a process
// that died is not taken up again: the notification is stored as failed,
// outcome_unknown. A mail too few can be seen in the list of notifications, and
// a mail too many cannot be taken back.
//
// The package knows no AWS and no HTTP; adapters are in internal/.
package notifications

import (
	"time"

	"tradewind/events"
	event "tradewind/events/notifications"
)

// Status is what became of a notification.
type Status string

// The statuses. A notification is stored when its outcome is known, and does not
// change after.
const (
	Sent   Status = "sent"
	Failed Status = "failed"
)

// Channel is the only way in which people are written to.
const Channel = "email"

// AdminUser stands in a notification for whoever runs the shop.
const AdminUser = "admin"

// Causes of a failure.
const (
	// CauseErased: the person's data was erased.
	CauseErased = "recipient_erased"
	// CauseNoAddress: nobody configured where to write to.
	CauseNoAddress = "recipient_unknown"
	// CauseRefused: the mail server will never take it.
	CauseRefused = "message_refused"
	// CauseUnknown: it was handed over, and no answer came.
	CauseUnknown = "outcome_unknown"
)

// Notification is one message to one person.
type Notification struct {
	ID       string
	UserID   string
	OrderID  string // empty where it is not about an order
	Template string
	Subject  string
	Body     string
	Status   Status
	Cause    string // set when Failed
	// CreatedAt is when the outcome was known. There is no later change.
	CreatedAt time.Time
}

// Version is always the first.
const Version = 1

// settle notes the outcome; no cause means that it was sent.
func (n *Notification) settle(cause string, now time.Time) events.Event {
	n.CreatedAt, n.Cause = now, cause
	if cause == "" {
		n.Status = Sent
		return event.SentV1{NotificationID: n.ID, UserID: n.UserID, OrderID: n.OrderID, Template: n.Template}
	}
	n.Status = Failed
	return event.FailedV1{NotificationID: n.ID, UserID: n.UserID, OrderID: n.OrderID, Template: n.Template, Cause: cause}
}
