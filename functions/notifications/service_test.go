package notifications_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/google/go-cmp/cmp"

	"tradewind/events"
	"tradewind/events/inventory"
	event "tradewind/events/notifications"
	"tradewind/events/orders"
	"tradewind/events/payments"
	"tradewind/events/users"
	"tradewind/functions/notifications"
	"tradewind/functions/notifications/internal/dynamo"
	"tradewind/shared/apperr"
	"tradewind/shared/id"
	"tradewind/shared/outbox"
	"tradewind/shared/table"
	"tradewind/shared/table/tabletest"
)

const (
	user  = "usr_01K9ZZZZZZZZZZZZZZZZZZZZZZ"
	order = "ord_01K9ZZZZZZZZZZZZZZZZZZZZZY"
)

var eur = func(n int64) events.Money { return events.Money{Amount: n, Currency: "EUR"} }

// mailer keeps what it is given and answers what it is told.
type mailer struct {
	err  error
	sent []notifications.Message
}

func (m *mailer) Send(_ context.Context, msg notifications.Message) error {
	m.sent = append(m.sent, msg)
	return m.err
}

type fixture struct {
	*notifications.Service
	memory *tabletest.Memory
	store  *dynamo.Store
	mailer *mailer
}

const admin = "shop@tradewind.example"

func newFixture() *fixture {
	f := &fixture{memory: &tabletest.Memory{}, mailer: &mailer{}}
	f.store = dynamo.New(table.New(f.memory), outbox.New(event.Source, time.Now))
	f.Service = notifications.NewService(f.store, f.mailer, admin, time.Now)
	return f
}

// known is a fixture that knows the user, and has welcomed them.
func known(t *testing.T) *fixture {
	t.Helper()
	f := newFixture()
	if err := f.Registered(t.Context(), registered); err != nil {
		t.Fatal(err)
	}
	f.mailer.sent = nil
	return f
}

