// Package httpapi is the inventory service's HTTP interface: one function per
// route, each parses, calls the service and renders.
package httpapi

import (
	"context"
	"log/slog"
	"net/http"

	"tradewind/events"
	"tradewind/functions/inventory"
	"tradewind/shared/apperr"
	"tradewind/shared/httpkit"
	"tradewind/shared/id"
	"tradewind/shared/idempotency"
	"tradewind/shared/identity"
)

// Routes returns the service's routes.
func Routes(svc *inventory.Service, keys *idempotency.Keeper, log *slog.Logger) *httpkit.Router {
	rt := httpkit.NewRouter(log)
	rt.Handle("GET /api/stock/{productId}", get(svc))
	rt.Handle("PUT /api/stock/{productId}", set(svc))
	rt.Handle("POST /api/stock/{productId}/adjustments", adjust(svc, keys))
	rt.Handle("GET /api/stock/openapi.json", httpkit.Document(inventory.OpenAPI))
	return rt
}

func get(svc *inventory.Service) httpkit.Handler {
	return func(r *http.Request) (httpkit.Answer, error) {
		productID, err := productOf(r)
		if err != nil {
			return httpkit.Answer{}, err
		}
		s, err := svc.Stock(r.Context(), productID)
		if err != nil {
			return httpkit.Answer{}, err
		}
		return found(s), nil
	}
}

func set(svc *inventory.Service) httpkit.Handler {
	type request struct {
		OnHand *int `json:"onHand"`
	}
	return func(r *http.Request) (httpkit.Answer, error) {
		who, err := identity.Admin(r.Context())
		if err != nil {
			return httpkit.Answer{}, err
		}
		productID, err := productOf(r)
		if err != nil {
			return httpkit.Answer{}, err
		}
		seen, err := httpkit.IfMatch(r)
		if err != nil {
			return httpkit.Answer{}, err
		}
		in, err := httpkit.Decode[request](r)
		if err != nil {
			return httpkit.Answer{}, err
		}
		var c apperr.Check
		c.That(in.OnHand != nil, "/onHand", "is required")
		if err := c.Err(); err != nil {
			return httpkit.Answer{}, err
		}
		s, err := svc.Set(r.Context(), productID, seen, *in.OnHand, who.UserID)
		if err != nil {
			return httpkit.Answer{}, err
		}
		return found(s), nil
	}
}

func adjust(svc *inventory.Service, keys *idempotency.Keeper) httpkit.Handler {
	type request struct {
		Delta  int    `json:"delta"`
		Reason string `json:"reason"`
	}
	return func(r *http.Request) (httpkit.Answer, error) {
		who, err := identity.Admin(r.Context())
		if err != nil {
			return httpkit.Answer{}, err
		}
		productID, err := productOf(r)
		if err != nil {
			return httpkit.Answer{}, err
		}
		in, err := httpkit.Decode[request](r)
		if err != nil {
			return httpkit.Answer{}, err
		}
		return idempotency.Do(keys, r, found, func(ctx context.Context) (inventory.Stock, error) {
			return svc.Adjust(ctx, productID, in.Delta, in.Reason, who.UserID)
		})
	}
}

// productOf returns the product's id in the path. What has not the form of one
// cannot name a product.
func productOf(r *http.Request) (string, error) {
	name := r.PathValue("productId")
	if !id.Valid("prd", name) {
		return "", apperr.New(apperr.NotFound, "stock_not_found", "There is no such product in the inventory.")
	}
	return name, nil
}

func found(s inventory.Stock) httpkit.Answer {
	return httpkit.Resource(http.StatusOK, s.Version, wire(s))
}

// stock is a stock line on the wire.
type stock struct {
	ID        string           `json:"id"` // the product's: a product has one line
	ProductID string           `json:"productId"`
	OnHand    int              `json:"onHand"`
	Reserved  int              `json:"reserved"`
	Available int              `json:"available"`
	Version   int              `json:"version"`
	CreatedAt events.Timestamp `json:"createdAt"`
	UpdatedAt events.Timestamp `json:"updatedAt"`
}

func wire(s inventory.Stock) stock {
	return stock{
		ID:        s.ProductID,
		ProductID: s.ProductID,
		OnHand:    s.OnHand,
		Reserved:  s.Reserved,
		Available: s.Available(),
		Version:   s.Version,
		CreatedAt: events.Timestamp(s.CreatedAt),
		UpdatedAt: events.Timestamp(s.UpdatedAt),
	}
}
