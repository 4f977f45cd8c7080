package stacks

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tradewind/infra/service"
	"tradewind/infra/stages"
)

// finding are the templates in which services find each other in another way than by
// the balancer, which is that of onAWS and locally.
var finding = func(mode string, here bool) func() map[string]template {
	return sync.OnceValue(func() map[string]template {
		if here {
			return synth(mode+"-local", local(mode))
		}
		return synth(mode, with(func(s *stages.Settings) { s.Discovery = mode }))
	})
}

var (
	byRegistry, byRegistryLocally = finding(service.Registry, false), finding(service.Registry, true)
	byDNS, byDNSLocally           = finding(service.DNS, false), finding(service.DNS, true)
)

// What a way of discovery changes is configuration, permissions and the network:
// never a service that is only called, and no function's code.
func TestDiscoveryModesDiffer(t *testing.T) {
	configured := []string{
		"orders: AWS::Lambda::Alias.FunctionVersion",
		"orders: AWS::Lambda::Function.Environment",
		"orders: AWS::Lambda::Version added", // a version is named after what it holds
		"orders: AWS::Lambda::Version missing",
		"orders: AWS::SSM::Parameter.Value", // which refers to the versions
	}
	registry := []string{
		"network: AWS::EC2::SecurityGroup added",
		"network: AWS::EC2::VPCEndpoint added",
		"orders: AWS::IAM::Policy.PolicyDocument",
	}
	for name, modes := range map[string]struct {
		from, to map[string]template
		want     []string
	}{
		"registry":          {onAWS(), byRegistry(), slices.Concat(registry, configured)},
		"dns":               {onAWS(), byDNS(), configured},
		"registry, locally": {locally(), byRegistryLocally(), slices.Concat(registry, configured)},
		"dns, locally":      {locally(), byDNSLocally(), configured},
	} {
		slices.Sort(modes.want)
		if diff := cmp.Diff(modes.want, differences(modes.from, modes.to, "orders")); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// A function that calls others is told its way, and nothing of the other ways, which
// would hide that it uses the wrong one.
func TestDiscoveryVariables(t *testing.T) {
	const (
		balancer = "{network/alb-url}"
		server   = "{network/dns-server}"
	)
	for name, mode := range map[string]struct {
		all  map[string]template
		want map[string]string
	}{
		"loadbalancer":          {onAWS(), map[string]string{"DISCOVERY_MODE": "loadbalancer", "ALB_URL": balancer}},
		"registry":              {byRegistry(), map[string]string{"DISCOVERY_MODE": "registry", "DISCOVERY_NAMESPACE": "tradewind-test"}},
		"dns":                   {byDNS(), map[string]string{"DISCOVERY_MODE": "dns"}},
		"loadbalancer, locally": {locally(), map[string]string{"DISCOVERY_MODE": "loadbalancer", "ALB_URL": balancer}},
		"registry, locally":     {byRegistryLocally(), map[string]string{"DISCOVERY_MODE": "registry", "DISCOVERY_NAMESPACE": "tradewind-test"}},
		"dns, locally":          {byDNSLocally(), map[string]string{"DISCOVERY_MODE": "dns", "DNS_SERVER": server}},
	} {
		callers := 0
		for _, f := range functions(mode.all) {
			got := map[string]string{}
			for _, variable := range []string{"DISCOVERY_MODE", "ALB_URL", "DISCOVERY_NAMESPACE", "DNS_SERVER"} {
				if value := f.at("Environment", "Variables", variable); value != nil {
					got[variable] = mode.all[f.stack].describe(value)
				}
			}
			if f.at("VpcConfig") == nil {
				if len(got) > 0 {
					t.Errorf("%s: %s calls nobody, and has %v", name, f, got)
				}
				continue
			}
			callers++
			if diff := cmp.Diff(mode.want, got); diff != "" {
				t.Errorf("%s: %s: %s", name, f, diff)
			}
		}
		if callers == 0 {
			t.Errorf("%s: nobody calls", name)
		}
	}
}

// Only who asks the registry may, only about this stage, and only that.
func TestDiscoveryPermissions(t *testing.T) {
	for name, all := range map[string]map[string]template{"loadbalancer": onAWS(), "registry": byRegistry(), "dns": byDNS()} {
		for _, f := range functions(all) {
			if f.String() == "status/consumer" {
				continue // it asks for nothing, it writes: see TestRegistryHealth
			}
			var got, want []string
			for _, s := range f.statements(all[f.stack]) {
				for _, action := range oneOrMany(s["Action"]) {
					if !strings.HasPrefix(action.(string), "servicediscovery:Discover") {
						continue
					}
					got = append(got, action.(string))
					// The services' ids are not known; without the condition those of every stage are in reach.
					condition := map[string]any{"StringEquals": map[string]any{"servicediscovery:NamespaceName": "tradewind-test"}}
					if diff := cmp.Diff(condition, s["Condition"]); diff != "" {
						t.Errorf("%s: %s: %s: %s", name, f, action, diff)
					}
				}
			}
			if name == "registry" && f.at("VpcConfig") != nil {
				want = []string{"servicediscovery:DiscoverInstances", "servicediscovery:DiscoverInstancesRevision"}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %s: %s", name, f, diff)
			}
		}
	}
}

// The registry's endpoint is in both subnets, answers to the name that callers know,
// and lets in callers alone.
func TestRegistryEndpoint(t *testing.T) {
	tpl := byRegistry()["network"]
	n := 0
	for id, e := range tpl.of("AWS::EC2::VPCEndpoint") {
		if e.at("VpcEndpointType") != "Interface" {
			continue
		}
		n++
		if got := tpl.describe(e.at("ServiceName")); got != "com.amazonaws.{AWS::Region}.data-servicediscovery" {
			t.Errorf("%s leads to %s", id, got)
		}
		if subnets := e.at("SubnetIds").([]any); len(subnets) != 2 || e.at("PrivateDnsEnabled") != true {
			t.Errorf("%s is in %d subnets, with its own name: %v", id, len(subnets), e.at("PrivateDnsEnabled"))
		}
		groups := e.at("SecurityGroupIds").([]any)
		if len(groups) != 1 {
			t.Errorf("%s has the groups %v", id, groups)
		}
		tpl.letsInCallers(t, ref(groups[0]), 443)
	}
	if n != 1 {
		t.Errorf("%d endpoints", n)
	}
	for name, all := range map[string]map[string]template{"loadbalancer": onAWS(), "dns": byDNS()} {
		for id, e := range all["network"].of("AWS::EC2::VPCEndpoint") {
			if e.at("VpcEndpointType") != "Gateway" {
				t.Errorf("%s: %s is paid by the hour and used by nobody", name, id)
			}
		}
	}
}

// Every service is registered whichever way is used, so that only callers change with
// it, with the attributes that package discovery of the kit reads.
func TestServicesAreRegistered(t *testing.T) {
	for name, all := range map[string]map[string]template{
		"loadbalancer": onAWS(), "registry": byRegistry(), "dns": byDNS(), "locally": byRegistryLocally(),
	} {
		got := map[string]string{}
		for _, s := range services {
			tpl := all[s.name]
			for id, registered := range tpl.of("AWS::ServiceDiscovery::Service") {
				host := registered.at("Name").(string)
				got[s.name] = host
				if tpl.describe(registered.at("NamespaceId")) != "{network/namespace-id}" || registered.at("HealthCheckCustomConfig") == nil {
					t.Errorf("%s: %s: %v", name, host, registered.Properties)
				}
				instances := 0
				for _, i := range tpl.of("AWS::ServiceDiscovery::Instance") {
					instances++
					if ref(i.at("ServiceId")) != id {
						t.Errorf("%s: %s registers an instance of another", name, s.name)
					}
					attributes := map[string]string{}
					for key, value := range i.at("InstanceAttributes").(map[string]any) {
						attributes[key] = tpl.describe(value)
					}
					if diff := cmp.Diff(map[string]string{"url": "{network/alb-url}", "host": host + ".test.internal"}, attributes); diff != "" {
						t.Errorf("%s: %s: %s", name, host, diff)
					}
				}
				if instances != 1 {
					t.Errorf("%s: %s has %d instances", name, host, instances)
				}
			}
		}
		if diff := cmp.Diff(hosts, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
