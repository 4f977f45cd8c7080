// Package dynamo keeps contacts and notifications in one DynamoDB table.
//
//	item          PK                 SK            GSI1PK         GSI1SK
//	contact       CONTACT#<userID>   CONTACT       -              -
//	claim         NOTIFICATION#<id>  CLAIM         -              -
//	notification  NOTIFICATION#<id>  NOTIFICATION  USER#<userID>  NOTIFICATION#<createdAt>#<id>
//	outbox        NOTIFICATION#<id>  OUTBOX#<id>   -              -
//
//	a contact               GetItem PK, SK            consistent       Store.Contact
//	a contact's change      TransactWriteItems        version as read  Store.SaveContact
//	right to send           TransactWriteItems        absent           Store.Claim
//	whose right it is       GetItem PK, SK            consistent       Store.Claimed
//	right given back        TransactWriteItems        -                Store.Release
//	new                     TransactWriteItems        absent           Store.Add
//	one notification        GetItem PK, SK            consistent       Store.Get
//	a user's notifications  Query GSI1, newest first  eventual         Store.ListByUser
//
// Only Add joins the record of the event that is being handled. A claim must
// stand before the mail is sent and whatever happens after; a contact's change
// is guarded by the user's version, which lasts longer than any record.
package dynamo

import (
	"context"
	"time"

	"tradewind/events"
	"tradewind/functions/notifications"
	"tradewind/shared/apperr"
	"tradewind/shared/inbox"
	"tradewind/shared/outbox"
	"tradewind/shared/table"
)

// Store is a notifications.Store.
type Store struct {
	table  *table.Table
	outbox *outbox.Outbox
}

var _ notifications.Store = (*Store)(nil)

// New returns the store in a table; events it saves are published from out.
func New(t *table.Table, out *outbox.Outbox) *Store { return &Store{t, out} }

// Contact implements notifications.Store.
func (s *Store) Contact(ctx context.Context, userID string) (notifications.Contact, error) {
	var it contact
	found, err := s.table.Get(ctx, contactKey(userID), &it)
	if err != nil {
		return notifications.Contact{}, err
	}
	if !found {
		return notifications.Contact{}, notifications.ErrNoContact
	}
	return notifications.Contact{
		UserID: it.UserID, Email: it.Email, Name: it.Name, Revision: it.Revision, Erased: it.Erased, Version: it.Version,
	}, nil
}

// SaveContact implements notifications.Store.
func (s *Store) SaveContact(ctx context.Context, c notifications.Contact) error {
	it := contact{
		Key:    contactKey(c.UserID),
		UserID: c.UserID, Email: c.Email, Name: c.Name, Revision: c.Revision, Erased: c.Erased, Version: c.Version + 1,
	}
	op := table.Replace(it, c.Version)
	if c.Version == 0 {
		// Somebody else made it in between: the same as any other change.
		op = table.Create(it, apperr.ErrStale)
	}
	return s.apart(ctx, op)
}

// Claim implements notifications.Store. It stands for as long as the event that it is
// made for can come again.
func (s *Store) Claim(ctx context.Context, id string, at time.Time) error {
	return s.apart(ctx, table.Create(claim{claimKey(id), at, at.Add(inbox.Lifetime).Unix()}, notifications.ErrClaimed))
}

// Claimed implements notifications.Store.
func (s *Store) Claimed(ctx context.Context, id string) (time.Time, error) {
	var it claim
	found, err := s.table.Get(ctx, claimKey(id), &it)
	if err == nil && !found {
		err = notifications.ErrNotFound
	}
	return it.At, err
}

// Release implements notifications.Store.
func (s *Store) Release(ctx context.Context, id string) error {
	return s.apart(ctx, table.Discard(claimKey(id)))
}

