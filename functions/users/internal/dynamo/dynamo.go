// Package dynamo keeps users in one DynamoDB table.
//
//	item     PK           SK            GSI1PK  GSI1SK
//	user     USER#<id>    USER          USERS   USER#<id>
//	claim    EMAIL#<key>  EMAIL         -       -
//	outbox   USER#<id>    OUTBOX#<id>   -       -
//
//	one user         GetItem PK, SK            consistent          Store.Get
//	all users        Query GSI1, newest first  eventual            Store.List
//	change           TransactWriteItems        revision as read    Store.Save
//	tidy up          TransactWriteItems        revision as read    Store.Free
//	erase            Query PK, GSI1, each      consistent, and     Store.Scrub
//	                 item found                eventual
//	one claim        GetItem PK, SK            consistent          Store.Claim
//	attempt a claim  TransactWriteItems        version as read     Store.Reserve, Store.Release
//	settle a claim   TransactWriteItems        both as read        Store.Settle
//
// An id is a ULID, so it sorts by the time of the registration. The attribute
// "version" that conditions are on is a user's revision; the version a client
// sees is "edition". All users are one partition of the index, which takes a
// thousand registrations a second; a shop that outgrows that shards USERS by
// month. Records of idempotency keys join the transactions that are a request's
// effect, Save and Settle, from the context.
package dynamo

import (
	"context"
	"errors"
	"time"

	"tradewind/events"
	event "tradewind/events/users"
	"tradewind/functions/users"
	"tradewind/shared/idempotency"
	"tradewind/shared/outbox"
	"tradewind/shared/table"
)

// Store is a users.Store.
type Store struct {
	table  *table.Table
	outbox *outbox.Outbox
}

var _ users.Store = (*Store)(nil)

// New returns the store in a table; events it saves are published from out.
func New(t *table.Table, out *outbox.Outbox) *Store { return &Store{t, out} }

var errTaken = errors.New("user id is taken")

// Get implements users.Store.
func (s *Store) Get(ctx context.Context, id string) (users.User, error) {
	var it user
	found, err := s.table.Get(ctx, userKey(id), &it)
	if err != nil {
		return users.User{}, err
	}
	if !found {
		return users.User{}, users.ErrNotFound
	}
	return it.user(), nil
}

// List implements users.Store.
func (s *Store) List(ctx context.Context, limit int, after string) ([]users.User, string, error) {
	items, next, err := table.List[user](ctx, s.table, table.Query{
		Index: table.GSI1, PK: allUsers, Descending: true, Limit: limit, After: after,
	})
	if err != nil {
		return nil, "", err
	}
	list := make([]users.User, len(items))
	for i, it := range items {
		list[i] = it.user()
	}
	return list, next, nil
}

// Save implements users.Store.
func (s *Store) Save(ctx context.Context, u users.User, evs ...events.Event) error {
	return s.table.Commit(ctx, u, append([]table.Op{save(u)}, s.outbox.Ops(ctx, userKey(u.ID).PK, evs...)...)...)
}

// Free implements users.Store.
func (s *Store) Free(ctx context.Context, u users.User) error {
	released := u.Releasing
	u.Releasing = nil
	ops := []table.Op{save(u)}
	for _, key := range released {
		ops = append(ops, table.Discard(claimKey(key)))
	}
	return s.step(ctx, ops...)
}

// Scrub implements users.Store.
func (s *Store) Scrub(ctx context.Context, id string) error {
	return errors.Join(
		outbox.Erase(ctx, s.table, userKey(id).PK, event.TypeDeleted),
		idempotency.Forget(ctx, s.table, id),
	)
}

// Claim implements users.Store.
func (s *Store) Claim(ctx context.Context, key string) (users.Claim, error) {
	var it claim
	found, err := s.table.Get(ctx, claimKey(key), &it)
	if err != nil || !found {
		return users.Claim{}, err
	}
	return users.Claim{Key: key, UserID: it.UserID, Settled: it.Settled, Since: it.Since, Version: it.Version}, nil
}

// Reserve implements users.Store.
func (s *Store) Reserve(ctx context.Context, c users.Claim, seen int) error {
	if seen == 0 {
		return s.step(ctx, table.Create(claimOf(c), users.ErrOvertaken))
	}
	return s.step(ctx, overtaken(table.Replace(claimOf(c), seen)))
}

// Release implements users.Store.
func (s *Store) Release(ctx context.Context, c users.Claim) error {
	return s.step(ctx, overtaken(table.Remove(claimKey(c.Key), c.Version)))
}

