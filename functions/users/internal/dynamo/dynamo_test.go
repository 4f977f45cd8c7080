package dynamo_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	event "tradewind/events/users"
	"tradewind/functions/users"
	"tradewind/functions/users/internal/dynamo"
	"tradewind/shared/apperr"
	"tradewind/shared/id"
	"tradewind/shared/inbox"
	"tradewind/shared/outbox"
	"tradewind/shared/table"
	"tradewind/shared/table/tabletest"
)

var ctx = context.Background()

func newStore(tbl *table.Table) *dynamo.Store {
	return dynamo.New(tbl, outbox.New("users", time.Now))
}

func newUser(email string) (users.User, event.RegisteredV1) {
	return users.New(id.New("usr"), users.Registration{
		Email: email, Name: "Ada ☂", Password: "correct horse",
		Addresses: []users.Address{{Line1: "1 Quay", Line2: "Shed ü", City: "Kiel", PostalCode: "24103", Country: "DE"}, {Line1: "x", City: "y", PostalCode: "z", Country: "FR"}},
	}, time.Now().UTC().Truncate(time.Millisecond))
}

// settle saves a new user and returns it.
func settle(t *testing.T, s *dynamo.Store, email string) users.User {
	t.Helper()
	u, registered := newUser(email)
	c := users.Claim{Key: u.Claim, UserID: u.ID, Since: u.CreatedAt, Version: 7}
	if err := s.Reserve(ctx, c, 0); err != nil {
		t.Fatal(err)
	}
	if err := s.Settle(ctx, c, u, registered); err != nil {
		t.Fatal(err)
	}
	return u
}

