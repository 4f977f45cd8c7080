package auth_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"tradewind/shared/auth"
	"tradewind/shared/benchtest"
	"tradewind/shared/env"
	"tradewind/shared/identity"
	"tradewind/shared/lambdahttp"
	"tradewind/shared/logs"
)

const (
	issuer   = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_pool"
	clientID = "3n4b5c6d7e8f9g0h"
)

var (
	now = time.Date(2026, 11, 12, 13, 14, 15, 0, time.UTC)

	// The pool's key, and somebody else's.
	poolKey  = newKey()
	otherKey = newKey()
)

func newKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

// jwk returns a key as a key set has it.
func jwk(id string, key *rsa.PublicKey) map[string]string {
	return map[string]string{
		"kty": "RSA", "alg": "RS256", "use": "sig", "kid": id,
		"n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()),
		"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes()),
	}
}

func jwks(keys ...map[string]string) string {
	text, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		panic(err)
	}
	return string(text)
}

func newVerifier(keys, url string) *auth.Verifier {
	return auth.New(auth.Config{
		Issuer: issuer, ClientID: clientID, Keys: keys, KeysURL: url,
		Log: logs.Discard(), Now: func() time.Time { return now },
	})
}

// valid returns the claims of a token as the pool makes it.
func valid() jwt.MapClaims {
	return jwt.MapClaims{
		"sub": "c0ffee00-0000-4000-8000-000000000000", "iss": issuer, "client_id": clientID, "token_use": "access",
		"scope": "aws.cognito.signin.user.admin", "auth_time": now.Add(-time.Minute).Unix(), "iat": now.Add(-time.Minute).Unix(),
		"exp": now.Add(time.Hour).Unix(), "jti": "1", "username": "usr_01K9ZZZZZZZZZZZZZZZZZZZZZZ", "cognito:groups": []string{"admin", "staff"},
	}
}

