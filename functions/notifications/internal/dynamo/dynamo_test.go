package dynamo_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	event "tradewind/events/notifications"
	"tradewind/functions/notifications"
	"tradewind/functions/notifications/internal/dynamo"
	"tradewind/shared/apperr"
	"tradewind/shared/id"
	"tradewind/shared/inbox"
	"tradewind/shared/outbox"
	"tradewind/shared/table"
	"tradewind/shared/table/tabletest"
)

func newStore(tbl *table.Table) *dynamo.Store {
	return dynamo.New(tbl, outbox.New(event.Source, time.Now))
}

var now = time.Now().UTC().Truncate(time.Millisecond)

func newNotification(userID string, at time.Time) notifications.Notification {
	return notifications.Notification{
		ID: id.New("ntf"), UserID: userID, OrderID: id.New("ord"), Template: "order_confirmed",
		Subject: "Your order is confirmed", Body: "ü\n\n19.99 €", Status: notifications.Sent, CreatedAt: at,
	}
}

func sent(n notifications.Notification) event.SentV1 {
	return event.SentV1{NotificationID: n.ID, UserID: n.UserID, Template: n.Template}
}

func TestAddAndGet(t *testing.T) {
	tabletest.Both(t, func(t *testing.T, tbl *table.Table) {
		store := newStore(tbl)
		welcome := newNotification("usr_1", now)
		welcome.OrderID = ""
		failed := newNotification("usr_1", now)
		failed.Status, failed.Cause = notifications.Failed, notifications.CauseUnknown
		for _, n := range []notifications.Notification{newNotification("usr_1", now), welcome, failed} {
			if _, err := store.Get(t.Context(), n.ID); !errors.Is(err, notifications.ErrNotFound) {
				t.Errorf("before it was added: %v", err)
			}
			if err := store.Add(t.Context(), n, sent(n)); err != nil {
				t.Fatal(err)
			}
			got, err := store.Get(t.Context(), n.ID)
			if err != nil || cmp.Diff(n, got) != "" {
				t.Errorf("read back, error %v (-want +got):\n%s", err, cmp.Diff(n, got))
			}
			if err := store.Add(t.Context(), n, sent(n)); !errors.Is(err, notifications.ErrTold) {
				t.Errorf("added again: %v", err)
			}
			records, _, err := table.List[outbox.Record](t.Context(), tbl, table.Query{PK: "NOTIFICATION#" + n.ID, SKPrefix: "OUTBOX#", Limit: 10})
			if err != nil || len(records) != 1 || records[0].DetailType != event.TypeSent {
				t.Errorf("events %+v, %v", records, err)
			}
		}
	})
}

func TestListPages(t *testing.T) {
	tabletest.Both(t, func(t *testing.T, tbl *table.Table) {
		store := newStore(tbl)
		reader, other := id.New("usr"), id.New("usr")
		var want []string
		for i := range 7 {
			// Times whose text would differ in length if trailing zeros were cut.
			n := newNotification(reader, now.Truncate(time.Second).Add(time.Duration(i)*50*time.Millisecond))
			want = append([]string{n.ID}, want...)
			m := newNotification(other, now)
			if err := errors.Join(store.Add(t.Context(), n, sent(n)), store.Add(t.Context(), m, sent(m))); err != nil {
				t.Fatal(err)
			}
		}
		for _, limit := range []int{1, 3, 7, 100} {
			var got []string
			pages, after := 0, ""
			for {
				list, next, err := store.ListByUser(t.Context(), reader, limit, after)
				if err != nil {
					t.Fatal(err)
				}
				for _, n := range list {
					got = append(got, n.ID)
				}
				pages++
				if next == "" {
					break
				}
				after = next
			}
			if diff := cmp.Diff(want, got); diff != "" || pages != (7+limit-1)/limit {
				t.Errorf("%d pages of %d (-want +got):\n%s", pages, limit, diff)
			}
		}
		if list, next, err := store.ListByUser(t.Context(), "usr_none", 10, ""); len(list) != 0 || next != "" || err != nil {
			t.Errorf("a user with none: %v, %q, %v", list, next, err)
		}
	})
}

