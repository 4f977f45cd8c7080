package users

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"tradewind/shared/apperr"
)

// Claim says whose an e-mail address is.
type Claim struct {
	Key string
	// UserID is the user's, or until Settled that of an attempt to get it.
	UserID  string
	Settled bool
	Since   time.Time // of the reservation
	// Version is another number after each change. Not the next one: a claim can
	// be deleted and made anew, and who remembers the old one must not be able
	// to take the new one for it.
	Version int
}

// patience is how long an attempt is left alone before another overtakes it. It
// is no safety margin: an attempt that is overtaken while it is alive fails, and
// does no harm. It only lets the first of two requests be the one that succeeds.
const patience = 3 * time.Second

// pause is the time between two looks at somebody else's attempt.
const pause = 100 * time.Millisecond

// Register gives someone an account with which they can sign in.
//
// Every attempt has its own id, and so its own sign-in with its own password;
// attempts share nothing but the claim. Settling makes the id of the attempt
// that holds the claim the user's. So of two attempts at once one wins whole,
// and its password cannot be replaced by a loser that wakes up late.
func (s *Service) Register(ctx context.Context, r Registration) (User, error) {
	if err := r.Validate(); err != nil {
		return User{}, err
	}
	claim, err := s.reserve(ctx, r.Email)
	if err != nil {
		return User{}, fmt.Errorf("reserve e-mail address: %w", err)
	}
	if err := s.create(ctx, claim, r); err != nil {
		if final(err) {
			s.abandon(ctx, claim)
		}
		return User{}, fmt.Errorf("make sign-in %s: %w", claim.UserID, err)
	}
	u, registered := New(claim.UserID, r, s.now())
	err = s.store.Settle(ctx, claim, u, registered)
	if errors.Is(err, ErrOvertaken) {
		return s.lost(ctx, claim, u)
	}
	if err != nil {
		// Whether it took effect is not known. If it did, the claim is settled;
		// if not, the next attempt overtakes this one.
		return User{}, fmt.Errorf("register user %s: %w", u.ID, err)
	}
	return u, nil
}

// create makes the sign-in of an attempt that holds the claim.
func (s *Service) create(ctx context.Context, claim Claim, r Registration) error {
	email := SignInName(r.Email)
	err := s.signIns.Create(ctx, claim.UserID, email, r.Password)
	if errors.Is(err, ErrEmailTaken) {
		if err := s.vacate(ctx, claim, email); err != nil {
			return err
		}
		err = s.signIns.Create(ctx, claim.UserID, email, r.Password)
	}
	return err
}

// reserve makes the claim to an e-mail address that nobody has, or that an
// attempt has which got stuck, the caller's. No sign-in answers under the
// address then.
func (s *Service) reserve(ctx context.Context, email string) (Claim, error) {
	mine := Claim{Key: ClaimKey(email), UserID: s.newID("usr")}
	for {
		c, err := s.store.Claim(ctx, mine.Key)
		switch {
		case err != nil:
			return Claim{}, err
		case c.Settled:
			err = s.reclaim(ctx, c)
		case c.UserID == mine.UserID: // and that was never answered
			return c, s.vacate(ctx, c, SignInName(email))
		case s.now().Before(c.Since.Add(patience)):
			err = wait(ctx, pause)
		default:
			mine.Since, mine.Version = s.now(), rand.Int() //nolint:gosec // it need not be secret, only another
			err = s.store.Reserve(ctx, mine, c.Version)
			if err == nil && c.Version == 0 {
				return mine, nil
			}
		}
		if err != nil && !errors.Is(err, ErrOvertaken) {
			return Claim{}, err
		}
	}
}

// reclaim frees a claim whose user has given it up, or returns ErrEmailTaken.
func (s *Service) reclaim(ctx context.Context, c Claim) error {
	u, err := s.store.Get(ctx, c.UserID)
	switch {
	case err != nil:
		return err
	case c.Key == u.Claim:
		return ErrEmailTaken
	case !u.Holds(c.Key):
		return wait(ctx, pause) // freed since the claim was read
	}
	_, err = s.follow(ctx, u)
	return err
}

// vacate takes an e-mail address from whatever sign-in answers under it, for an
// attempt that holds the claim: that sign-in is what an attempt before has left.
func (s *Service) vacate(ctx context.Context, claim Claim, email string) error {
	for {
		id, err := s.signIns.Holder(ctx, email)
		if err != nil || id == "" || id == claim.UserID {
			return err
		}
		// If the claim is still this attempt's after the sign-in was seen, then
		// that is of no attempt that came later. Earlier ones cannot settle.
		now, err := s.store.Claim(ctx, claim.Key)
		if err != nil {
			return err
		}
		if now.Version != claim.Version {
			return ErrOvertaken
		}
		if !strings.HasPrefix(id, "usr_") {
			return ErrEmailTaken // made past this service, and not its to remove
		}
		u, err := s.store.Get(ctx, id)
		switch {
		case apperr.KindOf(err) == apperr.NotFound:
			err = s.signIns.Remove(ctx, id)
		case err == nil && !u.Erased && SignInName(u.Email) == email:
			err = ErrEmailTaken
		case err == nil:
			err = s.align(ctx, u)
		}
		if err != nil {
			return err
		}
	}
}

// lost ends an attempt that could not settle.
func (s *Service) lost(ctx context.Context, claim Claim, u User) (User, error) {
	now, err := s.store.Claim(ctx, claim.Key)
	if err != nil {
		return User{}, err
	}
	if now.Settled && now.UserID == u.ID {
		return u, nil // it did settle, and was told so by no answer
	}
	s.abandon(ctx, claim)
	if now.Settled {
		return User{}, ErrEmailTaken
	}
	return User{}, ErrOvertaken
}

// abandon removes what an attempt has made, so that the next one need not wait
// for this one. Where that fails, the next one finds it.
func (s *Service) abandon(ctx context.Context, claim Claim) {
	if s.signIns.Remove(ctx, claim.UserID) == nil {
		_ = s.store.Release(ctx, claim)
	}
}

// final reports whether a refusal of the user pool will not pass.
func final(err error) bool {
	kind := apperr.KindOf(err)
	return kind == apperr.Invalid || kind == apperr.Conflict
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
