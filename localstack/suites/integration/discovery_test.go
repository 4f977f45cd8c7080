package integration

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"tradewind/localstack/internal/endpoint"
	"tradewind/localstack/internal/fnproc"
	"tradewind/localstack/internal/network"
	"tradewind/localstack/internal/shop"
	"tradewind/localstack/internal/tier"
	"tradewind/localstack/suites/integration/redeploy"
)

// What infra says of the local endpoint's stage.
const (
	caller    = "orders" // the service whose api calls others
	domain    = "local.internal"
	namespace = "tradewind-local"
)

// TestDiscovery runs the flows of orders with every way in which services find each
// other: with all instances up, and in the long tier with one of two down, of which no
// order fails. What changes is the caller's variables; its code is the same, which is
// checked. The balancer with all instances up is how the platform was deployed, so
// TestPlatform has that one.
//
// An instance is what a caller may be led to: an address in the registry or in the
// zone; and behind the balancer, which has one address, an execution environment of
// the called function.
func TestDiscovery(t *testing.T) {
	p := connectAlone(t)
	if p.outputs.Endpoint == "" || !fnproc.Supported() {
		t.Skip("functions reach addresses of this machine only where they are its processes")
	}
	p.inTier(t)
	c, stall := newConfigurable(t, p), openStall(t, p)

	t.Run("loadbalancer", func(t *testing.T) {
		c.finds(t, map[string]string{"DISCOVERY_MODE": "loadbalancer", "ALB_URL": p.outputs.ALBURL})
		t.Run("one of two down", func(t *testing.T) {
			tier.Full(t, 5*time.Second)
			apart := p.apart(t, "catalog")
			c.restart(t, patient)
			p.killsOneOf(t, "catalog", apart)
			p.shows(t, "flows", orderFlows)
		})
		t.Run("one of two never answers", func(t *testing.T) {
			tier.Full(t, 5*time.Second)
			apart := p.apart(t, "catalog")
			c.restart(t, patient)
			stall.sells(t, 1)
			p.stopsAll(t, "catalog", apart)
			stall.sells(t, 1)
		})
	})

	t.Run("registry", func(t *testing.T) {
		registry := connectRegistry(t, p)
		second := node(t, p.outputs.ALBURL)
		registry.add(t, "second", httpAt(second.Addr()))
		c.finds(t, map[string]string{"DISCOVERY_MODE": "registry", "DISCOVERY_NAMESPACE": namespace})
		p.shows(t, "all up", orderFlows)
		if second.Served() == 0 {
			t.Error("the second instance was never called")
		}

		t.Run("one of two down", func(t *testing.T) {
			tier.Full(t, 5*time.Second)
			registry.add(t, "second", httpAt(nobody(t)))
			ill := node(t, p.outputs.ALBURL)
			registry.add(t, "ill", httpAt(ill.Addr()))
			registry.isUnhealthy(t, "ill")
			c.restart(t, patient)
			p.shows(t, "flows", orderFlows)
			if n := ill.Served(); n > 0 {
				t.Errorf("an instance that is marked unhealthy was called %d times", n)
			}
		})
		t.Run("one of two never answers", func(t *testing.T) {
			tier.Full(t, 5*time.Second)
			mute := newSilentAt(t, free)
			registry.add(t, "second", httpAt(mute.at()))
			c.restart(t, patient)
			stall.sellsPast(t, mute)
		})
		t.Run("the registry is down", func(t *testing.T) {
			tier.Full(t, 5*time.Second)
			gate := node(t, p.outputs.Endpoint)
			c.finds(t, map[string]string{
				"DISCOVERY_MODE": "registry", "DISCOVERY_NAMESPACE": namespace, "DISCOVERY_TTL": "1s",
				"AWS_ENDPOINT_URL_SERVICEDISCOVERY": httpAt(gate.Addr()),
			})
			stall.sells(t, 1)
			if gate.Served() == 0 {
				t.Fatal("the registry is asked elsewhere")
			}
			gate.Close()
			mute := newSilentAt(t, gate.Addr())
			for range 2 { // what is known holds for a second, and is good for minutes
				time.Sleep(1200 * time.Millisecond)
				stall.sells(t, 1)
			}
			if mute.heard.Load() == 0 {
				t.Error("nobody asked the registry while it was down")
			}
		})
	})

	t.Run("dns", func(t *testing.T) {
		p.possible(t)
		zone, first, second := serve(t, domain), node(t, p.outputs.ALBURL), node(t, p.outputs.ALBURL)
		zone.Set(network.Any, time.Minute, first.Addr(), second.Addr())
		c.finds(t, map[string]string{"DISCOVERY_MODE": "dns", "DNS_SERVER": zone.Addr()})
		p.shows(t, "all up", orderFlows)
		if first.Served() == 0 || second.Served() == 0 {
			t.Errorf("the instances were called %d and %d times", first.Served(), second.Served())
		}

		t.Run("one of two down", func(t *testing.T) {
			tier.Full(t, 5*time.Second)
			zone.Set(network.Any, time.Minute, first.Addr(), nobody(t))
			c.restart(t, patient)
			p.shows(t, "flows", orderFlows)
		})
		t.Run("one of two never answers", func(t *testing.T) {
			tier.Full(t, 5*time.Second)
			mute := newSilentAt(t, free)
			zone.Set(network.Any, time.Minute, first.Addr(), mute.at())
			c.restart(t, patient)
			stall.sellsPast(t, mute)
		})
		t.Run("a record holds as long as it says", func(t *testing.T) {
			tier.Full(t, 5*time.Second)
			const ttl = 2 * time.Second
			zone.Set(network.Any, ttl, first.Addr())
			c.restart(t, nil)
			stall.sells(t, 1)
			began, asked, served := time.Now(), zone.Asked(), second.Served()
			zone.Set(network.Any, ttl, second.Addr())
			for time.Since(began) < 2*ttl {
				stall.sells(t, 1)
				if early := time.Since(began) < ttl/2; early && zone.Asked() > asked {
					t.Error("asked again at once")
				}
			}
			before := first.Served()
			stall.sells(t, 1)
			if first.Served() > before || second.Served() == served {
				t.Errorf("%s after the record has changed, calls go to %d", time.Since(began), first.Served())
			}
		})
	})

	t.Run("invariants", p.audit)
}

