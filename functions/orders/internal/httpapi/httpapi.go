// Package httpapi is the orders service's HTTP interface: one function per
// route, each parses, calls the service and renders.
package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"tradewind/events"
	"tradewind/functions/orders"
	"tradewind/shared/apperr"
	"tradewind/shared/cursor"
	"tradewind/shared/health"
	"tradewind/shared/httpkit"
	"tradewind/shared/id"
	"tradewind/shared/idempotency"
	"tradewind/shared/identity"
	"tradewind/shared/table"
)

// Routes returns the service's routes.
func Routes(svc *orders.Service, keys *idempotency.Keeper, pages *cursor.Sealer, log *slog.Logger) *httpkit.Router {
	rt := httpkit.NewRouter(log)
	// An answer holds a customer's address.
	keys = keys.About(func(v any) string { return v.(orders.Order).UserID })
	rt.Handle("GET /api/orders/openapi.json", httpkit.Document(orders.OpenAPI))
	rt.Handle("POST /api/orders", place(svc, keys))
	rt.Handle("GET /api/orders", list(svc, pages))
	rt.Handle("GET /api/orders/{id}", get(svc))
	rt.Handle("GET /api/orders/{id}/history", history(svc))
	rt.Handle("POST /api/orders/{id}/cancellation", cancel(svc, keys))
	return rt
}

// slow is when orders count as waiting for too long: a payment takes up to ten seconds.
const slow = time.Minute

// Checks returns what the service's health is made of.
func Checks(svc *orders.Service, t *table.Table) []health.Check {
	return append(health.Table(t), health.Backlog("orders", slow, svc.Backlog))
}

func place(svc *orders.Service, keys *idempotency.Keeper) httpkit.Handler {
	type request struct {
		Items           []events.Line  `json:"items"`
		PaymentMethod   string         `json:"paymentMethod"`
		ShippingAddress orders.Address `json:"shippingAddress"`
	}
	return func(r *http.Request) (httpkit.Answer, error) {
		who, err := identity.Caller(r.Context())
		if err != nil {
			return httpkit.Answer{}, err
		}
		if err := idempotency.Required(r); err != nil {
			return httpkit.Answer{}, err
		}
		in, err := httpkit.Decode[request](r)
		if err != nil {
			return httpkit.Answer{}, err
		}
		return idempotency.Do(keys, r, created, func(ctx context.Context) (orders.Order, error) {
			return svc.Place(ctx, orders.Request{
				UserID: who.UserID, Lines: in.Items, PaymentMethod: in.PaymentMethod, ShippingAddress: in.ShippingAddress,
			})
		})
	}
}

func get(svc *orders.Service) httpkit.Handler {
	return func(r *http.Request) (httpkit.Answer, error) {
		o, err := visible(svc, r)
		if err != nil {
			return httpkit.Answer{}, err
		}
		return found(o), nil
	}
}

func list(svc *orders.Service, pages *cursor.Sealer) httpkit.Handler {
	return func(r *http.Request) (httpkit.Answer, error) {
		who, err := identity.Caller(r.Context())
		if err != nil {
			return httpkit.Answer{}, err
		}
		owner := who.UserID
		if asked := r.URL.Query().Get("userId"); asked != "" && asked != owner {
			if !who.Admin {
				return httpkit.Answer{}, apperr.New(apperr.Forbidden, "forbidden", "Only an admin may list another user's orders.")
			}
			if !id.Valid("usr", asked) {
				return httpkit.JSON(http.StatusOK, httpkit.ListOf([]orders.Order{}, "", wire)), nil
			}
			owner = asked
		}
		limit, token, err := httpkit.Page(r)
		if err != nil {
			return httpkit.Answer{}, err
		}
		after, err := pages.Open(token, "orders", who.UserID, owner)
		if err != nil {
			return httpkit.Answer{}, err
		}
		found, next, err := svc.ListByUser(r.Context(), owner, limit, after)
		if err != nil {
			return httpkit.Answer{}, err
		}
		return httpkit.JSON(http.StatusOK, httpkit.ListOf(found, pages.Seal(next, "orders", who.UserID, owner), wire)), nil
	}
}

