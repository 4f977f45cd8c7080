// Package shoptest is a platform that exists only in memory: the part of the public
// contract that the local tool uses, and the AWS calls it makes beside it, with an
// order's saga played by a timer.
//
// It exists so that seeding, following an order, auditing, and a run's ways to fail
// can be tested in milliseconds. It is no reference for the contract: the suite in
// localstack/suites/integration is, against the real platform.
package shoptest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"tradewind/events"
	"tradewind/localstack/internal/shop"
)

// GatewayPath is where the API is served, below which are the contract's paths.
const GatewayPath = "/_aws/execute-api/api-1/$default"

// Platform is the whole of it. Its fields may be changed by a test before or
// between calls made under Lock.
type Platform struct {
	sync.Mutex
	Delay         time.Duration // of everything that happens by events
	Products      map[string]*shop.Product
	Stock         map[string]*shop.Stock
	Orders        map[string]*shop.Order
	Histories     map[string][]shop.Change
	Payments      []*shop.Payment
	Notifications []*shop.Notification
	AWSCalls      []string // operations, in order

	mux   *http.ServeMux
	last  int
	users map[string]*shop.User
	admin map[string]bool
}

// New returns an empty platform.
func New() *Platform {
	p := &Platform{
		Delay:     20 * time.Millisecond,
		Products:  map[string]*shop.Product{},
		Stock:     map[string]*shop.Stock{},
		Orders:    map[string]*shop.Order{},
		Histories: map[string][]shop.Change{},
		users:     map[string]*shop.User{},
		admin:     map[string]bool{},
		mux:       http.NewServeMux(),
	}
	for pattern, h := range map[string]handler{
		"POST /api/users":                    p.register,
		"GET /api/users/{id}":                p.user,
		"POST /api/products":                 p.createProduct,
		"GET /api/products/{id}":             func(r *http.Request) (int, any) { return found(p.Products[r.PathValue("id")]) },
		"GET /api/stock/{id}":                func(r *http.Request) (int, any) { return found(p.Stock[r.PathValue("id")]) },
		"PUT /api/stock/{id}":                p.setStock,
		"POST /api/orders":                   p.placeOrder,
		"GET /api/orders":                    p.orders,
		"GET /api/orders/{id}":               func(r *http.Request) (int, any) { return found(p.Orders[r.PathValue("id")]) },
		"GET /api/orders/{id}/history":       func(r *http.Request) (int, any) { return page(p.Histories[r.PathValue("id")]) },
		"POST /api/orders/{id}/cancellation": p.cancel,
		"GET /api/payments":                  p.payments,
		"GET /api/notifications":             p.notifications,
	} {
		method, path, _ := strings.Cut(pattern, " ")
		p.mux.Handle(method+" "+GatewayPath+path, p.locked(h))
	}
	p.mux.HandleFunc("/", p.aws)
	return p
}

func (p *Platform) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.mux.ServeHTTP(w, r) }

// Token is a user's access token.
func Token(userID string) string { return "token-of-" + userID }

// handler answers a request with a status and a body.
type handler func(*http.Request) (int, any)

func (p *Platform) locked(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p.Lock()
		status, body := h(r)
		text, err := json.Marshal(body)
		p.Unlock()
		if err != nil {
			panic(err)
		}
		w.Header().Set("Content-Type", "application/json")
		if status >= 400 {
			w.Header().Set("Content-Type", "application/problem+json")
		}
		w.WriteHeader(status)
		_, _ = w.Write(text)
	}
}

func problem(status int, code string) (int, any) {
	return status, shop.Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status,
		Code: code, Detail: code, CorrelationID: "c-1",
	}
}

func found[T any](v *T) (int, any) {
	if v == nil {
		return problem(http.StatusNotFound, "not_found")
	}
	return http.StatusOK, v
}

func page[T any](items []T) (int, any) { return http.StatusOK, shop.Page[T]{Items: items} }

