package stacks

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"

	"tradewind/infra/permissions"
	"tradewind/infra/service"
	"tradewind/infra/stages"
)

var (
	// withProviders are the templates of a stage that moves money and sends mails, and whose
	// services find each other by the registry.
	withProviders = sync.OnceValue(func() map[string]template {
		return synth("permissions", with(func(s *stages.Settings) {
			s.Discovery = service.Registry
			s.Payments = stages.Payments{Provider: "stripe", Secret: "arn:aws:secretsmanager:eu-central-1:111122223333:secret:stripe-AbCdEf"}
			s.Mail = stages.Mail{Provider: "ses", From: "shop@example.com", Admin: "admin@example.com"}
		}))
	})
	withCanary = sync.OnceValue(func() map[string]template {
		return synth("permissions-canary", with(func(s *stages.Settings) { s.Canary = "Canary10Percent5Minutes" }))
	})
	// besides is another stage in the same account.
	besides = sync.OnceValue(func() map[string]template {
		c := with(func(s *stages.Settings) { s.Discovery = service.Registry })
		c.Stage = "other"
		return synth("permissions-other", c)
	})
)

// bounds is a permissions boundary, as an account's owner would write one: the services that
// the platform needs, and nobody's permissions.
const bounds = `{"Version": "2012-10-17", "Statement": [
	{"Effect": "Allow", "Action": ["cloudwatch:*", "cognito-idp:*", "dynamodb:*", "ec2:*", "events:*", "lambda:*", "logs:*",
		"secretsmanager:*", "servicediscovery:*", "ses:*", "sqs:*"], "Resource": "*"},
	{"Effect": "Deny", "Action": ["iam:*", "sts:*"], "Resource": "*"}]}`

// rawOf are templates by the full names of their stacks, as package permissions takes them.
func rawOf(all map[string]template) map[string][]byte {
	raw := map[string][]byte{}
	for stack, tpl := range all {
		if !strings.HasPrefix(stack, "tradewind-") {
			stack = "tradewind-" + stage + "-" + stack
		}
		raw[stack] = []byte(tpl.raw)
	}
	return raw
}

