package stacks

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"tradewind/infra/stages"
)

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

// The versions that a deployment brought are written down together, after every alias
// leads to its own: the parameter's history then has what to go back to.
func TestVersionsAreWrittenDown(t *testing.T) {
	targets(t, func(t *testing.T, all map[string]template) {
		for _, s := range services {
			tpl := all[s.name]
			var want, after []string
			for id, a := range tpl.of("AWS::Lambda::Alias") {
				name := tpl.Resources[ref(a.at("FunctionName"))].at("FunctionName").(string)
				want = append(want, strings.TrimPrefix(name, "tradewind-test-"+s.name+"-")+"="+ref(a.at("FunctionVersion"))+".Version")
				after = append(after, id)
			}
			slices.Sort(want)
			written := 0
			for id, p := range tpl.of("AWS::SSM::Parameter") {
				if p.at("Name") != "/tradewind/test/"+s.name+"/versions" {
					t.Errorf("%s writes %v", s.name, p.at("Name"))
					continue
				}
				written++
				value := tpl.expand(p.at("Value"), func(name string) string { return name })
				if diff := cmp.Diff(strings.Join(want, " "), value); diff != "" {
					t.Errorf("%s: %s", s.name, diff)
				}
				if diff := cmp.Diff(after, p.DependsOn); diff != "" {
					t.Errorf("%s: %s does not wait for all aliases: %s", s.name, id, diff)
				}
			}
			if written != 1 {
				t.Errorf("%s writes its versions %d times", s.name, written)
			}
		}
	})
}