func history(svc *orders.Service) httpkit.Handler {
	type entry struct {
		Status     orders.Status    `json:"status"`
		OccurredAt events.Timestamp `json:"occurredAt"`
		Cause      string           `json:"cause"`
	}
	return func(r *http.Request) (httpkit.Answer, error) {
		o, err := visible(svc, r)
		if err != nil {
			return httpkit.Answer{}, err
		}
		return httpkit.JSON(http.StatusOK, httpkit.ListOf(o.History, "", func(c orders.Change) entry {
			return entry{c.Status, events.Timestamp(c.OccurredAt), c.Cause}
		})), nil
	}
}

func cancel(svc *orders.Service, keys *idempotency.Keeper) httpkit.Handler {
	type request struct {
		Reason string `json:"reason"`
	}
	return func(r *http.Request) (httpkit.Answer, error) {
		o, err := visible(svc, r)
		if err != nil {
			return httpkit.Answer{}, err
		}
		in, err := httpkit.Decode[request](r)
		if err != nil {
			return httpkit.Answer{}, err
		}
		return idempotency.Do(keys, r, found, func(ctx context.Context) (orders.Order, error) {
			return svc.Cancel(ctx, o.ID, in.Reason)
		})
	}
}

// visible returns the order that the path names, if the caller may see it.
// Somebody else's is as absent as one that never was.
func visible(svc *orders.Service, r *http.Request) (orders.Order, error) {
	who, err := identity.Caller(r.Context())
	if err != nil {
		return orders.Order{}, err
	}
	absent := apperr.New(apperr.NotFound, "order_not_found", "There is no such order.")
	name := r.PathValue("id")
	if !id.Valid("ord", name) {
		return orders.Order{}, absent
	}
	o, err := svc.Get(r.Context(), name)
	if err != nil {
		return orders.Order{}, err
	}
	if !who.May(o.UserID) {
		return orders.Order{}, absent
	}
	return o, nil
}

func created(o orders.Order) httpkit.Answer {
	return httpkit.Created("/api/orders/"+o.ID, o.Version, wire(o))
}

func found(o orders.Order) httpkit.Answer {
	return httpkit.Resource(http.StatusOK, o.Version, wire(o))
}

// order is an order on the wire.
type order struct {
	ID              string           `json:"id"`
	UserID          string           `json:"userId"`
	Status          orders.Status    `json:"status"`
	Items           []item           `json:"items"`
	Total           events.Money     `json:"total"`
	PaymentMethod   string           `json:"paymentMethod"`
	ShippingAddress *orders.Address  `json:"shippingAddress,omitempty"` // absent when its customer was erased
	Cancellation    *cancellation    `json:"cancellation,omitempty"`
	Version         int              `json:"version"`
	CreatedAt       events.Timestamp `json:"createdAt"`
	UpdatedAt       events.Timestamp `json:"updatedAt"`
}

type item struct {
	ProductID string       `json:"productId"`
	Name      string       `json:"name"`
	Quantity  int          `json:"quantity"`
	UnitPrice events.Money `json:"unitPrice"`
}

type cancellation struct {
	Reason orders.Reason `json:"reason"`
	Detail string        `json:"detail"`
}

func wire(o orders.Order) order {
	w := order{
		ID:            o.ID,
		UserID:        o.UserID,
		Status:        o.Status,
		Items:         make([]item, len(o.Items)),
		Total:         o.Total,
		PaymentMethod: o.PaymentMethod,
		Version:       o.Version,
		CreatedAt:     events.Timestamp(o.CreatedAt),
		UpdatedAt:     events.Timestamp(o.UpdatedAt),
	}
	for i, it := range o.Items {
		w.Items[i] = item(it)
	}
	if o.ShippingAddress != (orders.Address{}) {
		w.ShippingAddress = &o.ShippingAddress
	}
	if c := o.Cancellation; c != nil {
		w.Cancellation = &cancellation{c.Reason, c.Detail}
	}
	return w
}
