package permissions

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"tradewind/infra/policy"
)

// Call is one request that AWS authorises in a running stage.
type Call struct {
	By     string // the function or the resource for which it is made
	Why    string // the operation, and for a call of AWS its documentation
	Action string

	on       string // ARN of what it is made on
	from     *role  // that makes it, or nil
	service  string // which service makes it, where no role does
	endpoint string // the service behind it, where it leaves from the network
	context  map[string][]string
}

func (c Call) String() string {
	return fmt.Sprintf("%s: %s on %s (%s)", c.By, c.Action, c.on, c.Why)
}

// decide is what the stage's policies say of a call, where what it is made on belongs to
// the owner, which is the same stage or another of the account.
func (s *Stage) decide(c Call, owner *Stage) policy.Result {
	r := policy.Request{Action: c.Action, Resource: c.on, Service: c.service, Context: map[string][]string{
		// No request of the platform lacks TLS, or comes on behalf of another account.
		"aws:securetransport": {"true"},
		"aws:sourcearn":       nil,
		"aws:sourceaccount":   nil,
	}}
	maps.Copy(r.Context, c.context)
	if stage, registered := owner.tagged[c.on]; registered {
		r.Context["aws:resourcetag/stage"] = stage
	}
	p := policy.Policies{Resource: owner.resources[c.on]}
	if bucket, _, found := strings.Cut(c.on, "/"); found && strings.HasPrefix(c.on, "arn:"+partition+":s3:") {
		p.Resource = owner.resources[bucket]
	}
	if c.from != nil {
		r.Role = c.from.arn
		p.Identity, p.Boundary = c.from.identity, c.from.boundary
		if c.Action == "sts:AssumeRole" {
			p = policy.Policies{Resource: c.from.trust}
		}
	}
	if c.endpoint != "" && s.network {
		if p.Endpoint = s.endpoints[c.endpoint]; p.Endpoint == nil {
			return policy.Result{Effect: policy.ImplicitlyDenied, Reasons: []string{"the network has no endpoint of " + c.endpoint}}
		}
	}
	return policy.Evaluate(r, p)
}

// made are all calls of the stage, by their callers. The faults are what could not be
// resolved.
func (s *Stage) made() ([]Call, []error) {
	m := &maker{stage: s}
	for _, f := range s.functions {
		if _, listed := Code[f.name]; !listed {
			m.faults = append(m.faults, fmt.Errorf("the calls of %s are not known: add them to Code", f.name))
		}
		m.code(f)
		m.function(f)
	}
	for _, stack := range slices.Sorted(maps.Keys(s.templates)) {
		t := s.templates[stack]
		for _, id := range slices.Sorted(maps.Keys(t.Resources)) {
			m.resource(t, id, t.Resources[id])
		}
	}
	return m.calls, m.faults
}

type maker struct {
	stage  *Stage
	calls  []Call
	faults []error
}

// text is a value of a resource, and "" where it cannot be resolved, which is a fault.
func (m *maker) text(t *template, v any) string {
	text, err := t.text(v)
	if err != nil {
		m.faults = append(m.faults, err)
	}
	return text
}

// withRole adds calls that a service makes with a role.
func (m *maker) withRole(r *role, why, on string, actions ...string) {
	for _, action := range actions {
		m.calls = append(m.calls, Call{By: r.name, Why: why, Action: action, on: on, from: r, context: map[string][]string{"lambda:sourcefunctionarn": nil}})
	}
}

// byService adds a call that a service makes for one of its resources.
func (m *maker) byService(by, why, service, source, action, on string) {
	m.calls = append(m.calls, Call{By: by, Why: why, Action: action, on: on, service: service, context: map[string][]string{
		"aws:sourcearn": {source}, "aws:sourceaccount": {account},
	}})
}

