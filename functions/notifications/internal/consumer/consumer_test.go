package consumer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"

	"tradewind/events"
	"tradewind/events/inventory"
	event "tradewind/events/notifications"
	"tradewind/events/orders"
	"tradewind/events/payments"
	"tradewind/events/users"
	"tradewind/functions/notifications"
	notificationsconsumer "tradewind/functions/notifications/internal/consumer"
	"tradewind/functions/notifications/internal/dynamo"
	"tradewind/shared/apperr"
	"tradewind/shared/consumer"
	"tradewind/shared/inbox"
	"tradewind/shared/logs"
	"tradewind/shared/outbox"
	"tradewind/shared/table"
	"tradewind/shared/table/tabletest"
)

const (
	user  = "usr_01K9ZZZZZZZZZZZZZZZZZZZZZZ"
	order = "ord_01K9ZZZZZZZZZZZZZZZZZZZZZY"

	// visibility is how long the queue hides a message that was not acknowledged.
	visibility = time.Minute
)

// world is the consumer, its table and a mail server. Each thing the consumer
// does to either is a step, at which a test can step in.
type world struct {
	consumer *consumer.Consumer
	store    *dynamo.Store
	memory   *tabletest.Memory
	mails    atomic.Int32
	mailErr  error

	steps  atomic.Int32
	stepIn func(step int)
}

func newWorld() *world {
	w := &world{memory: &tabletest.Memory{}, stepIn: func(int) {}}
	w.store = dynamo.New(table.New(&steppedTable{w.memory, w}), outbox.New(event.Source, time.Now))
	w.consumer = consumer.New(inbox.New(time.Now), logs.Discard())
	notificationsconsumer.Register(w.consumer, notifications.NewService(w.store, w, "shop@tradewind.example", time.Now))
	return w
}

func (w *world) step() {
	w.stepIn(int(w.steps.Add(1)))
}

// Send implements notifications.Mailer.
func (w *world) Send(context.Context, notifications.Message) error {
	w.step()
	w.mails.Add(1)
	w.step()
	return w.mailErr
}

type steppedTable struct {
	table.Backend
	w *world
}

func (b *steppedTable) Get(ctx context.Context, key table.Key) (table.Item, error) {
	b.w.step()
	item, err := b.Backend.Get(ctx, key)
	b.w.step()
	return item, err
}

func (b *steppedTable) Transact(ctx context.Context, ops []table.Op) error {
	b.w.step()
	err := b.Backend.Transact(ctx, ops)
	b.w.step()
	return err
}

// message is one event in the consumer's queue.
type message struct {
	eventID string
	event   events.Event
}

var (
	registered = message{"evt_1", users.RegisteredV1{UserID: user, Email: "ada@example.com", Name: "Ada"}}
	updated    = message{"evt_2", users.UpdatedV1{UserID: user, Email: "ada@new.example", Name: "Ada", Version: 2}}
	deleted    = message{"evt_3", users.DeletedV1{UserID: user}}
	created    = message{"evt_4", orders.CreatedV1{OrderID: order, UserID: user, Total: events.Money{Amount: 1999, Currency: "EUR"}}}
	confirmed  = message{"evt_5", orders.ConfirmedV1{OrderID: order, UserID: user}}
	cancelled  = message{"evt_6", orders.CancelledV1{OrderID: order, UserID: user, Reason: "customer_request"}}
	refunded   = message{"evt_7", payments.RefundedV1{OrderID: order, UserID: user, Amount: events.Money{Amount: 1999, Currency: "EUR"}}}
	depleted   = message{"evt_8", inventory.StockDepletedV1{ProductID: "prd_1"}}
)

