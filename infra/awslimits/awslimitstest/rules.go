package awslimitstest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"tradewind/infra/awslimits"
)

// damage changes a copy of a stage so that a rule is broken. It reports whether it found
// a resource to change.
type damage func(awslimits.Stage) bool

// breakRule wants one more finding of a rule from one of the stages.
func breakRule(t *testing.T, stages map[string]awslimits.Stage, order []string, rule awslimits.Rule, i int, d damage) bool {
	for _, name := range order {
		broken := awslimits.Stage{}
		for stack, template := range stages[name] {
			template.Resources, template.Outputs = maps.Clone(template.Resources), maps.Clone(template.Outputs)
			broken[stack] = template
		}
		if d(broken) && len(rule.Check(broken)) > len(rule.Check(stages[name])) {
			return true
		}
	}
	t.Errorf("%s: damage %d was not refused", rule.Name, i)
	return false
}

// condition picks the resource that a damage changes.
type condition func(awslimits.Resource) bool

func having(path string) condition {
	return func(r awslimits.Resource) bool { return r.At(path) != nil }
}

func lacking(path string) condition {
	return func(r awslimits.Resource) bool { return r.At(path) == nil }
}

func equal(path string, v any) condition {
	return func(r awslimits.Resource) bool { return r.At(path) == v }
}

// change replaces the first resource of a type that meets the conditions.
func change(kind string, to func(awslimits.Resource) awslimits.Resource, which ...condition) damage {
	return func(s awslimits.Stage) bool {
		for _, stack := range slices.Sorted(maps.Keys(s)) {
			for _, id := range slices.Sorted(maps.Keys(s[stack].Resources)) {
				r := s[stack].Resources[id]
				if awslimits.TypeName(r.Type) == kind && !slices.ContainsFunc(which, func(c condition) bool { return !c(r) }) {
					s[stack].Resources[id] = to(r)
					return true
				}
			}
		}
		return false
	}
}

// put sets a property.
func put(kind, path string, v any, which ...condition) damage {
	return change(kind, func(r awslimits.Resource) awslimits.Resource {
		r.Properties = replaced(r.Properties, path, v).(map[string]any)
		return r
	}, which...)
}

// drop removes a property.
func drop(kind, path string, which ...condition) damage {
	outer, name := "", path
	if i := strings.LastIndex(path, "/"); i >= 0 {
		outer, name = path[:i], path[i+1:]
	}
	return change(kind, func(r awslimits.Resource) awslimits.Resource {
		r.Properties = replaced(r.Properties, outer, without(value(r.Properties, outer).(map[string]any), name)).(map[string]any)
		return r
	}, append(which, having(path))...)
}

// copies adds copies of a type's first resource to its stack.
func copies(kind string, n int, which ...condition) damage {
	return func(s awslimits.Stage) bool {
		for _, stack := range slices.Sorted(maps.Keys(s)) {
			for id, r := range s[stack].Resources {
				if r.Type != kind || slices.ContainsFunc(which, func(c condition) bool { return !c(r) }) {
					continue
				}
				for i := range n {
					s[stack].Resources[fmt.Sprint(id, "Copy", i)] = r
				}
				return true
			}
		}
		return false
	}
}

// times repeats an item of a list n times.
func times(kind, path string, n int, which ...condition) damage {
	return change(kind, func(r awslimits.Resource) awslimits.Resource {
		r.Properties = replaced(r.Properties, path, slices.Repeat([]any{r.At(path + "/0")}, n)).(map[string]any)
		return r
	}, append(which, having(path+"/0"))...)
}

// independent removes the dependencies that a resource declares.
func independent(kind string, which ...condition) damage {
	return change(kind, func(r awslimits.Resource) awslimits.Resource {
		r.DependsOn = nil
		return r
	}, which...)
}