// with returns the claims with some changed; nil takes one away.
func with(changes jwt.MapClaims) jwt.MapClaims {
	c := valid()
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

func sign(t testing.TB, method jwt.SigningMethod, key any, kid any, claims jwt.Claims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, claims)
	if kid != nil {
		token.Header["kid"] = kid
	}
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func token(t testing.TB, claims jwt.Claims) string {
	return sign(t, jwt.SigningMethodRS256, poolKey, "k1", claims)
}

func TestVerify(t *testing.T) {
	got, err := newVerifier(jwks(jwk("k1", &poolKey.PublicKey)), "").Verify(t.Context(), token(t, valid()))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"sub": "c0ffee00-0000-4000-8000-000000000000", "iss": issuer, "client_id": clientID, "token_use": "access",
		"username": "usr_01K9ZZZZZZZZZZZZZZZZZZZZZZ", "cognito:groups": "[admin staff]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
}

// TestTime has the edges of a token's time, with what clocks may be apart.
func TestTime(t *testing.T) {
	v := newVerifier(jwks(jwk("k1", &poolKey.PublicKey)), "")
	at := func(d time.Duration) int64 { return now.Add(d).Unix() }
	tests := map[string]struct {
		claims jwt.MapClaims
		ok     bool
	}{
		"now":                  {jwt.MapClaims{}, true},
		"just over":            {jwt.MapClaims{"exp": at(-9 * time.Second)}, true},
		"over":                 {jwt.MapClaims{"exp": at(-11 * time.Second)}, false},
		"long over":            {jwt.MapClaims{"exp": at(-time.Hour)}, false},
		"without an end":       {jwt.MapClaims{"exp": nil}, false},
		"with words for it":    {jwt.MapClaims{"exp": "tomorrow"}, false},
		"not quite yet":        {jwt.MapClaims{"nbf": at(9 * time.Second)}, true},
		"not yet":              {jwt.MapClaims{"nbf": at(11 * time.Second)}, false},
		"not for long":         {jwt.MapClaims{"nbf": at(time.Hour)}, false},
		"made in a while":      {jwt.MapClaims{"iat": at(11 * time.Second)}, false},
		"made just now":        {jwt.MapClaims{"iat": at(9 * time.Second)}, true},
		"since a while":        {jwt.MapClaims{"nbf": at(-time.Hour)}, true},
		"both ends, but apart": {jwt.MapClaims{"nbf": at(time.Hour), "exp": at(2 * time.Hour)}, false},
	}
	for name, test := range tests {
		if _, err := v.Verify(t.Context(), token(t, with(test.claims))); (err == nil) != test.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRefused(t *testing.T) {
	v := newVerifier(jwks(jwk("k1", &poolKey.PublicKey), jwk("k2", &newKey().PublicKey)), "")
	good := token(t, valid())
	parts := strings.Split(good, ".")
	segment := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	// The public key is known to everybody, so it must not work as a secret.
	der, err := x509.MarshalPKIXPublicKey(&poolKey.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	refused := map[string]string{
		"another's signature":    sign(t, jwt.SigningMethodRS256, otherKey, "k1", valid()),
		"another key of ours":    sign(t, jwt.SigningMethodRS256, poolKey, "k2", valid()),
		"changed claims":         parts[0] + "." + segment(with(jwt.MapClaims{"username": "usr_2"})) + "." + parts[2],
		"changed header":         segment(map[string]any{"alg": "RS256", "kid": "k1", "typ": "x"}) + "." + parts[1] + "." + parts[2],
		"no signature":           parts[0] + "." + parts[1] + ".",
		"half a signature":       parts[0] + "." + parts[1] + "." + parts[2][:100],
		"a spelling of the same": good[:len(good)-1] + string(rune(good[len(good)-1])+1),
		"alg none":               sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "k1", valid()),
		"alg None":               segment(map[string]any{"alg": "None", "kid": "k1"}) + "." + parts[1] + ".",
		"HS256 with the key":     sign(t, jwt.SigningMethodHS256, public, "k1", valid()),
		"HS256 with its DER":     sign(t, jwt.SigningMethodHS256, der, "k1", valid()),
		"HS256 with its modulus": sign(t, jwt.SigningMethodHS256, poolKey.N.Bytes(), "k1", valid()),
		"HS256 with nothing":     sign(t, jwt.SigningMethodHS256, []byte{}, "k1", valid()),
		"RS512":                  sign(t, jwt.SigningMethodRS512, poolKey, "k1", valid()),
		"PS256":                  sign(t, jwt.SigningMethodPS256, poolKey, "k1", valid()),
		"ES256":                  sign(t, jwt.SigningMethodES256, ec, "k1", valid()),
		"no algorithm":           segment(map[string]any{"kid": "k1"}) + "." + parts[1] + "." + parts[2],
		"unknown key":            sign(t, jwt.SigningMethodRS256, poolKey, "k9", valid()),
		"no key":                 sign(t, jwt.SigningMethodRS256, poolKey, nil, valid()),
		"empty key":              sign(t, jwt.SigningMethodRS256, poolKey, "", valid()),
		"a number as key":        sign(t, jwt.SigningMethodRS256, poolKey, 1, valid()),
		"the key in the token":   withKey(t, otherKey),
		"another issuer":         token(t, with(jwt.MapClaims{"iss": issuer + "2"})),
		"no issuer":              token(t, with(jwt.MapClaims{"iss": nil})),
		"ID token":               token(t, with(jwt.MapClaims{"token_use": "id", "aud": clientID, "client_id": nil, "cognito:username": "usr_1"})),
		"ID token for a client":  token(t, with(jwt.MapClaims{"token_use": "id"})),
		"no use":                 token(t, with(jwt.MapClaims{"token_use": nil})),
		"another client":         token(t, with(jwt.MapClaims{"client_id": "other"})),
		"client only as aud":     token(t, with(jwt.MapClaims{"client_id": nil, "aud": clientID})),
		"nobody's":               token(t, with(jwt.MapClaims{"username": nil})),
		"groups of a shape":      token(t, with(jwt.MapClaims{"cognito:groups": map[string]any{"admin": true}})),
		"no claims":              sign(t, jwt.SigningMethodRS256, poolKey, "k1", jwt.MapClaims{}),
		"empty":                  "",
		"dots":                   "..",
		"two parts":              parts[0] + "." + parts[1],
		"four parts":             good + ".x",
		"white space":            good + " ",
		"padding":                parts[0] + "=." + parts[1] + "." + parts[2],
		"claims that are null":   parts[0] + "." + segment(nil) + "." + parts[2],
		"not base64":             "ä." + parts[1] + "." + parts[2],
		"not JSON":               base64.RawURLEncoding.EncodeToString([]byte("{")) + "." + parts[1] + "." + parts[2],
		"too large":              token(t, with(jwt.MapClaims{"more": strings.Repeat("x", 8<<10)})),
	}
	for name, text := range refused {
		if claims, err := v.Verify(t.Context(), text); err == nil || claims != nil {
			t.Errorf("%s: accepted as %v", name, claims)
		}
	}
	if _, err := v.Verify(t.Context(), good); err != nil {
		t.Errorf("the one they are made of: %v", err)
	}
}

// withKey returns a token that brings the key it is signed with along.
func withKey(t *testing.T, key *rsa.PrivateKey) string {
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, valid())
	token.Header["jwk"], token.Header["jku"] = jwk("mine", &key.PublicKey), "http://127.0.0.1:1/"
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestGroups(t *testing.T) {
	v := newVerifier(jwks(jwk("k1", &poolKey.PublicKey)), "")
	tests := map[string]struct {
		groups any
		admin  bool
	}{
		"none":          {nil, false},
		"empty":         {[]string{}, false},
		"admin":         {[]string{"admin"}, true},
		"among others":  {[]string{"a", "admin", "b"}, true},
		"another":       {[]string{"administrators"}, false},
		"two in one":    {[]string{"x admin"}, false},
		"two in one, 2": {[]string{"x\u00a0admin", "x\tadmin", "\nadmin"}, false},
		"brackets":      {[]string{"[admin]", "admin]"}, false},
		"a list as one": {[]string{"x,admin"}, false},
		"an empty name": {[]string{""}, false},
	}
	for name, test := range tests {
		claims, err := v.Verify(t.Context(), token(t, with(jwt.MapClaims{"cognito:groups": test.groups})))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		who, err := identity.Caller(identity.WithClaims(t.Context(), claims))
		if err != nil || who.UserID != "usr_01K9ZZZZZZZZZZZZZZZZZZZZZZ" || who.Admin != test.admin {
			t.Errorf("%s: %+v, %v from %q", name, who, err, claims["cognito:groups"])
		}
	}
}

// pool is the address at which a pool publishes its keys.
type pool struct {
	*httptest.Server
	set   atomic.Pointer[string]
	looks atomic.Int32
}

func newPool(t *testing.T, set string) *pool {
	p := &pool{}
	p.set.Store(&set)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p.looks.Add(1)
		if s := *p.set.Load(); s == "" {
			http.Error(w, "down", http.StatusServiceUnavailable)
		} else {
			fmt.Fprint(w, s)
		}
	}))
	t.Cleanup(p.Close)
	return p
}

