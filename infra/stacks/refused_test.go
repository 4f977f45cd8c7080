package stacks

import (
	"sync"
	"testing"

	"tradewind/infra/awslimits"
	"tradewind/infra/awslimits/awslimitstest"
)

// These tests find templates that AWS refuses although the CDK, cfn-lint and the local
// endpoint accept them.

// modes are the templates of every way of discovery, of both kinds, and of stages whose
// files say more.
var modes = map[string]func() map[string]template{
	"loadbalancer": onAWS, "registry": byRegistry, "dns": byDNS,
	"every setting": fully, "other settings": otherwise, "prod": inProd,
	"loadbalancer, locally": locally, "registry, locally": byRegistryLocally, "dns, locally": byDNSLocally,
}

// everyMode runs an assertion for all of them.
func everyMode(t *testing.T, check func(t *testing.T, all map[string]template)) {
	t.Helper()
	for name, synthesised := range modes {
		t.Run(name, func(t *testing.T) { check(t, synthesised()) })
	}
}

// everyStage is the same templates for package awslimits.
var everyStage = sync.OnceValue(func() map[string]awslimits.Stage {
	all := map[string]awslimits.Stage{}
	for mode, synthesised := range modes {
		all[mode] = parsed(synthesised())
	}
	return all
})

func parsed(all map[string]template) awslimits.Stage {
	stage := awslimits.Stage{}
	for stack, tpl := range all {
		read, err := awslimits.Parse([]byte(tpl.raw))
		if err != nil {
			panic(err)
		}
		stage[stack] = read
	}
	return stage
}

// accepted are rules that are broken on purpose, with the reason.
var accepted = map[string]string{}

func TestAWSTakesTheTemplates(t *testing.T) {
	everyMode(t, func(t *testing.T, all map[string]template) {
		found := map[string]bool{}
		for _, f := range awslimits.Check(parsed(all)) {
			found[f.Rule] = true
			if accepted[f.Rule] == "" {
				t.Error(f)
			}
		}
		for rule := range accepted {
			if !found[rule] {
				t.Errorf("nothing breaks the rule %s any more: it need not be accepted", rule)
			}
		}
	})
}

// A check that finds nothing in these templates must find the fault of broken ones.
func TestAWSRefusesBrokenTemplates(t *testing.T) {
	awslimitstest.Run(t, everyStage())
}

// Stages live side by side in one account.
func TestStagesShareNoName(t *testing.T) {
	c := with(nil)
	c.Stage = "other"
	other := parsed(synth("other", c))
	mine := everyStage()["loadbalancer"]
	for _, f := range awslimits.SharedNames(map[string]awslimits.Stage{stage: mine, "other": other}) {
		t.Error(f)
	}
	if found := awslimits.SharedNames(map[string]awslimits.Stage{stage: mine, "copy": mine}); len(found) == 0 {
		t.Error("a stage shares no name with its copy")
	}
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
