// Package orders is the business of taking orders: what a valid order is, how
// it moves from pending to confirmed or cancelled, and what is told to the other
// services when it does.
//
// It is the heart of the order saga. An order is accepted before anybody knows
// whether there is stock or money for it; the answers arrive as events, in any
// order and more than once, and each verb here says what an answer means in
// each state. Nothing leaves Cancelled.
//
// The package knows no AWS and no HTTP; adapters are in internal/.
package orders

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"tradewind/events"
	event "tradewind/events/orders"
	"tradewind/shared/apperr"
)

// Status is where an order stands.
type Status string

// The statuses.
const (
	Pending   Status = "pending"
	Confirmed Status = "confirmed"
	Cancelled Status = "cancelled"
)

// Reason says why an order was cancelled.
type Reason string

// The reasons.
const (
	OutOfStock      Reason = "out_of_stock"
	PaymentDeclined Reason = "payment_declined"
	CustomerRequest Reason = "customer_request"
	TimedOut        Reason = "timed_out"
)

// Order is what a customer committed to. Names and prices are as they were at
// that moment; later changes in the catalog do not touch it.
type Order struct {
	ID              string
	UserID          string
	Status          Status
	Items           []Item
	Total           events.Money
	PaymentMethod   string
	ShippingAddress Address
	Cancellation    *Cancellation // set when Cancelled
	History         []Change      // oldest first
	Version         int
	CreatedAt       time.Time
	UpdatedAt       time.Time
}

// Item is one product of an order.
type Item struct {
	ProductID string
	Name      string
	Quantity  int
	UnitPrice events.Money
}

// Address is where an order goes. The JSON names are those of the contract.
type Address struct {
	Line1      string `json:"line1"`
	Line2      string `json:"line2,omitempty"`
	City       string `json:"city"`
	PostalCode string `json:"postalCode"`
	Country    string `json:"country"`
}

// Cancellation says why an order will not be fulfilled.
type Cancellation struct {
	Reason Reason
	Detail string
}

// Change is one entry of an order's history.
type Change struct {
	Status     Status
	OccurredAt time.Time
	// Cause is the event, or the request, that led to it.
	Cause string
}

// Request is what a customer asks for. Prices are not in it.
type Request struct {
	UserID          string
	Lines           []events.Line
	PaymentMethod   string
	ShippingAddress Address
}

// Bounds of a request.
const (
	MaxLines    = 50
	MaxQuantity = 999
	maxText     = 200 // characters of one text field
)

// Methods reports whether the payment provider can charge a method.
type Methods func(method string) bool

// SandboxMethods are those of the sandbox provider, which knows all it has.
func SandboxMethods(method string) bool {
	return slices.Contains([]string{
		"pm_card_ok", "pm_card_declined", "pm_card_insufficient_funds",
		"pm_card_flaky", "pm_card_slow", "pm_card_down",
	}, method)
}