// TestRotation: a pool that signs with a new key is asked for it once.
func TestRotation(t *testing.T) {
	p := newPool(t, jwks(jwk("k2", &otherKey.PublicKey)))
	clock := now
	v := auth.New(auth.Config{
		Issuer: issuer, ClientID: clientID, Keys: jwks(jwk("k1", &poolKey.PublicKey)), KeysURL: p.URL,
		Log: logs.Discard(), Now: func() time.Time { return clock },
	})
	old, rotated := token(t, valid()), sign(t, jwt.SigningMethodRS256, otherKey, "k2", valid())
	if _, err := v.Verify(t.Context(), old); err != nil || p.looks.Load() != 0 {
		t.Errorf("with a configured key: %v after %d looks", err, p.looks.Load())
	}
	if _, err := v.Verify(t.Context(), rotated); err != nil || p.looks.Load() != 1 {
		t.Errorf("with a new key: %v after %d looks", err, p.looks.Load())
	}
	if _, err := v.Verify(t.Context(), old); err == nil {
		t.Error("a key that is no longer published is accepted")
	}
	clock = clock.Add(time.Hour)
	_, _ = v.Verify(t.Context(), sign(t, jwt.SigningMethodRS256, poolKey, nil, with(jwt.MapClaims{"exp": clock.Add(time.Hour).Unix()})))
	if n := p.looks.Load(); n != 1 {
		t.Errorf("a token without a key's id is looked up")
	}
	// Anybody can make up key ids: that must not become a flood of look-ups.
	for i := range 100 {
		_, _ = v.Verify(t.Context(), sign(t, jwt.SigningMethodRS256, otherKey, fmt.Sprint("made-up-", i), valid()))
		clock = clock.Add(time.Second)
	}
	if n := p.looks.Load(); n > 3 {
		t.Errorf("%d looks in 100 s of unknown keys", n)
	}
}

