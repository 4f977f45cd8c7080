package integration

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tradewind/localstack/internal/shop"
)

// way is a way into the platform: the gateway, which clients call, or the internal load
// balancer, which services call. A token must be worth the same at both.
type way struct {
	name     string
	client   *shop.Client
	balancer bool
}

func (p *platform) ways() []way {
	ways := []way{{"gateway", p.anyone, false}}
	if p.inside != nil {
		ways = append(ways, way{"balancer", p.inside, true})
	}
	return ways
}

func tokens(t *testing.T, p *platform) {
	c := p.customer(t)
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	good := c.tokens.Access
	bad := map[string]string{
		"none":             "",
		"garbage":          "garbage",
		"of id":            c.tokens.ID,
		"forged":           resigned(t, good, stranger, func(map[string]any) {}),
		"tampered":         tampered(t, good),
		"unsigned":         unsigned(t, good, "none"),
		"unsigned, None":   unsigned(t, good, "None"),
		"without a key":    reheaded(t, good, map[string]any{"alg": "RS256"}),
		"of an absent key": reheaded(t, good, map[string]any{"alg": "RS256", "kid": "absent"}),
		"twice":            good + ", Bearer " + good,
		"cut":              good[:len(good)-4],
	}
	if key := poolKey(t, p); key != nil {
		renew := func(change func(map[string]any)) string { return resigned(t, good, key, change) }
		for _, way := range p.ways() {
			if _, err := way.client.As(renew(func(map[string]any) {})).Orders(t.Context(), ""); err != nil {
				t.Fatalf("%s: signed again, and nothing else: %v", way.name, err)
			}
		}
		shift := func(by time.Duration) func(map[string]any) {
			return func(claims map[string]any) {
				for _, name := range []string{"iat", "exp", "auth_time"} {
					if at, ok := claims[name].(float64); ok {
						claims[name] = int64(at) + int64(by.Seconds())
					}
				}
			}
		}
		set := func(name string, value any) func(map[string]any) {
			return func(claims map[string]any) { claims[name] = value }
		}
		bad["expired"] = renew(shift(-24 * time.Hour))
		bad["of tomorrow"] = renew(shift(24 * time.Hour))
		bad["of another client"] = renew(set("client_id", "another"))
		bad["of another pool"] = renew(set("iss", "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_another"))
		bad["of nobody"] = renew(set("username", ""))
		bad["for another use"] = renew(set("token_use", "refresh"))
		bad["signed with the public key"] = confused(t, good, &key.PublicKey)
	}
	for _, way := range p.ways() {
		t.Run(way.name, func(t *testing.T) {
			if _, err := way.client.As(good).Orders(t.Context(), ""); err != nil {
				t.Fatalf("with a good token: %v", err)
			}
			for name, token := range bad {
				t.Run(name, func(t *testing.T) { unauthorized(t, way, way.client.As(token), nil) })
			}
			t.Run("two headers", func(t *testing.T) {
				unauthorized(t, way, way.client, http.Header{"Authorization": {"Bearer " + good, "Bearer " + good}})
			})
			t.Run("another scheme", func(t *testing.T) {
				unauthorized(t, way, way.client, http.Header{"Authorization": {"Basic " + good}})
			})
			t.Run("another header", func(t *testing.T) {
				unauthorized(t, way, way.client, http.Header{"X-Amzn-Oidc-Accesstoken": {good}, "Cookie": {"token=" + good}})
			})
			for _, value := range []string{"Bearer " + good, "bearer " + good, "BEARER " + good, good} {
				resp := ask(t, way.client, http.MethodGet, "/api/orders", http.Header{"Authorization": {value}}, nil)
				if resp.Status != http.StatusOK {
					t.Errorf("%.10s…: status %d %s", value, resp.Status, resp.Body)
				}
			}
			if resp := ask(t, way.client, http.MethodGet, "/api/products", nil, nil); resp.Status != http.StatusOK {
				t.Errorf("what is public: status %d", resp.Status)
			}
			if resp := ask(t, way.client.As("garbage"), http.MethodGet, "/api/products", nil, nil); resp.Status != http.StatusOK {
				t.Errorf("what is public, with a bad token: status %d", resp.Status)
			}
		})
	}
}

