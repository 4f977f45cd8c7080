// Package httpapi is the users service's HTTP interface: one function per
// route, each parses, calls the service and renders.
package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"tradewind/events"
	"tradewind/functions/users"
	"tradewind/shared/cursor"
	"tradewind/shared/httpkit"
	"tradewind/shared/id"
	"tradewind/shared/idempotency"
	"tradewind/shared/identity"
)

// Routes returns the service's routes.
func Routes(svc *users.Service, keys *idempotency.Keeper, pages *cursor.Sealer, log *slog.Logger) *httpkit.Router {
	rt := httpkit.NewRouter(log)
	// An answer holds the user's name and address.
	keys = keys.About(func(v any) string { return v.(users.User).ID })
	rt.Handle("POST /api/users", register(svc, keys))
	rt.Handle("GET /api/users", list(svc, pages))
	rt.Handle("GET /api/users/openapi.json", httpkit.Document(users.OpenAPI))
	rt.Handle("GET /api/users/{id}", get(svc))
	rt.Handle("PATCH /api/users/{id}", change(svc))
	rt.Handle("DELETE /api/users/{id}", erase(svc))
	return rt
}

func register(svc *users.Service, keys *idempotency.Keeper) httpkit.Handler {
	type request struct {
		Email     string          `json:"email"`
		Name      string          `json:"name"`
		Addresses []users.Address `json:"addresses"`
		Password  string          `json:"password"`
	}
	return func(r *http.Request) (httpkit.Answer, error) {
		in, err := httpkit.Decode[request](r)
		if err != nil {
			return httpkit.Answer{}, err
		}
		return idempotency.Do(keys, r, created, func(ctx context.Context) (users.User, error) {
			return svc.Register(ctx, users.Registration(in))
		})
	}
}

func get(svc *users.Service) httpkit.Handler {
	return func(r *http.Request) (httpkit.Answer, error) {
		who, name, err := subject(r)
		if err != nil {
			return httpkit.Answer{}, err
		}
		u, err := svc.Get(r.Context(), name)
		if err != nil {
			return httpkit.Answer{}, err
		}
		if u.Erased && !who.Admin {
			return httpkit.Answer{}, users.ErrNotFound
		}
		return found(u), nil
	}
}

func list(svc *users.Service, pages *cursor.Sealer) httpkit.Handler {
	return func(r *http.Request) (httpkit.Answer, error) {
		who, err := identity.Admin(r.Context())
		if err != nil {
			return httpkit.Answer{}, err
		}
		limit, token, err := httpkit.Page(r)
		if err != nil {
			return httpkit.Answer{}, err
		}
		after, err := pages.Open(token, "users", who.UserID)
		if err != nil {
			return httpkit.Answer{}, err
		}
		found, next, err := svc.List(r.Context(), limit, after)
		if err != nil {
			return httpkit.Answer{}, err
		}
		return httpkit.JSON(http.StatusOK, httpkit.ListOf(found, pages.Seal(next, "users", who.UserID), wire)), nil
	}
}

func change(svc *users.Service) httpkit.Handler {
	type request struct {
		Email     *string          `json:"email"`
		Name      *string          `json:"name"`
		Addresses *[]users.Address `json:"addresses"`
	}
	return func(r *http.Request) (httpkit.Answer, error) {
		who, name, err := subject(r)
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
		u, err := svc.Change(r.Context(), name, seen, users.Change(in))
		if errors.Is(err, users.ErrErased) && !who.Admin {
			err = users.ErrNotFound
		}
		if err != nil {
			return httpkit.Answer{}, err
		}
		return found(u), nil
	}
}

func erase(svc *users.Service) httpkit.Handler {
	return func(r *http.Request) (httpkit.Answer, error) {
		_, name, err := subject(r)
		if err != nil {
			return httpkit.Answer{}, err
		}
		seen, err := httpkit.IfMatch(r)
		if err != nil {
			return httpkit.Answer{}, err
		}
		if err := svc.Erase(r.Context(), name, seen); err != nil {
			return httpkit.Answer{}, err
		}
		return httpkit.NoContent(), nil
	}
}

// subject returns the caller and the id of the user that the path names, if the
// caller may know of that user. Somebody else is as absent as one who never was.
func subject(r *http.Request) (who identity.Identity, name string, err error) {
	who, err = identity.Caller(r.Context())
	if err != nil {
		return who, "", err
	}
	name = r.PathValue("id")
	if !id.Valid("usr", name) || !who.May(name) {
		return who, "", users.ErrNotFound
	}
	return who, name, nil
}

func created(u users.User) httpkit.Answer {
	return httpkit.Created("/api/users/"+u.ID, u.Version, wire(u))
}

func found(u users.User) httpkit.Answer {
	return httpkit.Resource(http.StatusOK, u.Version, wire(u))
}

// user is a user on the wire.
type user struct {
	ID        string           `json:"id"`
	Email     string           `json:"email"`
	Name      string           `json:"name"`
	Addresses []users.Address  `json:"addresses"`
	Version   int              `json:"version"`
	CreatedAt events.Timestamp `json:"createdAt"`
	UpdatedAt events.Timestamp `json:"updatedAt"`
}

func wire(u users.User) user {
	w := user{
		ID:        u.ID,
		Email:     u.Email,
		Name:      u.Name,
		Addresses: u.Addresses,
		Version:   u.Version,
		CreatedAt: events.Timestamp(u.CreatedAt),
		UpdatedAt: events.Timestamp(u.UpdatedAt),
	}
	if w.Addresses == nil {
		w.Addresses = []users.Address{}
	}
	return w
}
