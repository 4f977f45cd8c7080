package stacks

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// These tests look for what AWS refuses although the CDK, cfn-lint and the local
// endpoint accept it: a deployment would fail.

// everyMode runs an assertion for the templates of every way of discovery, of both
// kinds, and of stages whose files say more.
func everyMode(t *testing.T, check func(t *testing.T, all map[string]template)) {
	t.Helper()
	for name, synthesised := range map[string]func() map[string]template{
		"loadbalancer": onAWS, "registry": byRegistry, "dns": byDNS,
		"every setting": fully, "other settings": otherwise, "prod": inProd,
		"loadbalancer, locally": locally, "registry, locally": byRegistryLocally, "dns, locally": byDNSLocally,
	} {
		t.Run(name, func(t *testing.T) { check(t, synthesised()) })
	}
}

// hostCondition is what the API reference of Elastic Load Balancing says of the values
// of HostHeaderConditionConfig: letters, digits and -, the wildcards * and ?, at least
// one dot, and behind the last dot letters only.
var hostCondition = regexp.MustCompile(`^[A-Za-z0-9.*?-]*\.[A-Za-z]+$`)

// hostConditionMax is how many characters a value may have.
const hostConditionMax = 128

func TestHostConditions(t *testing.T) {
	everyMode(t, func(t *testing.T, all map[string]template) {
		found := 0
		for stack, tpl := range all {
			for id, rule := range tpl.of("AWS::ElasticLoadBalancingV2::ListenerRule") {
				for _, host := range hostConditions(rule) {
					found++
					if !hostCondition.MatchString(host) || len(host) > hostConditionMax {
						t.Errorf("%s/%s: the balancer refuses the host condition %q", stack, id, host)
					}
				}
			}
		}
		if found < len(services) {
			t.Errorf("%d host conditions for %d services", found, len(services))
		}
	})
}

// hostConditions are the values of a listener rule's host conditions.
func hostConditions(rule resource) []string {
	var hosts []string
	for _, c := range rule.at("Conditions").([]any) {
		if condition := (resource{Properties: c.(map[string]any)}); condition.at("Field") == "host-header" {
			hosts = append(hosts, texts(condition.at("HostHeaderConfig", "Values"))...)
		}
	}
	return hosts
}

// An empty string is not an absent property: a service may refuse it, and one does so in
// some regions only.
func TestNoPropertyIsEmpty(t *testing.T) {
	everyMode(t, func(t *testing.T, all map[string]template) {
		for stack, tpl := range all {
			for id, r := range tpl.Resources {
				for _, path := range empty(r.Type, r.Properties) {
					t.Errorf("%s/%s: %s is an empty string", stack, id, path)
				}
			}
		}
	})
}

// empty lists the paths to empty strings in a value of a template. The arguments of
// intrinsic functions are left out: a join has an empty separator, and Fn::GetAZs of ""
// means the stack's region.
func empty(path string, v any) []string {
	var found []string
	switch v := v.(type) {
	case string:
		if v == "" {
			found = append(found, path)
		}
	case []any:
		for i, item := range v {
			found = append(found, empty(fmt.Sprint(path, ".", i), item)...)
		}
	case map[string]any:
		for key, item := range v {
			if !strings.HasPrefix(key, "Fn::") {
				found = append(found, empty(path+"."+key, item)...)
			}
		}
	}
	return found
}
