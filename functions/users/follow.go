package users

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"tradewind/shared/apperr"
)

// acquire gives a user a further e-mail address and makes its sign-in answer
// under that one. In the table the address is still one to be released, so until
// a change makes it the user's own, follow takes everything back.
func (s *Service) acquire(ctx context.Context, u User, email string) (User, error) {
	claim, err := s.reserve(ctx, email)
	if err != nil {
		return User{}, err
	}
	err = s.vacate(ctx, claim, SignInName(email))
	if err == nil {
		u.Releasing = append(slices.Clone(u.Releasing), claim.Key)
		u.Revision++
		err = s.store.Settle(ctx, claim, u)
	}
	if err != nil {
		// Nothing was made under the reservation. It would lapse by itself, but
		// nobody needs to wait for that.
		_ = s.store.Release(ctx, claim)
		return User{}, err
	}
	if err := s.signIns.Readdress(ctx, u.ID, SignInName(email)); err != nil {
		if final(err) {
			_, ferr := s.follow(ctx, u)
			err = errors.Join(err, ferr)
		}
		return User{}, err
	}
	return u, nil
}

// follow makes a user's sign-in what the table says and then frees the claims
// that are not the user's any more. Until that is done they stay with the user,
// so that nobody registers an address under which another's sign-in answers.
//
// While a user has something in Releasing, its sign-in may be anything. A
// process that dies before the end leaves that behind; a repeat of the request
// finds it and gets here again, and so does whoever wants the address.
func (s *Service) follow(ctx context.Context, u User) (User, error) {
	if len(u.Releasing) == 0 {
		return u, nil
	}
	for {
		if err := s.align(ctx, u); err != nil {
			return User{}, fmt.Errorf("sign-in of user %s: %w", u.ID, err)
		}
		u.Revision++
		err := s.store.Free(ctx, u)
		if err == nil {
			u.Releasing = nil
			return u, nil
		}
		if !errors.Is(err, apperr.ErrStale) {
			return User{}, fmt.Errorf("free claims of user %s: %w", u.ID, err)
		}
		// The user has changed meanwhile, so what the sign-in was just set to
		// may be wrong by now.
		if u, err = s.store.Get(ctx, u.ID); err != nil {
			return User{}, err
		}
	}
}

func (s *Service) align(ctx context.Context, u User) error {
	if u.Erased {
		return s.signIns.Remove(ctx, u.ID)
	}
	return s.signIns.Readdress(ctx, u.ID, SignInName(u.Email))
}
