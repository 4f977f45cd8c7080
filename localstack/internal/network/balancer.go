package network

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"sync/atomic"
)

// Balancer passes on what it gets until it is closed.
type Balancer struct {
	listener net.Listener
	server   *http.Server
	idle     func()
	served   atomic.Int64
}

// ListenBalancer starts a node of the balancer with a base URL at a free port of 127.0.0.1.
func ListenBalancer(balancer string) (*Balancer, error) {
	base, err := url.Parse(balancer)
	if err != nil {
		return nil, fmt.Errorf("node of %s: %w", balancer, err)
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("node of %s: %w", balancer, err)
	}
	n := &Balancer{listener: listener}
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	proxy := &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(base)
			r.Out.Host = r.In.Host // by which the balancer knows the service
		},
		ErrorLog: log.New(io.Discard, "", 0), // the caller gets a 502 and tells of it
	}
	n.idle = transport.CloseIdleConnections
	n.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.served.Add(1)
		proxy.ServeHTTP(w, r)
	})}
	go func() { _ = n.server.Serve(listener) }() // until Close
	return n, nil
}

// Addr is the node's address.
func (n *Balancer) Addr() netip.AddrPort { return n.listener.Addr().(*net.TCPAddr).AddrPort() }

// Served is how many requests it got.
func (n *Balancer) Served() int { return int(n.served.Load()) }

// Close ends the node and every connection to it, as a machine's end does.
func (n *Balancer) Close() {
	_ = n.server.Close()
	n.idle()
}
