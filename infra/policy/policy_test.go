package policy

import (
	"strings"
	"testing"
)

const guide = "https://docs.aws.amazon.com/IAM/latest/UserGuide/"

const (
	role  = "arn:aws:iam::123456789012:role/app"
	queue = "arn:aws:sqs:us-east-2:123456789012:queue1"
)

// Each row is an example or a sentence of AWS's documentation, at the source.
func TestPublishedExamples(t *testing.T) {
	allow := func(rest string) string { return `{"Effect": "Allow", ` + rest + `}` }
	type context = map[string][]string
	const (
		operators = guide + "reference_policies_elements_condition_operators.html"
		several   = guide + "reference_policies_condition-logic-multiple-context-keys-or-values.html"
		sets      = guide + "reference_policies_condition-single-vs-multi-valued-context-keys.html"
		tagged    = guide + "reference_policies_condition_examples-multi-valued-context-keys.html"
		resources = guide + "reference_policies_elements_resource.html"
		principal = guide + "reference_policies_elements_principal.html"
		logic     = guide + "reference_policies_evaluation-logic_policy-eval-denyallow.html"
		bounds    = guide + "access_policies_boundaries.html"
		targets   = "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html"
		endpoints = "https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html"
	)
	everything := `"Action": "*", "Resource": "*"`
	on := func(condition string) string { return allow(everything + `, "Condition": {` + condition + `}`) }
	tests := []struct {
		name, source string

		identity, resource, boundary, endpoint string

		service, action, arn string
		context              context

		want Effect
	}{
		{name: "without a statement a request is denied", source: logic,
			identity: allow(`"Action": "sqs:ReceiveMessage", "Resource": "*"`), action: "sqs:SendMessage", arn: queue, want: ImplicitlyDenied},
		{name: "an allow overrides the implicit deny", source: logic,
			identity: allow(`"Action": "sqs:SendMessage", "Resource": "` + queue + `"`), action: "sqs:SendMessage", arn: queue, want: Allowed},
		{name: "an explicit deny overrides an allow", source: logic,
			identity: allow(everything) + `, {"Effect": "Deny", "Action": "sqs:*", "Resource": "*"}`, action: "sqs:SendMessage", arn: queue, want: ExplicitlyDenied},
		{name: "a resource's policy alone allows within the account", source: logic,
			resource: allow(`"Principal": {"AWS": "` + role + `"}, "Action": "sqs:SendMessage", "Resource": "` + queue + `"`), action: "sqs:SendMessage", arn: queue, want: Allowed},
		{name: "a resource's policy denies what the role's allows", source: logic,
			identity: allow(everything), resource: `{"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": "*"}`, action: "sqs:SendMessage", arn: queue, want: ExplicitlyDenied},

		{name: "actions are written in any case", source: guide + "reference_policies_elements_action.html",
			identity: allow(`"Action": "iam:listAccessKeys", "Resource": "*"`), action: "IAM:ListAccessKeys", arn: "*", want: Allowed},
		{name: "a * in an action", source: guide + "reference_policies_elements_action.html",
			identity: allow(`"Action": "iam:*AccessKey*", "Resource": "*"`), action: "iam:UpdateAccessKey", arn: "*", want: Allowed},
		{name: "an action of another service", source: guide + "reference_policies_elements_action.html",
			identity: allow(`"Action": "s3:*", "Resource": "*"`), action: "sqs:SendMessage", arn: queue, want: ImplicitlyDenied},
		{name: "NotAction allows the others", source: guide + "reference_policies_elements_notaction.html",
			identity: allow(`"NotAction": "s3:DeleteBucket", "Resource": "arn:aws:s3:::*"`), action: "s3:PutObject", arn: "arn:aws:s3:::b/k", want: Allowed},
		{name: "NotAction does not allow what it lists", source: guide + "reference_policies_elements_notaction.html",
			identity: allow(`"NotAction": "s3:DeleteBucket", "Resource": "arn:aws:s3:::*"`), action: "s3:DeleteBucket", arn: "arn:aws:s3:::b", want: ImplicitlyDenied},
		{name: "NotAction leaves out what needs the resource *", source: guide + "reference_policies_elements_notaction.html",
			identity: allow(`"NotAction": "s3:DeleteBucket", "Resource": "arn:aws:s3:::*"`), action: "s3:ListAllMyBuckets", arn: "*", want: ImplicitlyDenied},
		{name: "NotResource denies the others", source: guide + "reference_policies_elements_notresource.html",
			identity: allow(everything) + `, {"Effect": "Deny", "Action": "s3:*", "NotResource": ["arn:aws:s3:::HRBucket/Payroll", "arn:aws:s3:::HRBucket/Payroll/*"]}`,
			action:   "s3:GetObject", arn: "arn:aws:s3:::HRBucket/Other", want: ExplicitlyDenied},
		{name: "NotResource does not deny what it lists", source: guide + "reference_policies_elements_notresource.html",
			identity: allow(everything) + `, {"Effect": "Deny", "Action": "s3:*", "NotResource": ["arn:aws:s3:::HRBucket/Payroll", "arn:aws:s3:::HRBucket/Payroll/*"]}`,
			action:   "s3:GetObject", arn: "arn:aws:s3:::HRBucket/Payroll/may", want: Allowed},

		{name: "a user's path", source: resources,
			identity: allow(`"Action": "iam:*", "Resource": "arn:aws:iam::123456789012:user/accounting/*"`), action: "iam:GetUser", arn: "arn:aws:iam::123456789012:user/accounting/Bob", want: Allowed},
		{name: "a user's name is case-sensitive", source: resources,
			identity: allow(`"Action": "iam:*", "Resource": "arn:aws:iam::123456789012:user/Bob"`), action: "iam:GetUser", arn: "arn:aws:iam::123456789012:user/bob", want: ImplicitlyDenied},
		{name: "a * matches slashes too", source: resources,
			identity: allow(`"Action": "s3:GetObject", "Resource": "arn:aws:s3:::amzn-s3-demo-bucket/*/test/*"`), action: "s3:GetObject", arn: "arn:aws:s3:::amzn-s3-demo-bucket/1/2/test/3/object.jpg", want: Allowed},
		{name: "what stands between the wildcards must be there", source: resources,
			identity: allow(`"Action": "s3:GetObject", "Resource": "arn:aws:s3:::amzn-s3-demo-bucket/*/test/*"`), action: "s3:GetObject", arn: "arn:aws:s3:::amzn-s3-demo-bucket/1-test/object.jpg", want: ImplicitlyDenied},
		{name: "a ? is one character", source: resources,
			identity: allow(`"Action": "sqs:*", "Resource": "arn:aws:sqs:us-east-2:123456789012:queue??"`), action: "sqs:SendMessage", arn: queue, want: ImplicitlyDenied},
		{name: "a ? is any character", source: resources,
			identity: allow(`"Action": "sqs:*", "Resource": "arn:aws:sqs:us-east-2:123456789012:queue?"`), action: "sqs:SendMessage", arn: queue, want: Allowed},
		{name: "a * within a segment does not match across colons", source: resources,
			identity: allow(`"Action": "logs:PutLogEvents", "Resource": "arn:aws:logs:us-east-2:123456789012:log-group:/a*one"`), action: "logs:PutLogEvents", arn: "arn:aws:logs:us-east-2:123456789012:log-group:/app:log-stream:one", want: ImplicitlyDenied},
		{name: "a * at a segment's end matches across colons", source: resources,
			identity: allow(`"Action": "logs:PutLogEvents", "Resource": "arn:aws:logs:us-east-2:123456789012:log-group:/app:*"`), action: "logs:PutLogEvents", arn: "arn:aws:logs:us-east-2:123456789012:log-group:/app:log-stream:one", want: Allowed},
		{name: "an incomplete ARN is completed with *", source: resources,
			identity: allow(`"Action": "sqs:*", "Resource": "arn:aws:sqs"`), action: "sqs:SendMessage", arn: queue, want: Allowed},
		{name: "a policy variable is not evaluated", source: guide + "reference_policies_variables.html",
			identity: allow(`"Action": "s3:*", "Resource": "arn:aws:s3:::b/${aws:username}/*"`), action: "s3:GetObject", arn: "arn:aws:s3:::b/${aws:username}/k", want: Unknown},

		{name: "several values are alternatives", source: several,
			identity: on(`"StringEquals": {"aws:PrincipalTag/department": ["finance", "hr", "legal"]}`), action: "s3:GetObject", arn: "*",
			context: context{"aws:principaltag/department": {"hr"}}, want: Allowed},
		{name: "several keys must all match", source: several,
			identity: on(`"StringEquals": {"aws:PrincipalTag/department": ["finance", "hr", "legal"], "aws:PrincipalTag/role": ["audit", "security"]}`), action: "s3:GetObject", arn: "*",
			context: context{"aws:principaltag/department": {"hr"}, "aws:principaltag/role": {"pm"}}, want: ImplicitlyDenied},
		{name: "several operators must all match", source: several,
			identity: on(`"StringEquals": {"aws:PrincipalTag/role": "audit"}, "ArnLike": {"aws:PrincipalArn": "arn:aws:iam::222222222222:user/Ana"}`), action: "s3:GetObject", arn: "*",
			context: context{"aws:principaltag/role": {"audit"}, "aws:principalarn": {role}}, want: ImplicitlyDenied},
		{name: "a negated operator matches none of its values", source: several,
			identity: on(`"StringNotEquals": {"aws:PrincipalTag/role": ["audit", "security"]}`), action: "s3:GetObject", arn: "*",
			context: context{"aws:principaltag/role": {"security"}}, want: ImplicitlyDenied},

		{name: "names of keys are written in any case", source: guide + "reference_policies_elements_condition.html",
			identity: on(`"StringEquals": {"AWS:sourceACCOUNT": "123456789012"}`), action: "s3:GetObject", arn: "*",
			context: context{"aws:sourceaccount": {"123456789012"}}, want: Allowed},
		{name: "values are case-sensitive", source: operators + "#Conditions_String",
			identity: on(`"StringEquals": {"aws:PrincipalTag/role": "Audit"}`), action: "s3:GetObject", arn: "*",
			context: context{"aws:principaltag/role": {"audit"}}, want: ImplicitlyDenied},
		{name: "StringEqualsIgnoreCase", source: operators + "#Conditions_String",
			identity: on(`"StringEqualsIgnoreCase": {"aws:PrincipalTag/role": "Audit"}`), action: "s3:GetObject", arn: "*",
			context: context{"aws:principaltag/role": {"audit"}}, want: Allowed},
		{name: "StringEquals knows no wildcards", source: operators + "#Conditions_String",
			identity: on(`"StringEquals": {"s3:prefix": "home/*"}`), action: "s3:ListBucket", arn: "*",
			context: context{"s3:prefix": {"home/a"}}, want: ImplicitlyDenied},
		{name: "StringLike does", source: operators + "#Conditions_String",
			identity: on(`"StringLike": {"s3:prefix": ["", "home/", "home/Bob/*"]}`), action: "s3:ListBucket", arn: "*",
			context: context{"s3:prefix": {"home/Bob/a"}}, want: Allowed},
		{name: "a key that is absent makes a condition false", source: operators,
			identity: on(`"StringEquals": {"aws:PrincipalTag/role": "audit"}`), action: "s3:GetObject", arn: "*",
			context: context{"aws:principaltag/role": nil}, want: ImplicitlyDenied},
		{name: "and a negated one true", source: operators,
			identity: on(`"ArnNotLike": {"aws:SourceArn": "arn:aws:s3:::*"}`), action: "s3:GetObject", arn: "*",
			context: context{"aws:sourcearn": nil}, want: Allowed},
		{name: "IfExists: a key that is absent", source: operators + "#Conditions_IfExists",
			identity: on(`"StringLikeIfExists": {"ec2:InstanceType": ["t1.*", "t2.*", "m3.*"]}`), action: "ec2:RunInstances", arn: "*",
			context: context{"ec2:instancetype": nil}, want: Allowed},
		{name: "IfExists: a key with another value", source: operators + "#Conditions_IfExists",
			identity: on(`"StringLikeIfExists": {"ec2:InstanceType": ["t1.*", "t2.*", "m3.*"]}`), action: "ec2:RunInstances", arn: "*",
			context: context{"ec2:instancetype": {"m5.large"}}, want: ImplicitlyDenied},
		{name: "Null true: the key must be absent", source: operators + "#Conditions_Null",
			identity: on(`"Null": {"aws:TokenIssueTime": "true"}`), action: "ec2:RunInstances", arn: "*",
			context: context{"aws:tokenissuetime": {"2026-01-01T00:00:00Z"}}, want: ImplicitlyDenied},
		{name: "Null true: it is", source: operators + "#Conditions_Null",
			identity: on(`"Null": {"aws:TokenIssueTime": "true"}`), action: "ec2:RunInstances", arn: "*",
			context: context{"aws:tokenissuetime": nil}, want: Allowed},
		{name: "Bool", source: operators + "#Conditions_Boolean",
			identity: allow(everything), resource: `{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": false}}}`, action: "s3:GetObject", arn: "arn:aws:s3:::b/k",
			context: context{"aws:securetransport": {"false"}}, want: ExplicitlyDenied},
		{name: "Bool of the other value", source: operators + "#Conditions_Boolean",
			identity: allow(everything), resource: `{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}`, action: "s3:GetObject", arn: "arn:aws:s3:::b/k",
			context: context{"aws:securetransport": {"true"}}, want: Allowed},
		{name: "an ARN's components match one by one", source: operators + "#Conditions_ARN",
			identity: on(`"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:123456789012:My*"}`), action: "sqs:SendMessage", arn: "*",
			context: context{"aws:sourcearn": {"arn:aws:sns:us-east-2:123456789012:MyTopic"}}, want: Allowed},
		{name: "a component's * does not match two", source: operators + "#Conditions_ARN",
			identity: on(`"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:MyTopic"}`), action: "sqs:SendMessage", arn: "*",
			context: context{"aws:sourcearn": {"arn:aws:sns:us-east-2:123456789012:MyTopic"}}, want: ImplicitlyDenied},
		{name: "ArnEquals is ArnLike", source: operators + "#Conditions_ARN",
			identity: on(`"ArnEquals": {"aws:SourceArn": "arn:aws:sns:us-east-2:123456789012:*"}`), action: "sqs:SendMessage", arn: "*",
			context: context{"aws:sourcearn": {"arn:aws:sns:us-east-2:123456789012:MyTopic"}}, want: Allowed},
		{name: "an operator that is not evaluated", source: operators + "#Conditions_IPAddress",
			identity: on(`"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}`), action: "s3:GetObject", arn: "*",
			context: context{"aws:sourceip": {"203.0.113.7"}}, want: Unknown},

		{name: "ForAllValues: each of the request's values matches", source: tagged,
			identity: on(`"ForAllValues:StringLike": {"aws:TagKeys": ["key1*", "key2*"]}`), action: "iam:TagUser", arn: "*",
			context: context{"aws:tagkeys": {"key1-a", "key2"}}, want: Allowed},
		{name: "ForAllValues: one does not", source: tagged,
			identity: on(`"ForAllValues:StringLike": {"aws:TagKeys": ["key1*", "key2*"]}`), action: "iam:TagUser", arn: "*",
			context: context{"aws:tagkeys": {"key1-a", "key3"}}, want: ImplicitlyDenied},
		{name: "ForAllValues holds for a request without the key", source: tagged,
			identity: on(`"ForAllValues:StringLike": {"aws:TagKeys": "key1*"}`), action: "iam:TagUser", arn: "*",
			context: context{"aws:tagkeys": nil}, want: Allowed},
		{name: "Null false beside ForAllValues demands the key", source: tagged,
			identity: on(`"ForAllValues:StringLike": {"aws:TagKeys": "key1*"}, "Null": {"aws:TagKeys": "false"}`), action: "iam:TagUser", arn: "*",
			context: context{"aws:tagkeys": nil}, want: ImplicitlyDenied},
		{name: "ForAnyValue: one of the request's values matches", source: tagged,
			identity: allow(everything) + `, {"Effect": "Deny", "Action": "ec2:CreateSnapshot", "Resource": "*", "Condition": {"ForAnyValue:StringEquals": {"aws:TagKeys": ["environment", "webserver"]}}}`,
			action:   "ec2:CreateSnapshot", arn: "*", context: context{"aws:tagkeys": {"owner", "webserver"}}, want: ExplicitlyDenied},
		{name: "ForAnyValue fails for a request without the key", source: sets,
			identity: on(`"ForAnyValue:StringEquals": {"aws:TagKeys": "environment"}`), action: "ec2:CreateSnapshot", arn: "*",
			context: context{"aws:tagkeys": nil}, want: ImplicitlyDenied},
		{name: "so does one with a negated operator", source: sets,
			identity: on(`"ForAnyValue:StringNotEquals": {"aws:TagKeys": "environment"}`), action: "ec2:CreateSnapshot", arn: "*",
			context: context{"aws:tagkeys": nil}, want: ImplicitlyDenied},
		{name: "several values need a set operator", source: sets,
			identity: on(`"StringEquals": {"aws:TagKeys": "environment"}`), action: "ec2:CreateSnapshot", arn: "*",
			context: context{"aws:tagkeys": {"environment", "owner"}}, want: Unknown},

		{name: "a rule sends to its target", source: targets,
			resource: allow(`"Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": "` + queue + `", "Condition": {"ArnEquals": {"aws:SourceArn": "arn:aws:events:us-east-2:123456789012:rule/MyRule"}}`),
			service:  "events.amazonaws.com", action: "sqs:SendMessage", arn: queue, context: context{"aws:sourcearn": {"arn:aws:events:us-east-2:123456789012:rule/MyRule"}}, want: Allowed},
		{name: "another rule does not", source: targets,
			resource: allow(`"Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": "` + queue + `", "Condition": {"ArnEquals": {"aws:SourceArn": "arn:aws:events:us-east-2:123456789012:rule/MyRule"}}`),
			service:  "events.amazonaws.com", action: "sqs:SendMessage", arn: queue, context: context{"aws:sourcearn": {"arn:aws:events:us-east-2:123456789012:rule/Other"}}, want: ImplicitlyDenied},
		{name: "a service has no identity policy", source: targets,
			identity: allow(everything), service: "events.amazonaws.com", action: "sqs:SendMessage", arn: queue, want: ImplicitlyDenied},
		{name: "another service is another principal", source: principal,
			resource: allow(`"Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": "*"`), service: "sns.amazonaws.com", action: "sqs:SendMessage", arn: queue, want: ImplicitlyDenied},
		{name: "an account as the principal delegates, and does not allow", source: principal,
			resource: allow(`"Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "sqs:SendMessage", "Resource": "*"`), action: "sqs:SendMessage", arn: queue, want: ImplicitlyDenied},
		{name: "an account as the principal denies its roles", source: principal,
			identity: allow(everything), resource: `{"Effect": "Deny", "Principal": {"AWS": "123456789012"}, "Action": "sqs:SendMessage", "Resource": "*"}`, action: "sqs:SendMessage", arn: queue, want: ExplicitlyDenied},
		{name: "NotPrincipal is not evaluated", source: guide + "reference_policies_elements_notprincipal.html",
			identity: allow(everything), resource: `{"Effect": "Deny", "NotPrincipal": {"AWS": "` + role + `"}, "Action": "sqs:*", "Resource": "*"}`, action: "sqs:SendMessage", arn: queue, want: Unknown},

		{name: "what the boundary does not allow is denied", source: bounds,
			identity: allow(`"Action": "iam:CreateUser", "Resource": "*"`), boundary: allow(`"Action": ["s3:*", "cloudwatch:*", "ec2:*"], "Resource": "*"`), action: "iam:CreateUser", arn: "*", want: ImplicitlyDenied},
		{name: "the boundary allows nothing by itself", source: bounds,
			boundary: allow(`"Action": ["s3:*", "cloudwatch:*", "ec2:*"], "Resource": "*"`), action: "s3:GetObject", arn: "arn:aws:s3:::b/k", want: ImplicitlyDenied},
		{name: "what both allow is allowed", source: bounds,
			identity: allow(`"Action": "s3:GetObject", "Resource": "*"`), boundary: allow(`"Action": "s3:*", "Resource": "*"`), action: "s3:GetObject", arn: "arn:aws:s3:::b/k", want: Allowed},
		{name: "an endpoint's policy must allow too", source: endpoints,
			identity: allow(everything), endpoint: allow(`"Principal": "*", "Action": "dynamodb:*", "Resource": "arn:aws:dynamodb:us-east-2:123456789012:table/Mine"`), action: "dynamodb:GetItem", arn: "arn:aws:dynamodb:us-east-2:123456789012:table/Other", want: ImplicitlyDenied},
		{name: "an endpoint's policy allows nothing by itself", source: endpoints,
			endpoint: allow(`"Principal": "*", "Action": "*", "Resource": "*"`), action: "dynamodb:GetItem", arn: "arn:aws:dynamodb:us-east-2:123456789012:table/Mine", want: ImplicitlyDenied},

		{name: "a condition on a key that the request may have", source: operators,
			identity: on(`"StringEquals": {"aws:ResourceTag/stage": "dev"}`), action: "s3:GetObject", arn: "*", want: Unknown},
		{name: "a deny that may match", source: logic,
			identity: allow(everything) + `, {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"StringEquals": {"aws:ResourceTag/stage": "dev"}}}`, action: "s3:GetObject", arn: "*", want: Unknown},
		{name: "an allow that matches, beside one that may", source: logic,
			identity: on(`"StringEquals": {"aws:ResourceTag/stage": "dev"}`) + ", " + allow(everything), action: "s3:GetObject", arn: "*", want: Allowed},
		{name: "a deny that matches, beside an allow that may", source: logic,
			identity: on(`"StringEquals": {"aws:ResourceTag/stage": "dev"}`) + `, {"Effect": "Deny", "Action": "*", "Resource": "*"}`, action: "s3:GetObject", arn: "*", want: ExplicitlyDenied},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			parse := func(name, statements string) []Document {
				if statements == "" {
					return nil
				}
				d, err := Parse(name, []byte(`{"Version": "2012-10-17", "Statement": [`+statements+`]}`))
				if err != nil {
					t.Fatal(err)
				}
				return []Document{d}
			}
			r := Request{Action: test.action, Resource: test.arn, Context: test.context, Service: test.service}
			if r.Service == "" {
				r.Role = role
			}
			got := Evaluate(r, Policies{
				Identity: parse("identity", test.identity), Resource: parse("resource", test.resource),
				Boundary: parse("boundary", test.boundary), Endpoint: parse("endpoint", test.endpoint),
			})
			if got.Effect != test.want {
				t.Errorf("%s, want %q: see %s", got, test.want, test.source)
			}
		})
	}
	t.Logf("%d examples", len(tests))
}

