package shop_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tradewind/localstack/internal/endpoint"
	"tradewind/localstack/internal/shop"
)

// fake answers each operation with a body, and remembers what was asked.
type fake struct {
	answers map[string]string
	asked   []string
	bodies  map[string]map[string]any
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	var body map[string]any
	_ = json.NewDecoder(r.Body).Decode(&body)
	f.asked = append(f.asked, operation)
	f.bodies[operation] = body
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	answer := f.answers[operation]
	if strings.Contains(answer, "__type") {
		w.WriteHeader(http.StatusBadRequest)
	}
	_, _ = w.Write([]byte(answer))
}

func start(t *testing.T, answers map[string]string) (*fake, *shop.Pool) {
	t.Helper()
	f := &fake{answers: answers, bodies: map[string]map[string]any{}}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	return f, shop.NewPool(endpoint.AWS(server.URL, "us-east-1"), "pool-1", "client-1")
}

func TestSignIn(t *testing.T) {
	f, p := start(t, map[string]string{"InitiateAuth": `{"AuthenticationResult": {"AccessToken": "a", "IdToken": "i"}}`})
	got, err := p.SignIn(t.Context(), "usr_1", "secret")
	if err != nil || got != (shop.Tokens{Access: "a", ID: "i"}) {
		t.Fatalf("SignIn = %+v, %v", got, err)
	}
	want := map[string]any{
		"AuthFlow": "USER_PASSWORD_AUTH", "ClientId": "client-1",
		"AuthParameters": map[string]any{"USERNAME": "usr_1", "PASSWORD": "secret"},
	}
	if diff := cmp.Diff(want, f.bodies["InitiateAuth"]); diff != "" {
		t.Error(diff)
	}
}

func TestASignInThatFails(t *testing.T) {
	for name, answer := range map[string]string{
		"refused":   `{"__type": "NotAuthorizedException", "message": "Incorrect username or password."}`,
		"challenge": `{"ChallengeName": "NEW_PASSWORD_REQUIRED"}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, p := start(t, map[string]string{"InitiateAuth": answer})
			if _, err := p.SignIn(t.Context(), "usr_1", "secret"); err == nil || !strings.Contains(err.Error(), "usr_1") {
				t.Errorf("SignIn: %v", err)
			}
		})
	}
}

func TestPromote(t *testing.T) {
	for name, group := range map[string]string{
		"the group is new":   `{}`,
		"the group is there": `{"__type": "GroupExistsException", "message": "exists"}`,
	} {
		t.Run(name, func(t *testing.T) {
			f, p := start(t, map[string]string{"CreateGroup": group, "AdminAddUserToGroup": `{}`})
			if err := p.Promote(t.Context(), "usr_1"); err != nil {
				t.Fatal(err)
			}
			want := map[string]any{"UserPoolId": "pool-1", "Username": "usr_1", "GroupName": "admin"}
			if diff := cmp.Diff(want, f.bodies["AdminAddUserToGroup"]); diff != "" {
				t.Error(diff)
			}
		})
	}
	_, p := start(t, map[string]string{"CreateGroup": `{"__type": "ResourceNotFoundException"}`})
	if err := p.Promote(t.Context(), "usr_1"); err == nil {
		t.Error("no error without a pool")
	}
}