// deliver hands messages to the consumer in one batch, as SQS does, with the
// time that the function has, and returns those that were not acknowledged.
func (w *world) deliver(t *testing.T, messages ...message) []message {
	t.Helper()
	var batch struct{ Records []map[string]string }
	byID := map[string]message{}
	for i, m := range messages {
		data, err := json.Marshal(m.event)
		if err != nil {
			t.Fatal(err)
		}
		body, err := json.Marshal(map[string]any{
			"version": "0", "id": "b0a5", "detail-type": m.event.EventType(), "source": "test",
			"detail": events.Envelope{
				Metadata: events.Metadata{
					EventID: m.eventID, OccurredAt: events.Timestamp(time.Now()), SchemaVersion: m.event.SchemaVersion(),
					CorrelationID: "c-1", Subject: m.event.Subject(),
				},
				Data: data,
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		id := fmt.Sprintf("m%d", i)
		byID[id] = m
		batch.Records = append(batch.Records, map[string]string{"messageId": id, "body": string(body)})
	}
	payload, err := json.Marshal(batch)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	out, err := w.consumer.Invoke(ctx, payload)
	if err != nil {
		t.Fatal(err)
	}
	var result struct {
		BatchItemFailures []struct{ ItemIdentifier string }
	}
	if err := json.Unmarshal(out, &result); err != nil {
		t.Fatal(err)
	}
	var failed []message
	for _, f := range result.BatchItemFailures {
		failed = append(failed, byID[f.ItemIdentifier])
	}
	return failed
}

// settle delivers messages until all are acknowledged, each time after the
// queue has hidden them.
func (w *world) settle(t *testing.T, messages ...message) {
	t.Helper()
	for attempt := 1; len(messages) > 0; attempt++ {
		if attempt > 5 {
			t.Fatalf("%v went to the dead-letter queue", messages)
		}
		time.Sleep(visibility)
		messages = w.deliver(t, messages...)
	}
}

func (w *world) list(t *testing.T, userID string) []notifications.Notification {
	t.Helper()
	list, _, err := w.store.ListByUser(t.Context(), userID, 100, "")
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// published counts the events of a type that are stored.
func (w *world) published(t *testing.T, eventType string) int {
	t.Helper()
	n := 0
	for _, item := range w.memory.Items() {
		var r outbox.Record
		if err := attributevalue.UnmarshalMap(item, &r); err != nil {
			t.Fatal(err)
		}
		if r.DetailType == eventType {
			n++
		}
	}
	return n
}

// An order's whole life, each message twice and all of it once more as other
// events: one notification for each change, and one mail.
func TestEachChangeIsToldOnce(t *testing.T) {
	all := []message{registered, updated, created, confirmed, cancelled, refunded, depleted}
	orders := map[string][]message{"in turn": all}
	backwards := []message{}
	for _, m := range all {
		backwards = append([]message{m}, backwards...)
	}
	orders["backwards"] = backwards
	for name, messages := range orders {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.settle(t, messages...)
				w.settle(t, messages...)
				for _, m := range messages {
					if m.eventID == depleted.eventID {
						continue // another event is another time it ran out
					}
					m.eventID += "_again"
					w.settle(t, m)
				}
				got := map[string]int{}
				for _, n := range append(w.list(t, user), w.list(t, notifications.AdminUser)...) {
					got[n.Template]++
					if n.Status != notifications.Sent {
						t.Errorf("%+v", n)
					}
				}
				for _, template := range []string{"welcome", "order_received", "order_confirmed", "order_cancelled", "payment_refunded", "stock_depleted"} {
					if got[template] != 1 {
						t.Errorf("%d notifications by %s", got[template], template)
					}
				}
				if len(got) != 6 || w.mails.Load() != 6 || w.published(t, event.TypeSent) != 6 || w.published(t, event.TypeFailed) != 0 {
					t.Errorf("notifications %v, %d mails, %d events", got, w.mails.Load(), w.published(t, event.TypeSent))
				}
			})
		})
	}
}

// One batch: the order's event waits for the user's, and a message of a user
// nobody knows does not keep the others.
func TestEarlyEventsInOneBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		stranger := message{"evt_9", orders.ConfirmedV1{OrderID: order, UserID: "usr_stranger"}}
		failed := w.deliver(t, stranger, created, registered, depleted)
		if len(failed) != 1 || failed[0].eventID != stranger.eventID {
			t.Errorf("failed: %v", failed)
		}
		if n := len(w.list(t, user)); n != 2 {
			t.Errorf("%d notifications", n)
		}
	})
}

func TestErasedUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.settle(t, deleted)
		w.settle(t, created, registered, updated)
		list := w.list(t, user)
		if len(list) != 1 || list[0].Status != notifications.Failed || list[0].Cause != notifications.CauseErased || w.mails.Load() != 0 {
			t.Errorf("got %+v and %d mails", list, w.mails.Load())
		}
		if w.published(t, event.TypeFailed) != 1 {
			t.Error("nobody was told of the failure")
		}
	})
}

// killed is what a delivery panics with where its process dies. The consumer
// takes a panic for a failed message, which is what SQS makes of a dead process.
type killed struct{}

