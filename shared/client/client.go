// Package client is how a service calls another: by name, with an http.Client.
//
//	GET http://catalog-service/api/products/prd_01…
//
// It exists so that calling code does not know where the other service is. The
// transport turns the host into the internal load balancer's address, which
// routes by host header, and passes on what ties the call to its cause.
//
// Callers must keep: every call has a context with a deadline, and bodies are
// read to a bound and closed. Redirects are returned, not followed: no service
// of the platform sends any.
package client

import (
	"net"
	"net/http"
	"net/url"
	"time"

	"tradewind/shared/env"
	"tradewind/shared/trace"
)

// Config says where services are found. All fields are required.
type Config struct {
	// Balancer is the internal load balancer's address; a path in it is put
	// before the request's.
	Balancer *url.URL
	// Domain is appended to a service's name to make the host the balancer
	// knows, such as "dev.internal".
	Domain string
	// Timeout bounds one call, whatever its context allows.
	Timeout time.Duration
}

// FromEnv returns a client from ALB_URL, STAGE and CALL_TIMEOUT (3s).
func FromEnv(vars *env.Vars) *http.Client {
	return New(Config{
		Balancer: vars.URL("ALB_URL"),
		Domain:   vars.Require("STAGE") + ".internal",
		Timeout:  vars.Duration("CALL_TIMEOUT", 3*time.Second),
	})
}

// New returns a client for calls to other services.
func New(cfg Config) *http.Client {
	balancer := *cfg.Balancer
	if balancer.Path == "" {
		balancer.Path = "/" // or JoinPath makes a relative path, which no server takes
	}
	cfg.Balancer = &balancer
	return &http.Client{
		Timeout: cfg.Timeout,
		Transport: &transport{cfg, &http.Transport{
			DialContext:            (&net.Dialer{Timeout: time.Second}).DialContext,
			MaxIdleConnsPerHost:    8,
			IdleConnTimeout:        time.Minute,
			ResponseHeaderTimeout:  cfg.Timeout,
			MaxResponseHeaderBytes: 64 << 10,
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

type transport struct {
	cfg  Config
	next http.RoundTripper
}

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	out := r.Clone(r.Context())
	out.Host = r.URL.Hostname() + "." + t.cfg.Domain
	out.URL = t.cfg.Balancer.JoinPath(r.URL.EscapedPath())
	out.URL.RawQuery = r.URL.RawQuery
	tr := trace.From(r.Context())
	if tr.CorrelationID != "" {
		out.Header.Set(trace.CorrelationHeader, tr.CorrelationID)
	}
	if tr.Parent != "" {
		out.Header.Set(trace.ParentHeader, tr.Parent)
	}
	return t.next.RoundTrip(out)
}
