package users_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	event "tradewind/events/users"
	"tradewind/functions/users"
	"tradewind/shared/apperr"
)

var (
	noon  = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	later = noon.Add(time.Minute)
	home  = users.Address{Line1: "1 Quay", Line2: "Shed ü", City: "Kiel", PostalCode: "24103", Country: "DE"}
)

func registration(change func(*users.Registration)) users.Registration {
	r := users.Registration{Email: "Ada@Example.com", Name: "Ada", Addresses: []users.Address{home}, Password: "correct horse"}
	if change != nil {
		change(&r)
	}
	return r
}

func ptr[T any](v T) *T { return &v }

func pointers(err error) []string {
	var list []string
	if e, ok := errors.AsType[*apperr.Error](err); ok {
		for _, f := range e.Fields {
			list = append(list, f.Pointer)
		}
	}
	return list
}

func TestValidateRegistration(t *testing.T) {
	address := func(change func(*users.Address)) func(*users.Registration) {
		return func(r *users.Registration) {
			a := home
			change(&a)
			r.Addresses = []users.Address{home, a}
		}
	}
	tests := map[string]struct {
		change func(*users.Registration)
		want   []string // pointers of the faults
	}{
		"valid":              {nil, nil},
		"no addresses":       {func(r *users.Registration) { r.Addresses = nil }, nil},
		"most addresses":     {func(r *users.Registration) { r.Addresses = addresses(users.MaxAddresses) }, nil},
		"too many addresses": {func(r *users.Registration) { r.Addresses = addresses(users.MaxAddresses + 1) }, []string{"/addresses"}},
		"nothing":            {func(r *users.Registration) { *r = users.Registration{} }, []string{"/email", "/name", "/password"}},
		"blank name":         {func(r *users.Registration) { r.Name = " \t" }, []string{"/name"}},
		"longest name":       {func(r *users.Registration) { r.Name = strings.Repeat("ä", 200) }, nil},
		"long name":          {func(r *users.Registration) { r.Name = strings.Repeat("ä", 201) }, []string{"/name"}},
		"shortest password":  {func(r *users.Registration) { r.Password = "äöüß¿1Aa" }, nil},
		"short password":     {func(r *users.Registration) { r.Password = "äöüß¿1A" }, []string{"/password"}},
		"longest password":   {func(r *users.Registration) { r.Password = strings.Repeat("x", 200) }, nil},
		"long password":      {func(r *users.Registration) { r.Password = strings.Repeat("x", 201) }, []string{"/password"}},
		"password and space": {func(r *users.Registration) { r.Password = "correct horse " }, []string{"/password"}},
		"all space password": {func(r *users.Registration) { r.Password = strings.Repeat(" ", 8) }, []string{"/password"}},
		"empty address":      {address(func(a *users.Address) { *a = users.Address{} }), []string{"/addresses/1/line1", "/addresses/1/city", "/addresses/1/postalCode", "/addresses/1/country"}},
		"no second line":     {address(func(a *users.Address) { a.Line2 = "" }), nil},
		"long second line":   {address(func(a *users.Address) { a.Line2 = strings.Repeat("x", 201) }), []string{"/addresses/1/line2"}},
		"long city":          {address(func(a *users.Address) { a.City = strings.Repeat("x", 201) }), []string{"/addresses/1/city"}},
		"lower country":      {address(func(a *users.Address) { a.Country = "de" }), []string{"/addresses/1/country"}},
		"no such country":    {address(func(a *users.Address) { a.Country = "XX" }), []string{"/addresses/1/country"}},
		"two half countries": {address(func(a *users.Address) { a.Country = "E " }), []string{"/addresses/1/country"}},
		"three letters":      {address(func(a *users.Address) { a.Country = "DEU" }), []string{"/addresses/1/country"}},
		"everything at once": {func(r *users.Registration) { r.Email, r.Name, r.Password = "x", "", "x" }, []string{"/email", "/name", "/password"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := registration(tt.change).Validate()
			if diff := cmp.Diff(tt.want, pointers(err)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
			if (err == nil) != (tt.want == nil) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func addresses(n int) []users.Address {
	list := make([]users.Address, n)
	for i := range list {
		list[i] = home
	}
	return list
}

func TestEmailAddresses(t *testing.T) {
	tests := map[string]bool{
		"ada@example.com":                        true,
		" ada@example.com\t":                     true,
		"ADA+shop@Example.COM":                   true,
		"o'brien@sub.example.co.uk":              true,
		"jürgen@münchen.example":                 true,
		strings.Repeat("a", 64) + "@example.com": true,
		"":                                       false, " ": false, "ada": false, "@example.com": false, "ada@": false, "ada@localhost": false,
		"ada@example..com": false, "ada@.example.com": false, "ada@example.com.": false, "ada@-example.com": false, "ada@example-.com": false,
		"ada@exa_mple.com": false, "ada@[127.0.0.1]": false, ".ada@example.com": false, "ada.@example.com": false, "a..da@example.com": false,
		"ada lovelace@example.com": false, `"ada"@example.com`: false, "Ada <ada@example.com>": false, "ada@example.com, b@example.com": false,
		"ada@lovelace@example.com": false, "ada\x00@example.com": false, "ada\n@example.com": false, "ada\xff@example.com": false,
		strings.Repeat("a", 65) + "@example.com":           false,
		"ada@" + strings.Repeat("a", 64) + ".com":          false,
		"ada@" + strings.Repeat("a.", 100) + "example.com": false,
	}
	for email, want := range tests {
		err := registration(func(r *users.Registration) { r.Email = email }).Validate()
		if (err == nil) != want {
			t.Errorf("%q: %v", email, err)
		}
		if err := (users.Change{Email: &email}).Validate(); (err == nil) != want {
			t.Errorf("change to %q: %v", email, err)
		}
	}
}

func TestClaimKey(t *testing.T) {
	key := users.ClaimKey("ada@example.com")
	if users.ClaimKey(" ADA@Example.com ") != key || users.ClaimKey("ada@example.org") == key {
		t.Error("claims do not tell addresses apart as the contract does")
	}
	if strings.Contains(key, "ada") || len(key) != 64 {
		t.Errorf("key %q", key)
	}
}

func TestNew(t *testing.T) {
	u, registered := users.New("usr_1", registration(func(r *users.Registration) { r.Email = " Ada@Example.com " }), noon)
	want := users.User{
		ID: "usr_1", Email: "Ada@Example.com", Name: "Ada", Addresses: []users.Address{home},
		Version: 1, CreatedAt: noon, UpdatedAt: noon, Revision: 1, Claim: users.ClaimKey("ada@example.com"),
	}
	if diff := cmp.Diff(want, u); diff != "" {
		t.Errorf("user (-want +got):\n%s", diff)
	}
	if want := (event.RegisteredV1{UserID: "usr_1", Email: "Ada@Example.com", Name: "Ada"}); registered != want {
		t.Errorf("event %+v", registered)
	}
}

func TestApply(t *testing.T) {
	ada, grace := users.ClaimKey("ada@example.com"), users.ClaimKey("grace@example.com")
	tests := map[string]struct {
		change users.Change
		want   func(*users.User) // what is different; nil for nothing
	}{
		"nothing":       {users.Change{}, nil},
		"the same":      {users.Change{Name: ptr("Ada"), Email: ptr("Ada@Example.com"), Addresses: &[]users.Address{home}}, nil},
		"name":          {users.Change{Name: ptr("Grace")}, func(u *users.User) { u.Name = "Grace" }},
		"no addresses":  {users.Change{Addresses: &[]users.Address{}}, func(u *users.User) { u.Addresses = nil }},
		"letter case":   {users.Change{Email: ptr("ADA@example.com")}, func(u *users.User) { u.Email = "ADA@example.com" }},
		"other address": {users.Change{Email: ptr("Grace@example.com")}, func(u *users.User) { u.Email, u.Claim, u.Releasing = "Grace@example.com", grace, []string{ada} }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			u, _ := users.New("usr_1", registration(nil), noon)
			want := u
			ev := u.Apply(tt.change, later)
			if tt.want == nil {
				if ev != nil {
					t.Errorf("event %+v", ev)
				}
			} else {
				tt.want(&want)
				want.Version, want.Revision, want.UpdatedAt = 2, 2, later
				if diff := cmp.Diff(&event.UpdatedV1{UserID: "usr_1", Email: want.Email, Name: want.Name, Version: 2}, ev); diff != "" {
					t.Errorf("event (-want +got):\n%s", diff)
				}
			}
			if len(u.Addresses) == 0 {
				u.Addresses = nil
			}
			if diff := cmp.Diff(want, u); diff != "" {
				t.Errorf("user (-want +got):\n%s", diff)
			}
		})
	}
}

// A user who goes back and forth between addresses never gives up the claim of
// the one that is the user's now.
func TestApplyBackAndForth(t *testing.T) {
	u, _ := users.New("usr_1", registration(nil), noon)
	ada, grace := u.Claim, users.ClaimKey("grace@example.com")
	before := u
	u.Apply(users.Change{Email: ptr("grace@example.com")}, later)
	if len(before.Releasing) != 0 || !u.Holds(ada) || !u.Holds(grace) || u.Holds("x") {
		t.Errorf("before %+v, after %+v", before, u)
	}
	u.Apply(users.Change{Email: ptr("ada@example.com")}, later)
	if diff := cmp.Diff([]string{grace}, u.Releasing); diff != "" || u.Claim != ada {
		t.Errorf("claim %s, releasing (-want +got):\n%s", u.Claim, diff)
	}
}

func TestErase(t *testing.T) {
	u, _ := users.New("usr_1", registration(nil), noon)
	claim := u.Claim
	if ev := u.Erase(later); ev == nil || *ev != (event.DeletedV1{UserID: "usr_1"}) {
		t.Errorf("event %+v", ev)
	}
	want := users.User{ID: "usr_1", Erased: true, Version: 2, CreatedAt: noon, UpdatedAt: later, Revision: 2, Releasing: []string{claim}}
	if diff := cmp.Diff(want, u); diff != "" {
		t.Errorf("user (-want +got):\n%s", diff)
	}
	if ev := u.Erase(later.Add(time.Hour)); ev != nil {
		t.Errorf("erased twice: %+v", ev)
	}
	if diff := cmp.Diff(want, u); diff != "" {
		t.Errorf("user after the second time (-want +got):\n%s", diff)
	}
}