// At each step of a delivery its process dies, or the same message is delivered
// a second time, or both. Whatever happened, there is one notification, its
// event, and at most one mail; and a notification that says it was sent, was.
func TestAMailIsNeverSentTwice(t *testing.T) {
	type disturbance int
	const (
		kill disturbance = iota
		interleave
		interleaveAndKill
		disturbances
	)
	answers := map[string]error{
		"sent":      nil,
		"refused":   apperr.New(apperr.Invalid, "mail_refused", "no"),
		"not known": errors.New("connection reset"),
	}
	lost := 0
	for answer, mailErr := range answers {
		for d := range disturbances {
			for _, m := range []message{confirmed, depleted} {
				for step, reached := 1, true; reached; step++ {
					reached = false
					name := fmt.Sprintf("%s/disturbance %d/%s/step %d", answer, d, m.eventID, step)
					synctest.Test(t, func(t *testing.T) {
						w := newWorld()
						w.settle(t, registered)
						w.mails.Store(0)
						w.steps.Store(0)
						w.mailErr = mailErr
						w.stepIn = func(at int) {
							if at != step || reached {
								return
							}
							reached = true
							if d != kill {
								w.deliver(t, m)
							}
							if d != interleave {
								panic(killed{})
							}
						}
						w.deliver(t, m)
						w.stepIn = func(int) {}
						w.settle(t, m)
						w.settle(t, m, m)

						reader := user
						if m.eventID == depleted.eventID {
							reader = notifications.AdminUser
						}
						var got []notifications.Notification
						for _, n := range w.list(t, reader) {
							if n.Template != "welcome" {
								got = append(got, n)
							}
						}
						if len(got) != 1 || w.mails.Load() > 1 {
							t.Fatalf("%s: %d mails and notifications %+v", name, w.mails.Load(), got)
						}
						n := got[0]
						if n.Status == notifications.Sent && (w.mails.Load() != 1 || mailErr != nil) {
							t.Errorf("%s: %d mails and %+v", name, w.mails.Load(), n)
						}
						if d == interleave && mailErr == nil && n.Status != notifications.Sent {
							t.Errorf("%s: nobody died, and %+v", name, n)
						}
						if w.mails.Load() == 0 && n.Cause != notifications.CauseUnknown {
							t.Errorf("%s: no mail and %+v", name, n)
						}
						if w.mails.Load() == 0 {
							lost++
						}
						// One of both is the welcome's.
						sent, failed := w.published(t, event.TypeSent), w.published(t, event.TypeFailed)
						if sent+failed != 2 || (n.Status == notifications.Sent) != (sent == 2) {
							t.Errorf("%s: %s, and %d sent and %d failed were published", name, n.Status, sent, failed)
						}
					})
					if t.Failed() {
						return
					}
				}
			}
		}
	}
	if lost == 0 {
		t.Error("no process died between its claim and the mail: the steps are not reached")
	}
}

// A mail server that takes nothing costs the message its deliveries, and each
// time the right to send is given back.
func TestMailServerDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.settle(t, registered)
		w.mails.Store(0)
		w.mailErr = apperr.New(apperr.Unavailable, "mail_unavailable", "busy")
		for range 3 {
			if failed := w.deliver(t, confirmed); len(failed) != 1 {
				t.Fatal("a message that was not taken was acknowledged")
			}
			time.Sleep(visibility)
		}
		w.mailErr = nil
		w.settle(t, confirmed)
		if n := w.list(t, user)[0]; n.Status != notifications.Sent || w.mails.Load() != 4 {
			t.Errorf("got %+v after %d attempts", n, w.mails.Load())
		}
	})
}

// A replay brings everything once more, after two weeks and in another order: nobody
// gets a mail, and nothing is stored.
func TestReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		all := []message{registered, updated, created, confirmed, cancelled, refunded, depleted, deleted}
		w.settle(t, all...)
		mails, stored := w.mails.Load(), fmt.Sprint(plain(t, w.memory.Items()))
		time.Sleep(14 * 24 * time.Hour)
		slices.Reverse(all)
		w.settle(t, all...)
		if n := w.mails.Load(); n != mails || mails == 0 {
			t.Errorf("%d mails, %d before the replay", n, mails)
		}
		if now := fmt.Sprint(plain(t, w.memory.Items())); now != stored {
			t.Errorf("stored after the replay:\n%s\nbefore:\n%s", now, stored)
		}
	})
}

func plain(t *testing.T, items []table.Item) []map[string]any {
	t.Helper()
	var all []map[string]any
	if err := attributevalue.UnmarshalListOfMaps(items, &all); err != nil {
		t.Fatal(err)
	}
	return all
}
