package users

import (
	"context"
	"fmt"
	"time"

	"tradewind/events"
	"tradewind/shared/apperr"
)

// Store keeps users and the claims to their e-mail addresses. A write and its
// events are saved together or not at all.
type Store interface {
	// Get returns the user with an id, or a NotFound error.
	Get(ctx context.Context, id string) (User, error)
	// List returns a page of all users, newest first, and the position of the
	// next page, empty when there is none.
	List(ctx context.Context, limit int, after string) ([]User, string, error)
	// Save saves the next revision of a user, or returns apperr.ErrStale when
	// the revision before it is not the stored one.
	Save(ctx context.Context, u User, evs ...events.Event) error
	// Free saves the next revision of a user without its releasing claims, and
	// deletes those, if any. It returns apperr.ErrStale as Save does. It is a
	// step of a request and never its effect.
	Free(ctx context.Context, u User) error

	// Scrub deletes what else the table holds of a person: events published
	// before the erasure, and stored answers to requests. It is a step as Free is.
	Scrub(ctx context.Context, id string) error

	// Claim returns the claim with a key; its zero value where there is none.
	Claim(ctx context.Context, key string) (Claim, error)
	// Reserve saves a claim that is not settled in place of the version seen,
	// zero for none, or returns ErrOvertaken when that is not the stored one. It
	// is a step as Free is.
	Reserve(ctx context.Context, c Claim, seen int) error
	// Release deletes a claim, or returns ErrOvertaken when it is not the stored
	// version. It is a step as Free is.
	Release(ctx context.Context, c Claim) error
	// Settle gives a reserved claim to a user for good and saves the user's next
	// revision, the first being a new user. It returns ErrOvertaken when the
	// claim is not the stored version or the request has had its effect already,
	// and apperr.ErrStale as Save does.
	Settle(ctx context.Context, c Claim, u User, evs ...events.Event) error
}

// SignIns is where people prove who they are: the user pool. Each method may be
// repeated. A sign-in's name is the user's id; email is what SignInName returns.
type SignIns interface {
	// Create makes a sign-in, or finishes one that was begun. An Invalid or
	// Conflict error is final, such as ErrEmailTaken or ErrOvertaken.
	Create(ctx context.Context, id, email, password string) error
	// Readdress gives a sign-in another e-mail address.
	Readdress(ctx context.Context, id, email string) error
	// Holder returns the id of the sign-in that answers under an e-mail address;
	// empty where none does.
	Holder(ctx context.Context, email string) (string, error)
	// Remove ends a sign-in and its sessions. It is no error if there is none.
	Remove(ctx context.Context, id string) error
}

// Errors of accounts.
var (
	ErrNotFound   = apperr.New(apperr.NotFound, "user_not_found", "There is no such user.")
	ErrEmailTaken = apperr.New(apperr.Conflict, "email_taken", "There is an account with this e-mail address already.")
	ErrErased     = apperr.New(apperr.Conflict, "user_erased", "This user was erased and cannot be changed.")
	// ErrOvertaken says that another attempt to claim the same e-mail address
	// came between. Nothing was written, and nothing of this attempt will be.
	ErrOvertaken = apperr.New(apperr.Conflict, "idempotency_in_progress", "Another request for this e-mail address is under way; try again shortly.")
)

// Service is what can be done with users.
type Service struct {
	store   Store
	signIns SignIns
	now     func() time.Time
	newID   func(prefix string) string
}

// NewService returns the service.
func NewService(store Store, signIns SignIns, now func() time.Time, newID func(prefix string) string) *Service {
	return &Service{store, signIns, func() time.Time { return now().UTC().Truncate(time.Millisecond) }, newID}
}

// Get returns a user, also an erased one.
func (s *Service) Get(ctx context.Context, id string) (User, error) { return s.store.Get(ctx, id) }

// List returns a page of all users, newest first, also erased ones.
func (s *Service) List(ctx context.Context, limit int, after string) ([]User, string, error) {
	return s.store.List(ctx, limit, after)
}

// Change changes the version of a user that the caller has seen.
func (s *Service) Change(ctx context.Context, id string, seen int, ch Change) (User, error) {
	if err := ch.Validate(); err != nil {
		return User{}, err
	}
	u, err := s.store.Get(ctx, id)
	switch {
	case err != nil:
		return User{}, err
	case u.Erased:
		return User{}, ErrErased
	case u.Version != seen && len(u.Releasing) > 0:
		// It may be the repeat of a change that was cut short.
		if _, err := s.follow(ctx, u); err != nil {
			return User{}, err
		}
		return User{}, apperr.ErrStale
	case u.Version != seen:
		return User{}, apperr.ErrStale
	}
	if ch.Email != nil && !u.Holds(ClaimKey(*ch.Email)) {
		if u, err = s.acquire(ctx, u, *ch.Email); err != nil {
			return User{}, fmt.Errorf("change address of user %s: %w", id, err)
		}
	}
	before := u
	if updated := u.Apply(ch, s.now()); updated != nil {
		if err := s.store.Save(ctx, u, updated); err != nil {
			if _, ferr := s.follow(ctx, before); ferr != nil {
				err = ferr
			}
			return User{}, fmt.Errorf("change user %s: %w", id, err)
		}
	}
	return s.follow(ctx, u)
}

// Erase forgets the version of a user that the caller has seen. Erasing an
// erased user makes sure that nothing of it is left.
func (s *Service) Erase(ctx context.Context, id string, seen int) error {
	u, err := s.store.Get(ctx, id)
	if err != nil {
		return err
	}
	if !u.Erased && u.Version != seen {
		return apperr.ErrStale
	}
	if erased := u.Erase(s.now()); erased != nil {
		if err := s.store.Save(ctx, u, erased); err != nil {
			return fmt.Errorf("erase user %s: %w", id, err)
		}
	}
	if _, err = s.follow(ctx, u); err != nil {
		return err
	}
	if err := s.store.Scrub(ctx, id); err != nil {
		return fmt.Errorf("erase what is left of user %s: %w", id, err)
	}
	return nil
}
