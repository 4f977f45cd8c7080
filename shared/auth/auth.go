// Package auth verifies the user pool's access tokens where nobody else has: for
// requests that come through the load balancer, which has no authorizer.
//
// It exists so that a service's routes behave alike behind both ways in. What
// follows sees a request as it would behind the gateway: with the claims of a valid
// token in its context, or anonymous, and then it is the route that answers 401.
//
// A token is valid if it is signed with RS256 by a key of the pool, is an access token
// of the pool's client, and its time is now. All of it is checked by golang-jwt, with
// the algorithm fixed here: what a token says of its own algorithm decides nothing.
// The keys come by configuration, because functions that call others have no way to
// the internet, where the pool publishes them; where there is a way, a key that is
// not known is looked for, seldom.
//
// Callers must keep: Handler is the outermost of a function's HTTP handlers, and what
// the gateway has verified is not verified again.
package auth

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/golang-jwt/jwt/v5"

	"tradewind/shared/env"
	"tradewind/shared/identity"
	"tradewind/shared/lambdahttp"
	"tradewind/shared/logs"
	"tradewind/shared/trace"
)

const (
	// leeway is how far clocks may be apart.
	leeway = 10 * time.Second
	// maxToken bounds what is looked at, in bytes. A token of the pool has one or
	// two thousand.
	maxToken = 8 << 10
)

// Config says whose tokens are valid.
type Config struct {
	// Issuer is the pool, as its tokens name it. Required.
	Issuer string
	// ClientID is the pool's client that tokens are for. Required.
	ClientID string
	// Keys is the pool's key set (RFC 7517). It is read when the first token
	// comes. May be empty where KeysURL is not.
	Keys string
	// KeysURL is where to look for a key that is not among Keys. May be empty.
	KeysURL string

	Log *slog.Logger     // required
	Now func() time.Time // required
}

// FromEnv returns a verifier from TOKEN_ISSUER, USER_POOL_CLIENT_ID, and POOL_KEYS or
// JWKS_URL or both.
func FromEnv(vars *env.Vars) *Verifier {
	cfg := Config{
		Issuer:   vars.Require("TOKEN_ISSUER"),
		ClientID: vars.Require("USER_POOL_CLIENT_ID"),
		Keys:     vars.String("POOL_KEYS", ""),
		Log:      logs.New(os.Stdout, vars.Getenv),
		Now:      time.Now,
	}
	if cfg.Keys == "" || vars.String("JWKS_URL", "") != "" {
		cfg.KeysURL = vars.URL("JWKS_URL").String()
	}
	return New(cfg)
}

// Verifier verifies tokens.
type Verifier struct {
	cfg    Config
	keys   keySet
	parser *jwt.Parser
}

// New returns a verifier.
func New(cfg Config) *Verifier {
	return &Verifier{
		cfg:  cfg,
		keys: keySet{text: cfg.Keys, url: cfg.KeysURL, now: cfg.Now, log: cfg.Log},
		parser: jwt.NewParser(
			jwt.WithValidMethods([]string{jwt.SigningMethodRS256.Alg()}),
			jwt.WithIssuer(cfg.Issuer),
			jwt.WithExpirationRequired(),
			jwt.WithIssuedAt(),
			jwt.WithLeeway(leeway),
			jwt.WithTimeFunc(cfg.Now),
			jwt.WithStrictDecoding(),
		),
	}
}

// Handler returns next behind the check. A token that is not valid makes a request
// as anonymous as one without; why is logged.
func (v *Verifier) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		if lambdahttp.ViaBalancer(ctx) && len(r.Header["Authorization"]) > 0 {
			claims, err := v.verifyHeader(ctx, r.Header["Authorization"])
			if err != nil {
				// Begun here and not by the router, so that the line is found with the request.
				ctx = trace.With(ctx, trace.New(r.Header.Get(trace.CorrelationHeader), r.Header.Get(trace.ParentHeader)))
				v.cfg.Log.LogAttrs(ctx, slog.LevelInfo, "token refused", slog.String("error", err.Error()))
			}
			r = r.WithContext(identity.WithClaims(ctx, claims))
		}
		next.ServeHTTP(w, r)
	})
}

func (v *Verifier) verifyHeader(ctx context.Context, values []string) (map[string]string, error) {
	if len(values) != 1 {
		return nil, errors.New("more than one Authorization header")
	}
	token := values[0]
	if scheme, rest, ok := strings.Cut(token, " "); ok {
		if !strings.EqualFold(scheme, "Bearer") {
			return nil, errors.New("no bearer token")
		}
		token = strings.TrimLeft(rest, " ")
	}
	// Else it is the token alone. The gateway takes that too, and a service passes it
	// on as it came.
	return v.Verify(ctx, token)
}

// claims are what is looked at of a token's.
type claims struct {
	jwt.RegisteredClaims
	TokenUse string   `json:"token_use"`
	ClientID string   `json:"client_id"`
	Username string   `json:"username"`
	Groups   []string `json:"cognito:groups"`
}

// Validate implements jwt.ClaimsValidator.
func (c *claims) Validate() error {
	if c.TokenUse != "access" {
		return errors.New("it is no access token")
	}
	if c.Username == "" {
		return errors.New("it is nobody's")
	}
	return nil
}

// Verify returns the claims of a valid token, in the form in which the gateway hands
// them on.
func (v *Verifier) Verify(ctx context.Context, token string) (map[string]string, error) {
	if len(token) > maxToken {
		return nil, errors.New("the token is too large")
	}
	var c claims
	_, err := v.parser.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) {
		kid, _ := t.Header["kid"].(string)
		return v.keys.find(ctx, kid)
	})
	if err != nil {
		return nil, err
	}
	if c.ClientID != v.cfg.ClientID {
		return nil, errors.New("the token is for another client")
	}
	return map[string]string{
		"sub":            c.Subject,
		"iss":            c.Issuer,
		"client_id":      c.ClientID,
		"token_use":      c.TokenUse,
		"username":       c.Username,
		"cognito:groups": asGateway(c.Groups),
	}, nil
}

// asGateway writes groups as the gateway does: "[a b]". A name with a space, which the
// pool does not allow, would read as two and is left out.
func asGateway(groups []string) string {
	groups = slices.DeleteFunc(groups, func(group string) bool { return strings.ContainsFunc(group, unicode.IsSpace) })
	return "[" + strings.Join(groups, " ") + "]"
}
