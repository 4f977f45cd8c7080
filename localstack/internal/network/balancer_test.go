package network_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tradewind/localstack/internal/network"
)

// balancer is one under a path, as the endpoint's is. It tells what it was sent.
func balancer(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Was", "there")
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, "%s %s %s %s %q", r.Method, r.Host, r.URL.RequestURI(), r.Header.Get("Authorization"), body)
	}))
	t.Cleanup(s.Close)
	return s.URL + "/_alb/tradewind-local"
}

func TestNode(t *testing.T) {
	n, err := network.ListenBalancer(balancer(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	// What is escaped stays so, and the host is the caller's.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+n.Addr().String()+"/api/products/a%2Fb?q=x%20y&q=z", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "catalog-service.local.internal"
	req.Header.Set("Authorization", "Bearer t")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	const want = `POST catalog-service.local.internal /_alb/tradewind-local/api/products/a%2Fb?q=x%20y&q=z Bearer t "hello"`
	if err != nil || string(body) != want || res.StatusCode != http.StatusTeapot || res.Header.Get("X-Was") != "there" {
		t.Errorf("%d %s, %v", res.StatusCode, body, err)
	}
	if n.Served() != 1 {
		t.Errorf("served %d", n.Served())
	}
}

func TestNobodyBehind(t *testing.T) {
	n, err := network.ListenBalancer("http://127.0.0.1:1/_alb/gone")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	res, err := http.Get("http://" + n.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusBadGateway {
		t.Errorf("status %d", res.StatusCode)
	}
}

func TestClose(t *testing.T) {
	n, err := network.ListenBalancer(balancer(t))
	if err != nil {
		t.Fatal(err)
	}
	at := "http://" + n.Addr().String()
	for range 2 { // over one connection, which ends with the node
		if res, err := http.Get(at); err != nil {
			t.Fatal(err)
		} else {
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
	}
	n.Close()
	if res, err := http.Get(at); err == nil {
		res.Body.Close()
		t.Error("it answers still")
	}
	if _, err := network.ListenBalancer("http://bad url"); err == nil {
		t.Error("took a bad address")
	}
}