func read(t *testing.T, raw map[string][]byte, bounds string) *permissions.Stage {
	t.Helper()
	s, err := permissions.Read(raw, map[string][]byte{"arn:aws:iam::111122223333:policy/bounds": []byte(bounds)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Every call that is made in a stage is allowed, no grant is there that no call needs, and
// no service reaches what is another's.
func TestPermissions(t *testing.T) {
	used, unseen := map[*permissions.Exception]int{}, maps.Clone(permissions.Code)
	for name, all := range map[string]map[string]template{
		"loadbalancer": onAWS(), "registry": byRegistry(), "dns": byDNS(), "providers": withProviders(),
		"every setting": fully(), "canary": withCanary(),
	} {
		report := read(t, rawOf(all), bounds).Check()
		report.Excuse(used)
		for _, f := range report.Functions {
			delete(unseen, f)
		}
		for _, fault := range report.Faults() {
			t.Errorf("%s: %s", name, fault)
		}
		t.Logf("%s: %d calls, %d grants and denials, %d unknown, %d tries of another's resources", name, report.Calls, report.Statements, len(report.Unknown), report.Crossings)
		if report.Calls < 400 || report.Statements < 240 || report.Crossings < 10_000 {
			t.Errorf("%s: too little was looked at", name)
		}
	}
	for name := range unseen {
		t.Errorf("Code has calls of %s, which no template has", name)
	}
	for i := range permissions.Exceptions {
		e := &permissions.Exceptions[i]
		t.Logf("%d exceptions: %s", used[e], e.Reason)
		if used[e] == 0 {
			t.Errorf("no grant needs the exception %s", e.Grant)
		}
	}
}

// Stages that share an account reach nothing of each other, whichever asks.
func TestPermissionsBesideAnotherStage(t *testing.T) {
	for name, all := range map[string]map[string]template{"registry": byRegistry(), "every setting": fully(), "canary": withCanary()} {
		one, other := read(t, rawOf(all), bounds), read(t, rawOf(besides()), bounds)
		for way, report := range map[string]permissions.Report{"to": one.Cross(other), "from": other.Cross(one)} {
			for _, fault := range report.Faults() {
				t.Errorf("%s %s the other stage: %s", name, way, fault)
			}
			t.Logf("%s %s the other stage: %d tries", name, way, report.Crossings)
			if report.Crossings < 15_000 {
				t.Errorf("%s %s the other stage: too little was tried", name, way)
			}
		}
	}
}

// Each change of a template that breaks a permission, or gives one too many, is found.
func TestPermissionsAreMissed(t *testing.T) {
	// statements changes those of a policy, which is found by a part of its id.
	statements := func(id string, change func([]any) []any) func(map[string]any) {
		return func(tpl map[string]any) {
			properties := only(t, tpl, id)
			document := properties["PolicyDocument"].(map[string]any)
			document["Statement"] = change(document["Statement"].([]any))
		}
	}
	without := func(action string) func([]any) []any {
		return func(list []any) []any {
			var kept []any
			for _, s := range list {
				if !strings.Contains(fmt.Sprint(s), action) {
					kept = append(kept, s)
				}
			}
			return kept
		}
	}
	each := func(change func(statement map[string]any)) func([]any) []any {
		return func(list []any) []any {
			for _, s := range list {
				change(s.(map[string]any))
			}
			return list
		}
	}
	allow := func(action, resource any) func([]any) []any {
		return func(list []any) []any {
			return append(list, map[string]any{"Effect": "Allow", "Action": action, "Resource": resource})
		}
	}
	onCondition := func(operator, key, value string) func([]any) []any {
		return each(func(s map[string]any) {
			if s["Effect"] == "Deny" {
				s["Condition"] = map[string]any{operator: map[string]any{key: value}}
			}
		})
	}
	anyTable := "arn:aws:dynamodb:eu-central-1:111122223333:table/*"
	const table = "arn:aws:dynamodb:eu-central-1:111122223333:table/tradewind-test-orders"
	tests := []mutation{
		{"a grant is removed", "orders", statements("ServiceApiRoleDefaultPolicy", without("/index/GSI1")),
			[]string{"no policy allows: orders/api: dynamodb:Query on " + table, "/index/GSI1"}},
		{"a poller's grant is removed", "orders", statements("ServiceRelayRoleDefaultPolicy", without("dynamodb:GetRecords")),
			[]string{"no policy allows: orders/relay: dynamodb:GetRecords on " + table, "/stream/"}},
		{"logs cannot be written", "orders", statements("ServiceRelayRoleDefaultPolicy", without("logs:PutLogEvents")),
			[]string{"no policy allows: orders/relay: logs:PutLogEvents on "}},
		{"dynamodb:* on the table", "orders", statements("ServiceApiRoleDefaultPolicy", allow("dynamodb:*", map[string]any{"Fn::GetAtt": []any{"ServiceTable603BACCB", "Arn"}})),
			[]string{"wider than its calls: orders/api ", ": dynamodb:* on " + table}},
		{"a grant on any table", "orders", statements("ServiceApiRoleDefaultPolicy", allow("dynamodb:GetItem", anyTable)),
			[]string{"reaches what is another's: orders/api: dynamodb:GetItem on ", ":table/tradewind-test-catalog"}},
		{"a grant that no call needs", "orders", statements("ServiceApiRoleDefaultPolicy", allow("s3:GetObject", "arn:aws:s3:::bucket/key")),
			[]string{"no call needs: orders/api ", ": s3:GetObject on arn:aws:s3:::bucket/key"}},
		{"an action on the table that no call needs", "orders", statements("ServiceApiRoleDefaultPolicy", allow("dynamodb:DeleteItem", map[string]any{"Fn::GetAtt": []any{"ServiceTable603BACCB", "Arn"}})),
			[]string{"no call needs: orders/api ", ": dynamodb:DeleteItem on " + table}},
		{"a rule cannot reach its queue", "orders", statements("ServiceConsumerQueuePolicy", without("events.amazonaws.com")),
			[]string{"no policy allows: tradewind-test-orders/ServiceConsumerRule", ": sqs:SendMessage on ", "tradewind-test-orders-consumer"}},
		{"a rule cannot reach its dead-letter queue", "orders", statements("ServiceRuleDlqPolicy", without("events.amazonaws.com")),
			[]string{"no policy allows: tradewind-test-orders/ServiceConsumerRule", "tradewind-test-orders-rule-dlq"}},
		{"a replay cannot", "orders", statements("ServiceConsumerQueuePolicy", each(func(s map[string]any) {
			if condition, ok := s["Condition"].(map[string]any)["ArnLike"].(map[string]any); ok {
				condition["aws:SourceArn"] = condition["aws:SourceArn"].([]any)[:1]
			}
		})), []string{"no policy allows: tradewind-test-orders/ServiceConsumerRule", " while it is replayed: sqs:SendMessage on "}},
		{"routes cannot call the alias", "orders", func(tpl map[string]any) { remove(t, tpl, "ServiceGatewayMayInvoke") },
			[]string{"no policy allows: tradewind-test-orders/ServiceRoute", "lambda:InvokeFunction on ", ":live"}},
		{"the balancer cannot", "orders", func(tpl map[string]any) { remove(t, tpl, "ServiceBalancerMayInvoke") },
			[]string{"no policy allows: tradewind-test-orders/ServiceTargetGroup"}},
		{"the balancer may by another group", "orders", func(tpl map[string]any) {
			only(t, tpl, "ServiceBalancerMayInvoke")["SourceArn"] = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:targetgroup/tw-test-users/*"
		}, []string{"no policy allows: tradewind-test-orders/ServiceTargetGroup"}},
		{"a schedule cannot", "orders", func(tpl map[string]any) { remove(t, tpl, "ServiceScheduleMayInvokeSweeper") },
			[]string{"no policy allows: tradewind-test-orders/ServiceSweeperSchedule"}},
		{"alarms cannot reach their topic", "platform", statements("AlarmsPolicy", without("cloudwatch.amazonaws.com")),
			[]string{"no policy allows: tradewind-test-", "Alarm", ": sns:Publish on "}},
		{"Lambda cannot take the role", "orders", func(tpl map[string]any) {
			document := only(t, tpl, "ServiceSweeperRole", "AWS::IAM::Role")["AssumeRolePolicyDocument"].(map[string]any)
			document["Statement"].([]any)[0].(map[string]any)["Principal"] = map[string]any{"Service": "ec2.amazonaws.com"}
		}, []string{"no policy allows: orders/sweeper: sts:AssumeRole on "}},
		{"the network has no way to the tables", "network", func(tpl map[string]any) { remove(t, tpl, "VpcDynamoDB") },
			[]string{"no policy allows: orders/api: dynamodb:GetItem on ", "the network has no endpoint of dynamodb"}},
		{"a denial denies every call", "orders", statements("ServiceConsumerQueuePolicy", onCondition("Bool", "aws:SecureTransport", "true")),
			[]string{"no policy allows: ", "tradewind-test-orders-consumer", "denied by a statement"}},
		{"a denial denies nothing", "orders", statements("ServiceConsumerQueuePolicy", onCondition("Bool", "aws:SecureTransport", "never")),
			[]string{"denies nothing: tradewind-test-orders/ServiceConsumerQueuePolicy"}},
		{"the code may attach its function to the network", "orders", statements("ServiceApiRoleDefaultPolicy", onCondition("ArnEquals", "lambda:SourceFunctionArn", "arn:aws:lambda:eu-central-1:111122223333:function:another")),
			[]string{"denies nothing: orders/api "}},
		{"Lambda may not", "orders", statements("ServiceApiRoleDefaultPolicy", each(func(s map[string]any) { delete(s, "Condition") })),
			[]string{"no policy allows: orders/api: ec2:CreateNetworkInterface on ", "denied by a statement"}},
		{"the network's way leads to no index", "network", statements("VpcDynamoDB", each(func(s map[string]any) { s["Resource"] = table })),
			[]string{"no policy allows: orders/api: dynamodb:Query on " + table + "/index/GSI1"}},
		{"a service is registered for another stage", "orders", func(tpl map[string]any) {
			only(t, tpl, "ServiceRegistered", "AWS::ServiceDiscovery::Service")["Tags"] = []any{map[string]any{"Key": "stage", "Value": "other"}}
		}, []string{"no policy allows: status/consumer: servicediscovery:UpdateInstanceCustomHealthStatus on "}},
		{"a function whose calls are not known", "orders", func(tpl map[string]any) {
			only(t, tpl, "ServiceSweeper", "AWS::Lambda::Function")["FunctionName"] = "tradewind-test-orders-reaper"
		}, []string{"not decided: the calls of orders/reaper are not known"}},
		{"a function that lacks a variable", "orders", func(tpl map[string]any) {
			delete(only(t, tpl, "ServiceSweeper", "AWS::Lambda::Function")["Environment"].(map[string]any)["Variables"].(map[string]any), "TABLE_NAME")
		}, []string{"not decided: orders/sweeper calls dynamodb.GetItem, and lacks TABLE_NAME"}},
		{"a role that nothing takes", "orders", func(tpl map[string]any) {
			only(t, tpl, "ServiceSweeper", "AWS::Lambda::Function")["Role"] = map[string]any{"Fn::GetAtt": []any{"ServiceConsumerRole2C888713", "Arn"}}
		}, []string{"no call needs: tradewind-test-orders/ServiceSweeperRole"}},
		{"an operator that cannot be evaluated", "orders", statements("ServiceConsumerQueuePolicy", onCondition("IpAddress", "aws:SourceIp", "10.0.0.0/8")),
			[]string{"not decided: ", "operator IpAddress"}},
		{"a key that requests may have", "orders", statements("ServiceConsumerQueuePolicy", onCondition("StringEquals", "aws:ResourceTag/stage", "test")),
			[]string{"not decided: ", "condition key aws:ResourceTag/stage"}},
	}
	missed(t, onAWS(), bounds, tests, (*permissions.Stage).Check)
	missed(t, byRegistry(), bounds, []mutation{
		{"the endpoint is for another namespace", "network", statements("VpcRegistry", each(func(s map[string]any) {
			s["Resource"].([]any)[0] = "arn:aws:servicediscovery:eu-central-1:111122223333:namespace/another"
		})), []string{"no policy allows: orders/api: servicediscovery:DiscoverInstances on ", ":namespace/"}},
		{"the endpoint is for all", "network", statements("VpcRegistry", each(func(s map[string]any) { s["Resource"] = "*" })),
			[]string{"wider than its calls: tradewind-test-network/VpcRegistry"}},
	}, (*permissions.Stage).Check)
	missed(t, withCanary(), bounds, []mutation{
		{"CodeDeploy cannot move an alias", "orders", statements("ServiceCanaryRoleDefaultPolicy", without("lambda:UpdateAlias")),
			[]string{"no policy allows: tradewind-test-orders/ServiceCanaryRole", ": lambda:UpdateAlias on ", ":function:tradewind-test-orders-api"}},
		{"CodeDeploy cannot see an alarm", "orders", statements("ServiceCanaryRoleDefaultPolicy", without("cloudwatch:DescribeAlarms")),
			[]string{"no policy allows: tradewind-test-orders/ServiceCanaryRole", ": cloudwatch:DescribeAlarms on "}},
		{"CodeDeploy may move any alias", "orders", statements("ServiceCanaryRoleDefaultPolicy", allow("lambda:UpdateAlias", "arn:aws:lambda:eu-central-1:111122223333:function:tradewind-test-*")),
			[]string{"reaches what is another's: tradewind-test-orders/ServiceCanaryRole", ": lambda:UpdateAlias on ", "tradewind-test-users-api"}},
	}, (*permissions.Stage).Check)
	missed(t, fully(), bounds, []mutation{
		{"the balancer cannot write its log", "network", statements("BalancerLogsPolicy", without("logdelivery")),
			[]string{"no policy allows: tradewind-test-network/Balancer", ": s3:PutObject on "}},
		{"the denial is of another bucket", "network", statements("BalancerLogsPolicy", each(func(s map[string]any) {
			if s["Effect"] == "Deny" {
				s["Resource"] = "arn:aws:s3:::another/*"
			}
		})), []string{"denies nothing: tradewind-test-network/BalancerLogsPolicy"}},
		{"the flow log cannot be written", "network", statements("VpcFlowLogIAMRoleDefaultPolicy", each(func(s map[string]any) { s["Action"] = "logs:CreateLogStream" })),
			[]string{"no policy allows: tradewind-test-network/VpcFlowLogIAMRole", ": logs:PutLogEvents on "}},
		{"the trigger cannot look up a user", "platform", statements("PreTokenLookUp", each(func(s map[string]any) { s["Action"] = "cognito-idp:AdminListGroupsForUser" })),
			[]string{"no policy allows: platform/pretoken: cognito-idp:AdminGetUser on "}},
		{"the pool cannot call its trigger", "platform", func(tpl map[string]any) { remove(t, tpl, "UsersPreTokenGenerationConfigCognito") },
			[]string{"no policy allows: tradewind-test-platform/Users", "PreTokenGenerationConfig: lambda:InvokeFunction on "}},
	}, (*permissions.Stage).Check)
	missed(t, fully(), strings.Replace(bounds, `, "sqs:*"`, "", 1), []mutation{
		{"the boundary has no queues", "orders", func(map[string]any) {},
			[]string{"no policy allows: orders/consumer: sqs:ReceiveMessage on "}},
	}, (*permissions.Stage).Check)
	missed(t, byRegistry(), bounds, []mutation{
		{"a table of another stage", "orders", statements("ServiceApiRoleDefaultPolicy", allow("dynamodb:GetItem", "arn:aws:dynamodb:eu-central-1:111122223333:table/tradewind-*-orders")),
			[]string{"reaches what is another's: orders/api: dynamodb:GetItem on ", ":table/tradewind-other-orders"}},
		{"health in another stage", "status", statements("ServiceConsumerRoleDefaultPolicy", each(func(s map[string]any) { delete(s, "Condition") })),
			[]string{"reaches what is another's: status/consumer: servicediscovery:UpdateInstanceCustomHealthStatus on ", ":service/tradewind-other-"}},
		{"another stage's bus", "orders", statements("ServiceRelayRoleDefaultPolicy", allow("events:PutEvents", "arn:aws:events:eu-central-1:111122223333:event-bus/*")),
			[]string{"reaches what is another's: orders/relay: events:PutEvents on ", ":event-bus/tradewind-other"}},
	}, func(s *permissions.Stage) permissions.Report { return s.Cross(read(t, rawOf(besides()), bounds)) })
}

// mutation is a change of a stack's template, with the parts of a fault that it must cause.
type mutation struct {
	name, stack string
	change      func(map[string]any)
	want        []string
}

func missed(t *testing.T, all map[string]template, bounds string, mutations []mutation, check func(*permissions.Stage) permissions.Report) {
	t.Helper()
	for _, test := range mutations {
		t.Run(test.name, func(t *testing.T) {
			raw := rawOf(all)
			name := "tradewind-" + stage + "-" + test.stack
			var tpl map[string]any
			if err := json.Unmarshal(raw[name], &tpl); err != nil {
				t.Fatal(err)
			}
			test.change(tpl)
			var err error
			if raw[name], err = json.Marshal(tpl); err != nil {
				t.Fatal(err)
			}
			report := check(read(t, raw, bounds))
			report.Excuse(map[*permissions.Exception]int{})
			faults := report.Faults()
		next:
			for _, fault := range faults {
				for _, part := range test.want {
					if !strings.Contains(fault, part) {
						continue next
					}
				}
				return
			}
			t.Errorf("want a fault with %q, got %d: %q", test.want, len(faults), faults[:min(len(faults), 3)])
		})
	}
}

// A reference that cannot be resolved is an error, not a permission.
func TestPermissionsUnresolved(t *testing.T) {
	raw := rawOf(onAWS())
	for stack, text := range raw {
		raw[stack] = []byte(strings.Replace(string(text), `"Fn::GetAtt"`, `"Fn::ImportValue"`, 1))
	}
	if _, err := permissions.Read(raw, nil); err == nil || !strings.Contains(err.Error(), "Fn::ImportValue") {
		t.Error(err)
	}
}

// only is the properties of the one resource whose logical id begins so, of a type where
// several do.
func only(t *testing.T, tpl map[string]any, id string, kind ...string) map[string]any {
	t.Helper()
	var found []map[string]any
	for name, r := range tpl["Resources"].(map[string]any) {
		r := r.(map[string]any)
		if strings.HasPrefix(name, id) && (len(kind) == 0 || r["Type"] == kind[0]) {
			found = append(found, r["Properties"].(map[string]any))
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d resources are called %s", len(found), id)
	}
	return found[0]
}

func remove(t *testing.T, tpl map[string]any, id string) {
	t.Helper()
	only(t, tpl, id)
	maps.DeleteFunc(tpl["Resources"].(map[string]any), func(name string, _ any) bool { return strings.HasPrefix(name, id) })
}