// assumed adds that a service takes a role.
func (m *maker) assumed(r *role, why, service string) {
	m.calls = append(m.calls, Call{By: r.name, Why: why, Action: "sts:AssumeRole", on: r.arn, from: r, service: service})
}

// role is that of a resource's property; where no stack has it, that is a fault.
func (m *maker) role(t *template, v any) (*role, bool) {
	taken := m.text(t, v)
	r, found := m.stage.roles[taken]
	if !found {
		m.faults = append(m.faults, fmt.Errorf("%s: no stack has the role %s", t.stack, taken))
	}
	return r, found
}

// code adds what a function's code calls.
func (m *maker) code(f *function) {
	environment, _ := f.properties["Environment"].(map[string]any)
	variables, _ := environment["Variables"].(map[string]any)
	for _, name := range Code[f.name] {
		o, known := Operations[name]
		if !known {
			m.faults = append(m.faults, fmt.Errorf("%s calls %s, of which the permissions are not known", f.name, name))
			continue
		}
		value := ""
		if o.Variable != "" {
			if variables[o.Variable] == nil {
				if !o.Optional {
					m.faults = append(m.faults, fmt.Errorf("%s calls %s, and lacks %s", f.name, name, o.Variable))
				}
				continue
			}
			value = m.text(f.template, variables[o.Variable])
		}
		on, context := o.resources(m.stage, value)
		if len(on) == 0 {
			m.faults = append(m.faults, fmt.Errorf("%s calls %s, and the stage has nothing that it could be made on", f.name, name))
		}
		for _, resource := range on {
			c := Call{By: f.name, Why: name, Action: o.Action, on: resource, from: f.role, context: map[string][]string{"lambda:sourcefunctionarn": {f.arn}}}
			maps.Copy(c.context, context)
			if f.inNetwork {
				c.endpoint = o.endpoint()
			}
			m.calls = append(m.calls, c)
		}
	}
}

