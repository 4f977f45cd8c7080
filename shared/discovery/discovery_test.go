package discovery_test

import (
	"net/url"
	"strings"
	"testing"

	"tradewind/shared/discovery"
	"tradewind/shared/env"
)

func TestLoadBalancer(t *testing.T) {
	address, err := url.Parse("http://127.0.0.1:4566/_alb/tradewind-local")
	if err != nil {
		t.Fatal(err)
	}
	a, err := discovery.LoadBalancer(address, "local.internal").Resolve(t.Context(), "user-service")
	if err != nil || a.Base.String() != address.String() || a.Host != "user-service.local.internal" {
		t.Errorf("got %v as %q, %v", a.Base, a.Host, err)
	}
	a.Done(false) // nobody counts, nothing happens
}

func TestNames(t *testing.T) {
	names := map[string]bool{
		"catalog-service": true, "a-service": true, "gift-card2-service": true,
		"": false, "service": false, "-service": false, "--service": false, "catalog": false,
		"Catalog-service": false, "catalog-service.dev.internal": false, "example.com": false,
		"catalog_x-service": false, "a b-service": false, "169.254.169.254": false, "localhost": false,
		strings.Repeat("x", 55) + "-service": true, strings.Repeat("x", 56) + "-service": false,
	}
	balancer := discovery.LoadBalancer(&url.URL{Scheme: "http", Host: "lb"}, "dev.internal")
	pool, _ := newPool("a")
	for name, want := range names {
		for _, r := range []discovery.Resolver{balancer, pool} {
			if _, err := r.Resolve(t.Context(), name); (err == nil) != want {
				t.Errorf("%T, %q: got %v", r, name, err)
			}
		}
	}
}

func TestFromEnv(t *testing.T) {
	tests := map[string]struct {
		env  map[string]string
		want string // part of the error; "" is none
	}{
		"balancer by default": {map[string]string{"STAGE": "dev", "ALB_URL": "http://lb"}, ""},
		"balancer":            {map[string]string{"STAGE": "dev", "DISCOVERY_MODE": "loadbalancer", "ALB_URL": "http://lb"}, ""},
		"registry":            {map[string]string{"STAGE": "dev", "DISCOVERY_MODE": "registry"}, ""},
		"dns":                 {map[string]string{"STAGE": "dev", "DISCOVERY_MODE": "dns"}, ""},
		"no stage":            {map[string]string{"ALB_URL": "http://lb"}, "STAGE"},
		"no address":          {map[string]string{"STAGE": "dev"}, "ALB_URL"},
		"no address at all":   {map[string]string{"STAGE": "dev", "ALB_URL": "lb"}, "ALB_URL"},
		"unknown mode":        {map[string]string{"STAGE": "dev", "ALB_URL": "http://lb", "DISCOVERY_MODE": "consul"}, "DISCOVERY_MODE"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			vars := env.From(func(name string) string { return test.env[name] })
			r := discovery.FromEnv(vars)
			switch err := vars.Err(); {
			case test.want == "" && (err != nil || r == nil):
				t.Errorf("got %v, %v", r, err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want an error about %s", err, test.want)
			}
		})
	}
}
