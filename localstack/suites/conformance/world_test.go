package conformance

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"tradewind/localstack/internal/await"
	"tradewind/localstack/internal/fixtures"
	"tradewind/localstack/internal/shop"
	"tradewind/localstack/suites/conformance/apidoc"
)

// world is what there is to ask for. The suite has one that stays as it is, because
// only what is refused is asked of it. A request that is to succeed gets a copy, with
// that replaced which it changes.
type world struct {
	owner   fixtures.Customer // of everything below
	other   fixtures.Customer // who owns nothing
	buyer   fixtures.Customer // who places and cancels orders
	subject fixtures.Customer // whose account is changed and erased

	product      shop.Product // whose stock nobody orders
	ware         shop.Product // with plenty of it
	order        shop.Order   // confirmed
	cancelled    shop.Order
	payment      shop.Payment // of order
	refunded     shop.Payment // of cancelled
	notification shop.Notification
}

// plenty is more than a suite orders.
const plenty = 1_000_000

func newWorld(t *testing.T, s *suite) *world {
	t.Helper()
	w := &world{}
	group, ctx := errgroup.WithContext(within(t, soon))
	for who, name := range map[*fixtures.Customer]string{&w.owner: "Olga Owner", &w.other: "Otto Other", &w.buyer: "Bea Buyer", &w.subject: "Sam Subject"} {
		group.Go(func() (err error) {
			*who, err = s.Customer(ctx, name)
			return err
		})
	}
	for product, units := range map[*shop.Product]int{&w.product: 1000, &w.ware: plenty} {
		group.Go(func() (err error) {
			*product, err = s.Product(ctx, units)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	w.order, w.payment = w.settle(t, shop.Captured)
	w.cancelled, w.refunded = w.settle(t, shop.Refunded)
	notifications, err := w.owner.Notifications(t.Context())
	if err != nil || len(notifications) == 0 {
		t.Fatalf("notifications: %d, %v", len(notifications), err)
	}
	w.notification = notifications[0]
	return w
}

// settle places an order and waits for its payment, which is refunded if that is asked
// for.
func (w *world) settle(t *testing.T, status string) (shop.Order, shop.Payment) {
	t.Helper()
	order, err := w.owner.PlaceOrder(t.Context(), "settle-"+status, fixtures.Order(w.ware.ID, 1, shop.CardOK))
	if err != nil {
		t.Fatal(err)
	}
	var payment shop.Payment
	want := shop.Confirmed
	if status == shop.Refunded {
		want = shop.Cancelled
	}
	err = await.Until(within(t, soon), look, "an order's payment to be "+status, func(ctx context.Context) error {
		if order, err = w.owner.Order(ctx, order.ID); err != nil {
			return err
		}
		if status == shop.Refunded && order.Status == shop.Confirmed {
			if order, err = w.owner.CancelOrder(ctx, order.ID, "for the test"); err != nil {
				return err
			}
		}
		payments, err := w.owner.Payments(ctx, order.ID)
		if err != nil {
			return err
		}
		if order.Status != want || len(payments) != 1 || payments[0].Status != status {
			return fmt.Errorf("the order is %s, payments %+v", order.Status, payments)
		}
		payment = payments[0]
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return order, payment
}

// The ids of each collection: what they begin with, and one in this world.
var prefixes = map[string]string{
	"users": "usr", "products": "prd", "stock": "prd", "orders": "ord", "payments": "pay", "notifications": "ntf",
}

func (w *world) id(collection string) string {
	return map[string]string{
		"users": w.subject.ID, "products": w.product.ID, "stock": w.product.ID,
		"orders": w.order.ID, "payments": w.payment.ID, "notifications": w.notification.ID,
	}[collection]
}

// collectionOf returns "orders" for anything of /api/orders, and "health" for what is
// of no collection.
func collectionOf(op *apidoc.Operation) string {
	return strings.Split(strings.TrimPrefix(op.Path, "/api"), "/")[1]
}

// path returns the operation's path, without query, for what there is in the world.
func (w *world) path(op *apidoc.Operation) string {
	return withID(op, w.id(collectionOf(op)))
}

// withID returns the operation's path for an id.
func withID(op *apidoc.Operation, id string) string {
	for _, name := range op.PathParams() {
		return strings.ReplaceAll(op.Path, "{"+name+"}", id)
	}
	return op.Path
}

// absent is a well-formed id of a collection that nobody has.
func absent(collection string) string { return prefixes[collection] + "_01ARZ3NDEKTSV4RRFFQ69G5FAV" }

// newOrder places an order of the buyer's.
func (w *world) newOrder(t *testing.T) {
	t.Helper()
	w.owner = w.buyer
	answer := ask(t, w.buyer.Client, shop.Request{
		Method: http.MethodPost, Path: "/api/orders", Header: shop.Header("Idempotency-Key", unique()),
		Body: fixtures.Order(w.ware.ID, 1, shop.CardOK),
	})
	if err := answer.Decode(&w.order); err != nil || answer.Status != http.StatusCreated {
		t.Fatalf("place an order: %d %s", answer.Status, answer.Body)
	}
}

// newProduct makes a product without waiting for its stock line.
func (w *world) newProduct(t *testing.T, s *suite) {
	t.Helper()
	var err error
	if w.product, err = s.Admin.CreateProduct(t.Context(), fixtures.NewProduct()); err != nil {
		t.Fatal(err)
	}
}

// newStock makes a product with stock.
func (w *world) newStock(t *testing.T, s *suite) {
	t.Helper()
	w.newProduct(t, s)
	if _, err := fixtures.Stock(within(t, soon), s.Admin, w.product.ID, 1000); err != nil {
		t.Fatal(err)
	}
}

// newSubject registers somebody.
func (w *world) newSubject(t *testing.T, s *suite) {
	t.Helper()
	var err error
	if w.subject, err = s.Customer(t.Context(), "Sam Subject"); err != nil {
		t.Fatal(err)
	}
}