func (p *Platform) meta(prefix string) shop.Meta {
	p.last++
	now := time.Now().UTC()
	return shop.Meta{ID: fmt.Sprintf("%s_%d", prefix, p.last), Version: 1, CreatedAt: now, UpdatedAt: now}
}

// later does something as an event's consumer would: after a while.
func (p *Platform) later(do func()) {
	time.AfterFunc(p.Delay, func() {
		p.Lock()
		defer p.Unlock()
		do()
	})
}

func caller(r *http.Request) string {
	return strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer token-of-")
}

func (p *Platform) register(r *http.Request) (int, any) {
	var in shop.Registration
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return problem(http.StatusBadRequest, "malformed")
	}
	for _, u := range p.users {
		if strings.EqualFold(u.Email, in.Email) {
			return problem(http.StatusConflict, "email_taken")
		}
	}
	u := &shop.User{Meta: p.meta("usr"), Email: in.Email, Name: in.Name}
	p.users[u.ID] = u
	return http.StatusCreated, u
}

func (p *Platform) user(r *http.Request) (int, any) { return found(p.users[r.PathValue("id")]) }

func (p *Platform) createProduct(r *http.Request) (int, any) {
	if !p.admin[caller(r)] {
		return problem(http.StatusForbidden, "forbidden")
	}
	product := &shop.Product{Meta: p.meta("prd"), Status: "active"}
	if err := json.NewDecoder(r.Body).Decode(&product.NewProduct); err != nil {
		return problem(http.StatusBadRequest, "malformed")
	}
	p.Products[product.ID] = product
	p.later(func() { p.Stock[product.ID] = &shop.Stock{Meta: p.meta("prd"), ProductID: product.ID} })
	return http.StatusCreated, product
}

func (p *Platform) setStock(r *http.Request) (int, any) {
	line := p.Stock[r.PathValue("id")]
	switch {
	case !p.admin[caller(r)]:
		return problem(http.StatusForbidden, "forbidden")
	case line == nil:
		return problem(http.StatusNotFound, "not_found")
	case r.Header.Get("If-Match") != fmt.Sprintf("%q", fmt.Sprint(line.Version)):
		return problem(http.StatusPreconditionFailed, "stale")
	}
	var in struct{ OnHand int }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return problem(http.StatusBadRequest, "malformed")
	}
	line.OnHand, line.Available = in.OnHand, in.OnHand-line.Reserved
	line.Version++
	return http.StatusOK, line
}

func (p *Platform) placeOrder(r *http.Request) (int, any) {
	var in shop.NewOrder
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return problem(http.StatusBadRequest, "malformed")
	}
	if r.Header.Get("Idempotency-Key") == "" {
		return problem(http.StatusBadRequest, "idempotency_key_missing")
	}
	o := &shop.Order{Meta: p.meta("ord"), UserID: caller(r), Status: shop.Pending, ShippingAddress: in.ShippingAddress}
	for _, l := range in.Items {
		product := p.Products[l.ProductID]
		if product == nil {
			return problem(http.StatusUnprocessableEntity, "product_unknown")
		}
		o.Items = append(o.Items, shop.Item{ProductID: l.ProductID, Name: product.Name, Quantity: l.Quantity, UnitPrice: product.Price})
		o.Total = events.Money{Amount: o.Total.Amount + product.Price.Amount*int64(l.Quantity), Currency: product.Price.Currency}
	}
	p.Orders[o.ID] = o
	p.change(o, shop.Pending, "request")
	p.later(func() { p.settle(o, in.PaymentMethod) })
	answer := *o
	return http.StatusCreated, answer
}

