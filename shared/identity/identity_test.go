package identity_test

import (
	"context"
	"fmt"
	"testing"

	"tradewind/shared/apperr"
	"tradewind/shared/identity"
)

func TestCaller(t *testing.T) {
	tests := map[string]struct {
		claims map[string]string
		want   identity.Identity // zero for nobody
	}{
		"nothing":          {nil, identity.Identity{}},
		"customer":         {map[string]string{"token_use": "access", "username": "usr_1"}, identity.Identity{UserID: "usr_1"}},
		"admin":            {map[string]string{"token_use": "access", "username": "usr_1", "cognito:groups": "[admin]"}, identity.Identity{UserID: "usr_1", Admin: true}},
		"admin of many":    {map[string]string{"token_use": "access", "username": "usr_1", "cognito:groups": "[staff admin buyers]"}, identity.Identity{UserID: "usr_1", Admin: true}},
		"other groups":     {map[string]string{"token_use": "access", "username": "usr_1", "cognito:groups": "[staff]"}, identity.Identity{UserID: "usr_1"}},
		"no groups":        {map[string]string{"token_use": "access", "username": "usr_1", "cognito:groups": "[]"}, identity.Identity{UserID: "usr_1"}},
		"group like admin": {map[string]string{"token_use": "access", "username": "usr_1", "cognito:groups": "[administrators x,admin admin-x]"}, identity.Identity{UserID: "usr_1"}},
		"other case":       {map[string]string{"token_use": "access", "username": "usr_1", "cognito:groups": "[Admin]"}, identity.Identity{UserID: "usr_1"}},
		"id token":         {map[string]string{"token_use": "id", "cognito:username": "usr_1", "username": "usr_1", "cognito:groups": "[admin]"}, identity.Identity{}},
		"no use":           {map[string]string{"username": "usr_1"}, identity.Identity{}},
		"no name":          {map[string]string{"token_use": "access", "sub": "usr_1"}, identity.Identity{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ctx := identity.WithClaims(context.Background(), tt.claims)
			got, err := identity.Caller(ctx)
			if got != tt.want || (err == nil) != (tt.want.UserID != "") {
				t.Errorf("caller %+v, %v", got, err)
			}
			if err != nil && apperr.KindOf(err) != apperr.Unauthenticated {
				t.Errorf("kind of %v", err)
			}
			_, err = identity.Admin(ctx)
			want := apperr.Internal // for no error
			switch {
			case tt.want.UserID == "":
				want = apperr.Unauthenticated
			case !tt.want.Admin:
				want = apperr.Forbidden
			}
			if (err == nil) != tt.want.Admin || apperr.KindOf(err) != want {
				t.Errorf("as an admin: %v", err)
			}
		})
	}
}

func TestMay(t *testing.T) {
	tests := map[string]struct {
		who   identity.Identity
		owner string
		want  bool
	}{
		"own":         {identity.Identity{UserID: "usr_1"}, "usr_1", true},
		"another's":   {identity.Identity{UserID: "usr_1"}, "usr_2", false},
		"as an admin": {identity.Identity{UserID: "usr_1", Admin: true}, "usr_2", true},
		"nobody's":    {identity.Identity{UserID: "usr_1"}, "", false},
	}
	for name, tt := range tests {
		if got := tt.who.May(tt.owner); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A handler asks who calls before it does anything else.
func ExampleCaller() {
	ctx := identity.WithClaims(context.Background(), map[string]string{
		"token_use": "access", "username": "usr_1", "cognito:groups": "[admin]",
	})
	who, err := identity.Caller(ctx)
	fmt.Println(who.UserID, who.Admin, err)
	_, err = identity.Caller(context.Background())
	fmt.Println(apperr.KindOf(err))

	// Output:
	// usr_1 true <nil>
	// unauthenticated
}