// Add implements notifications.Store.
func (s *Store) Add(ctx context.Context, n notifications.Notification, ev events.Event) error {
	ops := s.outbox.Ops(ctx, key(n.ID).PK, ev)
	return s.table.Commit(ctx, n, append(ops, table.Create(itemOf(n), notifications.ErrTold))...)
}

// Get implements notifications.Store.
func (s *Store) Get(ctx context.Context, id string) (notifications.Notification, error) {
	var it item
	found, err := s.table.Get(ctx, key(id), &it)
	if err == nil && !found {
		err = notifications.ErrNotFound
	}
	return it.notification(), err
}

// ListByUser implements notifications.Store.
func (s *Store) ListByUser(ctx context.Context, userID string, limit int, after string) ([]notifications.Notification, string, error) {
	items, next, err := table.List[item](ctx, s.table, table.Query{
		Index: table.GSI1, PK: userKey(userID), SKPrefix: "NOTIFICATION#", Descending: true, Limit: limit, After: after,
	})
	if err != nil {
		return nil, "", err
	}
	list := make([]notifications.Notification, len(items))
	for i, it := range items {
		list[i] = it.notification()
	}
	return list, next, nil
}

// apart commits without the record of the event that is being handled.
func (s *Store) apart(ctx context.Context, op table.Op) error {
	return s.table.Commit(table.WithGuard(ctx, nil), nil, op)
}

func contactKey(userID string) table.Key {
	return table.Key{PK: table.Prefixed("CONTACT", userID), SK: "CONTACT"}
}

func key(id string) table.Key {
	return table.Key{PK: table.Prefixed("NOTIFICATION", id), SK: "NOTIFICATION"}
}

func claimKey(id string) table.Key {
	return table.Key{PK: table.Prefixed("NOTIFICATION", id), SK: "CLAIM"}
}

func userKey(userID string) string { return table.Prefixed("USER", userID) }

type contact struct {
	table.Key
	UserID   string `dynamodbav:"userId"`
	Email    string `dynamodbav:"email,omitempty"`
	Name     string `dynamodbav:"name,omitempty"`
	Revision int    `dynamodbav:"revision"`
	Erased   bool   `dynamodbav:"erased"`
	Version  int    `dynamodbav:"version"`
}

type claim struct {
	table.Key
	At        time.Time `dynamodbav:"claimedAt"`
	ExpiresAt int64     `dynamodbav:"expiresAt"`
}

// item is a notification as it is stored.
type item struct {
	table.Key
	table.Index
	ID        string    `dynamodbav:"id"`
	UserID    string    `dynamodbav:"userId"`
	OrderID   string    `dynamodbav:"orderId,omitempty"`
	Template  string    `dynamodbav:"template"`
	Subject   string    `dynamodbav:"subject"`
	Body      string    `dynamodbav:"body"`
	Status    string    `dynamodbav:"status"`
	Cause     string    `dynamodbav:"cause,omitempty"`
	CreatedAt time.Time `dynamodbav:"createdAt"`
}

func itemOf(n notifications.Notification) item {
	return item{
		Key: key(n.ID),
		// Times of a fixed length, so that their text sorts as they do.
		Index:     table.Index{PK: userKey(n.UserID), SK: table.Prefixed("NOTIFICATION", events.Timestamp(n.CreatedAt).String(), n.ID)},
		ID:        n.ID,
		UserID:    n.UserID,
		OrderID:   n.OrderID,
		Template:  n.Template,
		Subject:   n.Subject,
		Body:      n.Body,
		Status:    string(n.Status),
		Cause:     n.Cause,
		CreatedAt: n.CreatedAt,
	}
}

func (it item) notification() notifications.Notification {
	return notifications.Notification{
		ID:        it.ID,
		UserID:    it.UserID,
		OrderID:   it.OrderID,
		Template:  it.Template,
		Subject:   it.Subject,
		Body:      it.Body,
		Status:    notifications.Status(it.Status),
		Cause:     it.Cause,
		CreatedAt: it.CreatedAt,
	}
}