// configurable is the function that calls others, whose variables a test changes.
type configurable struct {
	redeploy.Function
	original redeploy.Live
	runs     int
}

// newConfigurable puts the function back when the test ends.
func newConfigurable(t *testing.T, p *platform) *configurable {
	t.Helper()
	c := &configurable{Function: redeploy.New(endpoint.AWS(p.outputs.Endpoint, p.outputs.Region), p.function(caller, "api"))}
	var err error
	if c.original, err = c.Live(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.SetVariables(context.WithoutCancel(t.Context()), c.original.Variables); err != nil {
			t.Error(err)
		}
	})
	return c
}

// finds gives the function a way of discovery, in new execution environments.
func (c *configurable) finds(t *testing.T, way map[string]string) {
	t.Helper()
	variables := maps.Clone(c.original.Variables)
	maps.DeleteFunc(variables, func(name, _ string) bool {
		return slices.Contains([]string{"DISCOVERY_MODE", "ALB_URL"}, name)
	})
	maps.Copy(variables, way)
	c.set(t, variables)
}

// patient leaves a call more time than the one second which it has by default, and which
// a busy machine may need to start a function. It is for when one of the tries is lost to
// an instance that is not there.
var patient = map[string]string{"CALL_TIMEOUT": "10s", "CALL_TRY_TIMEOUT": "2s"}

