package integration

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"tradewind/localstack/internal/audit"
	"tradewind/localstack/internal/await"
	"tradewind/localstack/internal/endpoint"
	"tradewind/localstack/internal/fixtures"
	"tradewind/localstack/internal/shop"
	"tradewind/localstack/suites/integration/tap"
)

const (
	soon = 90 * time.Second       // for what takes a second on an idle machine
	look = 100 * time.Millisecond // how often to look
)

// platform is the one under test.
type platform struct {
	cast    *fixtures.Platform
	outputs shop.Outputs
	kind    endpoint.Identity // nobody's on AWS
	anyone  *shop.Client
	inside  *shop.Client // behind the gateway; nil where that cannot be reached
	admin   *shop.Client
	pool    *shop.Pool
	tap     *tap.Tap // nil where the bus is not ours

	mu        sync.Mutex
	customers []*shop.Client
	opening   map[string]int
}

func connect(t *testing.T) *platform {
	t.Helper()
	return connected(t, fixtures.Connect)
}

// connectAlone waits until no other suite uses the platform, and keeps others away.
func connectAlone(t *testing.T) *platform {
	t.Helper()
	return connected(t, fixtures.ConnectAlone)
}

func connected(t *testing.T, connect func(context.Context, fixtures.Watch) (*fixtures.Platform, error)) *platform {
	t.Helper()
	c, err := connect(t.Context(), nil)
	if errors.Is(err, fixtures.ErrNoPlatform) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	p := &platform{cast: c, outputs: c.Outputs, anyone: c.Anyone, admin: c.Admin, pool: c.Pool, opening: map[string]int{}}
	if c.Outputs.Endpoint != "" { // on AWS the load balancer answers its own network only
		p.inside = c.Anyone.At(c.Outputs.ALBURL)
		if p.kind, err = endpoint.Identify(t.Context(), c.Outputs.Endpoint); err != nil {
			t.Fatal(err)
		}
		t.Log(p.kind)
	}
	return p
}

// scope is what the tests made, for the audit.
func (p *platform) scope() audit.Scope {
	p.mu.Lock()
	defer p.mu.Unlock()
	return audit.Scope{Customers: p.customers, Opening: p.opening}
}

// customer is a new one, signed in. It calls the platform as itself.
type customer struct {
	*shop.Client
	id, email, password string
	tokens              shop.Tokens
}

func (p *platform) customer(t *testing.T) customer {
	t.Helper()
	c := p.visitor(t)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.customers = append(p.customers, c.Client)
	return c
}

// visitor is a customer who will not be audited, for tests that take the sign-in
// away again.
func (p *platform) visitor(t *testing.T) customer {
	t.Helper()
	c, err := p.cast.Customer(t.Context(), "Test Customer")
	if err != nil {
		t.Fatal(err)
	}
	return customer{Client: c.Client, id: c.ID, email: c.Email, password: c.Password, tokens: c.Tokens}
}

// product is a new one with units in stock.
func (p *platform) product(t *testing.T, units int) shop.Product {
	t.Helper()
	product, err := p.admin.CreateProduct(t.Context(), fixtures.NewProduct())
	if err != nil {
		t.Fatal(err)
	}
	p.count(t, product.ID, units)
	return product
}

// count says how many units of a product there are, before any order for it.
func (p *platform) count(t *testing.T, productID string, units int) {
	t.Helper()
	if _, err := fixtures.Stock(within(t, soon), p.admin, productID, units); err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opening[productID] = units
}

// order is a request for units of one product.
func order(productID string, units int, method string) shop.NewOrder {
	return fixtures.Order(productID, units, method)
}

// place places an order and checks what is answered before the saga runs.
func (c customer) place(t *testing.T, o shop.NewOrder) shop.Order {
	t.Helper()
	placed, err := c.PlaceOrder(t.Context(), rand.Text(), o)
	if err != nil {
		t.Fatal(err)
	}
	if placed.Status != shop.Pending || placed.UserID != c.id || placed.Version != 1 || !strings.HasPrefix(placed.ID, "ord_") {
		t.Errorf("a new order: %+v", placed)
	}
	return placed
}