// settle plays the saga.
func (p *Platform) settle(o *shop.Order, method string) {
	for _, item := range o.Items {
		if p.Stock[item.ProductID].Available < item.Quantity {
			p.end(o, "out_of_stock")
			return
		}
	}
	payment := &shop.Payment{Meta: p.meta("pay"), OrderID: o.ID, UserID: o.UserID, Amount: o.Total, Status: shop.Captured}
	p.Payments = append(p.Payments, payment)
	if method != shop.CardOK {
		payment.Status, payment.DeclineCode = shop.Declined, "card_declined"
		p.end(o, "payment_declined")
		return
	}
	p.change(o, shop.Confirmed, "payment.captured")
	p.later(func() { p.move(o, -1) })
}

func (p *Platform) cancel(r *http.Request) (int, any) {
	o := p.Orders[r.PathValue("id")]
	if o == nil {
		return problem(http.StatusNotFound, "not_found")
	}
	if o.Status == shop.Confirmed {
		for _, payment := range p.Payments {
			if payment.OrderID == o.ID && payment.Status == shop.Captured {
				payment.Status = shop.Refunded
				p.notify(o, "payment_refunded")
			}
		}
		p.later(func() { p.move(o, 1) })
	}
	p.end(o, "customer_request")
	return http.StatusOK, o
}

func (p *Platform) end(o *shop.Order, reason string) {
	o.Cancellation = &shop.Cancellation{Reason: reason}
	p.change(o, shop.Cancelled, reason)
}

func (p *Platform) change(o *shop.Order, status, cause string) {
	o.Status = status
	p.Histories[o.ID] = append(p.Histories[o.ID], shop.Change{Status: status, OccurredAt: time.Now().UTC(), Cause: cause})
	p.notify(o, "order_"+status)
}

func (p *Platform) notify(o *shop.Order, template string) {
	p.Notifications = append(p.Notifications, &shop.Notification{
		Meta: p.meta("ntf"), UserID: o.UserID, OrderID: o.ID, Channel: "email",
		Template: template, Subject: "Your order " + o.ID, Status: "sent",
	})
}

func (p *Platform) move(o *shop.Order, sign int) {
	for _, item := range o.Items {
		line := p.Stock[item.ProductID]
		line.OnHand += sign * item.Quantity
		line.Available = line.OnHand - line.Reserved
	}
}

func (p *Platform) orders(r *http.Request) (int, any) {
	var own []*shop.Order
	for _, o := range p.Orders {
		if o.UserID == caller(r) {
			own = append(own, o)
		}
	}
	return page(own)
}

func (p *Platform) payments(r *http.Request) (int, any) {
	id := r.URL.Query().Get("orderId")
	return page(slices.DeleteFunc(slices.Clone(p.Payments), func(x *shop.Payment) bool { return x.OrderID != id }))
}

func (p *Platform) notifications(r *http.Request) (int, any) {
	who := caller(r)
	return page(slices.DeleteFunc(slices.Clone(p.Notifications), func(n *shop.Notification) bool { return n.UserID != who }))
}

// aws answers what the tool asks of AWS.
func (p *Platform) aws(w http.ResponseWriter, r *http.Request) {
	p.Lock()
	defer p.Unlock()
	if r.Method == http.MethodPatch { // the HTTP API's rules
		p.AWSCalls = append(p.AWSCalls, "UpdateApi")
		fmt.Fprint(w, "{}")
		return
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if operation == "" {
		operation = r.FormValue("Action")
	}
	p.AWSCalls = append(p.AWSCalls, operation)
	var in struct {
		Username       string
		AuthParameters map[string]string
	}
	_ = json.NewDecoder(r.Body).Decode(&in)
	switch operation {
	case "InitiateAuth":
		_ = json.NewEncoder(w).Encode(map[string]any{"AuthenticationResult": map[string]string{
			"AccessToken": Token(in.AuthParameters["USERNAME"]),
		}})
	case "AdminAddUserToGroup":
		p.admin[in.Username] = true
		fmt.Fprint(w, "{}")
	case "RegisterTargets":
		fmt.Fprint(w, "<RegisterTargetsResponse><RegisterTargetsResult/></RegisterTargetsResponse>")
	default:
		fmt.Fprint(w, "{}")
	}
}