// TestOnlyURL has no configured keys: the first token brings them, and a pool that is
// down is tried again soon, not at every token.
func TestOnlyURL(t *testing.T) {
	p := newPool(t, "")
	clock := now
	v := auth.New(auth.Config{Issuer: issuer, ClientID: clientID, KeysURL: p.URL, Log: logs.Discard(), Now: func() time.Time { return clock }})
	for range 10 {
		if _, err := v.Verify(t.Context(), token(t, valid())); err == nil {
			t.Fatal("accepted without a key")
		}
	}
	if n := p.looks.Load(); n != 1 {
		t.Errorf("%d looks, want 1", n)
	}
	up := jwks(jwk("k1", &poolKey.PublicKey))
	p.set.Store(&up)
	clock = clock.Add(2 * time.Second)
	if _, err := v.Verify(t.Context(), token(t, valid())); err != nil {
		t.Error(err)
	}
	// When it is down later, what is known stays.
	down := ""
	p.set.Store(&down)
	clock = clock.Add(time.Hour)
	_, _ = v.Verify(t.Context(), sign(t, jwt.SigningMethodRS256, poolKey, "k9", valid()))
	if _, err := v.Verify(t.Context(), token(t, with(jwt.MapClaims{"exp": clock.Add(time.Hour).Unix()}))); err != nil {
		t.Errorf("after a look that failed: %v", err)
	}
}

// TestURLNonsense: whatever is found at the address, nothing is accepted and nothing
// hangs.
func TestURLNonsense(t *testing.T) {
	tests := map[string]http.HandlerFunc{
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/there" {
				fmt.Fprint(w, jwks(jwk("k1", &poolKey.PublicKey)))
				return
			}
			http.Redirect(w, r, "/there", http.StatusFound)
		},
		"not JSON":  func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") },
		"too large": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat(" ", 70_000)) },
		"an error": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, jwks(jwk("k1", &poolKey.PublicKey)))
		},
		"silence": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	}
	for name, handle := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(handle)
			defer server.Close()
			if _, err := newVerifier("", server.URL).Verify(t.Context(), token(t, valid())); err == nil {
				t.Error("accepted")
			}
		})
	}
}

// TestURLWithoutEnd: a GiB at the address is no key set, and takes little memory.
func TestURLWithoutEnd(t *testing.T) {
	endless := func(w io.Writer, text string) {
		block := []byte(strings.Repeat(text, 1024))
		for said := 0; said < 1<<30; said += len(block) {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	}
	tests := map[string]http.HandlerFunc{
		"a body": func(w http.ResponseWriter, _ *http.Request) { endless(w, " ") },
		"headers": func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n")
			endless(conn, "X-Bomb: x\r\n")
		},
	}
	for name, handle := range tests {
		server := httptest.NewServer(handle)
		v, text := newVerifier("", server.URL), token(t, valid())
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := v.Verify(t.Context(), text)
		runtime.ReadMemStats(&after)
		server.Close()
		if grew := after.TotalAlloc - before.TotalAlloc; err == nil || grew > 8<<20 {
			t.Errorf("%s without an end: %v, %d MiB were allocated", name, err, grew>>20)
		}
	}
}

// TestCallerLeaves: who goes away while the keys are fetched does not take them along.
func TestCallerLeaves(t *testing.T) {
	p := newPool(t, jwks(jwk("k1", &poolKey.PublicKey)))
	v := newVerifier("", p.URL)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _ = v.Verify(ctx, token(t, valid()))
	if _, err := v.Verify(t.Context(), token(t, valid())); err != nil || p.looks.Load() != 1 {
		t.Errorf("%v after %d looks", err, p.looks.Load())
	}
}

