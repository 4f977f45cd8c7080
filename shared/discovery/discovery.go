// Package discovery finds where a service of the platform answers. Three ways,
// chosen by the environment, stand behind one interface:
//
//	loadbalancer  the internal load balancer, which knows the services by host
//	registry      AWS Cloud Map, asked from here; one of the instances is picked
//	dns           A and SRV records of the private zone; likewise
//
// It exists so that calling code names a service and nothing else, and so that a
// platform can move from one way to another by a variable. The last two share a
// Pool, which keeps what was found for as long as it holds, asks again before
// that, goes on with what it knows for a while when there is no answer, and picks
// the less busy of two instances. One that failed it leaves alone until that answers
// a probe, so that only the first call meets it.
//
// Callers must keep: resolve for every try, not once, so that a repeat can go
// elsewhere; and call Done on every address, or its instance counts as busy for
// ever.
package discovery

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"tradewind/shared/awsclient"
	"tradewind/shared/env"
)

// Resolver finds services.
type Resolver interface {
	// Resolve returns an address of the service with a name such as
	// "catalog-service".
	Resolve(ctx context.Context, service string) (Address, error)
}

// Address is one place where a service answers.
type Address struct {
	// Base is what a request's path is appended to. It is shared: nobody
	// changes it.
	Base *url.URL
	// Host is the Host header that the place knows the service by.
	Host string

	instance *instance // nil where nobody counts
}

// Done says that a call to the address has ended, and whether the service did its
// work: false for no answer in time and for an answer that tells of a failure.
func (a Address) Done(ok bool) {
	if a.instance != nil {
		a.instance.done(ok)
	}
}

// FromEnv returns the resolver that DISCOVERY_MODE names: loadbalancer, where it is
// not set, with ALB_URL; registry with DISCOVERY_NAMESPACE (tradewind-<stage>) and
// DISCOVERY_TTL (10s); or dns with DNS_SERVER (that of the system). All read STAGE.
func FromEnv(vars *env.Vars) Resolver { return fromEnv(vars, CloudMap) }

// AllFromEnv is FromEnv for whoever must find out whether a service has recovered:
// its resolver also finds the instances that the registry holds for unhealthy.
func AllFromEnv(vars *env.Vars) Resolver { return fromEnv(vars, CloudMapAll) }

func fromEnv(vars *env.Vars, registry func(cfg aws.Config, namespace, domain string) Source) Resolver {
	stage := vars.Require("STAGE")
	domain := stage + ".internal"
	switch vars.OneOf("DISCOVERY_MODE", "loadbalancer", "registry", "dns") {
	case "registry":
		namespace := vars.String("DISCOVERY_NAMESPACE", "tradewind-"+stage)
		return NewPool(PoolConfig{
			Source: registry(awsclient.Config(vars.Getenv, "SERVICEDISCOVERY"), namespace, domain),
			TTL:    vars.Duration("DISCOVERY_TTL", 10*time.Second),
			Probe:  Live,
		})
	case "dns":
		return NewPool(PoolConfig{Source: DNS(vars.String("DNS_SERVER", ""), domain), Probe: Live})
	default:
		return LoadBalancer(vars.URL("ALB_URL"), domain)
	}
}

// LoadBalancer returns the resolver that sends every service to one address, a path
// in it included, and leaves it to the host to tell them apart.
func LoadBalancer(address *url.URL, domain string) Resolver {
	return &balancer{address: address, suffix: "." + domain, hosts: map[string]string{}}
}

type balancer struct {
	address *url.URL
	suffix  string

	mu    sync.Mutex
	hosts map[string]string // by service, made once each
}

func (b *balancer) Resolve(_ context.Context, service string) (Address, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	host, known := b.hosts[service]
	if !known {
		if err := Check(service); err != nil {
			return Address{}, err
		}
		host = service + b.suffix
		if len(b.hosts) < maxServices {
			b.hosts[service] = host
		}
	}
	return Address{Base: b.address, Host: host}, nil
}

// Check returns an error for what is not a service's name: one label of a domain
// name, in lower case, that ends in "-service". Anything else was not meant for the
// platform, and what goes to a service (a caller's token) must not go there.
func Check(service string) error {
	name, ok := strings.CutSuffix(service, "-service")
	ok = ok && name != "" && len(service) <= 63 && name[0] != '-'
	for i := range len(name) {
		c := name[i]
		ok = ok && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-')
	}
	if !ok {
		return fmt.Errorf("%q is not the name of a service, such as catalog-service", service)
	}
	return nil
}