// StripeMethods is the shape of Stripe's names. Whether there is such a method only
// Stripe knows, and declines the payment if not.
func StripeMethods(method string) bool {
	name, ok := strings.CutPrefix(method, "pm_")
	return ok && name != "" && len(name) <= 100 && strings.Trim(name, "_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// MethodsOf returns the methods of a provider, named as in the configuration.
func MethodsOf(provider string) Methods {
	if provider == "stripe" {
		return StripeMethods
	}
	return SandboxMethods
}

// Validate reports every fault of a request that can be seen without asking
// anybody.
func (r Request) Validate(methods Methods) error {
	var c apperr.Check
	c.That(len(r.Lines) >= 1 && len(r.Lines) <= MaxLines, "/items", "must hold 1 to 50 items")
	seen := map[string]bool{}
	for i, line := range r.Lines {
		at := "/items/" + strconv.Itoa(i)
		c.That(line.ProductID != "", at+"/productId", "must name a product")
		c.That(line.ProductID == "" || !seen[line.ProductID], at+"/productId", "stands in the order already; raise its quantity")
		c.That(line.Quantity >= 1 && line.Quantity <= MaxQuantity, at+"/quantity", "must be 1 to 999")
		seen[line.ProductID] = true
	}
	c.That(methods(r.PaymentMethod), "/paymentMethod", "is not a payment method we know")
	r.ShippingAddress.check(&c, "/shippingAddress")
	return c.Err()
}

func (a Address) check(c *apperr.Check, at string) {
	required := func(value, name string) {
		c.That(strings.TrimSpace(value) != "", at+name, "must not be empty")
		c.That(runes(value) <= maxText, at+name, "must have at most 200 characters")
	}
	required(a.Line1, "/line1")
	required(a.City, "/city")
	required(a.PostalCode, "/postalCode")
	c.That(runes(a.Line2) <= maxText, at+"/line2", "must have at most 200 characters")
	c.That(countryCode(a.Country), at+"/country", "must be a two-letter country code (ISO 3166-1) such as DE")
}

func countryCode(s string) bool {
	return len(s) == 2 && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'A' && s[1] <= 'Z'
}

func runes(s string) int { return len([]rune(s)) }

// Product is what the catalog says of a product that can be ordered.
type Product struct {
	Name  string
	Price events.Money
}

// New prices a valid request from the catalog's products and returns the order,
// pending, and the event that tells of it. A line whose product is not among
// them cannot be ordered.
func New(id string, r Request, products map[string]Product, now time.Time) (Order, event.CreatedV1, error) {
	o := Order{
		ID:              id,
		UserID:          r.UserID,
		Status:          Pending,
		PaymentMethod:   r.PaymentMethod,
		ShippingAddress: r.ShippingAddress,
		Version:         1,
		CreatedAt:       now,
		UpdatedAt:       now,
		History:         []Change{{Pending, now, "order placed"}},
	}
	created := event.CreatedV1{OrderID: id, UserID: r.UserID, PaymentMethod: r.PaymentMethod}
	var c apperr.Check
	for i, line := range r.Lines {
		at := "/items/" + strconv.Itoa(i) + "/productId"
		p, ok := products[line.ProductID]
		if !ok {
			c.Fail(at, "is not a product that can be ordered")
			continue
		}
		if o.Total.Currency == "" {
			o.Total.Currency = p.Price.Currency
		}
		c.That(p.Price.Currency == o.Total.Currency, at, "is priced in another currency than the items before it")
		o.Total.Amount += p.Price.Amount * int64(line.Quantity)
		item := Item{line.ProductID, p.Name, line.Quantity, p.Price}
		o.Items = append(o.Items, item)
		created.Items = append(created.Items, event.ItemV1(item))
	}
	if err := c.Err(); err != nil {
		return Order{}, event.CreatedV1{}, err
	}
	created.Total = o.Total
	return o, created, nil
}

// Confirm takes the news that the order's stock is held and its total paid. It
// returns the event to publish; nil where the news changes nothing: the order
// was confirmed before, or is cancelled, and then payments returns the money on
// hearing of that.
func (o *Order) Confirm(paid events.Money, cause string, now time.Time) (events.Event, error) {
	if paid != o.Total {
		return nil, apperr.New(apperr.Invalid, "amount_mismatch",
			fmt.Sprintf("order %s costs %d %s, the payment is of %d %s", o.ID, o.Total.Amount, o.Total.Currency, paid.Amount, paid.Currency))
	}
	if o.Status != Pending {
		return nil, nil
	}
	o.move(Confirmed, cause, now)
	return event.ConfirmedV1{OrderID: o.ID, UserID: o.UserID, Items: o.lines(), Total: o.Total}, nil
}

// Fail takes the news that the order cannot be fulfilled: no stock, no payment,
// or no answer in time. It returns the event to publish; nil where the order is
// not pending any more and the news comes too late.
func (o *Order) Fail(reason Reason, detail, cause string, now time.Time) events.Event {
	if o.Status != Pending {
		return nil
	}
	return o.cancel(reason, detail, cause, now)
}

// CancelForCustomer cancels the order whether it is confirmed or not. It returns
// the event to publish; nil where it was cancelled before.
func (o *Order) CancelForCustomer(detail string, now time.Time) events.Event {
	if o.Status == Cancelled {
		return nil
	}
	return o.cancel(CustomerRequest, detail, "customer request", now)
}

// NoteRefund enters into the history of a cancelled order that the money went
// back. It reports whether the history did not hold it yet.
func (o *Order) NoteRefund(cause string, now time.Time) bool {
	if o.Status != Cancelled || slices.ContainsFunc(o.History, func(c Change) bool { return c.Cause == cause }) {
		return false
	}
	o.move(Cancelled, cause, now)
	return true
}

// ForgetAddress erases the personal data of an order whose customer was erased.
// What was ordered and paid stays, for the books. It reports whether there was
// anything to erase.
func (o *Order) ForgetAddress(now time.Time) bool {
	if o.ShippingAddress == (Address{}) {
		return false
	}
	o.ShippingAddress = Address{}
	if o.Cancellation != nil && o.Cancellation.Reason == CustomerRequest {
		o.Cancellation.Detail = "" // the customer's own words
	}
	o.Version++
	o.UpdatedAt = now
	return true
}

func (o *Order) cancel(reason Reason, detail, cause string, now time.Time) events.Event {
	wasConfirmed := o.Status == Confirmed
	o.Cancellation = &Cancellation{reason, detail}
	o.move(Cancelled, cause, now)
	if reason == CustomerRequest {
		detail = "" // the customer's own words stay here: events outlive an erasure
	}
	return event.CancelledV1{
		OrderID: o.ID, UserID: o.UserID, Reason: string(reason), Detail: detail,
		Items: o.lines(), Total: o.Total, WasConfirmed: wasConfirmed,
	}
}

func (o *Order) move(to Status, cause string, now time.Time) {
	o.Status = to
	o.History = append(slices.Clip(o.History), Change{to, now, cause})
	o.Version++
	o.UpdatedAt = now
}

func (o *Order) lines() []events.Line {
	lines := make([]events.Line, len(o.Items))
	for i, item := range o.Items {
		lines[i] = events.Line{ProductID: item.ProductID, Quantity: item.Quantity}
	}
	return lines
}
