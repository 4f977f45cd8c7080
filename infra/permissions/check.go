package permissions

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"tradewind/infra/policy"
	"tradewind/shared/replayrule"
)

// Report is the outcome of a check, with the counts that show that it looked at something.
type Report struct {
	Calls, Statements, Crossings int
	Functions                    []string

	// Missing are calls that are denied, Unknown those that cannot be decided, Unneeded the
	// grants that no call takes, and Wide those that take more than their calls: of any
	// action, or of any resource where each call has one.
	Missing, Unknown, Unneeded, Wide []string
	// Ineffective are denials that deny nothing, and Reached what a service's role can
	// reach of another service, or of another stage.
	Ineffective, Reached []string
}

// Check holds the stage to its calls.
func (s *Stage) Check() Report {
	calls, faults := s.made()
	report := Report{Calls: len(calls)}
	for _, f := range s.functions {
		report.Functions = append(report.Functions, f.name)
	}
	for _, fault := range faults {
		report.Unknown = append(report.Unknown, fault.Error())
	}
	used := map[string]bool{} // by a call that has no resource
	for _, c := range calls {
		result := s.decide(c, s)
		switch result.Effect {
		case policy.Allowed:
			for _, statement := range result.Statements {
				used[statement] = used[statement] || c.on == "*"
			}
		case policy.Unknown:
			report.Unknown = append(report.Unknown, fmt.Sprint(c, ": ", result))
		default:
			report.Missing = append(report.Missing, fmt.Sprint(c, ": ", result))
		}
	}
	for _, statement := range s.statements() {
		report.Statements++
		switch {
		case statement.Effect == "Deny":
			if !s.denies(statement, calls) {
				report.Ineffective = append(report.Ineffective, statement.Name)
			}
		default:
			onAny, needed := used[statement.Name]
			if !needed {
				report.Unneeded = append(report.Unneeded, statement.Name)
				continue
			}
			anyAction := statement.NotAction != nil || strings.ContainsAny(statement.Action[0], "*?")
			anyResource := statement.NotResource != nil || slices.Contains(statement.Resource, "*")
			if anyAction || anyResource && !onAny {
				report.Wide = append(report.Wide, statement.Name)
			}
		}
	}
	s.cross(s, &report)
	return report
}

// statements are all of the stage, by their names.
func (s *Stage) statements() []policy.Statement {
	var documents []policy.Document
	for _, name := range slices.Sorted(maps.Keys(s.roles)) {
		documents = slices.Concat(documents, s.roles[name].identity, s.roles[name].trust)
	}
	for _, owned := range []map[string][]policy.Document{s.resources, s.endpoints} {
		for _, name := range slices.Sorted(maps.Keys(owned)) {
			documents = append(documents, owned[name]...)
		}
	}
	byName := map[string]policy.Statement{}
	for _, d := range documents {
		for _, statement := range d.Statements {
			byName[statement.Name] = statement
		}
	}
	var list []policy.Statement
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		list = append(list, byName[name])
	}
	return list
}

// denies is whether a denial denies one of the calls, or a publication to its resource,
// when it is made without TLS, or by the code of the function that has the role.
func (s *Stage) denies(statement policy.Statement, calls []Call) bool {
	for _, on := range statement.Resource {
		action := "sqs:SendMessage"
		if strings.HasPrefix(on, arn("sns", "")) {
			action = "sns:Publish"
		}
		calls = append(calls, Call{Action: action, on: on, from: s.functions[0].role})
	}
	for _, c := range calls {
		tries := []map[string][]string{with(c.context, "aws:securetransport", "false")}
		if c.from != nil {
			tries = append(tries, with(c.context, "lambda:sourcefunctionarn", c.from.function))
		}
		for _, c.context = range tries {
			if result := s.decide(c, s); result.Effect == policy.ExplicitlyDenied && slices.Contains(result.Statements, statement.Name) {
				return true
			}
		}
	}
	return false
}

func with(context map[string][]string, key, value string) map[string][]string {
	all := maps.Clone(context)
	if all == nil {
		all = map[string][]string{}
	}
	all[key] = []string{value}
	return all
}

// stores are what belongs to one stack alone, with the actions by which a role of another
// could read it or write to it.
var stores = map[string][]string{
	"AWS::DynamoDB::GlobalTable": {
		"dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:Scan", "dynamodb:PutItem", "dynamodb:UpdateItem",
		"dynamodb:DeleteItem", "dynamodb:BatchWriteItem", "dynamodb:ConditionCheckItem", "dynamodb:PartiQLSelect", "dynamodb:DeleteTable",
	},
	"AWS::SQS::Queue": {
		"sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes",
		"sqs:SetQueueAttributes", "sqs:PurgeQueue", "sqs:DeleteQueue",
	},
	"AWS::SecretsManager::Secret": {"secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue", "secretsmanager:DescribeSecret"},
	"AWS::SSM::Parameter":         {"ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath", "ssm:PutParameter"},
	"AWS::SNS::Topic":             {"sns:Publish", "sns:Subscribe"},
	"AWS::Logs::LogGroup":         {"logs:CreateLogStream", "logs:PutLogEvents", "logs:GetLogEvents", "logs:FilterLogEvents"},
	"AWS::Lambda::Function":       {"lambda:InvokeFunction", "lambda:UpdateFunctionCode", "lambda:GetFunction", "lambda:UpdateAlias"},
	"AWS::S3::Bucket":             {"s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket", "s3:PutBucketPolicy"},
}

