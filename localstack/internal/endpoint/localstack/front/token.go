package front

import (
	"context"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	jwksPath = "/.well-known/jwks.json"
	// refetch is how seldom the keys are asked for again on a token with an unknown
	// one, for anybody can send such.
	refetch = 2 * time.Second
)

// Why a request is not let through.
var (
	errUnauthorized = errors.New("unauthorized")
	errForbidden    = errors.New("forbidden")
)

// authorize checks a request's token as a JWT authorizer does and returns its claims:
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html
func (a *authorizer) authorize(ctx context.Context, header string, scopes []string, now time.Time) (jwt.MapClaims, error) {
	token := header
	if scheme, rest, ok := strings.Cut(header, " "); ok && strings.EqualFold(scheme, "bearer") {
		token = strings.TrimSpace(rest)
	}
	claims := jwt.MapClaims{}
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{"RS256"}),
		jwt.WithIssuer(a.issuer),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
		jwt.WithTimeFunc(func() time.Time { return now }),
		jwt.WithJSONNumber(), // seconds as they were written, not as a float prints
	)
	_, err := parser.ParseWithClaims(token, claims, func(t *jwt.Token) (any, error) {
		id, _ := t.Header["kid"].(string)
		return a.keys.find(ctx, id)
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnauthorized, err)
	}
	if !a.meant(claims) {
		return nil, fmt.Errorf("%w: the token is for another audience", errUnauthorized)
	}
	if len(scopes) > 0 {
		scope, _ := claims["scope"].(string)
		has := strings.Fields(scope)
		if !slices.ContainsFunc(scopes, func(s string) bool { return slices.Contains(has, s) }) {
			return nil, fmt.Errorf("%w: none of the scopes %v", errForbidden, scopes)
		}
	}
	return claims, nil
}

// meant says whether a token is for us: by aud or, without it, by client_id.
func (a *authorizer) meant(claims jwt.MapClaims) bool {
	audience, err := claims.GetAudience()
	if err != nil {
		return false
	}
	if len(audience) == 0 {
		client, _ := claims["client_id"].(string)
		audience = []string{client}
	}
	return slices.ContainsFunc(a.audience, func(s string) bool { return slices.Contains(audience, s) })
}

// claimTexts are the claims as the event has them: every value is a text, a list is
// "[a b]".
func claimTexts(claims jwt.MapClaims) map[string]string {
	texts := make(map[string]string, len(claims))
	for name, v := range claims {
		switch v := v.(type) {
		case string:
			texts[name] = v
		case bool:
			texts[name] = strconv.FormatBool(v)
		case []any:
			parts := make([]string, len(v))
			for i, part := range v {
				parts[i] = fmt.Sprint(part)
			}
			texts[name] = "[" + strings.Join(parts, " ") + "]"
		default:
			texts[name] = fmt.Sprint(v)
		}
	}
	return texts
}

// poolKeys reads a pool's public keys. The issuer's host is AWS's; the pool is the
// lender's, under the same name.
func (f *Front) poolKeys(issuer string) func(context.Context) ([]byte, error) {
	pool := issuer[strings.LastIndexByte(issuer, '/')+1:]
	return func(ctx context.Context) ([]byte, error) {
		return f.get(ctx, f.cfg.Lender.JoinPath(pool, jwksPath).String())
	}
}

// keySet holds an issuer's keys by their ids.
type keySet struct {
	fetch func(context.Context) ([]byte, error)
	now   func() time.Time

	mu    sync.Mutex
	keys  map[string]*rsa.PublicKey
	asked time.Time
}

func (k *keySet) find(ctx context.Context, id string) (*rsa.PublicKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if key := k.keys[id]; key != nil {
		return key, nil
	}
	if k.keys != nil && k.now().Sub(k.asked) < refetch {
		return nil, fmt.Errorf("no key %q", id)
	}
	text, err := k.fetch(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the issuer's keys: %w", err)
	}
	keys, err := parseKeys(text)
	if err != nil {
		return nil, err
	}
	k.keys, k.asked = keys, k.now()
	if key := keys[id]; key != nil {
		return key, nil
	}
	return nil, fmt.Errorf("no key %q", id)
}

// parseKeys reads the RSA keys of a key set.
func parseKeys(text []byte) (map[string]*rsa.PublicKey, error) {
	var set struct {
		Keys []struct{ Kid, Kty, N, E string }
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, fmt.Errorf("read the issuer's keys: %w", err)
	}
	keys := map[string]*rsa.PublicKey{}
	for _, k := range set.Keys {
		n, errN := base64.RawURLEncoding.DecodeString(k.N)
		e, errE := base64.RawURLEncoding.DecodeString(k.E)
		if k.Kty != "RSA" || errN != nil || errE != nil || len(e) > 4 {
			continue
		}
		keys[k.Kid] = &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	}
	return keys, nil
}
