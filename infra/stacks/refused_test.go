package stacks

import (
	"fmt"
	"strings"
	"testing"
)

// These tests look for what AWS refuses although the CDK, cfn-lint and the local
// endpoint accept it: a deployment would fail.

// everyMode runs an assertion for the templates of every way of discovery, of both
// kinds.
func everyMode(t *testing.T, check func(t *testing.T, all map[string]template)) {
	t.Helper()
	for name, synthesised := range map[string]func() map[string]template{
		"loadbalancer": onAWS, "registry": byRegistry, "dns": byDNS,
		"loadbalancer, locally": locally, "registry, locally": byRegistryLocally, "dns, locally": byDNSLocally,
	} {
		t.Run(name, func(t *testing.T) { check(t, synthesised()) })
	}
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
