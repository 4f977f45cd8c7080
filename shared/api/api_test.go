package api_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"tradewind/shared/api"
	"tradewind/shared/auth"
	"tradewind/shared/health"
	"tradewind/shared/httpkit"
	"tradewind/shared/identity"
	"tradewind/shared/logs"
	"tradewind/shared/table/tabletest"
)

const (
	issuer   = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_pool"
	clientID = "client"
	user     = "usr_01K9ZZZZZZZZZZZZZZZZZZZZZZ"
)

var poolKey = newKey()

func newKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

func tokens(log *slog.Logger) *auth.Verifier {
	keys := `{"keys":[{"kid":"k1","kty":"RSA","n":"` + base64.RawURLEncoding.EncodeToString(poolKey.N.Bytes()) + `","e":"AQAB"}]}`
	return auth.New(auth.Config{Issuer: issuer, ClientID: clientID, Keys: keys, Log: log, Now: time.Now})
}

// bearer is a token of the pool's for a client of its.
func bearer(client string) string {
	t := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"iss": issuer, "client_id": client, "token_use": "access", "username": user, "exp": time.Now().Add(time.Hour).Unix(),
	})
	t.Header["kid"] = "k1"
	text, err := t.SignedString(poolKey)
	if err != nil {
		panic(err)
	}
	return "Bearer " + text
}

// routes has one route that anybody may call and one that needs a sign-in.
func routes() *httpkit.Router {
	rt := httpkit.NewRouter(logs.Discard())
	rt.Handle("GET /api/things", func(*http.Request) (httpkit.Answer, error) { return httpkit.JSON(200, "things"), nil })
	rt.Handle("GET /api/things/mine", func(r *http.Request) (httpkit.Answer, error) {
		who, err := identity.Caller(r.Context())
		return httpkit.JSON(200, who.UserID), err
	})
	return rt
}

// balancer and gateway make the events of the two ways in. The gateway's claims are
// those of a token that it has verified.
func balancer(path, authorization string) string {
	return `{"requestContext":{"elb":{}},"httpMethod":"GET","path":"` + path + `","multiValueHeaders":{"authorization":["` + authorization + `"]}}`
}

func gateway(path, authorization, claims string) string {
	return `{"version":"2.0","rawPath":"` + path + `","headers":{"authorization":"` + authorization + `"},"requestContext":{"http":{"method":"GET"},"authorizer":{"jwt":{"claims":{` + claims + `}}}}}`
}

func TestNew(t *testing.T) {
	const verified = `"token_use":"access","username":"` + user + `"`
	tests := map[string]struct {
		event  string
		status int
		body   string
		caller string // whom the service's own layers see; "" is nobody
	}{
		"balancer, a good token":  {balancer("/api/things/mine", bearer(clientID)), 200, user, user},
		"balancer, a foreign one": {balancer("/api/things/mine", bearer("another")), 401, "unauthenticated", ""},
		"balancer, none":          {balancer("/api/things/mine", ""), 401, "unauthenticated", ""},
		"balancer, public":        {balancer("/api/things", ""), 200, "things", ""},
		"balancer, public, bad":   {balancer("/api/things", "Bearer x"), 200, "things", ""},
		"balancer, live":          {balancer("/health/live", ""), 200, "pass", ""},
		"balancer, ready":         {balancer("/health/ready", ""), 200, "pass", ""},
		"gateway, verified":       {gateway("/api/things/mine", "Bearer x", verified), 200, user, user},
		"gateway, no claims":      {gateway("/api/things/mine", bearer(clientID), ""), 401, "unauthenticated", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var passed []string
			layer := func(name string) func(http.Handler) http.Handler {
				return func(next http.Handler) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						who, _ := identity.Caller(r.Context())
						passed = append(passed, name+" "+who.UserID)
						next.ServeHTTP(w, r)
					})
				}
			}
			h := api.New(routes(), health.Table(tabletest.New()), tokens(logs.Discard()), layer("outer"), layer("inner"))
			out, err := h.Invoke(t.Context(), []byte(test.event))
			var got struct {
				StatusCode int
				Body       string
			}
			if err != nil || json.Unmarshal(out, &got) != nil {
				t.Fatalf("%s, %v", out, err)
			}
			if got.StatusCode != test.status || !strings.Contains(got.Body, test.body) {
				t.Errorf("answered %s, want %d %s", out, test.status, test.body)
			}
			if diff := cmp.Diff([]string{"outer " + test.caller, "inner " + test.caller}, passed); diff != "" {
				t.Errorf("layers (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRefusalIsFound: why a token was refused stands in the log under the correlation id
// that the caller was given, also where it was made here.
func TestRefusalIsFound(t *testing.T) {
	var log bytes.Buffer
	h := api.New(routes(), health.Table(tabletest.New()), tokens(logs.New(&log, func(string) string { return "" })))
	out, err := h.Invoke(t.Context(), []byte(balancer("/api/things/mine", "Bearer x.y.z")))
	var answer struct{ MultiValueHeaders http.Header }
	var line struct{ Msg, Error, CorrelationID string }
	if err != nil || json.Unmarshal(out, &answer) != nil || json.Unmarshal(log.Bytes(), &line) != nil {
		t.Fatalf("%s, %v, %s", out, err, &log)
	}
	id := answer.MultiValueHeaders.Get("X-Correlation-Id")
	if id == "" || line.CorrelationID != id || line.Msg != "token refused" || line.Error == "" {
		t.Errorf("answered with id %q, logged %s", id, &log)
	}
}

// A function's build step makes its routes, and New the rest.
func ExampleNew() {
	handler := api.New(routes(), health.Table(tabletest.New()), tokens(logs.Discard()))
	answer, err := handler.Invoke(context.Background(), []byte(balancer("/api/things/mine", bearer(clientID))))
	fmt.Println(strings.Contains(string(answer), user), err)
	// Output: true <nil>
}
