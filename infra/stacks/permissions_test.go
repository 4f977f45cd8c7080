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

// withProviders are the templates of a stage that moves money and sends mails, and whose
// services find each other by the registry: no stage asks for more permissions.
var withProviders = sync.OnceValue(func() map[string]template {
	return synth("permissions", with(func(s *stages.Settings) {
		s.Discovery = service.Registry
		s.Payments = stages.Payments{Provider: "stripe", Secret: "arn:aws:secretsmanager:eu-central-1:111122223333:secret:stripe-AbCdEf"}
		s.Mail = stages.Mail{Provider: "ses", From: "shop@example.com", Admin: "admin@example.com"}
	}))
})

// Every call that is made in a stage is allowed, no grant is there that no call needs, and
// no service reaches what is another's.
func TestPermissions(t *testing.T) {
	used := map[*permissions.Exception]int{}
	for name, all := range map[string]map[string]template{
		"loadbalancer": onAWS(), "registry": byRegistry(), "dns": byDNS(), "providers": withProviders(),
	} {
		raw := map[string][]byte{}
		for stack, tpl := range all {
			raw["tradewind-"+stage+"-"+stack] = []byte(tpl.raw)
		}
		report := held(t, raw, used)
		for _, fault := range report.Faults() {
			t.Errorf("%s: %s", name, fault)
		}
		t.Logf("%s: %d calls, %d grants and denials, %d unknown, %d tries of another's resources", name, report.Calls, report.Statements, len(report.Unknown), report.Crossings)
		if report.Calls < 400 || report.Statements < 300 || report.Crossings < 10_000 {
			t.Errorf("%s: too little was looked at", name)
		}
	}
	for i := range permissions.Exceptions {
		e := &permissions.Exceptions[i]
		t.Logf("%d exceptions: %s", used[e], e.Reason)
		if used[e] == 0 {
			t.Errorf("no grant needs the exception %s", e.Grant)
		}
	}
}

func held(t *testing.T, raw map[string][]byte, used map[*permissions.Exception]int) permissions.Report {
	t.Helper()
	s, err := permissions.Read(raw, nil)
	if err != nil {
		t.Fatal(err)
	}
	report := s.Check()
	report.Excuse(used)
	return report
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
	const table = "arn:aws:dynamodb:eu-central-1:111122223333:table/tradewind-test-orders-ServiceTable"
	tests := []struct {
		name, stack string
		change      func(map[string]any)
		want        []string // parts of one fault
	}{
		{"a grant is removed", "orders", statements("ServiceApiRoleDefaultPolicy", without("/index/GSI1")),
			[]string{"no policy allows: orders/api: dynamodb:Query on " + table, "/index/GSI1"}},
		{"a poller's grant is removed", "orders", statements("ServiceRelayRoleDefaultPolicy", without("dynamodb:GetRecords")),
			[]string{"no policy allows: orders/relay: dynamodb:GetRecords on " + table, "/stream/"}},
		{"logs cannot be written", "orders", statements("ServiceRelayRoleDefaultPolicy", without("logs:PutLogEvents")),
			[]string{"no policy allows: orders/relay: logs:PutLogEvents on "}},
		{"dynamodb:* on the table", "orders", statements("ServiceApiRoleDefaultPolicy", allow("dynamodb:*", map[string]any{"Fn::GetAtt": []any{"ServiceTable603BACCB", "Arn"}})),
			[]string{"wider than its calls: orders/api ", ": dynamodb:* on " + table}},
		{"a grant on any table", "orders", statements("ServiceApiRoleDefaultPolicy", allow("dynamodb:GetItem", anyTable)),
			[]string{"reaches another service: orders/api: dynamodb:GetItem on ", "tradewind-test-catalog-"}},
		{"a grant that no call needs", "orders", statements("ServiceApiRoleDefaultPolicy", allow("s3:GetObject", "arn:aws:s3:::bucket/key")),
			[]string{"no call needs: orders/api ", ": s3:GetObject on arn:aws:s3:::bucket/key"}},
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
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			raw := map[string][]byte{}
			for stack, tpl := range onAWS() {
				raw["tradewind-"+stage+"-"+stack] = []byte(tpl.raw)
			}
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
			faults := held(t, raw, map[*permissions.Exception]int{}).Faults()
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
	raw := map[string][]byte{}
	for stack, tpl := range onAWS() {
		raw["tradewind-"+stage+"-"+stack] = []byte(strings.Replace(tpl.raw, `"Fn::GetAtt"`, `"Fn::ImportValue"`, 1))
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
