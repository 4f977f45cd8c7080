package stacks

import "testing"

// A service's functions are called through their aliases, so that a deployment moves
// all callers at once, and they can be moved back: the version before is kept. One that
// a failed deployment has published is not, or the next deployment could not publish
// the same again.
func TestVersions(t *testing.T) {
	targets(t, func(t *testing.T, all map[string]template) {
		for _, f := range functions(all) {
			if f.stack == "platform" {
				continue // asked by deployments alone
			}
			tpl, aliases := all[f.stack], 0
			for id, alias := range tpl.of("AWS::Lambda::Alias") {
				if ref(alias.at("FunctionName")) != f.id {
					continue
				}
				aliases++
				version := tpl.Resources[ref(alias.at("FunctionVersion"))]
				if alias.at("Name") != "live" || version.Type != "AWS::Lambda::Version" || ref(version.at("FunctionName")) != f.id {
					t.Errorf("%s: alias %v is of %v", f, alias.at("Name"), alias.at("FunctionVersion"))
				}
				if version.DeletionPolicy != "RetainExceptOnCreate" || version.UpdateReplacePolicy != "Retain" {
					t.Errorf("%s: the version before is %q, that of a failed deployment %q", f, version.UpdateReplacePolicy, version.DeletionPolicy)
				}
				if !tpl.called(id) {
					t.Errorf("%s: nothing calls the alias", f)
				}
			}
			if aliases != 1 {
				t.Errorf("%s has %d aliases", f, aliases)
			}
			if tpl.called(f.id) {
				t.Errorf("%s is called past its alias", f)
			}
		}
	})
}

// called reports whether a reference to a function or an alias is in a place by which
// AWS calls it.
func (t template) called(id string) bool {
	for _, r := range t.Resources {
		var callee any
		switch r.Type {
		case "AWS::ApiGatewayV2::Integration":
			callee = r.at("IntegrationUri")
		case "AWS::ElasticLoadBalancingV2::TargetGroup":
			callee = r.at("Targets", 0, "Id")
		case "AWS::Lambda::EventSourceMapping", "AWS::Lambda::Permission":
			callee = r.at("FunctionName")
		case "AWS::Events::Rule":
			callee = r.at("Targets", 0, "Arn")
		}
		if callee != nil && ref(callee) == id {
			return true
		}
	}
	return false
}