func TestParse(t *testing.T) {
	for name, test := range map[string]struct{ policy, want string }{
		"one statement without a list": {`{"Statement": {"Effect": "Allow", "Action": "a:b", "Resource": "*"}}`, ""},
		"no action":                    {`{"Statement": [{"Effect": "Allow", "Resource": "*"}]}`, "Action"},
		"no effect":                    {`{"Statement": [{"Action": "a:b", "Resource": "*"}]}`, "Effect"},
		"both resources":               {`{"Statement": [{"Effect": "Allow", "Action": "a:b", "Resource": "*", "NotResource": "*"}]}`, "NotResource"},
		"an intrinsic function":        {`{"Statement": [{"Effect": "Allow", "Action": "a:b", "Resource": {"Ref": "Queue"}}]}`, "Resource"},
		"a principal without a kind":   {`{"Statement": [{"Effect": "Allow", "Action": "a:b", "Principal": "me"}]}`, "Principal"},
	} {
		_, err := Parse("it", []byte(test.policy))
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A policy of an earlier version has no variables: the text is taken as it is.
func TestVariablesByVersion(t *testing.T) {
	d, err := Parse("old", []byte(`{"Version": "2008-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::b/${aws:username}"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	r := Request{Role: role, Action: "s3:GetObject", Resource: "arn:aws:s3:::b/${aws:username}"}
	if got := Evaluate(r, Policies{Identity: []Document{d}}); got.Effect != Allowed {
		t.Errorf("%s", got)
	}
}