// Settle implements users.Store.
func (s *Store) Settle(ctx context.Context, c users.Claim, u users.User, evs ...events.Event) error {
	seen := c.Version
	c.UserID, c.Settled, c.Version = u.ID, true, seen+1
	// The claim comes first: if a commit that took effect is repeated, everything
	// fails, and that the claim is settled is what tells why.
	ops := append([]table.Op{overtaken(table.Replace(claimOf(c), seen)), save(u)}, s.outbox.Ops(ctx, userKey(u.ID).PK, evs...)...)
	err := s.table.Commit(ctx, u, ops...)
	if errors.Is(err, table.ErrDone) {
		return users.ErrOvertaken
	}
	return err
}

// step commits what is not the effect of the request, so that the request's
// record of being done waits for the commit that is.
func (s *Store) step(ctx context.Context, ops ...table.Op) error {
	return s.table.Commit(table.WithGuard(ctx, nil), nil, ops...)
}

func save(u users.User) table.Op {
	if u.Revision == 1 {
		return table.Create(userOf(u), errTaken)
	}
	return table.Replace(userOf(u), u.Revision-1)
}

func overtaken(op table.Op) table.Op {
	op.Refused = users.ErrOvertaken
	return op
}

// allUsers is the index partition of the list.
const allUsers = "USERS"

func userKey(id string) table.Key { return table.Key{PK: table.Prefixed("USER", id), SK: "USER"} }

func claimKey(key string) table.Key {
	return table.Key{PK: table.Prefixed("EMAIL", key), SK: "EMAIL"}
}

// user is a user as it is stored.
type user struct {
	table.Key
	table.Index
	ID        string    `dynamodbav:"id"`
	Email     string    `dynamodbav:"email"`
	Name      string    `dynamodbav:"name"`
	Addresses []address `dynamodbav:"addresses,omitempty"`
	Erased    bool      `dynamodbav:"erased,omitempty"`
	Claim     string    `dynamodbav:"claim,omitempty"`
	Releasing []string  `dynamodbav:"releasing,omitempty"`
	Edition   int       `dynamodbav:"edition"`
	Version   int       `dynamodbav:"version"`
	CreatedAt time.Time `dynamodbav:"createdAt"`
	UpdatedAt time.Time `dynamodbav:"updatedAt"`
}

type address struct {
	Line1      string `dynamodbav:"line1"`
	Line2      string `dynamodbav:"line2,omitempty"`
	City       string `dynamodbav:"city"`
	PostalCode string `dynamodbav:"postalCode"`
	Country    string `dynamodbav:"country"`
}

func userOf(u users.User) user {
	it := user{
		Key:       userKey(u.ID),
		Index:     table.Index{PK: allUsers, SK: table.Prefixed("USER", u.ID)},
		ID:        u.ID,
		Email:     u.Email,
		Name:      u.Name,
		Erased:    u.Erased,
		Claim:     u.Claim,
		Releasing: u.Releasing,
		Edition:   u.Version,
		Version:   u.Revision,
		CreatedAt: u.CreatedAt,
		UpdatedAt: u.UpdatedAt,
	}
	for _, a := range u.Addresses {
		it.Addresses = append(it.Addresses, address(a))
	}
	return it
}

func (it user) user() users.User {
	u := users.User{
		ID:        it.ID,
		Email:     it.Email,
		Name:      it.Name,
		Erased:    it.Erased,
		Version:   it.Edition,
		CreatedAt: it.CreatedAt,
		UpdatedAt: it.UpdatedAt,
		Revision:  it.Version,
		Claim:     it.Claim,
		Releasing: it.Releasing,
	}
	for _, a := range it.Addresses {
		u.Addresses = append(u.Addresses, users.Address(a))
	}
	return u
}

// claim is a claim as it is stored.
type claim struct {
	table.Key
	UserID  string    `dynamodbav:"userId"`
	Settled bool      `dynamodbav:"settled"`
	Since   time.Time `dynamodbav:"since"`
	Version int       `dynamodbav:"version"`
	// ExpiresAt lets a reservation go that nobody came back to.
	ExpiresAt int64 `dynamodbav:"expiresAt,omitempty"`
}

func claimOf(c users.Claim) claim {
	it := claim{Key: claimKey(c.Key), UserID: c.UserID, Settled: c.Settled, Since: c.Since, Version: c.Version}
	if !c.Settled {
		it.ExpiresAt = c.Since.Add(lifetime).Unix()
	}
	return it
}

// lifetime is how long a reservation is kept. It has lapsed long before; nothing
// goes wrong when it is deleted.
const lifetime = 24 * time.Hour
