package httpkit

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"tradewind/shared/apperr"
	"tradewind/shared/trace"
)

// problem is an RFC 9457 document with the platform's extensions.
type problem struct {
	Type          string         `json:"type"`
	Title         string         `json:"title"`
	Status        int            `json:"status"`
	Detail        string         `json:"detail,omitempty"`
	Instance      string         `json:"instance"`
	Code          string         `json:"code"`
	CorrelationID string         `json:"correlationId"`
	Errors        []apperr.Field `json:"errors,omitempty"`
}

// defaultRetryAfter is sent with a 503 whose cause names no time of its own.
const defaultRetryAfter = time.Second

// statusError is a refusal that only HTTP knows, such as a wrong media type.
type statusError struct {
	status int
	code   string
	detail string
	header http.Header
}

func (e *statusError) Error() string { return e.code + ": " + e.detail }

func status(code int, word, detail string) *statusError {
	return &statusError{status: code, code: word, detail: detail}
}

func notFound() error {
	return apperr.New(apperr.NotFound, "not_found", "There is nothing at this address, or it is not yours to see.")
}

// BadRequest returns a 400 for a header or parameter that cannot be read.
func BadRequest(code, detail string) error { return status(http.StatusBadRequest, code, detail) }

// Problem returns the answer for an error. An error without a kind, and an
// Internal one, tells the client nothing but the correlation id.
func Problem(err error, r *http.Request) Answer {
	p := problem{Instance: r.URL.Path, CorrelationID: trace.From(r.Context()).CorrelationID}
	header := http.Header{}
	if se, ok := errors.AsType[*statusError](err); ok {
		p.Status, p.Code, p.Detail = se.status, se.code, se.detail
		header = se.header.Clone()
	} else {
		ae, ok := errors.AsType[*apperr.Error](err)
		if !ok || ae.Kind == apperr.Internal {
			ae = apperr.New(apperr.Internal, "internal", "Something went wrong on our side. Quote the correlation id when you report it.")
		}
		p.Status, p.Code, p.Detail, p.Errors = statusOf(ae), ae.Code, ae.Message, ae.Fields
		switch p.Status {
		case http.StatusUnauthorized:
			header.Set("Www-Authenticate", "Bearer")
		case http.StatusServiceUnavailable:
			after := ae.RetryAfter
			if after <= 0 {
				after = defaultRetryAfter
			}
			header.Set("Retry-After", strconv.Itoa(int(math.Ceil(after.Seconds()))))
		}
	}
	p.Type, p.Title = "urn:tradewind:problem:"+p.Code, http.StatusText(p.Status)
	answer := JSON(p.Status, p)
	for name, values := range header {
		answer.Header[name] = values
	}
	return answer.With("Content-Type", "application/problem+json")
}

func statusOf(e *apperr.Error) int {
	switch e.Kind {
	case apperr.Invalid:
		return http.StatusUnprocessableEntity
	case apperr.Unauthenticated:
		return http.StatusUnauthorized
	case apperr.Forbidden:
		return http.StatusForbidden
	case apperr.NotFound:
		return http.StatusNotFound
	case apperr.Conflict:
		if errors.Is(e, apperr.ErrStale) {
			return http.StatusPreconditionFailed
		}
		return http.StatusConflict
	case apperr.Unavailable:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}