// function adds what Lambda does with a function's role.
func (m *maker) function(f *function) {
	const guide = "https://docs.aws.amazon.com/lambda/latest/dg/"
	m.assumed(f.role, guide+"lambda-intro-execution-role.html", "lambda.amazonaws.com")
	logging, _ := f.properties["LoggingConfig"].(map[string]any)
	group := m.text(f.template, logging["LogGroup"])
	m.withRole(f.role, guide+"monitoring-cloudwatchlogs.html", arn("logs", "log-group:"+group+":log-stream:2026/01/01/[1]0"), "logs:CreateLogStream", "logs:PutLogEvents")
	if f.inNetwork {
		const why = guide + "configuration-vpc.html"
		m.withRole(f.role, why, "*", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets")
		for _, part := range []string{"network-interface/eni-0", "subnet/subnet-0", "security-group/sg-0"} {
			m.withRole(f.role, why, arn("ec2", part), "ec2:CreateNetworkInterface")
		}
		m.withRole(f.role, why, arn("ec2", "network-interface/eni-0"), "ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses")
	}
}

// resource adds what AWS does for a resource of a template.
//
// Not here are the calls that no policy of a template decides: those of CloudFormation,
// which deploys with a role of the account's own and calls the custom resource's function
// with it; the gateway's access log, which the account's policy for vended logs lets in;
// the moves that SQS makes from a queue to its dead-letter queue; and the mails of a user
// pool, which Cognito sends with a role that it makes itself.
func (m *maker) resource(t *template, id string, r cfn) {
	by := t.stack + "/" + id
	switch r.Type {
	case "AWS::Lambda::EventSourceMapping":
		m.mapping(t, r)
	case "AWS::Events::Rule":
		rule, err := t.attribute(id, "Arn")
		if err != nil {
			m.faults = append(m.faults, err)
			return
		}
		const guide = "https://docs.aws.amazon.com/eventbridge/latest/userguide/"
		targets, _ := r.Properties["Targets"].([]any)
		for _, target := range targets {
			properties, _ := target.(map[string]any)
			on := m.text(t, properties["Arn"])
			if strings.HasPrefix(on, arn("lambda", "")) {
				m.byService(by, guide+"eb-use-resource-based.html#eb-lambda-permissions", "events.amazonaws.com", rule.(string), "lambda:InvokeFunction", on)
				continue
			}
			sends := []string{on}
			if letters, ok := properties["DeadLetterConfig"].(map[string]any); ok {
				sends = append(sends, m.text(t, letters["Arn"]))
			}
			for _, queue := range sends {
				m.byService(by, guide+"eb-use-resource-based.html#eb-sqs-permissions", "events.amazonaws.com", rule.(string), "sqs:SendMessage", queue)
				m.byService(by+" while it is replayed", guide+"eb-rule-event-delivery.html#eb-rule-dlq", "events.amazonaws.com", m.stage.replay(t, rule.(string)), "sqs:SendMessage", queue)
			}
		}
	case "AWS::ApiGatewayV2::Route":
		const why = "https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html"
		join, _ := r.Properties["Target"].(map[string]any)["Fn::Join"].([]any)
		reference, _ := join[1].([]any)[1].(map[string]any)
		integration := t.Resources[fmt.Sprint(reference["Ref"])]
		route := strings.Replace(m.text(t, r.Properties["RouteKey"]), " ", "", 1)
		source := arn("execute-api", m.text(t, r.Properties["ApiId"])+"/$default/"+route)
		m.byService(by, why, "apigateway.amazonaws.com", source, "lambda:InvokeFunction", m.text(t, integration.Properties["IntegrationUri"]))
	case "AWS::ElasticLoadBalancingV2::TargetGroup":
		const why = "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html"
		source := arn("elasticloadbalancing", "targetgroup/"+m.text(t, r.Properties["Name"])+"/0123456789abcdef")
		targets, _ := r.Properties["Targets"].([]any)
		for _, target := range targets {
			properties, _ := target.(map[string]any)
			m.byService(by, why, "elasticloadbalancing.amazonaws.com", source, "lambda:InvokeFunction", m.text(t, properties["Id"]))
		}
	case "AWS::CloudWatch::Alarm":
		const why = "https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html"
		for _, property := range []string{"AlarmActions", "OKActions", "InsufficientDataActions"} {
			topics, _ := r.Properties[property].([]any)
			for _, topic := range topics {
				m.byService(by+" "+property, why, "cloudwatch.amazonaws.com", arn("cloudwatch", "alarm:"+by), "sns:Publish", m.text(t, topic))
			}
		}
	case "AWS::ElasticLoadBalancingV2::LoadBalancer":
		const why = "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html"
		attributes := map[string]string{}
		list, _ := r.Properties["LoadBalancerAttributes"].([]any)
		for _, item := range list {
			attribute, _ := item.(map[string]any)
			attributes[fmt.Sprint(attribute["Key"])] = m.text(t, attribute["Value"])
		}
		if attributes["access_logs.s3.enabled"] == "true" {
			file := fmt.Sprintf("%s/AWSLogs/%s/elasticloadbalancing/%s/2026/01/01/app.log.gz", attributes["access_logs.s3.prefix"], account, region)
			m.byService(by, why, "logdelivery.elasticloadbalancing.amazonaws.com",
				arn("elasticloadbalancing", "loadbalancer/app/"+m.text(t, r.Properties["Name"])+"/0123456789abcdef"),
				"s3:PutObject", "arn:"+partition+":s3:::"+attributes["access_logs.s3.bucket"]+"/"+file)
		}
	case "AWS::EC2::FlowLog":
		const why = "https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html"
		if taken, found := m.role(t, r.Properties["DeliverLogsPermissionArn"]); found {
			m.assumed(taken, why, "vpc-flow-logs.amazonaws.com")
			group := arn("logs", "log-group:"+m.text(t, r.Properties["LogGroupName"]))
			m.withRole(taken, why, group+":log-stream:eni-0-all", "logs:CreateLogStream", "logs:PutLogEvents")
			m.withRole(taken, why, group+":log-stream:", "logs:DescribeLogStreams")
		}
	case "AWS::Lambda::Alias":
		m.canary(t, id, r)
	case "AWS::Cognito::UserPool":
		const why = "https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-working-with-lambda-triggers.html"
		pool, err := t.attribute(id, "Arn")
		if err != nil {
			m.faults = append(m.faults, err)
			return
		}
		triggers, _ := r.Properties["LambdaConfig"].(map[string]any)
		for _, trigger := range slices.Sorted(maps.Keys(triggers)) {
			target := triggers[trigger]
			if versioned, ok := target.(map[string]any); ok && versioned["LambdaArn"] != nil {
				target = versioned["LambdaArn"]
			}
			m.byService(by+" "+trigger, why, "cognito-idp.amazonaws.com", pool.(string), "lambda:InvokeFunction", m.text(t, target))
		}
	}
}

// canary adds what CodeDeploy does with a deployment group's role when it moves an alias.
func (m *maker) canary(t *template, id string, alias cfn) {
	update, asked := alias.UpdatePolicy["CodeDeployLambdaAliasUpdate"].(map[string]any)
	if !asked {
		return
	}
	const why = "https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSCodeDeployRoleForLambdaLimited.html"
	reference, _ := update["DeploymentGroupName"].(map[string]any)
	group := t.Resources[fmt.Sprint(reference["Ref"])]
	r, found := m.role(t, group.Properties["ServiceRoleArn"])
	if !found {
		return
	}
	m.assumed(r, why, "codedeploy.amazonaws.com")
	live := m.text(t, map[string]any{"Ref": id})
	m.withRole(r, why, live[:strings.LastIndex(live, ":")], "lambda:GetAlias", "lambda:UpdateAlias")
	m.withRole(r, why, live, "lambda:GetProvisionedConcurrencyConfig")
	configuration, _ := group.Properties["AlarmConfiguration"].(map[string]any)
	alarms, _ := configuration["Alarms"].([]any)
	for _, alarm := range alarms {
		m.withRole(r, why, arn("cloudwatch", "alarm:"+m.text(t, alarm.(map[string]any)["Name"])), "cloudwatch:DescribeAlarms")
	}
}

// mapping adds what an event source mapping's poller does with its function's role.
func (m *maker) mapping(t *template, r cfn) {
	const guide = "https://docs.aws.amazon.com/lambda/latest/dg/"
	target := m.text(t, r.Properties["FunctionName"])
	at := slices.IndexFunc(m.stage.functions, func(f *function) bool {
		return f.arn == target || strings.HasPrefix(target, f.arn+":")
	})
	if at < 0 {
		m.faults = append(m.faults, fmt.Errorf("%s: a mapping is of %s, which no template has", t.stack, target))
		return
	}
	f := m.stage.functions[at]
	source := m.text(t, r.Properties["EventSourceArn"])
	if strings.HasPrefix(source, arn("sqs", "")) {
		m.withRole(f.role, guide+"services-sqs-configure.html#events-sqs-permissions", source, "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
		return
	}
	const why = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/iam-policy-example-lamda-process-dynamodb-streams.html"
	m.withRole(f.role, why, source, "dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator")
	// The service authorization reference has no resource for this one; that page gives it
	// all of the table's streams.
	table, _, _ := strings.Cut(source, "/stream/")
	m.withRole(f.role, why, table+"/stream/*", "dynamodb:ListStreams")
	destination, _ := r.Properties["DestinationConfig"].(map[string]any)
	if failure, ok := destination["OnFailure"].(map[string]any); ok {
		m.withRole(f.role, guide+"services-dynamodb-errors.html", m.text(t, failure["Destination"]), "sqs:SendMessage")
	}
}