func TestConcurrency(t *testing.T) {
	p := newPool(t, jwks(jwk("k1", &poolKey.PublicKey), jwk("k2", &otherKey.PublicKey)))
	v := newVerifier(jwks(jwk("k1", &poolKey.PublicKey)), p.URL)
	tokens := []string{token(t, valid()), sign(t, jwt.SigningMethodRS256, otherKey, "k2", valid())}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 20 {
				if _, err := v.Verify(t.Context(), tokens[(i+j)%2]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := p.looks.Load(); n != 1 {
		t.Errorf("%d looks, want 1", n)
	}
}

// TestHandler sends requests as both ways in do.
func TestHandler(t *testing.T) {
	good := token(t, valid())
	claims, err := json.Marshal(map[string]string{"token_use": "access", "username": "usr_GATEWAY"})
	if err != nil {
		t.Fatal(err)
	}
	balancer := func(authorization string) string {
		return `{"requestContext":{"elb":{"targetGroupArn":"arn"}},"httpMethod":"GET","path":"/","headers":{` + authorization + `},"body":""}`
	}
	multi := func(values string) string {
		return `{"requestContext":{"elb":{"targetGroupArn":"arn"}},"httpMethod":"GET","path":"/","multiValueHeaders":{"authorization":[` + values + `]},"body":""}`
	}
	gateway := func(authorizer string) string {
		return `{"version":"2.0","rawPath":"/","headers":{"authorization":"Bearer ` + good + `"},"requestContext":{"http":{"method":"GET"}` + authorizer + `}}`
	}
	tests := map[string]struct {
		event string
		want  string // the caller; "" is nobody
		log   string // part of it; "" is no line
	}{
		"balancer":                 {balancer(`"authorization":"Bearer ` + good + `"`), "usr_01K9ZZZZZZZZZZZZZZZZZZZZZZ", ""},
		"balancer, multi-value":    {multi(`"Bearer ` + good + `"`), "usr_01K9ZZZZZZZZZZZZZZZZZZZZZZ", ""},
		"the scheme's case":        {balancer(`"authorization":"bearer ` + good + `"`), "usr_01K9ZZZZZZZZZZZZZZZZZZZZZZ", ""},
		"no token":                 {balancer(``), "", ""},
		"an invalid one":           {balancer(`"authorization":"Bearer x.y.z"`), "", "token refused"},
		"somebody else's":          {balancer(`"authorization":"Bearer ` + sign(t, jwt.SigningMethodRS256, otherKey, "k1", valid()) + `"`), "", "signature is invalid"},
		"another scheme":           {balancer(`"authorization":"Basic dXNyOnB3"`), "", "no bearer token"},
		"the token alone":          {balancer(`"authorization":"` + good + `"`), "usr_01K9ZZZZZZZZZZZZZZZZZZZZZZ", ""},
		"the scheme alone":         {balancer(`"authorization":"Bearer"`), "", "token refused"},
		"two in one":               {balancer(`"authorization":"Bearer ` + good + `, Bearer ` + good + `"`), "", "token refused"},
		"two":                      {multi(`"Bearer ` + good + `","Bearer ` + good + `"`), "", "more than one"},
		"claims made up":           {balancer(`"x-amzn-oidc-data":"x"`), "", ""},
		"gateway":                  {gateway(`,"authorizer":{"jwt":{"claims":` + string(claims) + `}}`), "usr_GATEWAY", ""},
		"gateway, a public route":  {gateway(``), "", ""},
		"balancer's, with a claim": {`{"requestContext":{"elb":{},"authorizer":{"jwt":{"claims":` + string(claims) + `}}},"httpMethod":"GET","path":"/","headers":{}}`, "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			v := auth.New(auth.Config{
				Issuer: issuer, ClientID: clientID, Keys: jwks(jwk("k1", &poolKey.PublicKey)),
				Log: slog.New(slog.NewTextHandler(&log, nil)), Now: func() time.Time { return now },
			})
			got := "not called"
			h := lambdahttp.New(v.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				who, _ := identity.Caller(r.Context())
				got = who.UserID
			})))
			if _, err := h.Invoke(t.Context(), []byte(test.event)); err != nil {
				t.Fatal(err)
			}
			if got != test.want {
				t.Errorf("caller %q, want %q", got, test.want)
			}
			if (log.Len() > 0) != (test.log != "") || !strings.Contains(log.String(), test.log) {
				t.Errorf("log %q, want %q", log.String(), test.log)
			}
			if strings.Contains(log.String(), good[:20]) {
				t.Errorf("the token is in the log: %s", log.String())
			}
		})
	}
}