// restart gives the function new execution environments, which know of nothing, with
// some variables more.
func (c *configurable) restart(t *testing.T, more map[string]string) {
	t.Helper()
	live, err := c.Live(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(live.Variables, more)
	c.set(t, live.Variables)
}

func (c *configurable) set(t *testing.T, variables map[string]string) {
	t.Helper()
	c.runs++
	variables["TEST_RUN"] = fmt.Sprint(c.runs) // or there would be no new version
	if err := c.SetVariables(t.Context(), variables); err != nil {
		t.Fatal(err)
	}
	live, err := c.Live(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(live.Variables, variables) || live.Code != c.original.Code || live.Code == "" {
		t.Fatalf("the caller runs code %q with %v, want %q with %v", live.Code, live.Variables, c.original.Code, variables)
	}
}

// stall is where somebody buys one thing again and again.
type stall struct {
	buyer   customer
	product string
}

func openStall(t *testing.T, p *platform) stall {
	t.Helper()
	return stall{p.customer(t), p.product(t, 100).ID}
}

// sells sells n times one unit, in an order each and all at once.
func (s stall) sells(t *testing.T, n int) {
	t.Helper()
	placed := make(chan shop.Order, n)
	var group sync.WaitGroup
	for range n {
		group.Go(func() {
			o, err := s.buyer.PlaceOrder(t.Context(), rand.Text(), order(s.product, 1, shop.CardOK))
			if err != nil {
				t.Error(err)
				return
			}
			placed <- o
		})
	}
	group.Wait()
	close(placed)
	for o := range placed {
		s.buyer.ends(t, o.ID, shop.Confirmed, soon)
	}
}

// sellsPast sells until somebody was led to an instance that never answers.
func (s stall) sellsPast(t *testing.T, mute *silent) {
	t.Helper()
	for range 10 {
		if s.sells(t, 4); mute.heard.Load() > 0 {
			return
		}
	}
	t.Error("it was never called")
}

// stopsAll stops the execution environments of a service's api that have a variable
// until the test's end: what they are asked meanwhile is never answered.
func (p *platform) stopsAll(t *testing.T, service, variable string) {
	t.Helper()
	stopped := fnproc.Find(p.outputs.Endpoint, p.function(service, "api"), variable)
	if len(stopped) == 0 {
		t.Fatal("there is nothing to stop")
	}
	for _, pid := range stopped {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for _, pid := range stopped {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have been meanwhile
		}
	})
}

// apart lets the balancer alone call a version of a service's api, until the test's
// end, and returns the variable by which the processes of that version are known: what
// becomes of them concerns nobody but who calls by the balancer.
func (p *platform) apart(t *testing.T, service string) string {
	t.Helper()
	const name, value = "TEST_CALLED_BY", "balancer"
	f := redeploy.New(endpoint.AWS(p.outputs.Endpoint, p.outputs.Region), p.function(service, "api"))
	live, err := f.Live(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	live.Variables[name] = value
	version, err := f.Publish(t.Context(), live.Variables)
	if err != nil {
		t.Fatal(err)
	}
	p.target(t, "tw-local-"+service, version.ARN)
	return name + "=" + value
}

// target puts a function behind the balancer in the place of a target group's, until
// the test's end.
func (p *platform) target(t *testing.T, group, function string) {
	t.Helper()
	client := elb.NewFromConfig(endpoint.AWS(p.outputs.Endpoint, p.outputs.Region))
	groups, err := client.DescribeTargetGroups(t.Context(), &elb.DescribeTargetGroupsInput{Names: []string{group}})
	if err != nil {
		t.Fatal(err)
	}
	arn := groups.TargetGroups[0].TargetGroupArn
	before, err := client.DescribeTargetHealth(t.Context(), &elb.DescribeTargetHealthInput{TargetGroupArn: arn})
	if err != nil {
		t.Fatal(err)
	}
	replace := func(ctx context.Context, old, new *string) {
		_, err := client.DeregisterTargets(ctx, &elb.DeregisterTargetsInput{TargetGroupArn: arn, Targets: []elbtypes.TargetDescription{{Id: old}}})
		if err != nil {
			t.Error(err)
		}
		_, err = client.RegisterTargets(ctx, &elb.RegisterTargetsInput{TargetGroupArn: arn, Targets: []elbtypes.TargetDescription{{Id: new}}})
		if err != nil {
			t.Error(err)
		}
	}
	original := before.TargetHealthDescriptions[0].Target.Id
	replace(t.Context(), original, aws.String(function))
	t.Cleanup(func() { replace(context.WithoutCancel(t.Context()), aws.String(function), original) })
}

// killsOneOf kills execution environments of a service's api that have a variable
// until the test's end, each in the middle of a call, if it has one. Seconds lie between
// two: a caller's budget is for one that is down, and not for all of them in a row.
func (p *platform) killsOneOf(t *testing.T, service, variable string) {
	t.Helper()
	stop := make(chan struct{})
	killed := make(chan int)
	go func() {
		n := 0
		for wait := time.Second; ; wait = 4 * time.Second {
			select {
			case <-stop:
				killed <- n
				return
			case <-time.After(wait):
			}
			if found := fnproc.Find(p.outputs.Endpoint, p.function(service, "api"), variable); len(found) > 0 {
				n += halt(found[0])
			}
		}
	}()
	t.Cleanup(func() {
		close(stop)
		if n := <-killed; n == 0 {
			t.Error("nothing was killed")
		}
	})
}

// halt stops a process where it is, so that what it is asked meanwhile is asked in
// vain, and kills it. It returns how many processes that were.
func halt(pid int) int {
	if syscall.Kill(pid, syscall.SIGSTOP) != nil {
		return 0
	}
	time.Sleep(300 * time.Millisecond)
	if syscall.Kill(pid, syscall.SIGKILL) != nil {
		return 0
	}
	return 1
}

func serve(t *testing.T, domain string) *network.Zone {
	t.Helper()
	zone, err := network.ListenZone(domain)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(zone.Close)
	return zone
}

func node(t *testing.T, balancer string) *network.Balancer {
	t.Helper()
	n, err := network.ListenBalancer(balancer)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	return n
}

func httpAt(at netip.AddrPort) string { return "http://" + at.String() }

// nobody is an address at which nobody listens: connections to it are refused.
func nobody(t *testing.T) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// silent is an address at which connections are taken, and nothing is ever said.
type silent struct {
	net.Listener
	heard atomic.Int32
}

func (s *silent) at() netip.AddrPort { return s.Addr().(*net.TCPAddr).AddrPort() }

// free is a port of this machine that nobody has.
var free = netip.MustParseAddrPort("127.0.0.1:0")

func newSilentAt(t *testing.T, at netip.AddrPort) *silent {
	t.Helper()
	l, err := net.Listen("tcp4", at.String())
	if err != nil {
		t.Fatal(err)
	}
	s := &silent{Listener: l}
	var group sync.WaitGroup
	group.Go(func() {
		var taken []net.Conn
		for {
			conn, err := l.Accept()
			if err != nil {
				break
			}
			s.heard.Add(1)
			taken = append(taken, conn)
		}
		for _, conn := range taken {
			_ = conn.Close()
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		group.Wait()
	})
	return s
}
