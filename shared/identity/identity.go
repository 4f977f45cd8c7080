// Package identity says who makes a request. Its only source is the claims of a
// token that was verified before the request reached the code: by the gateway's
// JWT authorizer, or by code that stands in for it behind the load balancer.
//
// Callers must keep: a handler that needs to know who asks calls Caller or
// Admin first. Nothing in a header or a body is ever an identity.
package identity

import (
	"context"
	"slices"
	"strings"

	"tradewind/shared/apperr"
)

// AdminGroup is the user pool's group whose members are admins.
const AdminGroup = "admin"

// Identity is a signed-in user.
type Identity struct {
	UserID string
	Admin  bool
}

// May reports whether the identity may see and change what belongs to userID.
func (i Identity) May(userID string) bool { return i.Admin || i.UserID == userID }

type key struct{}

// WithClaims returns a context that carries the identity of a verified token's
// claims. Only access tokens identify: an ID token proves a sign-in to the
// client, not a right to call, and so counts as no token at all.
func WithClaims(ctx context.Context, claims map[string]string) context.Context {
	if claims["token_use"] != "access" || claims["username"] == "" {
		return ctx
	}
	return context.WithValue(ctx, key{}, Identity{
		UserID: userID(claims["username"]),
		Admin:  slices.Contains(groups(claims["cognito:groups"]), AdminGroup),
	})
}

// userID is the id that was given to the pool as the username. A pool that does
// not tell cases apart may hand it back in lower case; a ULID is upper case.
func userID(username string) string {
	prefix, ulid, ok := strings.Cut(username, "_")
	if !ok {
		return username
	}
	return prefix + "_" + strings.ToUpper(ulid)
}

// groups reads the groups as the gateway hands them on: "[a b]" where the token
// has a JSON array. A group's name holds no space, so nothing else separates:
// a group called "x,admin" must not make an admin.
func groups(claim string) []string {
	return strings.Fields(strings.TrimSuffix(strings.TrimPrefix(claim, "["), "]"))
}

// Caller returns who makes the request; an Unauthenticated error for nobody.
func Caller(ctx context.Context) (Identity, error) {
	who, ok := ctx.Value(key{}).(Identity)
	if !ok {
		return Identity{}, apperr.New(apperr.Unauthenticated, "unauthenticated", "Send a valid access token as a bearer token.")
	}
	return who, nil
}

// Admin returns the caller if it is an admin.
func Admin(ctx context.Context) (Identity, error) {
	who, err := Caller(ctx)
	if err != nil {
		return Identity{}, err
	}
	if !who.Admin {
		return Identity{}, apperr.New(apperr.Forbidden, "forbidden", "This needs the admin role.")
	}
	return who, nil
}
