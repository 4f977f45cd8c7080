// Package httpapi is the notifications service's HTTP interface. It only reads:
// notifications are made by events.
package httpapi

import (
	"log/slog"
	"net/http"

	"tradewind/events"
	"tradewind/functions/notifications"
	"tradewind/shared/apperr"
	"tradewind/shared/cursor"
	"tradewind/shared/httpkit"
	"tradewind/shared/id"
	"tradewind/shared/identity"
)

// Routes returns the service's routes.
func Routes(svc *notifications.Service, pages *cursor.Sealer, log *slog.Logger) *httpkit.Router {
	rt := httpkit.NewRouter(log)
	rt.Handle("GET /api/notifications/openapi.json", httpkit.Document(notifications.OpenAPI))
	rt.Handle("GET /api/notifications", list(svc, pages))
	rt.Handle("GET /api/notifications/{id}", get(svc))
	return rt
}

func get(svc *notifications.Service) httpkit.Handler {
	return func(r *http.Request) (httpkit.Answer, error) {
		who, err := identity.Caller(r.Context())
		if err != nil {
			return httpkit.Answer{}, err
		}
		name := r.PathValue("id")
		if !id.Valid("ntf", name) {
			return httpkit.Answer{}, notifications.ErrNotFound
		}
		n, err := svc.Get(r.Context(), name)
		if err != nil {
			return httpkit.Answer{}, err
		}
		// Somebody else's is as absent as one that never was.
		if !who.May(n.UserID) {
			return httpkit.Answer{}, notifications.ErrNotFound
		}
		return httpkit.Resource(http.StatusOK, notifications.Version, wire(n)), nil
	}
}

func list(svc *notifications.Service, pages *cursor.Sealer) httpkit.Handler {
	return func(r *http.Request) (httpkit.Answer, error) {
		who, err := identity.Caller(r.Context())
		if err != nil {
			return httpkit.Answer{}, err
		}
		reader := who.UserID
		if asked := r.URL.Query().Get("userId"); asked != "" && asked != reader {
			if !who.Admin {
				return httpkit.Answer{}, apperr.New(apperr.Forbidden, "forbidden", "Only an admin may list another user's notifications.")
			}
			reader = asked
		}
		limit, token, err := httpkit.Page(r)
		if err != nil {
			return httpkit.Answer{}, err
		}
		after, err := pages.Open(token, "notifications", who.UserID, reader)
		if err != nil {
			return httpkit.Answer{}, err
		}
		var found []notifications.Notification
		var next string
		if reader == who.UserID || reader == notifications.AdminUser || id.Valid("usr", reader) {
			if found, next, err = svc.ListByUser(r.Context(), reader, limit, after); err != nil {
				return httpkit.Answer{}, err
			}
		}
		return httpkit.JSON(http.StatusOK, httpkit.ListOf(found, pages.Seal(next, "notifications", who.UserID, reader), wire)), nil
	}
}

// notification is a notification on the wire.
type notification struct {
	ID        string               `json:"id"`
	UserID    string               `json:"userId"`
	OrderID   string               `json:"orderId,omitempty"`
	Channel   string               `json:"channel"`
	Template  string               `json:"template"`
	Subject   string               `json:"subject"`
	Body      string               `json:"body"`
	Status    notifications.Status `json:"status"`
	Cause     string               `json:"cause,omitempty"`
	Version   int                  `json:"version"`
	CreatedAt events.Timestamp     `json:"createdAt"`
	UpdatedAt events.Timestamp     `json:"updatedAt"`
}

func wire(n notifications.Notification) notification {
	return notification{
		ID:        n.ID,
		UserID:    n.UserID,
		OrderID:   n.OrderID,
		Channel:   notifications.Channel,
		Template:  n.Template,
		Subject:   n.Subject,
		Body:      n.Body,
		Status:    n.Status,
		Cause:     n.Cause,
		Version:   notifications.Version,
		CreatedAt: events.Timestamp(n.CreatedAt),
		UpdatedAt: events.Timestamp(n.CreatedAt),
	}
}
