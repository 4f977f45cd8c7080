// Package client is how a service calls another: by name, with an http.Client.
//
//	GET http://catalog-service/api/products/prd_01…
//
// It exists so that calling code knows neither where the other service is nor what
// to do when it is slow, gone or overrun. From the outside in, a call passes
//
//	deadline   that of the context less a margin, and Timeout at the latest
//	trace      correlation id and traceparent of the context are sent along
//	token      so is the caller's, once verified (see Client.Handler)
//	bulkhead   one service has a bounded share of this process
//	retry      of what may be repeated, with jitter, as long as the budget and the
//	           deadline allow, and not before the Retry-After of an answer
//	breaker    a service that fails is left alone for a while, then probed once
//	discovery  every try has an address of its own, so the next may go elsewhere
//	limits     a try has TryTimeout until the end of its answer, headers and body
//	           have a largest size
//
// Breaker and discovery are inside of retry, because it is tries that reach a
// service: an open circuit ends the repeats too, and a probe is exactly one try.
// Each call ends in one record of what was decided (Call), for log and metrics.
//
// An answer is read whole before the call returns. So nothing of a call outlives it,
// a body that never ends is a failed try like any other, and a caller who forgets to
// close a body loses nothing; streams are not what services of the platform send.
//
// Callers must keep: the host of a URL is a service's name, as in the example. An
// error is an *apperr.Error of kind Unavailable (errors.Is finds the cause) unless
// the caller cancelled; an answer is returned whatever its status, and JSON turns
// those that are no success into such errors too. Redirects are returned, never
// followed: no service of the platform sends any.
package client

import (
	"cmp"
	"context"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"time"

	"tradewind/shared/discovery"
	"tradewind/shared/env"
	"tradewind/shared/identity"
	"tradewind/shared/logs"
	"tradewind/shared/metrics"
)

// Config is how a client works. Zero values have the stated defaults.
type Config struct {
	// Resolver finds the services. Required.
	Resolver discovery.Resolver
	// Transport makes the exchanges. The default speaks HTTP/1.1, takes 64 KiB of
	// headers, and asks for no compression, which could hide a body's size.
	Transport http.RoundTripper

	// Timeout bounds a call with all its tries, whatever its context allows. 3 s.
	Timeout time.Duration
	// TryTimeout bounds one of them. Two thirds of Timeout.
	TryTimeout time.Duration
	// Margin is kept of the context's time, so that the caller can still answer
	// when a call has used up the rest. 100 ms.
	Margin time.Duration
	// Tries is how often a call is tried at most. 3.
	Tries int
	// Parallel is how many calls to one service run at once. 64.
	Parallel int
	// OpenFor is how long a service that failed is left alone, give or take a
	// fifth, so that not all environments come back at once. 10 s.
	OpenFor time.Duration
	// MaxBody is the largest answer in bytes. 1 MiB.
	MaxBody int64

	// Observer hears what became of calls. Nobody.
	Observer Observer
}

// FromEnv returns a client from CALL_TIMEOUT (3s), CALL_TRY_TIMEOUT (two thirds of
// it) and what discovery.FromEnv reads. It logs and counts on standard output.
func FromEnv(vars *env.Vars) *Client {
	return New(Config{
		Resolver:   discovery.FromEnv(vars),
		Timeout:    vars.Duration("CALL_TIMEOUT", 0),
		TryTimeout: vars.Duration("CALL_TRY_TIMEOUT", 0),
		Observer:   Observe(logs.New(os.Stdout, vars.Getenv), metrics.New(os.Stdout, vars.Getenv)),
	})
}

// Client calls services.
type Client struct {
	*http.Client
	transport *transport
}

// New returns a client for calls to other services.
func New(cfg Config) *Client {
	cfg.Timeout = cmp.Or(cfg.Timeout, 3*time.Second)
	cfg.TryTimeout = cmp.Or(cfg.TryTimeout, cfg.Timeout*2/3)
	cfg.Margin = cmp.Or(cfg.Margin, 100*time.Millisecond)
	cfg.Tries = cmp.Or(cfg.Tries, 3)
	cfg.Parallel = cmp.Or(cfg.Parallel, 64)
	cfg.OpenFor = cmp.Or(cfg.OpenFor, 10*time.Second)
	cfg.OpenFor = cfg.OpenFor*4/5 + rand.N(cfg.OpenFor*2/5+1)
	cfg.MaxBody = cmp.Or(cfg.MaxBody, 1<<20)
	if cfg.Transport == nil {
		cfg.Transport = &http.Transport{
			DialContext:            (&net.Dialer{Timeout: time.Second}).DialContext,
			TLSHandshakeTimeout:    time.Second,
			MaxIdleConnsPerHost:    16,
			IdleConnTimeout:        50 * time.Second, // a load balancer hangs up after 60
			MaxResponseHeaderBytes: 64 << 10,
			DisableCompression:     true,
		}
	}
	t := &transport{cfg: cfg, targets: map[string]*target{}}
	return &Client{
		Client: &http.Client{
			Transport:     t,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		transport: t,
	}
}

type token struct{}

// WithToken returns a context whose calls carry the caller's token, as the value of
// an Authorization header. It must have been verified: what a service passes on,
// others trust as much as it does. It never leaves the platform, because calls go
// to services by name and redirects are not followed.
func WithToken(ctx context.Context, authorization string) context.Context {
	return context.WithValue(ctx, token{}, authorization)
}

// Handler returns next with the two things that a client needs of the requests for
// which it calls: the token of a caller who has proved who they are goes along with
// the calls, and what was counted is written when the request is done. It belongs
// inside of what verifies tokens.
func (c *Client) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if flush := c.transport.cfg.Observer.Flush; flush != nil {
			defer flush()
		}
		// A token on a route without a check is just a header.
		if _, err := identity.Caller(r.Context()); err == nil {
			if sent := r.Header["Authorization"]; len(sent) == 1 {
				r = r.WithContext(WithToken(r.Context(), sent[0]))
			}
		}
		next.ServeHTTP(w, r)
	})
}

// maxTargets bounds what is remembered of services.
const maxTargets = 64
