// Package notifications holds the contracts of the events that the
// notifications service publishes. They name the template and the outcome,
// never the text or the address.
package notifications

import "tradewind/events"

// Source is the EventBridge source of every event here.
const Source = "notifications"

// The detail types of the events here.
const (
	TypeSent   = "notification.sent"
	TypeFailed = "notification.failed"
)

// Published declares the service's contracts.
func Published() []events.Contract {
	told := []string{"user.registered", "order.created", "order.confirmed", "order.cancelled", "payment.refunded", "stock.depleted"}
	return events.Publishes(Source,
		events.Contract{Event: SentV1{}, Causes: told},
		events.Contract{Event: FailedV1{}, Causes: told},
	)
}

// SentV1 says that a message was handed to its channel.
type SentV1 struct {
	NotificationID string `json:"notificationId" id:"ntf"`                               // The notification.
	UserID         string `json:"userId" pattern:"^(usr_[0-9A-HJKMNP-TV-Z]{26}|admin)$"` // The customer; admin for whoever runs the shop.
	OrderID        string `json:"orderId,omitempty" id:"ord"`                            // The order it is about, if any.
	// Which message it was; never its text.
	Template string `json:"template" minLength:"1" known:"welcome,order_received,order_confirmed,order_cancelled,payment_refunded,stock_depleted"`
}

// FailedV1 says that a message will not reach its reader.
type FailedV1 struct {
	NotificationID string `json:"notificationId" id:"ntf"`                               // The notification.
	UserID         string `json:"userId" pattern:"^(usr_[0-9A-HJKMNP-TV-Z]{26}|admin)$"` // The customer; admin for whoever runs the shop.
	OrderID        string `json:"orderId,omitempty" id:"ord"`                            // The order it is about, if any.
	// Which message it was; never its text.
	Template string `json:"template" minLength:"1" known:"welcome,order_received,order_confirmed,order_cancelled,payment_refunded,stock_depleted"`
	// A stable word for why.
	Cause string `json:"cause" minLength:"1" known:"recipient_erased,recipient_unknown,message_refused,outcome_unknown"`
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
