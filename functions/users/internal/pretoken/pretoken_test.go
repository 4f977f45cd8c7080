package pretoken_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tradewind/functions/users/internal/pretoken"
)

// pool answers for one user.
type pool struct {
	enrolled bool
	err      error
	asked    *[]string
}

func (p pool) HasTOTP(_ context.Context, username string) (bool, error) {
	*p.asked = append(*p.asked, username)
	return p.enrolled, p.err
}

func TestTrigger(t *testing.T) {
	broken := errors.New("the pool does not answer")
	tests := map[string]struct {
		groups []string
		pool   pool
		want   []string
		asked  []string
		warned bool
	}{
		"a customer":                 {nil, pool{}, nil, nil, false},
		"a customer in other groups": {[]string{"beta", "admins"}, pool{err: broken}, []string{"beta", "admins"}, nil, false},
		"an admin with a TOTP":       {[]string{"admin"}, pool{enrolled: true}, []string{"admin"}, []string{"usr_1"}, false},
		"an admin without":           {[]string{"admin"}, pool{}, []string{}, []string{"usr_1"}, true},
		"in other groups too":        {[]string{"beta", "admin", "staff"}, pool{}, []string{"beta", "staff"}, []string{"usr_1"}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var asked []string
			var logged strings.Builder
			test.pool.asked = &asked
			handle := pretoken.Trigger(func(id string) pretoken.Pool {
				if id != "eu-central-1_pool" {
					t.Errorf("pool %q", id)
				}
				return test.pool
			}, slog.New(slog.NewTextHandler(&logged, nil)))
			var ev pretoken.Event
			ev.UserPoolID, ev.UserName = "eu-central-1_pool", "usr_1"
			ev.Request.GroupConfiguration.GroupsToOverride = slices.Clone(test.groups)
			got, err := handle(t.Context(), ev)
			if diff := cmp.Diff(test.want, got.Response.ClaimsAndScopeOverrideDetails.GroupOverrideDetails.GroupsToOverride); diff != "" || err != nil {
				t.Errorf("%v: %s", err, diff)
			}
			if diff := cmp.Diff(test.groups, got.Request.GroupConfiguration.GroupsToOverride); diff != "" {
				t.Errorf("the request was changed: %s", diff)
			}
			if diff := cmp.Diff(test.asked, asked); diff != "" {
				t.Errorf("asked for %s", diff)
			}
			if warned := strings.Contains(logged.String(), "userId=usr_1"); warned != test.warned {
				t.Errorf("logged %q", logged.String())
			}
		})
	}
}

// An admin who cannot be looked up gets no token, rather than one that may be too powerful
// or one that the services refuse without a reason.
func TestNoAnswer(t *testing.T) {
	broken, asked := errors.New("the pool does not answer"), []string{}
	handle := pretoken.Trigger(func(string) pretoken.Pool { return pool{enrolled: true, err: broken, asked: &asked} }, slog.New(slog.DiscardHandler))
	var ev pretoken.Event
	ev.UserName, ev.Request.GroupConfiguration.GroupsToOverride = "usr_1", []string{"admin"}
	if _, err := handle(t.Context(), ev); !errors.Is(err, broken) || !strings.Contains(err.Error(), "usr_1") {
		t.Error(err)
	}
}