// signedIn are the routes that need a sign-in.
var signedIn = []struct{ method, path string }{
	{http.MethodGet, "/api/users"},
	{http.MethodGet, "/api/users/usr_01ARZ3NDEKTSV4RRFFQ69G5FAV"},
	{http.MethodHead, "/api/users/usr_01ARZ3NDEKTSV4RRFFQ69G5FAV"},
	{http.MethodPatch, "/api/users/usr_01ARZ3NDEKTSV4RRFFQ69G5FAV"},
	{http.MethodDelete, "/api/users/usr_01ARZ3NDEKTSV4RRFFQ69G5FAV"},
	{http.MethodPost, "/api/products"},
	{http.MethodPatch, "/api/products/prd_01ARZ3NDEKTSV4RRFFQ69G5FAV"},
	{http.MethodDelete, "/api/products/prd_01ARZ3NDEKTSV4RRFFQ69G5FAV"},
	{http.MethodPut, "/api/stock/prd_01ARZ3NDEKTSV4RRFFQ69G5FAV"},
	{http.MethodPost, "/api/stock/prd_01ARZ3NDEKTSV4RRFFQ69G5FAV/adjustments"},
	{http.MethodPost, "/api/orders"},
	{http.MethodGet, "/api/orders"},
	{http.MethodGet, "/api/orders/ord_01ARZ3NDEKTSV4RRFFQ69G5FAV"},
	{http.MethodGet, "/api/orders/ord_01ARZ3NDEKTSV4RRFFQ69G5FAV/history"},
	{http.MethodPost, "/api/orders/ord_01ARZ3NDEKTSV4RRFFQ69G5FAV/cancellation"},
	{http.MethodGet, "/api/payments?orderId=ord_01ARZ3NDEKTSV4RRFFQ69G5FAV"},
	{http.MethodGet, "/api/payments/pay_01ARZ3NDEKTSV4RRFFQ69G5FAV"},
	{http.MethodGet, "/api/notifications"},
	{http.MethodGet, "/api/notifications/ntf_01ARZ3NDEKTSV4RRFFQ69G5FAV"},
}

// unauthorized checks every route that needs a sign-in. The gateway refuses most tokens
// itself, and says so in its own words; behind the balancer only a service can.
func unauthorized(t *testing.T, way way, c *shop.Client, header http.Header) {
	t.Helper()
	for _, r := range signedIn {
		var body any
		if r.method != http.MethodGet && r.method != http.MethodHead {
			body = map[string]any{}
		}
		resp := ask(t, c, r.method, r.path, header, body)
		if resp.Status != http.StatusUnauthorized {
			t.Errorf("%s %s: status %d %s", r.method, r.path, resp.Status, resp.Body)
			continue
		}
		if way.balancer && r.method != http.MethodHead {
			if problem := refused(t, resp, http.StatusUnauthorized); problem.Code != "unauthenticated" || resp.Header.Get("Www-Authenticate") != "Bearer" {
				t.Errorf("%s %s: %v %s", r.method, r.path, resp.Header, resp.Body)
			}
		}
	}
}

func roles(t *testing.T, p *platform) {
	c, product := p.customer(t), p.product(t, 1)
	other := p.customer(t)
	current := shop.Header("If-Match", `"1"`)
	for _, r := range []struct {
		method, path string
		header       http.Header
		body         any
	}{
		{http.MethodPost, "/api/products", nil, product.NewProduct},
		{http.MethodPatch, "/api/products/" + product.ID, current, map[string]any{"name": "Mine"}},
		{http.MethodDelete, "/api/products/" + product.ID, current, nil},
		{http.MethodPut, "/api/stock/" + product.ID, current, map[string]any{"onHand": 1000}},
		{http.MethodPost, "/api/stock/" + product.ID + "/adjustments", nil, map[string]any{"delta": 1, "reason": "mine"}},
		{http.MethodGet, "/api/users", nil, nil},
		{http.MethodGet, "/api/orders?userId=" + other.id, nil, nil},
	} {
		resp := ask(t, c.Client, r.method, r.path, r.header, r.body)
		if resp.Status != http.StatusForbidden {
			t.Errorf("%s %s: status %d %s", r.method, r.path, resp.Status, resp.Body)
			continue
		}
		refused(t, resp, http.StatusForbidden)
	}
	for _, path := range []string{"/api/users", "/api/orders?userId=" + c.id, "/api/users/" + c.id} {
		if resp := ask(t, p.admin, http.MethodGet, path, nil, nil); resp.Status != http.StatusOK {
			t.Errorf("an admin's GET %s: status %d %s", path, resp.Status, resp.Body)
		}
	}
}