const (
	custom   = "AWS::CloudFormation::CustomResource"
	fn       = "AWS::Lambda::Function"
	mapping  = "AWS::Lambda::EventSourceMapping"
	listener = "AWS::ElasticLoadBalancingV2::ListenerRule"
	group    = "AWS::ElasticLoadBalancingV2::TargetGroup"
	balancer = "AWS::ElasticLoadBalancingV2::LoadBalancer"
	route    = "AWS::ApiGatewayV2::Route"
	joint    = "AWS::ApiGatewayV2::Integration"
	checker  = "AWS::ApiGatewayV2::Authorizer"
	rule     = "AWS::Events::Rule"
	queue    = "AWS::SQS::Queue"
	policy   = "AWS::IAM::Policy"
	alarm    = "AWS::CloudWatch::Alarm"
	param    = "AWS::SSM::Parameter"
	table    = "AWS::DynamoDB::GlobalTable"
	client   = "AWS::Cognito::UserPoolClient"
	subnet   = "AWS::EC2::Subnet"
	security = "AWS::EC2::SecurityGroup"
	endpoint = "AWS::EC2::VPCEndpoint"
)

var (
	ofQueue  = lacking("StartingPosition")
	ofStream = having("StartingPosition")
	long     = func(n int) string { return strings.Repeat("x", n) }
)

// sources puts an event pattern into a rule on the bus.
func sources(values ...any) damage {
	return put(rule, "EventPattern", map[string]any{"source": values}, having("EventPattern"))
}

// metrics makes an alarm one on several metrics.
func metrics(queries ...any) damage { return put(alarm, "Metrics", queries) }

func query(id string, returned bool) map[string]any {
	return map[string]any{"Id": id, "Expression": "1", "ReturnData": returned}
}

// statement puts a statement into a role's policy.
func statement(key string, v any) damage { return put(policy, "PolicyDocument/Statement/0/"+key, v) }

// oneStack changes whatever is in the first stack.
func oneStack(to func(awslimits.Template) awslimits.Template) damage {
	return func(s awslimits.Stage) bool {
		stack := slices.Min(slices.Collect(maps.Keys(s)))
		s[stack] = to(s[stack])
		return true
	}
}

