package main

import (
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// dependency stands before the load balancer, and holds up what goes to one of its
// services while that is to be slow.
type dependency struct {
	balancer string // the URL
	host     string // what the service's begins with
	takes    time.Duration
	called   func(environment int) // by whom the service was

	slow    atomic.Bool
	servers []*http.Server
}

// listen returns a URL in the balancer's place for an environment.
func (d *dependency) listen(environment int) (string, error) {
	balancer, err := url.Parse(d.balancer)
	if err != nil {
		return "", err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = balancer.Scheme, balancer.Host },
		// Who is not there any more need not be told, and neither need the terminal.
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Host, d.host) {
			d.called(environment)
			if d.slow.Load() {
				select {
				case <-time.After(d.takes):
				case <-r.Context().Done():
					return
				}
			}
		}
		forward.ServeHTTP(w, r)
	})}
	go func() { _ = server.Serve(listener) }()
	d.servers = append(d.servers, server)
	place := *balancer
	place.Host = listener.Addr().String()
	return place.String(), nil
}

func (d *dependency) close() {
	for _, server := range d.servers {
		_ = server.Close()
	}
}
