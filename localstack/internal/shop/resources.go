package shop

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"tradewind/events"
)

// Page is a part of a list; NextCursor is empty on the last one.
type Page[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"nextCursor"`
}

// Meta is what every resource has.
type Meta struct {
	ID        string    `json:"id"`
	Version   int       `json:"version"`
	CreatedAt time.Time `json:"createdAt"`
	UpdatedAt time.Time `json:"updatedAt"`
}

// Address is where something is sent.
type Address struct {
	Line1      string `json:"line1"`
	Line2      string `json:"line2,omitempty"`
	City       string `json:"city"`
	PostalCode string `json:"postalCode"`
	Country    string `json:"country"`
}

// Registration makes a user.
type Registration struct {
	Email     string    `json:"email"`
	Name      string    `json:"name"`
	Password  string    `json:"password"`
	Addresses []Address `json:"addresses,omitempty"`
}

// User is a customer or an admin.
type User struct {
	Meta
	Email     string    `json:"email"`
	Name      string    `json:"name"`
	Addresses []Address `json:"addresses"`
}

// NewProduct makes a product.
type NewProduct struct {
	SKU         string       `json:"sku"`
	Name        string       `json:"name"`
	Description string       `json:"description"`
	Category    string       `json:"category"`
	Price       events.Money `json:"price"`
}

// Product is something for sale.
type Product struct {
	Meta
	NewProduct
	Status string `json:"status"`
}

// Stock is how much of a product there is.
type Stock struct {
	Meta
	ProductID string `json:"productId"`
	OnHand    int    `json:"onHand"`
	Reserved  int    `json:"reserved"`
	Available int    `json:"available"`
}

// The states of an order.
const (
	Pending   = "pending"
	Confirmed = "confirmed"
	Cancelled = "cancelled"
)

// The sandbox provider's payment methods.
const (
	CardOK                = "pm_card_ok"
	CardDeclined          = "pm_card_declined"
	CardInsufficientFunds = "pm_card_insufficient_funds"
	CardFlaky             = "pm_card_flaky"
	CardSlow              = "pm_card_slow"
)

// NewOrder places an order.
type NewOrder struct {
	Items           []events.Line `json:"items"`
	PaymentMethod   string        `json:"paymentMethod"`
	ShippingAddress Address       `json:"shippingAddress"`
}

// Item is a line of an order, priced as it was.
type Item struct {
	ProductID string       `json:"productId"`
	Name      string       `json:"name"`
	Quantity  int          `json:"quantity"`
	UnitPrice events.Money `json:"unitPrice"`
}

// Order is what a customer bought.
type Order struct {
	Meta
	UserID          string        `json:"userId"`
	Status          string        `json:"status"`
	Items           []Item        `json:"items"`
	Total           events.Money  `json:"total"`
	ShippingAddress Address       `json:"shippingAddress"`
	Cancellation    *Cancellation `json:"cancellation"`
}

// Cancellation says why an order was cancelled.
type Cancellation struct {
	Reason string `json:"reason"`
	Detail string `json:"detail"`
}

// Change is a state an order came into.
type Change struct {
	Status     string    `json:"status"`
	OccurredAt time.Time `json:"occurredAt"`
	Cause      string    `json:"cause"`
}

// The states of a payment.
const (
	Captured = "captured"
	Declined = "declined"
	Refunded = "refunded"
)

// Payment is money that was taken, or not.
type Payment struct {
	Meta
	OrderID     string       `json:"orderId"`
	UserID      string       `json:"userId"`
	Amount      events.Money `json:"amount"`
	Status      string       `json:"status"`
	DeclineCode string       `json:"declineCode"`
	Refund      *Refund      `json:"refund"`
}

// Refund is a payment that was given back.
type Refund struct {
	ID     string       `json:"id"`
	Amount events.Money `json:"amount"`
}

// Notification is a message to a customer.
type Notification struct {
	Meta
	UserID   string `json:"userId"`
	OrderID  string `json:"orderId"`
	Channel  string `json:"channel"`
	Template string `json:"template"`
	Subject  string `json:"subject"`
	Body     string `json:"body"`
	Status   string `json:"status"`
}

// Register makes a user.
func (c *Client) Register(ctx context.Context, r Registration) (User, error) {
	return call[User](ctx, c, http.StatusCreated, Request{Method: http.MethodPost, Path: "/api/users", Body: r})
}

// User reads a user.
func (c *Client) User(ctx context.Context, id string) (User, error) {
	return get[User](ctx, c, "/api/users/"+url.PathEscape(id))
}

// CreateProduct makes a product.
func (c *Client) CreateProduct(ctx context.Context, p NewProduct) (Product, error) {
	return call[Product](ctx, c, http.StatusCreated, Request{Method: http.MethodPost, Path: "/api/products", Body: p})
}

// Product reads a product.
func (c *Client) Product(ctx context.Context, id string) (Product, error) {
	return get[Product](ctx, c, "/api/products/"+url.PathEscape(id))
}

// Stock reads how much of a product there is.
func (c *Client) Stock(ctx context.Context, productID string) (Stock, error) {
	return get[Stock](ctx, c, "/api/stock/"+url.PathEscape(productID))
}

// SetStock says how many units were counted, if the line still has a version.
func (c *Client) SetStock(ctx context.Context, productID string, onHand, version int) (Stock, error) {
	return call[Stock](ctx, c, http.StatusOK, Request{
		Method: http.MethodPut, Path: "/api/stock/" + url.PathEscape(productID),
		Header: ifMatch(version), Body: map[string]int{"onHand": onHand},
	})
}

// PlaceOrder places an order; the same key never places two.
func (c *Client) PlaceOrder(ctx context.Context, key string, o NewOrder) (Order, error) {
	return call[Order](ctx, c, http.StatusCreated, Request{
		Method: http.MethodPost, Path: "/api/orders", Header: Header("Idempotency-Key", key), Body: o,
	})
}

// Order reads an order.
func (c *Client) Order(ctx context.Context, id string) (Order, error) {
	return get[Order](ctx, c, "/api/orders/"+url.PathEscape(id))
}

// Orders reads the caller's orders; for an admin, those of userID.
func (c *Client) Orders(ctx context.Context, userID string) ([]Order, error) {
	query := url.Values{}
	if userID != "" {
		query.Set("userId", userID)
	}
	return list[Order](ctx, c, "/api/orders", query)
}

// CancelOrder cancels an order.
func (c *Client) CancelOrder(ctx context.Context, id, reason string) (Order, error) {
	return call[Order](ctx, c, http.StatusOK, Request{
		Method: http.MethodPost, Path: "/api/orders/" + url.PathEscape(id) + "/cancellation",
		Body: map[string]string{"reason": reason},
	})
}

// History reads the states an order came through, oldest first.
func (c *Client) History(ctx context.Context, id string) ([]Change, error) {
	page, err := get[Page[Change]](ctx, c, "/api/orders/"+url.PathEscape(id)+"/history")
	return page.Items, err
}

// Payments reads an order's payments.
func (c *Client) Payments(ctx context.Context, orderID string) ([]Payment, error) {
	return list[Payment](ctx, c, "/api/payments", url.Values{"orderId": {orderID}})
}

// Notifications reads the caller's notifications.
func (c *Client) Notifications(ctx context.Context) ([]Notification, error) {
	return list[Notification](ctx, c, "/api/notifications", nil)
}

func get[T any](ctx context.Context, c *Client, path string) (T, error) {
	return call[T](ctx, c, http.StatusOK, Request{Method: http.MethodGet, Path: path})
}