func foreign(t *testing.T, p *platform) {
	owner, product := p.customer(t), p.product(t, 5)
	o := owner.ends(t, owner.place(t, order(product.ID, 1, shop.CardOK)).ID, shop.Confirmed, soon)
	payment := owner.payment(t, o, shop.Captured)
	owner.told(t, o.ID, "order_received", "order_confirmed")
	notifications, err := owner.Notifications(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	other := p.customer(t)
	for _, r := range []struct{ method, path string }{
		{http.MethodGet, "/api/orders/" + o.ID},
		{http.MethodGet, "/api/orders/" + o.ID + "/history"},
		{http.MethodPost, "/api/orders/" + o.ID + "/cancellation"},
		{http.MethodGet, "/api/payments/" + payment.ID},
		{http.MethodGet, "/api/notifications/" + notifications[0].ID},
		{http.MethodGet, "/api/users/" + owner.id},
		{http.MethodPatch, "/api/users/" + owner.id},
		{http.MethodDelete, "/api/users/" + owner.id},
	} {
		var body any
		switch r.method {
		case http.MethodPost:
			body = map[string]string{"reason": "not mine"}
		case http.MethodPatch:
			body = map[string]string{"name": "Not mine"}
		}
		resp := ask(t, other.Client, r.method, r.path, shop.Header("If-Match", `"1"`), body)
		if resp.Status != http.StatusNotFound {
			t.Errorf("%s %s: status %d %s", r.method, r.path, resp.Status, resp.Body)
			continue
		}
		refused(t, resp, http.StatusNotFound)
		if strings.Contains(string(resp.Body), owner.email) {
			t.Errorf("%s %s tells about the owner: %s", r.method, r.path, resp.Body)
		}
	}
	if payments, err := other.Payments(t.Context(), o.ID); err == nil && len(payments) > 0 {
		t.Errorf("the payments of another's order: %+v", payments)
	}
	if orders, err := other.Orders(t.Context(), ""); err != nil || len(orders) > 0 {
		t.Errorf("another's orders: %+v, %v", orders, err)
	}
	seen, err := p.admin.Order(t.Context(), o.ID)
	if err != nil || seen.ID != o.ID {
		t.Errorf("an admin sees: %+v, %v", seen, err)
	}
}

func emailTaken(t *testing.T, p *platform) {
	c := p.customer(t)
	resp := ask(t, p.anyone, http.MethodPost, "/api/users", nil, shop.Registration{
		Email: strings.ToUpper(c.email), Name: "Impostor", Password: "correct horse battery",
	})
	if problem := refused(t, resp, http.StatusConflict); problem.Code != "email_taken" {
		t.Errorf("code %q", problem.Code)
	}
	if _, err := p.pool.SignIn(t.Context(), c.email, c.password); err != nil {
		t.Errorf("the owner cannot sign in by e-mail: %v", err)
	}
}

// erasedUser keeps a token that was made before, which is good for an hour more.
func erasedUser(t *testing.T, p *platform) {
	c, product := p.visitor(t), p.product(t, 5)
	if resp := ask(t, c.Client, http.MethodDelete, "/api/users/"+c.id, shop.Header("If-Match", `"1"`), nil); resp.Status != http.StatusNoContent {
		t.Fatalf("erase: %d %s", resp.Status, resp.Body)
	}
	if _, err := p.pool.SignIn(t.Context(), c.id, c.password); err == nil {
		t.Error("the erased user signs in")
	}
	user, err := p.admin.User(t.Context(), c.id)
	if err != nil || user.Email != "" || user.Name != "" || len(user.Addresses) > 0 {
		t.Errorf("what is left: %+v, %v", user, err)
	}
	for _, way := range p.ways() {
		resp := ask(t, way.client.As(c.tokens.Access), http.MethodPost, "/api/orders",
			shop.Header("Idempotency-Key", "after-"+way.name), order(product.ID, 1, shop.CardOK))
		if problem := refused(t, resp, http.StatusForbidden); problem.Code != "account_closed" {
			t.Errorf("%s: an order of an erased user: %s", way.name, resp.Body)
		}
	}
	left, err := p.admin.Orders(t.Context(), c.id)
	if err != nil || len(left) > 0 {
		t.Errorf("their orders: %+v, %v", left, err)
	}
	p.stock(t, product.ID, 5, 0, soon)
}

// poolKey is the key with which the local user pool signs access tokens, so that a
// token can be made that is good in everything but one thing. Another pool shows its key
// to nobody, and there is nil.
func poolKey(t *testing.T, p *platform) *rsa.PrivateKey {
	t.Helper()
	if p.outputs.Endpoint == "" {
		return nil
	}
	path := filepath.Join(filepath.Dir(os.Getenv("TRADEWIND_OUTPUTS")), "endpoint", "state", "cognito-pool-keys", p.outputs.UserPoolID+"-access.pem")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatalf("%s holds no key", path)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		if key, err = x509.ParsePKCS1PrivateKey(block.Bytes); err != nil {
			t.Fatal(err)
		}
	}
	return key.(*rsa.PrivateKey)
}