func published(t *testing.T, tbl *table.Table, id string) []string {
	t.Helper()
	records, _, err := table.List[outbox.Record](ctx, tbl, table.Query{PK: "USER#" + id, SKPrefix: "OUTBOX#", Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, r := range records {
		types = append(types, r.DetailType)
	}
	return types
}

func TestUser(t *testing.T) {
	tabletest.Both(t, func(t *testing.T, tbl *table.Table) {
		s := newStore(tbl)
		u := settle(t, s, "ada@example.com")
		read := func() users.User {
			t.Helper()
			got, err := s.Get(ctx, u.ID)
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		if diff := cmp.Diff(u, read()); diff != "" {
			t.Errorf("read back (-want +got):\n%s", diff)
		}
		stale := read()
		name := "Grace"
		updated := u.Apply(users.Change{Name: &name}, u.CreatedAt.Add(time.Second))
		if err := s.Save(ctx, u, updated); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(u, read()); diff != "" {
			t.Errorf("read back after a change (-want +got):\n%s", diff)
		}
		ev := stale.Erase(time.Now())
		if err := s.Save(ctx, stale, ev); !errors.Is(err, apperr.ErrStale) {
			t.Errorf("save of an old revision: %v", err)
		}
		if err := s.Free(ctx, stale); !errors.Is(err, apperr.ErrStale) {
			t.Errorf("free of an old revision: %v", err)
		}
		if diff := cmp.Diff([]string{event.TypeRegistered, event.TypeUpdated}, published(t, tbl, u.ID)); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestEraseAndFree(t *testing.T) {
	tabletest.Both(t, func(t *testing.T, tbl *table.Table) {
		s := newStore(tbl)
		u := settle(t, s, "ada@example.com")
		key := u.Claim
		erased := u.Erase(u.CreatedAt.Add(time.Second))
		if err := s.Save(ctx, u, erased); err != nil {
			t.Fatal(err)
		}
		if c, err := s.Claim(ctx, key); err != nil || c.UserID != u.ID {
			t.Errorf("the claim went with the save: %+v, %v", c, err)
		}
		u.Revision++
		if err := s.Free(ctx, u); err != nil {
			t.Fatal(err)
		}
		if c, err := s.Claim(ctx, key); err != nil || c != (users.Claim{}) {
			t.Errorf("the claim is still there: %+v, %v", c, err)
		}
		u.Releasing = nil
		got, err := s.Get(ctx, u.ID)
		if diff := cmp.Diff(u, got); diff != "" || err != nil {
			t.Errorf("%v; read back (-want +got):\n%s", err, diff)
		}
	})
}

func TestGetAbsent(t *testing.T) {
	tabletest.Both(t, func(t *testing.T, tbl *table.Table) {
		s := newStore(tbl)
		if _, err := s.Get(ctx, "usr_none"); apperr.KindOf(err) != apperr.NotFound {
			t.Errorf("user: %v", err)
		}
		if c, err := s.Claim(ctx, "none"); err != nil || c != (users.Claim{}) {
			t.Errorf("claim: %+v, %v", c, err)
		}
	})
}

func TestClaims(t *testing.T) {
	tabletest.Both(t, func(t *testing.T, tbl *table.Table) {
		s := newStore(tbl)
		u, registered := newUser("ada@example.com")
		first := users.Claim{Key: u.Claim, UserID: "usr_first", Since: u.CreatedAt, Version: 5}
		second := users.Claim{Key: u.Claim, UserID: u.ID, Since: u.CreatedAt, Version: 3}
		is := func(want users.Claim) {
			t.Helper()
			got, err := s.Claim(ctx, u.Claim)
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%v; claim (-want +got):\n%s", err, diff)
			}
		}
		refused := func(what string, err error) {
			t.Helper()
			if !errors.Is(err, users.ErrOvertaken) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if err := s.Reserve(ctx, first, 0); err != nil {
			t.Fatal(err)
		}
		is(first)
		refused("reserve what is reserved", s.Reserve(ctx, second, 0))
		refused("overtake another version", s.Reserve(ctx, second, 4))
		is(first)
		if err := s.Reserve(ctx, second, first.Version); err != nil {
			t.Fatal(err)
		}
		is(second)
		refused("release when overtaken", s.Release(ctx, first))
		refused("settle when overtaken", s.Settle(ctx, first, u, registered))
		is(second)
		if _, err := s.Get(ctx, u.ID); apperr.KindOf(err) != apperr.NotFound {
			t.Errorf("a refused settling left a user: %v", err)
		}
		if err := s.Settle(ctx, second, u, registered); err != nil {
			t.Fatal(err)
		}
		settled := second
		settled.Settled, settled.Version = true, second.Version+1
		is(settled)
		refused("settle twice", s.Settle(ctx, second, u, registered))
		refused("overtake what is settled", s.Reserve(ctx, first, second.Version))
		refused("release what is settled", s.Release(ctx, second))
		is(settled)
		if diff := cmp.Diff([]string{event.TypeRegistered}, published(t, tbl, u.ID)); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestRelease(t *testing.T) {
	tabletest.Both(t, func(t *testing.T, tbl *table.Table) {
		s := newStore(tbl)
		c := users.Claim{Key: "k", UserID: "usr_1", Since: time.Now(), Version: 5}
		if err := s.Reserve(ctx, c, 0); err != nil {
			t.Fatal(err)
		}
		if err := s.Release(ctx, c); err != nil {
			t.Fatal(err)
		}
		if err := s.Release(ctx, c); !errors.Is(err, users.ErrOvertaken) {
			t.Errorf("release twice: %v", err)
		}
		if got, err := s.Claim(ctx, "k"); err != nil || got != (users.Claim{}) {
			t.Errorf("claim %+v, %v", got, err)
		}
	})
}

// TestSettleFurther gives a user who is there a second address.
func TestSettleFurther(t *testing.T) {
	tabletest.Both(t, func(t *testing.T, tbl *table.Table) {
		s := newStore(tbl)
		u := settle(t, s, "ada@example.com")
		c := users.Claim{Key: users.ClaimKey("grace@example.com"), UserID: "usr_attempt", Since: u.CreatedAt, Version: 9}
		if err := s.Reserve(ctx, c, 0); err != nil {
			t.Fatal(err)
		}
		next := u
		next.Revision, next.Releasing = 2, []string{c.Key}
		if err := s.Settle(ctx, c, next); err != nil {
			t.Fatal(err)
		}
		got, err := s.Get(ctx, u.ID)
		if diff := cmp.Diff(next, got); diff != "" || err != nil {
			t.Errorf("%v; read back (-want +got):\n%s", err, diff)
		}
		if claim, err := s.Claim(ctx, c.Key); err != nil || !claim.Settled || claim.UserID != u.ID {
			t.Errorf("claim %+v, %v", claim, err)
		}
		c2 := users.Claim{Key: "other", UserID: "usr_attempt", Since: u.CreatedAt, Version: 9}
		if err := s.Reserve(ctx, c2, 0); err != nil {
			t.Fatal(err)
		}
		if err := s.Settle(ctx, c2, next); !errors.Is(err, apperr.ErrStale) {
			t.Errorf("settle for an old revision: %v", err)
		}
	})
}

// TestGuard holds the record of a request back until the commit that is its
// effect, and makes a second effect impossible.
func TestGuard(t *testing.T) {
	tabletest.Both(t, func(t *testing.T, tbl *table.Table) {
		s := newStore(tbl)
		request := func() context.Context { return inbox.New(time.Now).Guard(ctx, "request-1") }
		for i, want := range []error{nil, users.ErrOvertaken} {
			u, registered := newUser(fmt.Sprintf("u%d@example.com", i))
			c := users.Claim{Key: u.Claim, UserID: u.ID, Since: u.CreatedAt, Version: 5}
			guarded := request()
			if err := s.Reserve(guarded, c, 0); err != nil {
				t.Fatal(err)
			}
			if err := s.Settle(guarded, c, u, registered); !errors.Is(err, want) {
				t.Errorf("settle %d: %v", i, err)
			}
		}
	})
}

func TestList(t *testing.T) {
	tabletest.Both(t, func(t *testing.T, tbl *table.Table) {
		s := newStore(tbl)
		var want []users.User // newest first
		for i := range 5 {
			want = append([]users.User{settle(t, s, fmt.Sprintf("u%d@example.com", i))}, want...)
		}
		var got []users.User
		for after, pages := "", 0; ; pages++ {
			page, next, err := s.List(ctx, 2, after)
			if err != nil || pages > 3 {
				t.Fatalf("%d pages, %v", pages, err)
			}
			got = append(got, page...)
			if next == "" {
				break
			}
			after = next
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("users (-want +got):\n%s", diff)
		}
	})
}