// A stage that asks for it has every new version tried on a part of the calls, and taken
// back when it fails. The api functions' answers count too, and nothing that waits in a
// queue does: it would keep out the version that mends it.
func TestCanary(t *testing.T) {
	for stack, tpl := range onAWS() {
		if strings.Contains(tpl.raw, "CodeDeploy") {
			t.Errorf("%s has a canary that nobody asked for", stack)
		}
	}
	all := synth("canary", with(func(s *stages.Settings) { s.Canary = "Canary10Percent5Minutes" }))
	for _, f := range functions(all) {
		if f.stack == "platform" {
			continue
		}
		tpl := all[f.stack]
		live := tpl.live(f)
		policy, _ := live.UpdatePolicy["CodeDeployLambdaAliasUpdate"].(map[string]any)
		application, group := tpl.Resources[ref(policy["ApplicationName"])], tpl.Resources[ref(policy["DeploymentGroupName"])]
		if len(group.DependsOn) != 1 || tpl.Resources[group.DependsOn[0]].Type != "AWS::IAM::Policy" {
			t.Errorf("%s: CodeDeploy waits for %v and not for its permissions", f, group.DependsOn)
		}
		if application.at("ComputePlatform") != "Lambda" || ref(group.at("ApplicationName")) != ref(policy["ApplicationName"]) {
			t.Errorf("%s is deployed by %v", f, policy)
			continue
		}
		if group.at("DeploymentConfigName") != "CodeDeployDefault.LambdaCanary10Percent5Minutes" || group.at("AlarmConfiguration", "Enabled") != true ||
			group.at("DeploymentStyle", "DeploymentType") != "BLUE_GREEN" || group.at("DeploymentStyle", "DeploymentOption") != "WITH_TRAFFIC_CONTROL" {
			t.Errorf("%s: %v", f, group.Properties)
		}
		events := []any{"DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"}
		if diff := cmp.Diff(events, group.at("AutoRollbackConfiguration", "Events")); diff != "" || group.at("AutoRollbackConfiguration", "Enabled") != true {
			t.Errorf("%s is taken back: %s", f, diff)
		}
		name := f.at("FunctionName").(string)
		want := []string{"AWS/Lambda Errors of " + name + " " + name + ":live Version: Sum >= 1, 2 of 3 × 60 s"}
		if f.kind == "api" {
			for _, a := range tpl.of("AWS::CloudWatch::Alarm") {
				if strings.HasPrefix(a.at("AlarmDescription").(string), f.stack+" fails, ") {
					want = append(want, tpl.alarm(f.stack, a))
				}
			}
		}
		var got []string
		for _, a := range group.at("AlarmConfiguration", "Alarms").([]any) {
			alarm := tpl.Resources[ref(a.(map[string]any)["Name"])]
			got = append(got, tpl.alarm(f.stack, alarm))
			if version := alarm.at("Dimensions", 2, "Value"); version != nil && tpl.Resources[ref(version)].at("FunctionName", "Ref") != f.id {
				t.Errorf("%s is taken back when %v fails", f, version)
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s is taken back when: %s", f, diff)
		}
		deployer := function{resource: resource{Properties: map[string]any{"Role": group.at("ServiceRoleArn")}}}
		functions := "arn:{AWS::Partition}:lambda:{AWS::Region}:{AWS::AccountId}:function:tradewind-test-" + f.stack + "-*"
		may := []string{
			"cloudwatch:DescribeAlarms on arn:{AWS::Partition}:cloudwatch:{AWS::Region}:{AWS::AccountId}:alarm:*",
			"lambda:GetAlias on " + functions, "lambda:GetProvisionedConcurrencyConfig on " + functions, "lambda:UpdateAlias on " + functions,
		}
		if diff := cmp.Diff(may, deployer.grants(tpl)); diff != "" {
			t.Errorf("%s: CodeDeploy may: %s", f, diff)
		}
	}
}

// values are two values of everything that a function's configuration refers to. The
// first ones are the longest there are. Keys are parameters or types of resources.
var values = map[string][2]string{
	"network/alb-url": {
		"http://internal-tradewind-longname-1234567890.ap-southeast-1.elb.amazonaws.com",
		"http://internal-tradewind-longname-1234567891.ap-southeast-1.elb.amazonaws.com",
	},
	"network/dns-server":                {"127.0.0.1:10053", "127.0.0.1:10054"},
	"network/namespace-id":              {"ns-abcdefghijklmnop", "ns-abcdefghijklmnoq"},
	"network/subnet-a":                  {"subnet-0123456789abcdef0", "subnet-0123456789abcdef2"},
	"network/subnet-b":                  {"subnet-0123456789abcdef1", "subnet-0123456789abcdef3"},
	"network/callers-security-group-id": {"sg-0123456789abcdef0", "sg-0123456789abcdef1"},

	"platform/bus-name": {"tradewind-longname", "tradewind-shortname"},
	"platform/cursor-key-arn": {
		"arn:aws:secretsmanager:ap-southeast-1:111122223333:secret:CursorKey12B2F1AB34-a1b2c3d4e5f6-A1b2C3",
		"arn:aws:secretsmanager:ap-southeast-1:111122223333:secret:CursorKey13B2F1AB34-a1b2c3d4e5f6-A1b2C3",
	},
	"platform/issuer": {
		"https://cognito-idp.ap-southeast-1.amazonaws.com/ap-southeast-1_AbCdEfGhI",
		"https://cognito-idp.ap-southeast-1.amazonaws.com/ap-southeast-1_AbCdEfGhJ",
	},
	"platform/pool-keys":    {strings.Repeat("k", 2500), strings.Repeat("l", 2500)}, // as many as the resource lets through
	"platform/pool-keys-id": {"0123456789ab", "0123456789ac"},
	"platform/pool-keys-url": {
		"https://cognito-idp.ap-southeast-1.amazonaws.com/ap-southeast-1_AbCdEfGhI/.well-known/jwks.json",
		"https://cognito-idp.ap-southeast-1.amazonaws.com/ap-southeast-1_AbCdEfGhJ/.well-known/jwks.json",
	},
	"platform/user-pool-client-id": {"0123456789abcdefghijklmnop", "0123456789abcdefghijklmnoq"},
	"platform/user-pool-id":        {"ap-southeast-1_AbCdEfGhI", "ap-southeast-1_AbCdEfGhJ"},

	"AWS::SQS::Queue": {
		"https://sqs.ap-southeast-1.amazonaws.com/111122223333/tradewind-longname-service-of-20-letter-consumer-dlq-0123abcd",
		"https://sqs.ap-southeast-1.amazonaws.com/111122223333/tradewind-longname-service-of-20-letter-consumer-dlq-0123abce",
	},
	"AWS::SQS::Queue.QueueName": {
		"tradewind-longname-service-of-20-letter-consumer-dlq-0123abcd",
		"tradewind-longname-service-of-20-letter-consumer-dlq-0123abce",
	},
	"AWS::EC2::SecurityGroup.GroupId": {"sg-0123456789abcdef0", "sg-0123456789abcdef1"},
}

// together are values that change together with the one of the key.
var together = map[string]string{
	"platform/pool-keys":        "platform/pool-keys-id",
	"AWS::SQS::Queue":           "AWS::SQS::Queue.QueueName",
	"AWS::SQS::Queue.QueueName": "AWS::SQS::Queue",
}

// A new value of what a function reads reaches its callers with the next deployment of
// its stack: the function and its version change at once. AWS changes the alias for a
// new version only, publishes one only if its resource changes, and refuses to if the
// function has not. Both hold what the values make of them.
func TestValuesReachTheAlias(t *testing.T) {
	everyMode(t, func(t *testing.T, all map[string]template) {
		published := 0
		for _, f := range functions(all) {
			tpl := all[f.stack]
			if f.stack == "platform" {
				continue
			}
			published++
			description := tpl.Resources[ref(tpl.live(f).at("FunctionVersion"))].at("Description")
			was := tpl.configuration(f, "")
			before := tpl.valued(description, "")
			if len(before) > 256 {
				t.Errorf("%s: a version's description has %d characters, 256 are allowed: %s", f, len(before), before)
			}
			if size := environment(was); size > 4096 {
				t.Errorf("%s: the variables have %d bytes, 4096 are allowed", f, size)
			}
			for name := range values {
				if name == "network/dns-server" {
					continue // of the local endpoint alone, which gives it to finished functions
				}
				function := tpl.configuration(f, name) != was
				version := tpl.valued(description, name) != before
				if function != version {
					t.Errorf("%s: a new %s changes the function: %v, its version: %v", f, name, function, version)
				}
			}
		}
		if published == 0 {
			t.Error("no function has a version")
		}
	})
}

// live is a function's alias.
func (t template) live(f function) resource {
	for _, alias := range t.of("AWS::Lambda::Alias") {
		if ref(alias.at("FunctionName")) == f.id {
			return alias
		}
	}
	return resource{}
}

// configuration is what a function's values are: a line for each variable, and its
// network. The other values are the first, that of changed and what changes with it is
// the second.
func (t template) configuration(f function, changed string) string {
	var b strings.Builder
	variables := f.at("Environment", "Variables").(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		fmt.Fprintf(&b, "%s=%s\n", name, t.valued(variables[name], changed))
	}
	for _, property := range []string{"SubnetIds", "SecurityGroupIds"} {
		list, _ := f.at("VpcConfig", property).([]any)
		for _, id := range list {
			fmt.Fprintf(&b, "\t%s\n", t.valued(id, changed))
		}
	}
	return b.String()
}

// environment is the size of the variables in a configuration.
func environment(configuration string) int {
	size := 0
	for line := range strings.Lines(configuration) {
		if !strings.HasPrefix(line, "\t") {
			size += len(line) - len("=\n")
		}
	}
	return size
}

// valued is a value of the template as text, with the first of all values but that of
// changed.
func (t template) valued(v any, changed string) string {
	if v == nil {
		return ""
	}
	return t.expand(v, func(name string) string {
		if id, attribute, ok := strings.Cut(name, "."); ok {
			name = t.Resources[id].Type + "." + attribute
		} else if r, ok := t.Resources[name]; ok {
			name = r.Type
		}
		both, known := values[name]
		if !known {
			panic("what is the value of " + name + "?")
		}
		if changed != "" && (name == changed || name == together[changed]) {
			return both[1]
		}
		return both[0]
	})
}