// resigned is a token with changed claims, signed by a key.
func resigned(t *testing.T, token string, key *rsa.PrivateKey, change func(map[string]any)) string {
	t.Helper()
	parts := strings.Split(token, ".")
	var claims map[string]any
	if err := json.Unmarshal(decoded(t, parts[1]), &claims); err != nil {
		t.Fatal(err)
	}
	change(claims)
	text, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed := parts[0] + "." + base64.RawURLEncoding.EncodeToString(text)
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// tampered is a token that claims more than was signed.
func tampered(t *testing.T, token string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	var claims map[string]any
	if err := json.Unmarshal(decoded(t, parts[1]), &claims); err != nil {
		t.Fatal(err)
	}
	claims["cognito:groups"] = []string{"admin"}
	text, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return parts[0] + "." + base64.RawURLEncoding.EncodeToString(text) + "." + parts[2]
}

// unsigned is a token that says it needs no signature.
func unsigned(t *testing.T, token, algorithm string) string {
	t.Helper()
	parts := strings.Split(reheaded(t, token, map[string]any{"alg": algorithm, "typ": "JWT", "kid": keyID(t, token)}), ".")
	return parts[0] + "." + parts[1] + "."
}

// confused is a token whose signature takes the pool's public key for a secret, which
// a verifier that believes a token's own word on its algorithm would do too.
func confused(t *testing.T, token string, public *rsa.PublicKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(reheaded(t, token, map[string]any{"alg": "HS256", "kid": keyID(t, token)}), ".")
	mac := hmac.New(sha256.New, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	mac.Write([]byte(parts[0] + "." + parts[1]))
	return parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// reheaded is a token with another header.
func reheaded(t *testing.T, token string, header map[string]any) string {
	t.Helper()
	text, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(token, ".")
	return base64.RawURLEncoding.EncodeToString(text) + "." + rest
}

// keyID is the name of the key that signed a token.
func keyID(t *testing.T, token string) string {
	t.Helper()
	var header struct{ Kid string }
	if err := json.Unmarshal(decoded(t, strings.Split(token, ".")[0]), &header); err != nil || header.Kid == "" {
		t.Fatalf("no key: %v", err)
	}
	return header.Kid
}

func decoded(t *testing.T, part string) []byte {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(part, "="))
	if err != nil {
		t.Fatal(err)
	}
	return text
}
