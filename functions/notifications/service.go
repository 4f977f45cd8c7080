package notifications

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"tradewind/events"
	"tradewind/events/inventory"
	"tradewind/events/orders"
	"tradewind/events/payments"
	"tradewind/events/users"
	"tradewind/shared/apperr"
)

// Store keeps contacts and notifications.
type Store interface {
	// Contact returns how to address a user, or ErrNoContact.
	Contact(ctx context.Context, userID string) (Contact, error)
	// SaveContact saves the version after c.Version, or returns apperr.ErrStale
	// when that is not the stored one. It is a change by itself, apart from the
	// event that is being handled: what it repeats it does not change.
	SaveContact(ctx context.Context, c Contact) error

	// Claim takes the right to send a notification, for ever. It returns
	// ErrClaimed when somebody has it.
	Claim(ctx context.Context, id string, at time.Time) error
	// Claimed returns when the right to send was taken.
	Claimed(ctx context.Context, id string) (time.Time, error)
	// Release gives the right to send back.
	Release(ctx context.Context, id string) error

	// Add stores a notification and publishes its event, or returns ErrTold when
	// it is stored already.
	Add(ctx context.Context, n Notification, ev events.Event) error
	// Get returns a notification, or ErrNotFound.
	Get(ctx context.Context, id string) (Notification, error)
	// ListByUser returns a page of a user's notifications, newest first, and the
	// position of the next page, empty when there is none.
	ListByUser(ctx context.Context, userID string, limit int, after string) ([]Notification, string, error)
}

// What a store says.
var (
	ErrNotFound  = apperr.New(apperr.NotFound, "notification_not_found", "There is no such notification.")
	ErrNoContact = apperr.New(apperr.NotFound, "contact_unknown", "Nothing is known of this user yet.")
	ErrClaimed   = apperr.New(apperr.Conflict, "notification_claimed", "The notification is being sent.")
	ErrTold      = apperr.New(apperr.Conflict, "notification_exists", "The notification was stored before.")
)

// Mailer hands messages to a mail server.
type Mailer interface {
	// Send hands one message over, once. An error says what is known: Unavailable
	// means that it was not taken and may be the next time, Invalid that it never
	// will be; after any other it may have been sent, or not.
	Send(ctx context.Context, m Message) error
}

// Message is a mail.
type Message struct {
	To      string
	Subject string
	Body    string
}

// Service is what can be done with notifications.
type Service struct {
	store  Store
	mailer Mailer
	admin  string
	now    func() time.Time
}

// NewService returns the service. Without a mailer the stored notification is
// the delivery, and nobody needs an address. The admin's notifications go to the
// address admin.
func NewService(store Store, mailer Mailer, admin string, now func() time.Time) *Service {
	return &Service{store, mailer, admin, func() time.Time { return now().UTC().Truncate(time.Millisecond) }}
}

// Get returns a notification.
func (s *Service) Get(ctx context.Context, id string) (Notification, error) {
	return s.store.Get(ctx, id)
}

// ListByUser returns a page of a user's notifications, newest first.
func (s *Service) ListByUser(ctx context.Context, userID string, limit int, after string) ([]Notification, string, error) {
	return s.store.ListByUser(ctx, userID, limit, after)
}

// firstRevision is the version of a user that has just registered.
const firstRevision = 1

// Registered remembers a user and welcomes them.
func (s *Service) Registered(ctx context.Context, e users.RegisteredV1) error {
	c, err := s.update(ctx, e.UserID, func(c *Contact) bool { return c.update(e.Email, e.Name, firstRevision) })
	if err != nil || c.Erased {
		return err
	}
	return s.tell(ctx, newWelcome(e.UserID))
}

// Updated remembers how a user is addressed from now on.
func (s *Service) Updated(ctx context.Context, e users.UpdatedV1) error {
	_, err := s.update(ctx, e.UserID, func(c *Contact) bool { return c.update(e.Email, e.Name, e.Version) })
	return err
}

// Deleted forgets a user.
func (s *Service) Deleted(ctx context.Context, e users.DeletedV1) error {
	_, err := s.update(ctx, e.UserID, (*Contact).erase)
	return err
}

// OrderCreated confirms to a customer that their order was received.
func (s *Service) OrderCreated(ctx context.Context, e orders.CreatedV1) error {
	return s.tell(ctx, newReceived(e))
}

// OrderConfirmed tells a customer that their order is confirmed.
func (s *Service) OrderConfirmed(ctx context.Context, e orders.ConfirmedV1) error {
	return s.tell(ctx, newConfirmed(e))
}