// ends waits until an order is in a state.
func (c customer) ends(t *testing.T, orderID, status string, patience time.Duration) shop.Order {
	t.Helper()
	var o shop.Order
	err := await.Until(within(t, patience), look, "order "+orderID+" to be "+status, func(ctx context.Context) (err error) {
		if o, err = c.Order(ctx, orderID); err == nil && o.Status != status {
			err = fmt.Errorf("it is %s %+v", o.Status, o.Cancellation)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// cancelledFor checks why an order was cancelled.
func cancelledFor(t *testing.T, o shop.Order, reason string) {
	t.Helper()
	if o.Cancellation == nil || o.Cancellation.Reason != reason {
		t.Errorf("order %s is %s for %+v, not for %s", o.ID, o.Status, o.Cancellation, reason)
	}
}

// stock waits until a product's line is as it should be.
func (p *platform) stock(t *testing.T, productID string, onHand, reserved int, patience time.Duration) {
	t.Helper()
	err := await.Until(within(t, patience), look, "the stock of "+productID, func(ctx context.Context) error {
		line, err := p.anyone.Stock(ctx, productID)
		if err != nil {
			return err
		}
		if line.OnHand != onHand || line.Reserved != reserved || line.Available != onHand-reserved {
			return fmt.Errorf("%d on hand, %d reserved, %d available; not %d on hand, %d reserved",
				line.OnHand, line.Reserved, line.Available, onHand, reserved)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// payment waits for an order's one payment to be in a state.
func (c customer) payment(t *testing.T, o shop.Order, status string) shop.Payment {
	t.Helper()
	var payments []shop.Payment
	err := await.Until(within(t, soon), look, "the payment of "+o.ID, func(ctx context.Context) (err error) {
		payments, err = c.Payments(ctx, o.ID)
		if err == nil && (len(payments) != 1 || payments[0].Status != status || payments[0].Amount != o.Total) {
			err = fmt.Errorf("payments %+v, want one %s of %v", payments, status, o.Total)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return payments[0]
}

// told waits until a customer has got a notification of each template about an
// order, in any order, and no other.
func (c customer) told(t *testing.T, orderID string, templates ...string) {
	t.Helper()
	err := await.Until(within(t, soon), look, "the notifications about "+orderID, func(ctx context.Context) error {
		all, err := c.Notifications(ctx)
		if err != nil {
			return err
		}
		got := map[string]int{}
		n := 0
		for _, notification := range all {
			if notification.OrderID == orderID {
				got[notification.Template]++
				n++
			}
		}
		for _, template := range templates {
			if got[template] != 1 {
				return fmt.Errorf("%v, want one each of %v", got, templates)
			}
		}
		if n != len(templates) {
			return fmt.Errorf("%v, want one each of %v", got, templates)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// states checks what an order went through.
func (c customer) states(t *testing.T, orderID string, want ...string) {
	t.Helper()
	history, err := c.History(t.Context(), orderID)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i, change := range history {
		if len(got) == 0 || got[len(got)-1] != change.Status { // a refund is an entry of the same state
			got = append(got, change.Status)
		}
		if i > 0 && change.OccurredAt.Before(history[i-1].OccurredAt) {
			t.Errorf("history of %s: %+v is out of order", orderID, history)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("order %s went through %v, not %v", orderID, got, want)
	}
}

// ask makes a call whose answer is to be looked at itself.
func ask(t *testing.T, c *shop.Client, method, path string, header http.Header, body any) *shop.Response {
	t.Helper()
	resp, err := c.Do(t.Context(), shop.Request{Method: method, Path: path, Header: header, Body: body})
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// refused checks that an answer is a whole problem document with a status.
func refused(t *testing.T, resp *shop.Response, status int) *shop.Problem {
	t.Helper()
	p, err := resp.Problem()
	if err != nil {
		t.Errorf("want a problem with status %d: %v", status, err)
		return &shop.Problem{}
	}
	if p.Status != status {
		t.Errorf("status %d (%s: %s), want %d", p.Status, p.Code, p.Detail, status)
	}
	if got := resp.Header.Get("X-Correlation-Id"); got != p.CorrelationID {
		t.Errorf("correlation id %q in the header, %q in the problem", got, p.CorrelationID)
	}
	return p
}

func within(t *testing.T, patience time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}
