package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"strings"
	"time"

	"tradewind/shared/apperr"
)

// Causes of an error that errors.Is finds, besides those of the network and
// context.DeadlineExceeded.
var (
	// ErrOpen says that the service failed lately and is left alone.
	ErrOpen = errors.New("the circuit is open")
	// ErrBusy says that too many calls to the service are running.
	ErrBusy = errors.New("too many calls are running")
	// ErrTooLarge says that an answer was larger than allowed.
	ErrTooLarge = errors.New("the answer is too large")
)

// StatusError is an answer that was no success.
type StatusError struct {
	Service string
	Status  int
	// Code and Detail are those of the problem document; empty without one.
	Code, Detail string
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s answered %d %s", e.Service, e.Status, e.Code)
}

// What a client of ours learns when a service cannot be called. The code names the
// service that is missing, the message does not explain what it is missing for.
const (
	downMessage = "A part of the platform that this needs does not answer at the moment; try again shortly."
	lateMessage = "A part of the platform that this needs did not answer in time; try again shortly."
)

// retryAfter is what is said where nothing better is known.
const retryAfter = 2 * time.Second

// prefix makes the first word of codes: "gift_card" for "gift-card-service".
func prefix(service string) string {
	return strings.ReplaceAll(strings.TrimSuffix(service, "-service"), "-", "_")
}

func unavailable(service string, after time.Duration, cause error) *apperr.Error {
	e := apperr.Wrap(cause, apperr.Unavailable, prefix(service)+"_unavailable", downMessage)
	if timedOut(cause) {
		e.Code, e.Message = prefix(service)+"_timeout", lateMessage
	}
	e.RetryAfter = max(after, time.Second)
	return e
}

func timedOut(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout()
}

// Doer makes calls: a Client, or its http.Client.
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

// JSON makes a call and decodes its answer. An answer that is no success becomes an
// error that says what the caller can do, around a *StatusError with the details:
// NotFound, Conflict, Unauthenticated and Forbidden as the service said; Unavailable
// for failures and for what no service would send; Internal for the rest of 4xx,
// which say that the request was wrong, and that was made here.
func JSON[T any](c Doer, r *http.Request) (T, error) {
	var v T
	res, err := c.Do(r)
	if err != nil {
		return v, err
	}
	defer res.Body.Close()
	service := r.URL.Hostname()
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return v, refusal(service, res)
	}
	if res.StatusCode == http.StatusNoContent {
		return v, nil
	}
	if err := json.NewDecoder(res.Body).Decode(&v); err != nil {
		return v, unavailable(service, retryAfter, fmt.Errorf("%s's answer: %w", service, err))
	}
	return v, nil
}

// refusal returns the error that an answer stands for.
func refusal(service string, res *http.Response) error {
	cause := &StatusError{Service: service, Status: res.StatusCode}
	media, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	problem := err == nil && media == "application/problem+json"
	if problem {
		var p struct{ Code, Detail string }
		if json.NewDecoder(res.Body).Decode(&p) == nil {
			cause.Code, cause.Detail = p.Code, p.Detail
		}
	}
	kind := apperr.Internal
	switch res.StatusCode {
	case http.StatusNotFound:
		// A balancer that knows no such service says 404 too, but not in the
		// platform's words. Taken for the service's, an outage would mean that
		// nothing exists.
		if !problem {
			return unavailable(service, retryAfter, cause)
		}
		kind = apperr.NotFound
	case http.StatusConflict, http.StatusPreconditionFailed:
		kind = apperr.Conflict
	case http.StatusUnauthorized:
		kind = apperr.Unauthenticated
	case http.StatusForbidden:
		kind = apperr.Forbidden
	default:
		if res.StatusCode < 400 || res.StatusCode > 499 || res.StatusCode == http.StatusTooManyRequests {
			after, ok := parseRetryAfter(res.Header, time.Now())
			if !ok {
				after = retryAfter
			}
			return unavailable(service, after, cause)
		}
	}
	code := cause.Code
	if code == "" {
		code = prefix(service) + "_refused"
	}
	return apperr.Wrap(cause, kind, code, cause.Detail)
}