// OrderCancelled tells a customer that their order is cancelled.
func (s *Service) OrderCancelled(ctx context.Context, e orders.CancelledV1) error {
	return s.tell(ctx, newCancelled(e))
}

// PaymentRefunded tells a customer that their money goes back.
func (s *Service) PaymentRefunded(ctx context.Context, e payments.RefundedV1) error {
	return s.tell(ctx, newRefunded(e))
}

// StockDepleted tells the admin that a product ran out.
func (s *Service) StockDepleted(ctx context.Context, e inventory.StockDepletedV1, eventID string) error {
	return s.tell(ctx, newDepleted(e, eventID))
}

// update changes a contact, and returns it as it is then.
func (s *Service) update(ctx context.Context, userID string, change func(*Contact) bool) (Contact, error) {
	c, err := s.store.Contact(ctx, userID)
	if errors.Is(err, ErrNoContact) {
		c, err = Contact{UserID: userID}, nil
	}
	if err != nil || !change(&c) {
		return c, err
	}
	if err := s.store.SaveContact(ctx, c); err != nil {
		return Contact{}, fmt.Errorf("save contact of %s: %w", userID, err)
	}
	return c, nil
}

// tell delivers a notification and stores what became of it.
func (s *Service) tell(ctx context.Context, n Notification) error {
	to, err := s.recipient(ctx, n.UserID)
	if err != nil {
		return fmt.Errorf("address of %s: %w", n.UserID, err)
	}
	var cause string
	switch {
	case to.Erased:
		cause = CauseErased
	case s.mailer == nil:
	case to.Email == "":
		cause = CauseNoAddress
	default:
		if cause, err = s.send(ctx, n, to); err != nil {
			return fmt.Errorf("send %s: %w", n.ID, err)
		}
	}
	ev := n.settle(cause, s.now())
	if err := s.store.Add(ctx, n, ev); err != nil && !errors.Is(err, ErrTold) {
		return fmt.Errorf("store %s: %w", n.ID, err)
	}
	return nil
}

// Waits for a contact that is not there yet. Registering and ordering are
// seconds apart at least, but their events come by different ways; a moment of
// patience here saves a whole visibility timeout.
const (
	lookups   = 5
	firstWait = 100 * time.Millisecond
)

// recipient returns the contact of a user who may have been heard of only now.
func (s *Service) recipient(ctx context.Context, userID string) (Contact, error) {
	if userID == AdminUser {
		return Contact{UserID: AdminUser, Email: s.admin}, nil
	}
	for attempt := range lookups {
		c, err := s.store.Contact(ctx, userID)
		if !errors.Is(err, ErrNoContact) || attempt == lookups-1 || !pause(ctx, firstWait<<attempt) {
			return c, err
		}
	}
	return Contact{}, ErrNoContact
}

// lease is how long a claim may be somebody's who is still at work: longer than
// the consumer function may run, shorter than its queue hides a message.
const lease = 30 * time.Second

// send hands a notification over at most once and returns the cause of its
// failure, if it failed. After an error it may be sent again.
func (s *Service) send(ctx context.Context, n Notification, to Contact) (cause string, err error) {
	if err := s.store.Claim(ctx, n.ID, s.now()); errors.Is(err, ErrClaimed) {
		return s.claimed(ctx, n)
	} else if err != nil {
		return "", err
	}
	err = s.mailer.Send(ctx, Message{To: to.Email, Subject: n.Subject, Body: greeting(to) + n.Body})
	switch {
	case err == nil:
		return "", nil
	case apperr.KindOf(err) == apperr.Unavailable:
		return "", errors.Join(err, s.store.Release(ctx, n.ID))
	case apperr.KindOf(err) == apperr.Invalid:
		return CauseRefused, nil
	default:
		return CauseUnknown, nil
	}
}

// claimed says what to do about a notification that somebody else may send.
func (s *Service) claimed(ctx context.Context, n Notification) (cause string, err error) {
	if _, err := s.store.Get(ctx, n.ID); !errors.Is(err, ErrNotFound) {
		return "", err // told, or not known: Add will find out
	}
	at, err := s.store.Claimed(ctx, n.ID)
	if err != nil {
		return "", err
	}
	if s.now().Sub(at) < lease {
		return "", apperr.New(apperr.Unavailable, "notification_in_progress", "Somebody is sending this notification.")
	}
	return CauseUnknown, nil
}

func greeting(c Contact) string {
	if c.Name == "" {
		return "Hello,\n\n"
	}
	return "Hello " + c.Name + ",\n\n"
}

// pause waits with full jitter; it reports false when the time is up.
func pause(ctx context.Context, bound time.Duration) bool {
	timer := time.NewTimer(rand.N(bound))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