func TestContacts(t *testing.T) {
	tabletest.Both(t, func(t *testing.T, tbl *table.Table) {
		store := newStore(tbl)
		c := notifications.Contact{UserID: id.New("usr"), Email: "ada@example.com", Name: "Ada", Revision: 1}
		if _, err := store.Contact(t.Context(), c.UserID); !errors.Is(err, notifications.ErrNoContact) {
			t.Errorf("before it was saved: %v", err)
		}
		for version := range 3 {
			c.Version, c.Revision = version, version+1
			if err := store.SaveContact(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			want := c
			want.Version++
			if got, err := store.Contact(t.Context(), c.UserID); err != nil || got != want {
				t.Errorf("read back %+v, %v, want %+v", got, err, want)
			}
			if err := store.SaveContact(t.Context(), c); !errors.Is(err, apperr.ErrStale) {
				t.Errorf("saved an old version: %v", err)
			}
		}
		erased := notifications.Contact{UserID: c.UserID, Erased: true, Revision: 3, Version: 3}
		if err := store.SaveContact(t.Context(), erased); err != nil {
			t.Fatal(err)
		}
		raw := map[string]any{}
		if _, err := tbl.Get(t.Context(), table.Key{PK: "CONTACT#" + c.UserID, SK: "CONTACT"}, &raw); err != nil {
			t.Fatal(err)
		}
		if raw["email"] != nil || raw["name"] != nil {
			t.Errorf("an erased contact is stored as %v", raw)
		}
	})
}

func TestClaims(t *testing.T) {
	tabletest.Both(t, func(t *testing.T, tbl *table.Table) {
		store := newStore(tbl)
		n := newNotification("usr_1", now)
		if _, err := store.Claimed(t.Context(), n.ID); !errors.Is(err, notifications.ErrNotFound) {
			t.Errorf("nobody's claim: %v", err)
		}
		if err := store.Claim(t.Context(), n.ID, now); err != nil {
			t.Fatal(err)
		}
		if err := store.Claim(t.Context(), n.ID, now.Add(365*24*time.Hour)); !errors.Is(err, notifications.ErrClaimed) {
			t.Errorf("claimed again: %v", err)
		}
		if at, err := store.Claimed(t.Context(), n.ID); err != nil || !at.Equal(now) {
			t.Errorf("claimed at %v, %v", at, err)
		}
		if _, err := store.Get(t.Context(), n.ID); !errors.Is(err, notifications.ErrNotFound) {
			t.Errorf("a claim passes for a notification: %v", err)
		}
		for range 2 {
			if err := store.Release(t.Context(), n.ID); err != nil {
				t.Fatal(err)
			}
		}
		if err := store.Claim(t.Context(), n.ID, now); err != nil {
			t.Errorf("claimed after its release: %v", err)
		}
	})
}

// Only what is told once per event joins the event's record. The rest must not
// use it up, nor be kept from happening by it.
func TestWhatJoinsTheEvent(t *testing.T) {
	tabletest.Both(t, func(t *testing.T, tbl *table.Table) {
		store := newStore(tbl)
		ctx := inbox.New(time.Now).Guard(t.Context(), id.New("evt"))
		first, second := newNotification("usr_1", now), newNotification("usr_1", now)
		c := notifications.Contact{UserID: id.New("usr")}
		for i, n := range []notifications.Notification{first, second} {
			c.Version = i
			err := errors.Join(store.SaveContact(ctx, c), store.Claim(ctx, n.ID, now), store.Release(ctx, n.ID))
			if err != nil {
				t.Fatal(fmt.Errorf("apart from the event: %w", err))
			}
		}
		if err := store.Add(ctx, first, sent(first)); err != nil {
			t.Fatal(err)
		}
		if err := store.Add(ctx, second, sent(second)); !errors.Is(err, table.ErrDone) {
			t.Errorf("a second notification of one event: %v", err)
		}
	})
}