// breaks are the damages of each rule: at least one for each thing that it finds.
var breaks = map[string][]damage{
	"template-size": {
		copies(route, 500),
		oneStack(func(t awslimits.Template) awslimits.Template { t.Size = awslimits.MaxTemplate + 1; return t }),
		oneStack(func(t awslimits.Template) awslimits.Template {
			for i := range 201 {
				t.Outputs[fmt.Sprint("Output", i)] = map[string]any{"Value": "a"}
			}
			return t
		}),
		oneStack(func(t awslimits.Template) awslimits.Template {
			t.Parameters = map[string]awslimits.Parameter{}
			for i := range 201 {
				t.Parameters[fmt.Sprint("Parameter", i)] = awslimits.Parameter{Type: "String"}
			}
			return t
		}),
	},
	"dynamic-references": {put(fn, "Environment/Variables/MANY", strings.Repeat("{{resolve:ssm:/a}}", 61))},
	"references": {
		put(fn, "Role", map[string]any{"Fn::GetAtt": []any{"NoSuchRole", "Arn"}}),
		put(fn, "Environment/Variables/TABLE", map[string]any{"Ref": "NoSuchTable"}),
		put(fn, "Environment/Variables/NAME", map[string]any{"Fn::Sub": "${NoSuchTable.Arn}-x"}),
		change(fn, func(r awslimits.Resource) awslimits.Resource {
			r.Properties = replaced(r.Properties, "Role/Fn::GetAtt/1", "NoSuchAttribute").(map[string]any)
			return r
		}),
		change(fn, func(r awslimits.Resource) awslimits.Resource { r.DependsOn = []string{"NoSuchPolicy"}; return r }),
		func(s awslimits.Stage) bool { // two that wait for each other
			for _, t := range s {
				for id, r := range t.Resources {
					if r.Type == fn && len(r.DependsOn) > 0 {
						other := t.Resources[r.DependsOn[0]]
						other.DependsOn = []string{id}
						t.Resources[r.DependsOn[0]] = other
						return true
					}
				}
			}
			return false
		},
		oneStack(func(t awslimits.Template) awslimits.Template {
			t.Outputs["Nothing"] = map[string]any{"Value": map[string]any{"Ref": "NoSuchTable"}}
			return t
		}),
	},
	"logical-ids": {oneStack(func(t awslimits.Template) awslimits.Template {
		t.Resources["a-b"] = awslimits.Resource{Type: "AWS::SNS::Topic"}
		return t
	})},
	"unique-names": {copies(fn, 1), copies("AWS::Logs::LogGroup", 1), copies(param, 1), copies(group, 1)},
	"empty-text":   {put(fn, "Environment/Variables/NOTHING", ""), put("AWS::Events::Archive", "KmsKeyIdentifier", "")},
	"tags": {
		put(subnet, "Tags/0/Key", "aws:stage"), put(subnet, "Tags/0/Key", long(129)), put(subnet, "Tags/0/Value", long(257)), times(subnet, "Tags", 51),
	},
	"custom-resource-timeout": {put(custom, "ServiceTimeout", "3601"), put(custom, "ServiceTimeout", "1")},

	"environment-size":     {put(fn, "Environment/Variables/LONG", long(4096))},
	"environment-names":    {put(fn, "Environment/Variables/AWS_REGION", "eu-central-1"), put(fn, "Environment/Variables/AWS_LAMBDA_LOG_LEVEL", "DEBUG")},
	"function-limits":      {put(fn, "Timeout", 901.0), put(fn, "MemorySize", 10_241.0)},
	"function-policy-size": {copies("AWS::Lambda::Permission", 50)},
	"policy-before-use":    {independent(fn, having("VpcConfig")), independent(fn, having("Environment/Variables/DLQ_URL"))},
	"mapping-source": {
		drop(mapping, "StartingPosition", ofStream), put(mapping, "StartingPosition", "LATEST", ofQueue), put(mapping, "BisectBatchOnFunctionError", true, ofQueue),
		put(mapping, "ScalingConfig/MaximumConcurrency", 5.0, ofStream), put(mapping, "MaximumRecordAgeInSeconds", 59.0, ofStream),
	},
	"mapping-batch": {put(mapping, "BatchSize", 11.0, ofQueue)},
	"mapping-filters": {
		put(mapping, "FilterCriteria/Filters/0/Pattern", "{", ofStream), put(mapping, "FilterCriteria/Filters/0/Pattern", `{"body":["a"]}`, ofStream),
		put(mapping, "FilterCriteria/Filters/0/Pattern", `{"eventName":"INSERT"}`, ofStream), times(mapping, "FilterCriteria/Filters", 6, ofStream),
	},
	"queue-visibility": {put(queue, "VisibilityTimeout", 1.0, having("VisibilityTimeout"))},

	"api-quotas": {
		copies(route, 300), copies(joint, 300), copies(checker, 10), times(checker, "JwtConfiguration/Audience", 51),
		put(route, "AuthorizationScopes", slices.Repeat([]any{"a"}, 11)),
	},
	"api-routes":      {put(route, "RouteKey", "/api/orders"), put(route, "RouteKey", "GET /api/{proxy+}/more"), copies(route, 1)},
	"api-integration": {put(joint, "PayloadFormatVersion", "3.0"), put(joint, "IntegrationType", "HTTP"), put(joint, "TimeoutInMillis", 1000.0)},
	"api-authorizer": {
		drop(checker, "JwtConfiguration/Issuer"), drop(checker, "IdentitySource"), put(checker, "IdentitySource", []any{"Authorization"}),
		put(route, "AuthorizationType", "NONE", having("AuthorizerId")), put(route, "AuthorizationType", "JWT", lacking("AuthorizerId")),
	},

	"host-conditions": {
		put(listener, "Conditions/0/HostHeaderConfig/Values/0", "order-service", having("Conditions/0/HostHeaderConfig")),
		put(listener, "Conditions/0/HostHeaderConfig/Values/0", "order-service.*", having("Conditions/0/HostHeaderConfig")),
		put(listener, "Conditions/0/HostHeaderConfig/Values/0", long(125)+".com", having("Conditions/0/HostHeaderConfig")),
	},
	"path-conditions": {
		put(listener, "Conditions/0/PathPatternConfig/Values/0", "/api/{id}", having("Conditions/0/PathPatternConfig")),
		put(listener, "Conditions/0/PathPatternConfig/Values/0", "/"+long(128), having("Conditions/0/PathPatternConfig")),
	},
	"listener-quotas": {
		copies(listener, 100), copies(group, 100), times(listener, "Conditions/0/PathPatternConfig/Values", 6),
		put(listener, "Conditions/0/PathPatternConfig/Values/0", "/*/*/*/*/*/*", having("Conditions/0/PathPatternConfig")),
	},
	"listener-priorities": {copies(listener, 1), put(listener, "Priority", 50_001.0)},
	"fixed-response":      {put("AWS::ElasticLoadBalancingV2::Listener", "DefaultActions/0/FixedResponseConfig/ContentType", "application/problem+json")},
	"balancer-names":      {put(group, "Name", long(33)), put(group, "Name", "a_b"), put(group, "Name", "a-"), put(balancer, "Name", "internal-a")},
	"balancer-subnets":    {times(balancer, "Subnets", 2)},
	"health-check":        {put(group, "HealthCheckTimeoutSeconds", 60.0)},
	"function-target-group": {
		put(group, "Port", 80.0), times(group, "Targets", 2), independent(group),
	},

	"rule-targets": {times(rule, "Targets", 2), func(s awslimits.Stage) bool {
		var targets []any
		for i := range 6 {
			targets = append(targets, map[string]any{"Id": fmt.Sprint(i), "Arn": "arn:aws:sqs:eu-central-1:111122223333:a"})
		}
		return put(rule, "Targets", targets)(s)
	}},
	"bus-quotas": {
		copies(rule, 300, having("EventPattern")), sources(long(2048)),
		func(s awslimits.Stage) bool {
			return sources(map[string]any{"wildcard": "a*"})(s) &&
				copies(rule, 30, equal("EventPattern/source/0/wildcard", "a*"))(s)
		},
	},
	"bus-name": {put("AWS::Events::EventBus", "Name", "a/b"), put("AWS::Events::EventBus", "Name", "default")},
	"event-pattern": {
		put(rule, "EventPattern", map[string]any{}, having("EventPattern")), put(rule, "EventPattern", map[string]any{"source": "orders"}, having("EventPattern")),
		put("AWS::Events::Archive", "EventPattern", map[string]any{"account": []any{}}),
		sources(), sources([]any{"a"}), sources(map[string]any{"starts-with": "a"}), sources(map[string]any{"prefix": "a", "suffix": "b"}),
		sources(map[string]any{"prefix": 1.0}), sources(map[string]any{"exists": "yes"}), sources(map[string]any{"cidr": "10.0.0.0"}),
		sources(map[string]any{"numeric": []any{">", 5.0, "<", 1.0}}), sources(map[string]any{"numeric": []any{"<", "a"}}),
		sources(map[string]any{"anything-but": []any{"a", 1.0}}), sources(map[string]any{"anything-but": map[string]any{"numeric": []any{"=", 1.0}}}),
		sources(map[string]any{"wildcard": "a**"}), sources(map[string]any{"wildcard": "*:*:*:*:*"}), sources(map[string]any{"wildcard": `a\b`}),
	},
	"schedule": {
		put(rule, "ScheduleExpression", "rate(1 minutes)", having("ScheduleExpression")), put(rule, "ScheduleExpression", "rate(5 minute)", having("ScheduleExpression")),
		put(rule, "ScheduleExpression", "cron(0 12 * * ?)", having("ScheduleExpression")), put(rule, "EventBusName", "tradewind", having("ScheduleExpression")),
	},

	"queue-name": {put(queue, "QueueName", long(81)), put(queue, "QueueName", "a.b"), put(queue, "QueueName", "a.fifo")},
	"queue-name-reuse": {oneStack(func(t awslimits.Template) awslimits.Template {
		t.Resources["Fixed"] = awslimits.Resource{Type: queue, Properties: map[string]any{"QueueName": "fixed"}}
		return t
	})},
	"queue-redrive": {put(queue, "RedrivePolicy/maxReceiveCount", 1001.0, having("RedrivePolicy")), put(queue, "RedrivePolicy/deadLetterTargetArn", "arn:aws:sqs:a", having("RedrivePolicy"))},
	"queue-policy-size": {
		put("AWS::SQS::QueuePolicy", "PolicyDocument/Statement/0/Action", slices.Repeat([]any{"sqs:SendMessage"}, 8)), times("AWS::SQS::QueuePolicy", "PolicyDocument/Statement", 21),
		put("AWS::SQS::QueuePolicy", "PolicyDocument/Statement/0/Principal", map[string]any{"AWS": slices.Repeat([]any{"*"}, 51)}),
		put("AWS::SQS::QueuePolicy", "PolicyDocument/Statement/0/Sid", long(8192)),
	},
	"one-policy": {copies("AWS::SQS::QueuePolicy", 1), copies("AWS::SNS::TopicPolicy", 1)},

	"role-policy-size": {times(policy, "PolicyDocument/Statement", 100), put("AWS::IAM::Role", "AssumeRolePolicyDocument/Statement/0/Sid", long(2048))},
	"policy-grammar": {
		put(policy, "PolicyDocument/Version", "2012-10-18"), statement("Effect", "Permit"), statement("NotAction", "sqs:SendMessage"), statement("Action", "SendMessage"),
		statement("Principal", "*"), statement("Sid", "a b"), drop(policy, "PolicyDocument/Statement/0/Resource"),
		put("AWS::IAM::Role", "AssumeRolePolicyDocument/Statement/0/Resource", "*"), drop("AWS::SQS::QueuePolicy", "PolicyDocument/Statement/0/Principal"),
	},

	"alarm-period": {
		put(alarm, "Metrics", []any{map[string]any{"Id": "a", "MetricStat": map[string]any{"Period": 45.0}}}),
		put(alarm, "Period", 45.0), put(alarm, "EvaluationPeriods", 20_000.0, having("Period")), put(alarm, "DatapointsToAlarm", 99.0),
	},
	"alarm-metric": {
		drop(alarm, "Namespace"), drop(alarm, "Statistic"), drop(alarm, "Threshold"), drop(alarm, "Period"), times(alarm, "Dimensions", 2),
	},
	"alarm-expression": {
		metrics(query("A", true)), metrics(query("a", true), query("b", true)), metrics(query("a", true), query("a", false)),
		metrics(map[string]any{"Id": "a"}), metrics(slices.Repeat([]any{query("a", false)}, 11)...),
	},
	"log-group-name": {put("AWS::Logs::LogGroup", "LogGroupName", "aws/lambda/a")},

	"parameter-name": {
		put(param, "Name", "/aws/a"), put(param, "Name", "a/b"), put(param, "Name", "/a b"), put(param, "Name", strings.Repeat("/a", 16)), put(param, "Name", "/"+long(1011)),
	},
	"parameter-value": {put(param, "Value", long(4097)), put(param, "Value", "{{a}}")},

	"table-name": {put(table, "TableName", "a b"), put(table, "TableName", long(256))},
	"table-keys": {
		put(table, "KeySchema/0/KeyType", "RANGE"), put(table, "AttributeDefinitions/0/AttributeName", "Unused"), times(table, "KeySchema", 3),
		times(table, "GlobalSecondaryIndexes", 2), times(table, "GlobalSecondaryIndexes", 21),
	},
	"table-replicas": {
		put(table, "Replicas/0/Region", "sa-east-1"), times(table, "Replicas", 2), put(table, "Replicas/0/GlobalSecondaryIndexes/0/IndexName", "None"),
	},

	"token-validity":     {put(client, "AccessTokenValidity", 1.0), put(client, "RefreshTokenValidity", 1.0)},
	"sign-in-flows":      {put(client, "ExplicitAuthFlows/0", "USER_PASSWORD_AUTH")},
	"sign-in-attributes": {put("AWS::Cognito::UserPool", "UsernameAttributes", []any{"email"})},

	"instance-attributes": {put("AWS::ServiceDiscovery::Instance", "InstanceAttributes/long", long(1025)), func(s awslimits.Stage) bool {
		attributes := map[string]any{}
		for i := range 31 {
			attributes[fmt.Sprint("a", i)] = "b"
		}
		return put("AWS::ServiceDiscovery::Instance", "InstanceAttributes", attributes)(s)
	}},
	"alias-record":   {put("AWS::Route53::RecordSet", "TTL", "60"), drop("AWS::Route53::RecordSet", "AliasTarget")},
	"address-ranges": {put(subnet, "CidrBlock", "10.0.0.0/29"), put(subnet, "CidrBlock", "192.168.0.0/24"), copies(subnet, 1), put("AWS::EC2::VPC", "CidrBlock", "10.0.0.0/15")},
	"group-rules": {
		put(security, "SecurityGroupIngress/0/Description", "a|b", having("SecurityGroupIngress")), put(security, "SecurityGroupIngress/0/FromPort", 65_535.0, having("SecurityGroupIngress")),
		times(security, "SecurityGroupIngress", 61),
	},
	"private-dns": {drop("AWS::EC2::VPC", "EnableDnsHostnames"), put(endpoint, "PrivateDnsEnabled", true, equal("VpcEndpointType", "Gateway"))},
}
