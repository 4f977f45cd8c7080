// Package httpapi is the payments service's HTTP interface. It only reads:
// payments are made and returned by events.
package httpapi

import (
	"errors"
	"log/slog"
	"net/http"

	"tradewind/events"
	"tradewind/functions/payments"
	"tradewind/shared/apperr"
	"tradewind/shared/httpkit"
	"tradewind/shared/id"
	"tradewind/shared/identity"
)

// Routes returns the service's routes.
func Routes(svc *payments.Service, log *slog.Logger) *httpkit.Router {
	rt := httpkit.NewRouter(log)
	rt.Handle("GET /api/payments/openapi.json", httpkit.Document(payments.OpenAPI))
	rt.Handle("GET /api/payments", list(svc))
	rt.Handle("GET /api/payments/{id}", get(svc))
	return rt
}

func get(svc *payments.Service) httpkit.Handler {
	return func(r *http.Request) (httpkit.Answer, error) {
		who, err := identity.Caller(r.Context())
		if err != nil {
			return httpkit.Answer{}, err
		}
		name := r.PathValue("id")
		if !id.Valid("pay", name) {
			return httpkit.Answer{}, payments.ErrNotFound
		}
		p, err := svc.Get(r.Context(), name)
		if err != nil {
			return httpkit.Answer{}, err
		}
		// Somebody else's is as absent as one that never was.
		if !who.May(p.UserID) {
			return httpkit.Answer{}, payments.ErrNotFound
		}
		return httpkit.Resource(http.StatusOK, p.Version, wire(p)), nil
	}
}

// list has at most one item, for an order has one payment; it is a list all the
// same, so that an order without a payment is an empty answer and not a missing
// resource.
func list(svc *payments.Service) httpkit.Handler {
	return func(r *http.Request) (httpkit.Answer, error) {
		who, err := identity.Caller(r.Context())
		if err != nil {
			return httpkit.Answer{}, err
		}
		_, token, err := httpkit.Page(r)
		if err != nil {
			return httpkit.Answer{}, err
		}
		if token != "" {
			return httpkit.Answer{}, httpkit.BadRequest("cursor_invalid", "The cursor is not one that this list gave to you.")
		}
		orderID := r.URL.Query().Get("orderId")
		var c apperr.Check
		c.That(orderID != "", "", "the parameter orderId must name the order")
		if err := c.Err(); err != nil {
			return httpkit.Answer{}, err
		}
		var found []payments.Payment
		if id.Valid("ord", orderID) {
			p, err := svc.ByOrder(r.Context(), orderID)
			switch {
			case err == nil && who.May(p.UserID):
				found = append(found, p)
			case err != nil && !errors.Is(err, payments.ErrNotFound):
				return httpkit.Answer{}, err
			}
		}
		return httpkit.JSON(http.StatusOK, httpkit.ListOf(found, "", wire)), nil
	}
}

// payment is a payment on the wire.
type payment struct {
	ID          string           `json:"id"`
	OrderID     string           `json:"orderId"`
	UserID      string           `json:"userId"`
	Amount      events.Money     `json:"amount"`
	Status      payments.Status  `json:"status"`
	DeclineCode string           `json:"declineCode,omitempty"`
	Refund      *refund          `json:"refund,omitempty"`
	Version     int              `json:"version"`
	CreatedAt   events.Timestamp `json:"createdAt"`
	UpdatedAt   events.Timestamp `json:"updatedAt"`
}

type refund struct {
	ID        string           `json:"id"`
	Amount    events.Money     `json:"amount"`
	CreatedAt events.Timestamp `json:"createdAt"`
}

func wire(p payments.Payment) payment {
	w := payment{
		ID:          p.ID(),
		OrderID:     p.OrderID,
		UserID:      p.UserID,
		Amount:      p.Amount,
		Status:      p.Status,
		DeclineCode: p.DeclineCode,
		Version:     p.Version,
		CreatedAt:   events.Timestamp(p.CreatedAt),
		UpdatedAt:   events.Timestamp(p.UpdatedAt),
	}
	if r := p.Refund; r != nil {
		w.Refund = &refund{r.ID, p.Amount, events.Timestamp(r.CreatedAt)}
	}
	return w
}
