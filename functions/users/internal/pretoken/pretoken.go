// Package pretoken withholds the group admin from the tokens of users who sign in with a
// password alone.
//
// It exists because a user pool asks everyone for a second factor or no one: that an admin
// has one must be looked up. The pool calls this trigger before it issues a token, at
// sign-in and at each refresh, so an admin who gives the second factor up is none from the
// next token on.
//
// Rules for callers:
//   - The pool calls the trigger with version two of its event, whose answer counts for
//     access tokens. That of version one is documented for ID tokens only.
//   - An error refuses the token. Only admins are looked up, so only they depend on it.
package pretoken

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/aws/aws-lambda-go/events"

	"tradewind/shared/identity"
)

// Event is what the pool sends and gets back.
type Event = events.CognitoEventUserPoolsPreTokenGenV2_0

// Pool knows who has a second factor.
type Pool interface {
	HasTOTP(ctx context.Context, username string) (bool, error)
}

// Trigger returns the handler.
func Trigger(pool func(id string) Pool, log *slog.Logger) func(context.Context, Event) (Event, error) {
	return func(ctx context.Context, ev Event) (Event, error) {
		// An answer without groups takes the groups away, so those that stay are repeated.
		groups := ev.Request.GroupConfiguration
		ev.Response.ClaimsAndScopeOverrideDetails.GroupOverrideDetails = groups
		if !slices.Contains(groups.GroupsToOverride, identity.AdminGroup) {
			return ev, nil
		}
		enrolled, err := pool(ev.UserPoolID).HasTOTP(ctx, ev.UserName)
		if err != nil {
			return ev, fmt.Errorf("look for the second factor of the admin %s: %w", ev.UserName, err)
		}
		if !enrolled {
			log.WarnContext(ctx, "an admin without a TOTP is issued a customer's token", "userId", ev.UserName)
			ev.Response.ClaimsAndScopeOverrideDetails.GroupOverrideDetails.GroupsToOverride = slices.DeleteFunc(
				slices.Clone(groups.GroupsToOverride), func(group string) bool { return group == identity.AdminGroup })
		}
		return ev, nil
	}
}
