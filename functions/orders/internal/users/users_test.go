package users_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"tradewind/functions/orders/internal/users"
	"tradewind/shared/apperr"
)

// service is the users service, without the way to it.
type service struct {
	status int
	body   string
}

func (s service) Do(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet || r.URL.String() != "http://user-service/api/users/usr_1" {
		return nil, fmt.Errorf("called %s %s", r.Method, r.URL)
	}
	w := httptest.NewRecorder()
	if s.status >= 400 {
		w.Header().Set("Content-Type", "application/problem+json")
	}
	w.WriteHeader(s.status)
	_, _ = w.WriteString(s.body)
	return w.Result(), nil
}

func TestOpen(t *testing.T) {
	tests := map[string]struct {
		service service
		open    bool
		kind    apperr.Kind // of the error; Internal is none
	}{
		"a customer":               {service{200, `{"id":"usr_1","email":"ada@example.com","name":"Ada"}`}, true, apperr.Internal},
		"nobody any more":          {service{404, `{"code":"user_not_found"}`}, false, apperr.Internal},
		"an erased admin":          {service{200, `{"id":"usr_1","email":"","name":"","addresses":[]}`}, false, apperr.Internal},
		"down":                     {service{502, ``}, false, apperr.Unavailable},
		"overrun":                  {service{429, `{"code":"too_many"}`}, false, apperr.Unavailable},
		"a token it does not know": {service{401, `{"code":"unauthenticated"}`}, false, apperr.Unavailable},
		"a caller it does not let": {service{403, `{"code":"forbidden"}`}, false, apperr.Unavailable},
		"no JSON":                  {service{200, `<html>`}, false, apperr.Unavailable},
	}
	for name, test := range tests {
		open, err := users.New(test.service).Open(t.Context(), "usr_1")
		if open != test.open || (err != nil) != (test.kind != apperr.Internal) || apperr.KindOf(err) != test.kind {
			t.Errorf("%s: %v, %v", name, open, err)
		}
		if e, ok := errors.AsType[*apperr.Error](err); ok && e.Message == "" {
			t.Errorf("%s: nothing to tell the customer: %v", name, err)
		}
	}
}