// TestBrokenConfiguration: keys that cannot be read are said once, and nobody gets in.
func TestBrokenConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		v := auth.New(auth.Config{Issuer: issuer, ClientID: clientID, Keys: "{", Log: slog.New(slog.NewTextHandler(&log, nil)), Now: time.Now})
		for range 3 {
			if _, err := v.Verify(t.Context(), token(t, valid())); err == nil {
				t.Error("accepted")
			}
		}
		if strings.Count(log.String(), "level=ERROR") != 1 {
			t.Errorf("log %s", &log)
		}
	})
}

func TestFromEnv(t *testing.T) {
	full := map[string]string{"TOKEN_ISSUER": issuer, "USER_POOL_CLIENT_ID": clientID, "POOL_KEYS": jwks(jwk("k1", &poolKey.PublicKey)), "JWKS_URL": "http://127.0.0.1:1/jwks.json"}
	tests := map[string]struct {
		without, with string
		want          string
	}{
		"all":         {"", "", ""},
		"no URL":      {"JWKS_URL", "", ""},
		"no keys":     {"POOL_KEYS", "", ""},
		"no issuer":   {"TOKEN_ISSUER", "", "TOKEN_ISSUER"},
		"no client":   {"USER_POOL_CLIENT_ID", "", "USER_POOL_CLIENT_ID"},
		"neither":     {"POOL_KEYS JWKS_URL", "", "JWKS_URL"},
		"a wrong URL": {"", "file:///etc/passwd", "JWKS_URL"},
	}
	for name, test := range tests {
		vars := env.From(func(name string) string {
			switch {
			case name == "JWKS_URL" && test.with != "":
				return test.with
			case strings.Contains(test.without, name):
				return ""
			}
			return full[name]
		})
		auth.FromEnv(vars)
		if err := vars.Err(); (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// BenchmarkVerifyRatio compares the check of a token with the verification of its
// signature alone.
func BenchmarkVerifyRatio(b *testing.B) {
	v := newVerifier(jwks(jwk("k1", &poolKey.PublicKey)), "")
	text := token(b, valid())
	signed, encoded := text[:strings.LastIndexByte(text, '.')], text[strings.LastIndexByte(text, '.')+1:]
	signature, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		b.Fatal(err)
	}
	digest := sha256.Sum256([]byte(signed))
	budget := benchtest.Budget{Ratio: 1.6, Allocs: 80}
	budget.Benchmark(b, func() {
		if err := rsa.VerifyPKCS1v15(&poolKey.PublicKey, crypto.SHA256, digest[:], signature); err != nil {
			b.Fatal(err)
		}
	}, func() {
		if _, err := v.Verify(b.Context(), text); err != nil {
			b.Fatal(err)
		}
	})
}

// A function puts the check around its routes.
func Example() {
	verifier := auth.New(auth.Config{
		Issuer: issuer, ClientID: clientID, Keys: jwks(jwk("k1", &poolKey.PublicKey)),
		Log: logs.Discard(), Now: func() time.Time { return now },
	})
	routes := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		who, err := identity.Caller(r.Context())
		fmt.Println(who.UserID, err)
	})
	function := lambdahttp.New(verifier.Handler(routes))

	signed := jwt.NewWithClaims(jwt.SigningMethodRS256, valid())
	signed.Header["kid"] = "k1"
	bearer, _ := signed.SignedString(poolKey)
	for _, token := range []string{bearer, bearer[:len(bearer)-10] + "AAAAAAAAAA"} {
		_, _ = function.Invoke(context.Background(), []byte(`{"requestContext":{"elb":{}},"httpMethod":"GET","path":"/","headers":{"authorization":"Bearer `+token+`"}}`))
	}

	// Output:
	// usr_01K9ZZZZZZZZZZZZZZZZZZZZZZ <nil>
	//  unauthenticated: Send a valid access token as a bearer token.
}
