// Package httpapi is the catalog service's HTTP interface: one function per
// route, each parses, calls the service and renders.
package httpapi

import (
	"context"
	"log/slog"
	"net/http"

	"tradewind/events"
	"tradewind/functions/catalog"
	"tradewind/shared/apperr"
	"tradewind/shared/cursor"
	"tradewind/shared/httpkit"
	"tradewind/shared/id"
	"tradewind/shared/idempotency"
	"tradewind/shared/identity"
)

// Routes returns the service's routes.
func Routes(svc *catalog.Service, keys *idempotency.Keeper, pages *cursor.Sealer, log *slog.Logger) *httpkit.Router {
	rt := httpkit.NewRouter(log)
	rt.Handle("GET /api/products", list(svc, pages))
	rt.Handle("POST /api/products", create(svc, keys))
	rt.Handle("GET /api/products/{id}", get(svc))
	rt.Handle("PATCH /api/products/{id}", change(svc))
	rt.Handle("DELETE /api/products/{id}", discontinue(svc))
	rt.Handle("GET /api/products/openapi.json", httpkit.Document(catalog.OpenAPI))
	return rt
}

func list(svc *catalog.Service, pages *cursor.Sealer) httpkit.Handler {
	return func(r *http.Request) (httpkit.Answer, error) {
		limit, token, err := httpkit.Page(r)
		if err != nil {
			return httpkit.Answer{}, err
		}
		q := r.URL.Query()
		filter := catalog.Filter{Category: q.Get("category"), Text: q.Get("q")}
		after, err := pages.Open(token, "products", filter.Category, filter.Text)
		if err != nil {
			return httpkit.Answer{}, err
		}
		found, next, err := svc.List(r.Context(), filter, limit, after)
		if err != nil {
			return httpkit.Answer{}, err
		}
		return httpkit.JSON(http.StatusOK, httpkit.ListOf(found, pages.Seal(next, "products", filter.Category, filter.Text), wire)), nil
	}
}

func get(svc *catalog.Service) httpkit.Handler {
	return func(r *http.Request) (httpkit.Answer, error) {
		productID, err := idOf(r)
		if err != nil {
			return httpkit.Answer{}, err
		}
		p, err := svc.Get(r.Context(), productID)
		if err != nil {
			return httpkit.Answer{}, err
		}
		return found(p), nil
	}
}

func create(svc *catalog.Service, keys *idempotency.Keeper) httpkit.Handler {
	return func(r *http.Request) (httpkit.Answer, error) {
		if _, err := identity.Admin(r.Context()); err != nil {
			return httpkit.Answer{}, err
		}
		in, err := decode(r)
		if err != nil {
			return httpkit.Answer{}, err
		}
		return idempotency.Do(keys, r, created, func(ctx context.Context) (catalog.Product, error) {
			return svc.Create(ctx, in)
		})
	}
}

func change(svc *catalog.Service) httpkit.Handler {
	return func(r *http.Request) (httpkit.Answer, error) {
		productID, seen, err := target(r)
		if err != nil {
			return httpkit.Answer{}, err
		}
		in, err := decode(r)
		if err != nil {
			return httpkit.Answer{}, err
		}
		p, err := svc.Change(r.Context(), productID, seen, in)
		if err != nil {
			return httpkit.Answer{}, err
		}
		return found(p), nil
	}
}

func discontinue(svc *catalog.Service) httpkit.Handler {
	return func(r *http.Request) (httpkit.Answer, error) {
		productID, seen, err := target(r)
		if err != nil {
			return httpkit.Answer{}, err
		}
		if err := svc.Discontinue(r.Context(), productID, seen); err != nil {
			return httpkit.Answer{}, err
		}
		return httpkit.NoContent(), nil
	}
}

// target returns the product and the version of it that an admin means to
// change.
func target(r *http.Request) (productID string, seen int, err error) {
	if _, err := identity.Admin(r.Context()); err != nil {
		return "", 0, err
	}
	if productID, err = idOf(r); err != nil {
		return "", 0, err
	}
	seen, err = httpkit.IfMatch(r)
	return productID, seen, err
}

// idOf returns the id in the path. What has not the form of one cannot
// name a product.
func idOf(r *http.Request) (string, error) {
	name := r.PathValue("id")
	if !id.Valid("prd", name) {
		return "", apperr.New(apperr.NotFound, "product_not_found", "There is no such product.")
	}
	return name, nil
}

func created(p catalog.Product) httpkit.Answer {
	return httpkit.Created("/api/products/"+p.ID, p.Version, wire(p))
}

func found(p catalog.Product) httpkit.Answer {
	return httpkit.Resource(http.StatusOK, p.Version, wire(p))
}

// product is a product on the wire.
type product struct {
	ID          string           `json:"id"`
	SKU         string           `json:"sku"`
	Name        string           `json:"name"`
	Description string           `json:"description"`
	Category    string           `json:"category"`
	Price       events.Money     `json:"price"`
	Status      catalog.Status   `json:"status"`
	Version     int              `json:"version"`
	CreatedAt   events.Timestamp `json:"createdAt"`
	UpdatedAt   events.Timestamp `json:"updatedAt"`
}

func wire(p catalog.Product) product {
	return product{
		ID:          p.ID,
		SKU:         p.SKU,
		Name:        p.Name,
		Description: p.Description,
		Category:    p.Category,
		Price:       p.Price,
		Status:      p.Status,
		Version:     p.Version,
		CreatedAt:   events.Timestamp(p.CreatedAt),
		UpdatedAt:   events.Timestamp(p.UpdatedAt),
	}
}