// shared is what the stacks of one stage share, and another stage must not reach.
var shared = map[string][]string{
	"AWS::Events::EventBus":                {"events:PutEvents", "events:PutRule", "events:DeleteEventBus"},
	"AWS::Cognito::UserPool":               {"cognito-idp:AdminGetUser", "cognito-idp:AdminCreateUser", "cognito-idp:AdminSetUserPassword", "cognito-idp:AdminUpdateUserAttributes", "cognito-idp:AdminDeleteUser"},
	"AWS::ServiceDiscovery::HttpNamespace": {"servicediscovery:DiscoverInstances", "servicediscovery:DiscoverInstancesRevision", "servicediscovery:DeleteNamespace"},
	"AWS::ServiceDiscovery::Service": {
		"servicediscovery:ListInstances", "servicediscovery:UpdateInstanceCustomHealthStatus", "servicediscovery:RegisterInstance", "servicediscovery:DeregisterInstance",
	},
}

// Cross tries every role on all that another stage of the same account owns.
func (s *Stage) Cross(other *Stage) Report {
	var report Report
	s.cross(other, &report)
	return report
}

// cross tries every role on all that other stacks own, of the same stage or of another:
// nothing may be allowed, and nothing left open.
func (s *Stage) cross(owner *Stage, report *Report) {
	for _, stack := range slices.Sorted(maps.Keys(owner.templates)) {
		t := owner.templates[stack]
		for _, id := range slices.Sorted(maps.Keys(t.Resources)) {
			kind := t.Resources[id].Type
			actions := stores[kind]
			if s != owner {
				actions = slices.Concat(actions, shared[kind])
			}
			if actions == nil {
				continue
			}
			parts, err := t.parts(id)
			if err != nil {
				report.Unknown = append(report.Unknown, err.Error())
				continue
			}
			for _, name := range slices.Sorted(maps.Keys(s.roles)) {
				r := s.roles[name]
				if r.stack == stack {
					continue
				}
				for on, more := range parts {
					for _, action := range append(more, actions...) {
						report.Crossings++
						c := Call{By: r.name, Why: "of another's", Action: action, on: on, from: r, context: map[string][]string{"lambda:sourcefunctionarn": {r.function}}}
						switch result := s.decide(c, owner); result.Effect {
						case policy.Allowed:
							report.Reached = append(report.Reached, c.String())
						case policy.Unknown:
							report.Unknown = append(report.Unknown, fmt.Sprint(c, ": ", result))
						}
					}
				}
			}
		}
	}
}

// parts are the ARNs of a store and of what lies in it, each with actions of its own.
func (t *template) parts(id string) (map[string][]string, error) {
	r := t.Resources[id]
	if r.Type == "AWS::SSM::Parameter" {
		name, err := t.text(r.Properties["Name"])
		return map[string][]string{arn("ssm", "parameter"+name): nil}, err
	}
	attribute := "Arn"
	if r.Type == "AWS::SNS::Topic" || r.Type == "AWS::SecretsManager::Secret" {
		attribute = ""
	}
	value, err := t.attribute(id, attribute)
	if err != nil {
		return nil, err
	}
	on := fmt.Sprint(value)
	switch r.Type {
	case "AWS::DynamoDB::GlobalTable":
		return map[string][]string{
			on: nil, on + "/index/GSI1": nil, on + "/index/GSI2": nil,
			on + "/stream/2026-01-01T00:00:00.000": {"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"},
		}, nil
	case "AWS::Logs::LogGroup":
		return map[string][]string{strings.TrimSuffix(on, "*") + "log-stream:2026/01/01/[1]0": nil}, nil
	case "AWS::Lambda::Function":
		return map[string][]string{on: nil, on + ":live": nil}, nil
	case "AWS::S3::Bucket":
		return map[string][]string{on: nil, on + "/balancer/AWSLogs/" + account + "/app.log.gz": nil}, nil
	}
	return map[string][]string{on: nil}, nil
}

// replay is the ARN of the rule that a replay to the stack's service makes on the bus of
// its own rule.
func (s *Stage) replay(t *template, rule string) string {
	bus := strings.Split(rule, "/")[1]
	service := t.stack[strings.LastIndex(t.stack, "-")+1:]
	return arn("events", "rule/"+bus+"/"+replayrule.Name(bus, service, "01J0000000"))
}
