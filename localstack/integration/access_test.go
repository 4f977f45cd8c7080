package integration

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tradewind/localstack/internal/shop"
)

func tokens(t *testing.T, p *platform) {
	c := p.customer(t)
	if _, err := c.Orders(t.Context(), ""); err != nil {
		t.Fatalf("with a good token: %v", err)
	}
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	forged := resigned(t, c.tokens.Access, stranger, func(map[string]any) {})
	for name, token := range map[string]string{
		"none":     "",
		"garbage":  "garbage",
		"forged":   forged,
		"tampered": tampered(t, c.tokens.Access),
		"unsigned": unsigned(t, c.tokens.Access),
		"of id":    c.tokens.ID,
	} {
		t.Run(name, func(t *testing.T) { unauthorized(t, p.anyone.As(token)) })
	}
	t.Run("expired", func(t *testing.T) {
		key := poolKey(t, p)
		renew := func(shift time.Duration) string {
			return resigned(t, c.tokens.Access, key, func(claims map[string]any) {
				for _, name := range []string{"iat", "exp", "auth_time"} {
					if at, ok := claims[name].(float64); ok {
						claims[name] = int64(at) + int64(shift.Seconds())
					}
				}
			})
		}
		if _, err := p.anyone.As(renew(0)).Orders(t.Context(), ""); err != nil {
			t.Fatalf("signed again, in time: %v", err)
		}
		unauthorized(t, p.anyone.As(renew(-24*time.Hour)))
	})
	t.Run("public routes need none", func(t *testing.T) {
		if resp := ask(t, p.anyone, http.MethodGet, "/api/products", nil, nil); resp.Status != http.StatusOK {
			t.Errorf("status %d", resp.Status)
		}
	})
}

// unauthorized checks a route of each service that needs a sign-in. The gateway
// refuses most tokens itself, and says so in its own words.
func unauthorized(t *testing.T, c *shop.Client) {
	t.Helper()
	for _, r := range []struct{ method, path string }{
		{http.MethodGet, "/api/orders"},
		{http.MethodGet, "/api/orders/ord_01ARZ3NDEKTSV4RRFFQ69G5FAV"},
		{http.MethodGet, "/api/payments?orderId=ord_01ARZ3NDEKTSV4RRFFQ69G5FAV"},
		{http.MethodGet, "/api/notifications"},
		{http.MethodGet, "/api/users"},
		{http.MethodPost, "/api/products"},
		{http.MethodPut, "/api/stock/prd_01ARZ3NDEKTSV4RRFFQ69G5FAV"},
	} {
		var body any
		if r.method != http.MethodGet {
			body = map[string]any{}
		}
		if resp := ask(t, c, r.method, r.path, nil, body); resp.Status != http.StatusUnauthorized {
			t.Errorf("%s %s: status %d %s", r.method, r.path, resp.Status, resp.Body)
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

func erasedUser(t *testing.T, p *platform) {
	c := p.visitor(t)
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
}

// poolKey is the key with which the local user pool signs access tokens, so that a
// token can be made that is good in everything but its time.
func poolKey(t *testing.T, p *platform) *rsa.PrivateKey {
	t.Helper()
	path := filepath.Join(filepath.Dir(os.Getenv("TRADEWIND_OUTPUTS")), "endpoint", "state", "cognito-pool-keys", p.outputs.UserPoolID+"-access.pem")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Skipf("only a local pool shows its key: %v", err)
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
func unsigned(t *testing.T, token string) string {
	t.Helper()
	header := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"alg":"none","typ":"JWT"}`))
	return header + "." + strings.Split(token, ".")[1] + "."
}

func decoded(t *testing.T, part string) []byte {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(part, "="))
	if err != nil {
		t.Fatal(err)
	}
	return text
}
