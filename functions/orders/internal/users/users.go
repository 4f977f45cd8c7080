// Package users asks the users service whether a customer still has an account.
//
// It exists because a token outlives its user: the gateway believes it until it
// expires, and only the users service knows who was erased since.
//
// Callers must keep: the context carries the customer's own token, with which they may
// ask for themself.
package users

import (
	"context"
	"net/http"
	"net/url"

	"tradewind/functions/orders"
	"tradewind/shared/apperr"
	"tradewind/shared/client"
)

// Client is an orders.Accounts.
type Client struct{ calls client.Doer }

var _ orders.Accounts = (*Client)(nil)

// New returns a client that calls user-service through c.
func New(c client.Doer) *Client { return &Client{c} }

// Open implements orders.Accounts.
func (c *Client) Open(ctx context.Context, userID string) (bool, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://user-service/api/users/"+url.PathEscape(userID), nil)
	if err != nil {
		return false, err
	}
	type user struct {
		Email string `json:"email"`
	}
	u, err := client.JSON[user](c.calls, req)
	switch apperr.KindOf(err) {
	case apperr.NotFound:
		return false, nil
	case apperr.Unauthenticated, apperr.Forbidden:
		// The token was good on the way in. That the other service thinks otherwise is
		// its fault or ours, and the customer can do nothing but come again.
		return false, apperr.Wrap(err, apperr.Unavailable, "user_unavailable", "Whether the account is open cannot be found out at the moment; try again shortly.")
	}
	// An admin is shown their erased account: there is nothing left in it.
	return u.Email != "", err
}