func (f *fixture) list(t *testing.T, userID string) []notifications.Notification {
	t.Helper()
	list, _, err := f.ListByUser(t.Context(), userID, 100, "")
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// one returns the only notification that a template made for a user.
func (f *fixture) one(t *testing.T, userID, template string) notifications.Notification {
	t.Helper()
	var found []notifications.Notification
	for _, n := range f.list(t, userID) {
		if n.Template == template {
			found = append(found, n)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d notifications by %s, want one: %+v", len(found), template, found)
	}
	return found[0]
}

var (
	registered = users.RegisteredV1{UserID: user, Email: "ada@example.com", Name: "Ada"}
	created    = orders.CreatedV1{
		OrderID: order, UserID: user, Total: eur(4003),
		Items: []orders.ItemV1{
			{ProductID: "prd_1", Name: "Rope", Quantity: 2, UnitPrice: eur(1999)},
			{ProductID: "prd_2", Name: "Knot", Quantity: 1, UnitPrice: eur(5)},
		},
	}
	confirmed = orders.ConfirmedV1{OrderID: order, UserID: user, Total: eur(4003)}
	cancelled = orders.CancelledV1{OrderID: order, UserID: user, Reason: "out_of_stock", Detail: "none left, says Ada", Total: eur(4003)}
	refunded  = payments.RefundedV1{PaymentID: "pay_1", RefundID: "ref_1", OrderID: order, UserID: user, Amount: eur(4003)}
	depleted  = inventory.StockDepletedV1{ProductID: "prd_1"}
)

// What each event makes, word for word.
func TestTemplates(t *testing.T) {
	tests := map[string]struct {
		tell    func(*fixture, context.Context) error
		to      string
		about   string // the order
		want    string // template
		subject string
		body    string
	}{
		"registered": {
			func(f *fixture, ctx context.Context) error { return f.Registered(ctx, registered) },
			user, "", "welcome", "Welcome to Tradewind",
			"Your account is ready. You can sign in with your e-mail address.",
		},
		"created": {
			func(f *fixture, ctx context.Context) error { return f.OrderCreated(ctx, created) },
			user, order, "order_received", "We have received your order",
			"We have received your order " + order + ":\n\n  2 x Rope at 19.99 EUR\n  1 x Knot at 0.05 EUR\n\nTotal: 40.03 EUR. We will write again when it is confirmed.",
		},
		"confirmed": {
			func(f *fixture, ctx context.Context) error { return f.OrderConfirmed(ctx, confirmed) },
			user, order, "order_confirmed", "Your order is confirmed",
			"Your order " + order + " is confirmed, and your payment of 40.03 EUR was taken.",
		},
		"cancelled": {
			func(f *fixture, ctx context.Context) error { return f.OrderCancelled(ctx, cancelled) },
			user, order, "order_cancelled", "Your order is cancelled",
			"Your order " + order + " was cancelled, because not everything in it is in stock. If anything was charged, it goes back to you whole.",
		},
		"refunded": {
			func(f *fixture, ctx context.Context) error { return f.PaymentRefunded(ctx, refunded) },
			user, order, "payment_refunded", "Your money is on its way back",
			"We have returned 40.03 EUR for your order " + order + ".",
		},
		"depleted": {
			func(f *fixture, ctx context.Context) error { return f.StockDepleted(ctx, depleted, "evt_1") },
			notifications.AdminUser, "", "stock_depleted", "Out of stock",
			"The last available unit of product prd_1 is gone.",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture()
			if name != "registered" {
				f = known(t)
			}
			for range 3 { // telling it again changes nothing
				if err := tt.tell(f, t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			n := f.one(t, tt.to, tt.want)
			if n.UserID != tt.to || n.OrderID != tt.about || n.Subject != tt.subject || n.Body != tt.body || n.Status != notifications.Sent || n.Cause != "" {
				t.Errorf("got %+v\nwant subject %q, body %q", n, tt.subject, tt.body)
			}
			if !id.Valid("ntf", n.ID) {
				t.Errorf("%q is no id", n.ID)
			}
			// It has the time of what it is about, as far as that has one.
			if at := n.ID[len("ntf_"):][:10]; tt.to == user && at != "01K9ZZZZZZ" || tt.to != user && at != "0000000000" {
				t.Errorf("%q is of another time", n.ID)
			}
			if read, err := f.Get(t.Context(), n.ID); err != nil || cmp.Diff(n, read) != "" {
				t.Errorf("read by id: %+v, %v", read, err)
			}
			greeting, address := "Hello Ada,\n\n", "ada@example.com"
			if tt.to == notifications.AdminUser {
				greeting, address = "Hello,\n\n", admin
			}
			mail := notifications.Message{To: address, Subject: tt.subject, Body: greeting + tt.body}
			if diff := cmp.Diff([]notifications.Message{mail}, f.mailer.sent); diff != "" {
				t.Errorf("mails (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReasonsOfCancellation(t *testing.T) {
	for reason, want := range map[string]string{
		"out_of_stock":     "because not everything in it is in stock",
		"payment_declined": "because the payment was declined",
		"customer_request": "as you asked",
		"timed_out":        "because it could not be completed in time",
		"meteorite":        "because it cannot be fulfilled",
	} {
		f := known(t)
		e := cancelled
		e.Reason = reason
		if err := f.OrderCancelled(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		if n := f.one(t, user, "order_cancelled"); !strings.Contains(n.Body, want) {
			t.Errorf("%s: %q", reason, n.Body)
		}
	}
}

func TestAmounts(t *testing.T) {
	for want, money := range map[string]events.Money{
		"0.00 EUR":       {Amount: 0, Currency: "EUR"},
		"0.05 EUR":       {Amount: 5, Currency: "EUR"},
		"19.99 EUR":      {Amount: 1999, Currency: "EUR"},
		"1000000.00 USD": {Amount: 100000000, Currency: "USD"},
		"500 JPY":        {Amount: 500, Currency: "JPY"},
		"0.005 KWD":      {Amount: 5, Currency: "KWD"},
		"1.234 BHD":      {Amount: 1234, Currency: "BHD"},
		"-0.07 EUR":      {Amount: -7, Currency: "EUR"},
	} {
		f := known(t)
		e := refunded
		e.Amount = money
		if err := f.PaymentRefunded(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		if n := f.one(t, user, "payment_refunded"); !strings.Contains(n.Body, "returned "+want+" for") {
			t.Errorf("%v: %q", money, n.Body)
		}
	}
}

// Every kind of event about the same order is news of its own, and so is the
// same kind about another order.
func TestIDsTellNewsApart(t *testing.T) {
	f := known(t)
	other := confirmed
	other.OrderID = id.New("ord")
	err := errors.Join(
		f.OrderCreated(t.Context(), created), f.OrderConfirmed(t.Context(), confirmed), f.OrderConfirmed(t.Context(), other),
		f.OrderCancelled(t.Context(), cancelled), f.PaymentRefunded(t.Context(), refunded),
		f.StockDepleted(t.Context(), depleted, "evt_1"), f.StockDepleted(t.Context(), depleted, "evt_2"),
	)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(f.list(t, user)); n != 6 {
		t.Errorf("%d notifications, want 6", n)
	}
	if n := len(f.list(t, notifications.AdminUser)); n != 2 {
		t.Errorf("%d notifications to the admin, want 2", n)
	}
}

// However the news of a user arrives, what is known is the latest; and after
// they are erased, nothing.
func TestContactsInAnyOrder(t *testing.T) {
	second := users.UpdatedV1{UserID: user, Email: "ada@second.example", Name: "Ada 2", Version: 2}
	third := users.UpdatedV1{UserID: user, Email: "ada@third.example", Name: "Ada 3", Version: 3}
	news := map[string]func(*fixture, context.Context) error{
		"registered": func(f *fixture, ctx context.Context) error { return f.Registered(ctx, registered) },
		"second":     func(f *fixture, ctx context.Context) error { return f.Updated(ctx, second) },
		"third":      func(f *fixture, ctx context.Context) error { return f.Updated(ctx, third) },
		"deleted":    func(f *fixture, ctx context.Context) error { return f.Deleted(ctx, users.DeletedV1{UserID: user}) },
	}
	for _, tt := range []struct {
		news []string
		want string
	}{
		{[]string{"registered"}, "ada@example.com"},
		{[]string{"registered", "second"}, "ada@second.example"},
		{[]string{"registered", "second", "third"}, "ada@third.example"},
		{[]string{"registered", "deleted"}, ""},
		{[]string{"registered", "second", "third", "deleted"}, ""},
	} {
		for _, arrival := range permutations(tt.news) {
			t.Run(strings.Join(arrival, " "), func(t *testing.T) {
				f := newFixture()
				for _, name := range arrival {
					for range 2 {
						if err := news[name](f, t.Context()); err != nil {
							t.Fatal(err)
						}
					}
				}
				c, err := f.store.Contact(t.Context(), user)
				if err != nil || c.Email != tt.want || c.Erased != (tt.want == "") {
					t.Errorf("contact %+v, %v, want address %q", c, err, tt.want)
				}
				if len(arrival) == 1 && c.Version != 1 {
					t.Errorf("the same news made version %d", c.Version)
				}
				if c.Erased {
					assertForgotten(t, f)
				} else if n := f.list(t, user); len(n) != 1 || n[0].Template != "welcome" {
					t.Errorf("notifications %+v, want one welcome", n)
				}
			})
		}
	}
}

func permutations(s []string) [][]string {
	if len(s) <= 1 {
		return [][]string{s}
	}
	var all [][]string
	for i := range s {
		rest := append(append([]string{}, s[:i]...), s[i+1:]...)
		for _, p := range permutations(rest) {
			all = append(all, append([]string{s[i]}, p...))
		}
	}
	return all
}

// assertForgotten fails the test if anything stored holds a name, an address or
// a customer's words.
func assertForgotten(t *testing.T, f *fixture) {
	t.Helper()
	for _, item := range f.memory.Items() {
		text := dump(t, item)
		for _, personal := range []string{"Ada", "ada@"} {
			if strings.Contains(text, personal) {
				t.Errorf("%q is still stored: %s", personal, text)
			}
		}
	}
}

// dump writes an item so that everything in it can be searched for.
func dump(t *testing.T, item table.Item) string {
	t.Helper()
	var plain map[string]any
	if err := attributevalue.UnmarshalMap(item, &plain); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(plain)
}

func TestErasureLeavesNothingOfThePerson(t *testing.T) {
	f := known(t)
	err := errors.Join(
		f.OrderCreated(t.Context(), created), f.OrderCancelled(t.Context(), cancelled), f.PaymentRefunded(t.Context(), refunded),
		f.Deleted(t.Context(), users.DeletedV1{UserID: user}),
	)
	if err != nil {
		t.Fatal(err)
	}
	assertForgotten(t, f)
	if n := len(f.list(t, user)); n != 4 {
		t.Errorf("%d notifications, want the 4 from before", n)
	}
}

func TestErasedUserIsNotWrittenTo(t *testing.T) {
	f := known(t)
	if err := f.Deleted(t.Context(), users.DeletedV1{UserID: user}); err != nil {
		t.Fatal(err)
	}
	if err := f.OrderCancelled(t.Context(), cancelled); err != nil {
		t.Fatal(err)
	}
	n := f.one(t, user, "order_cancelled")
	if n.Status != notifications.Failed || n.Cause != notifications.CauseErased || len(f.mailer.sent) != 0 {
		t.Errorf("got %+v and mails %+v", n, f.mailer.sent)
	}
}

func TestUserNobodyKnowsYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture()
		start := time.Now()
		err := f.OrderCreated(t.Context(), created)
		if apperr.KindOf(err) != apperr.NotFound || len(f.memory.Items()) != 0 {
			t.Fatalf("got %v and items %v", err, f.memory.Items())
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("waited %v", took)
		}
		// Heard of while the order's event waits.
		go func() {
			time.Sleep(20 * time.Millisecond)
			if err := f.Registered(t.Context(), registered); err != nil {
				t.Error(err)
			}
		}()
		for {
			if err := f.OrderCreated(t.Context(), created); err == nil {
				break
			}
		}
		if n := len(f.list(t, user)); n != 2 {
			t.Errorf("%d notifications", n)
		}
	})
}

func TestWithoutMailerTheRecordIsTheDelivery(t *testing.T) {
	f := newFixture()
	f.Service = notifications.NewService(f.store, nil, "", time.Now)
	err := errors.Join(
		f.Registered(t.Context(), registered), f.OrderCreated(t.Context(), created), f.StockDepleted(t.Context(), depleted, "evt_1"),
	)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range append(f.list(t, user), f.list(t, notifications.AdminUser)...) {
		if n.Status != notifications.Sent {
			t.Errorf("got %+v", n)
		}
	}
	for _, item := range f.memory.Items() {
		if text := dump(t, item); strings.Contains(text, "CLAIM") {
			t.Errorf("a claim was stored: %s", text)
		}
	}
}

func TestAdminWithoutAddress(t *testing.T) {
	f := newFixture()
	f.Service = notifications.NewService(f.store, f.mailer, "", time.Now)
	if err := f.StockDepleted(t.Context(), depleted, "evt_1"); err != nil {
		t.Fatal(err)
	}
	n := f.one(t, notifications.AdminUser, "stock_depleted")
	if n.Status != notifications.Failed || n.Cause != notifications.CauseNoAddress || len(f.mailer.sent) != 0 {
		t.Errorf("got %+v", n)
	}
}

// What the mail server's answer makes of a notification, and of a second
// delivery of the same event.
func TestMailServersAnswers(t *testing.T) {
	tests := map[string]struct {
		err    error
		comes  bool // again
		status notifications.Status
		cause  string
		mails  int // handed over after a second delivery, with a server that works
	}{
		"sent":      {nil, false, notifications.Sent, "", 1},
		"refused":   {apperr.New(apperr.Invalid, "mail_refused", "no"), false, notifications.Failed, notifications.CauseRefused, 1},
		"not known": {errors.New("connection reset"), false, notifications.Failed, notifications.CauseUnknown, 1},
		"not taken": {apperr.New(apperr.Unavailable, "mail_unavailable", "busy"), true, notifications.Sent, "", 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := known(t)
			f.mailer.err = tt.err
			err := f.OrderConfirmed(t.Context(), confirmed)
			if (err != nil) != tt.comes {
				t.Fatalf("got %v", err)
			}
			f.mailer.err = nil
			if err := f.OrderConfirmed(t.Context(), confirmed); err != nil {
				t.Fatal(err)
			}
			n := f.one(t, user, "order_confirmed")
			if n.Status != tt.status || n.Cause != tt.cause || len(f.mailer.sent) != tt.mails {
				t.Errorf("got %+v and %d mails", n, len(f.mailer.sent))
			}
		})
	}
}
