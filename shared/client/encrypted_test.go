package client_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"tradewind/shared/client"
	"tradewind/shared/discovery"
)

// The balancer's certificate is for its address, and it tells services apart by their
// hosts: the two names are not mixed up.
func TestEncryptedBalancer(t *testing.T) {
	var host, server string
	balancer := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		host, server = r.Host, r.TLS.ServerName
	}))
	defer balancer.Close()
	transport := balancer.Client().Transport.(*http.Transport)
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, balancer.Listener.Addr().String())
	}
	address := &url.URL{Scheme: "https", Host: "example.com"} // the test server's certificate is for it
	c := client.New(client.Config{Resolver: discovery.LoadBalancer(address, "prod.internal"), Transport: transport})
	res, err := c.Get("http://catalog-service/api/products/prd_1")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if host != "catalog-service.prod.internal" || server != "example.com" {
		t.Errorf("asked %q for %q", server, host)
	}
}
