package stacks

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/google/go-cmp/cmp"

	"tradewind/events/contracts"
	"tradewind/infra/stages"
	"tradewind/shared/discovery"
	"tradewind/shared/env"
	"tradewind/shared/inbox"
	"tradewind/shared/metrics"
	"tradewind/shared/replayrule"
)

func TestStacks(t *testing.T) {
	want := []string{"edge", "network", "platform"}
	for _, s := range services {
		want = append(want, s.name)
	}
	slices.Sort(want)
	targets(t, func(t *testing.T, all map[string]template) {
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(all))); diff != "" {
			t.Error(diff)
		}
	})
}

// A stack deploys, rolls back and goes alone: it exports nothing, imports nothing, and
// reads only what the two shared stacks write.
func TestStacksStandAlone(t *testing.T) {
	all := onAWS()
	written := map[string]bool{}
	for _, shared := range []string{"network", "platform"} {
		for _, p := range all[shared].of("AWS::SSM::Parameter") {
			written[p.at("Name").(string)] = true
		}
	}
	for stack, tpl := range all {
		if strings.Contains(tpl.raw, "Fn::ImportValue") {
			t.Errorf("%s imports a value", stack)
		}
		for name, o := range tpl.Outputs {
			if o.Export != nil {
				t.Errorf("%s exports %s", stack, name)
			}
		}
		for _, p := range tpl.Parameters {
			if strings.HasPrefix(p.Default, "/cdk-bootstrap/") {
				continue
			}
			if !written[p.Default] {
				t.Errorf("%s reads %q, which no shared stack writes", stack, p.Default)
			}
		}
	}
}

func TestTemplateChangesOnlyWithItsService(t *testing.T) {
	writeBinary(dist(), "catalog", "api", "version 2")
	defer writeBinary(dist(), "catalog", "api", "version 1")
	before, after := onAWS(), synth("changed", with(nil))
	for stack := range before {
		if changed := before[stack].raw != after[stack].raw; changed != (stack == "catalog") {
			t.Errorf("after a change of catalog/api, %s changed: %v", stack, changed)
		}
	}
}

func TestEveryFunctionHasItsOwnAsset(t *testing.T) {
	seen := map[any]string{}
	for _, f := range functions(onAWS()) {
		key := f.at("Code", "S3Key")
		if other, taken := seen[key]; taken {
			t.Errorf("%s and %s share an asset", f, other)
		}
		seen[key] = f.String()
	}
}

// The whole difference between the two kinds of templates. Whatever is added here is
// something that a green local run says nothing about.
func TestLocalDiffersOnlyWhereItMust(t *testing.T) {
	want := []string{
		"every service: AWS::CloudWatch::Alarm missing",
		"every service: AWS::DynamoDB::GlobalTable deletion",
		"every service: AWS::DynamoDB::GlobalTable.Replicas",
		"every service: AWS::SQS::QueuePolicy missing",
		"every service: AWS::SQS::QueuePolicy.PolicyDocument",
		"network: AWS::SSM::Parameter /network/alb-url missing",
		"platform: AWS::Cognito::UserPool deletion",
		"platform: AWS::Cognito::UserPool.DeletionProtection",
		"platform: AWS::Events::Archive missing",
	}
	if diff := cmp.Diff(want, differences(onAWS(), locally(), "every service")); diff != "" {
		t.Error(diff)
	}
}

// differences lists what is otherwise in other templates of the same stacks, once
// each. All that are no shared stack go by one name.
func differences(from, to map[string]template, service string) []string {
	found := map[string]bool{}
	for stack, tpl := range from {
		where := stack
		if stack != "network" && stack != "platform" && stack != "edge" {
			where = service
		}
		for id, r := range tpl.Resources {
			other, ok := to[stack].Resources[id]
			what := where + ": " + r.Type
			switch {
			case !ok && r.Type == "AWS::SSM::Parameter":
				found[what+" "+strings.TrimPrefix(r.at("Name").(string), "/tradewind/"+stage)+" missing"] = true
				continue
			case !ok:
				found[what+" missing"] = true
				continue
			case other.DeletionPolicy != r.DeletionPolicy:
				found[what+" deletion"] = true
			}
			for property := range r.Properties {
				if !cmp.Equal(r.Properties[property], other.Properties[property]) {
					found[what+"."+property] = true
				}
			}
		}
		for id, r := range to[stack].Resources {
			if _, ok := tpl.Resources[id]; !ok {
				found[where+": "+r.Type+" added"] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// What moves real money and sends real mail is asked for, and then has exactly the
// rights it needs.
func TestProviders(t *testing.T) {
	const secret = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:stripe-AbCdEf"
	all := synth("providers", with(func(s *stages.Settings) {
		s.Payments = stages.Payments{Provider: "stripe", Secret: secret}
		s.Mail = stages.Mail{Provider: "ses", From: "shop@example.com", Admin: "admin@example.com"}
	}))
	want := map[string]struct {
		env   map[string]string
		grant string
	}{
		"payments/consumer":      {map[string]string{"PAYMENT_PROVIDER": "stripe", "STRIPE_SECRET_ARN": secret}, "secretsmanager:GetSecretValue on " + secret},
		"orders/api":             {map[string]string{"PAYMENT_PROVIDER": "stripe"}, ""},
		"notifications/consumer": {map[string]string{"MAILER": "ses", "MAIL_FROM": "shop@example.com", "ADMIN_EMAIL": "admin@example.com"}, "ses:SendEmail on "},
	}
	for _, f := range functions(all) {
		w, asked := want[f.String()]
		grants := strings.Join(f.grants(all[f.stack]), "\n")
		for _, right := range []string{"secretsmanager:", "ses:"} {
			if strings.Contains(grants, right) != strings.HasPrefix(w.grant, right) {
				t.Errorf("%s may: %s", f, grants)
			}
		}
		if !asked {
			continue
		}
		for name, value := range w.env {
			if got := f.at("Environment", "Variables", name); got != value {
				t.Errorf("%s: %s is %v, want %s", f, name, got, value)
			}
		}
		if !strings.Contains(grants, w.grant) {
			t.Errorf("%s lacks %q: %s", f, w.grant, grants)
		}
	}
}

func TestConfig(t *testing.T) {
	tests := map[string]struct {
		context map[string]any
		want    string
	}{
		"Lambda does not run it":            {map[string]any{"local": "true", "arch": "riscv64"}, "Lambda runs arm64 and amd64"},
		"there is no such way of discovery": {map[string]any{"local": "true", "discovery": "consul"}, "services find each other by one of"},
		"there is no such stage":            {map[string]any{"stageFile": "nowhere/absent.yaml"}, "copy nowhere/dev.yaml to nowhere/absent.yaml"},
		"a stage is not finished":           {map[string]any{"stageFile": "../stages/prod.yaml"}, "account is not filled in"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			app := NewApp(awscdk.AppProps{Context: &test.context})
			c, err := FromContext(app.Node())
			if err == nil {
				err = Build(app, c)
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}

func TestTables(t *testing.T) {
	targets(t, func(t *testing.T, all map[string]template) {
		for _, s := range services {
			n := 0
			for id, table := range all[s.name].of("AWS::DynamoDB::GlobalTable") {
				n++
				for path, want := range map[string]any{
					"BillingMode":                           "PAY_PER_REQUEST",
					"StreamSpecification/StreamViewType":    "NEW_IMAGE",
					"TimeToLiveSpecification/AttributeName": "expiresAt",
					"TimeToLiveSpecification/Enabled":       true,
				} {
					outer, inner, nested := strings.Cut(path, "/")
					got := table.at(outer)
					if nested {
						got = table.at(outer, inner)
					}
					if got != want {
						t.Errorf("%s/%s: %s is %v, want %v", s.name, id, path, got, want)
					}
				}
				if table.at("Replicas", 0, "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled") != true {
					t.Errorf("%s/%s cannot be restored to a point in time", s.name, id)
				}
			}
			if n != 1 {
				t.Errorf("%s has %d tables, want 1", s.name, n)
			}
		}
	})
	for _, s := range services {
		for id, table := range onAWS()[s.name].of("AWS::DynamoDB::GlobalTable") {
			// CloudFormation takes over a table that is there already if its name is a text in
			// the template, and only then.
			if table.at("TableName") != "tradewind-test-"+s.name {
				t.Errorf("%s/%s is called %v: the next stack begins with an empty one", s.name, id, table.at("TableName"))
			}
			if table.DeletionPolicy != "Retain" || table.at("Replicas", 0, "DeletionProtectionEnabled") != true {
				t.Errorf("%s/%s can be lost with its stack", s.name, id)
			}
		}
	}
}

func TestFunctions(t *testing.T) {
	house := []string{"STAGE", "SERVICE_NAME"}
	want := map[string][]string{
		"api":               {"TABLE_NAME", "CURSOR_KEY", "TOKEN_ISSUER", "USER_POOL_CLIENT_ID", "POOL_KEYS", "CONFIG_VERSION"},
		"relay":             {"TABLE_NAME", "BUS_NAME", "DLQ_URL", "CONFIG_VERSION"},
		"consumer":          {"TABLE_NAME", "DLQ_URL", "MAX_RECEIVES", "CONFIG_VERSION"},
		"sweeper":           {"TABLE_NAME"},
		"prober":            {"TABLE_NAME", "CONFIG_VERSION"},
		"catalog/api":       {"JWKS_URL"},
		"inventory/api":     {"JWKS_URL"},
		"notifications/api": {"JWKS_URL"},
		"payments/api":      {"JWKS_URL"},
		"users/api":         {"JWKS_URL", "USER_POOL_ID"},
		"orders/api":        {"DISCOVERY_MODE", "ALB_URL", "PAYMENT_PROVIDER"}, // no way to the internet, so no JWKS_URL
		"orders/sweeper":    {"ORDER_TIMEOUT"},
		"payments/consumer": {"PAYMENT_PROVIDER", "PROVIDER_TIMEOUT"},
		"status/api":        {"SERVICES", "JWKS_URL"},
		"status/consumer":   {"SERVICES", "NAMESPACE_ID"},
		"status/prober":     {"SERVICES", "DISCOVERY_MODE", "ALB_URL"},
	}
	callers := []string{"orders/api", "status/prober"}
	targets(t, func(t *testing.T, all map[string]template) {
		for _, f := range functions(all) {
			vars := slices.Sorted(slices.Values(slices.Concat(house, want[f.kind], want[f.String()])))
			if diff := cmp.Diff(vars, slices.Sorted(maps.Keys(f.at("Environment", "Variables").(map[string]any)))); diff != "" {
				t.Errorf("%s: environment: %s", f, diff)
			}
			if table := f.at("Environment", "Variables", "TABLE_NAME"); f.stack != "platform" && table != "tradewind-test-"+f.stack {
				t.Errorf("%s: works on the table %v", f, table)
			}
			if f.at("Runtime") != "provided.al2023" {
				t.Errorf("%s: runtime %v", f, f.at("Runtime"))
			}
			// Nothing carries a trace on, so each would be a single segment, and is paid for. A
			// request is followed by its correlation id.
			if f.at("TracingConfig") != nil {
				t.Errorf("%s: tracing %v", f, f.at("TracingConfig", "Mode"))
			}
			if timeout := f.at("Timeout").(float64); f.kind == "api" && timeout >= 29 {
				t.Errorf("%s: may take %v s, and the gateway waits 29", f, timeout)
			}
			logs := all[f.stack].Resources[ref(f.at("LoggingConfig", "LogGroup"))]
			if logs.at("LogGroupName") != "/aws/lambda/"+f.at("FunctionName").(string) || logs.at("RetentionInDays") != 30.0 {
				t.Errorf("%s: logs go to %v and stay %v days", f, logs.at("LogGroupName"), logs.at("RetentionInDays"))
			}
			if inside := f.at("VpcConfig") != nil; inside != slices.Contains(callers, f.String()) {
				t.Errorf("%s: in the network: %v", f, inside)
			}
		}
	})
}

// What each kind of function may do, whole. A new permission belongs here first.
func TestLeastPrivilege(t *testing.T) {
	house := []string{"logs:CreateLogStream on LogGroup", "logs:PutLogEvents on LogGroup"}
	// What each function does with its table: package permissions holds it to the code.
	const (
		get, put, remove = "dynamodb:GetItem on GlobalTable", "dynamodb:PutItem on GlobalTable", "dynamodb:DeleteItem on GlobalTable"
		query, listed    = "dynamodb:Query on GlobalTable", "dynamodb:Query on GlobalTable/index/GSI1"
	)
	data := map[string][]string{
		"catalog/api":            {listed, put, remove},
		"inventory/api":          {put},
		"inventory/consumer":     {get, put},
		"notifications/api":      {listed},
		"notifications/consumer": {get, put, remove},
		"orders/api":             {listed, put},
		"orders/consumer":        {get, listed, put},
		"orders/sweeper":         {get, put, "dynamodb:Query on GlobalTable/index/GSI2"},
		"payments/consumer":      {get, put},
		"status/api":             {query},
		"status/consumer":        {query},
		"status/prober":          {get, put},
		"users/api":              {query, listed, put, remove},
	}
	kinds := map[string]func(function) []string{
		// Its readiness check reads the table and tries a transaction.
		"api": func(function) []string { return []string{get, "dynamodb:ConditionCheckItem on GlobalTable"} },
		"relay": func(f function) []string {
			return []string{
				"dynamodb:DescribeStream on GlobalTable.StreamArn", "dynamodb:GetRecords on GlobalTable.StreamArn",
				"dynamodb:GetShardIterator on GlobalTable.StreamArn", "dynamodb:ListStreams on GlobalTable/stream/*",
				"events:PutEvents on {platform/bus-arn}",
				"sqs:SendMessage on " + f.stack + "-relay-dlq",
			}
		},
		"consumer": func(f function) []string {
			own := f.stack + "-consumer"
			return []string{
				"sqs:DeleteMessage on " + own, "sqs:GetQueueAttributes on " + own, "sqs:ReceiveMessage on " + own,
				"sqs:SendMessage on " + own + "-dlq",
			}
		},
	}
	for _, kind := range []string{"sweeper", "prober", "poolkeys"} {
		kinds[kind] = func(function) []string { return nil }
	}
	registered := "arn:{AWS::Partition}:servicediscovery:{AWS::Region}:{AWS::AccountId}:service/*"
	pool := "arn:{AWS::Partition}:cognito-idp:{AWS::Region}:{AWS::AccountId}:userpool/{platform/user-pool-id}"
	// Lambda attaches the function to the network with these; what they act on does not
	// exist yet. The function's code may not: see TestNetworkInterfaces.
	network := []string{
		"ec2:AssignPrivateIpAddresses on *", "ec2:CreateNetworkInterface on *", "ec2:DeleteNetworkInterface on *",
		"ec2:DescribeNetworkInterfaces on *", "ec2:DescribeSubnets on *", "ec2:UnassignPrivateIpAddresses on *",
	}
	for _, action := range slices.Clone(network) {
		network = append(network, "not "+action)
	}
	extra := map[string][]string{
		"orders/api":    append([]string{"dynamodb:Query on GlobalTable/index/GSI2"}, network...), // its health tells how many orders are pending
		"status/prober": network,
		"status/consumer": { // of this stage only: see TestRegistryHealth
			"servicediscovery:ListInstances on " + registered, "servicediscovery:ListServices on *",
			"servicediscovery:UpdateInstanceCustomHealthStatus on " + registered,
		},
		"users/api": {
			"cognito-idp:AdminCreateUser on " + pool, "cognito-idp:AdminDeleteUser on " + pool,
			"cognito-idp:AdminGetUser on " + pool, "cognito-idp:AdminSetUserPassword on " + pool,
			"cognito-idp:AdminUpdateUserAttributes on " + pool,
		},
	}
	targets(t, func(t *testing.T, all map[string]template) {
		for _, f := range functions(all) {
			want := slices.Sorted(slices.Values(slices.Concat(house, kinds[f.kind](f), data[f.String()], extra[f.String()])))
			if diff := cmp.Diff(want, f.grants(all[f.stack])); diff != "" {
				t.Errorf("%s: %s", f, diff)
			}
		}
		for stack, tpl := range all {
			for id, role := range tpl.of("AWS::IAM::Role") {
				if role.at("ManagedPolicyArns") != nil || role.at("Policies") != nil {
					t.Errorf("%s/%s has permissions beside its policy", stack, id)
				}
			}
		}
	})
}

// The denial is for calls that the function's own code signs. A denial of all calls would
// keep Lambda from attaching the function to the network; one of another function's calls
// would deny nothing.
func TestNetworkInterfaces(t *testing.T) {
	targets(t, func(t *testing.T, all map[string]template) {
		for _, f := range functions(all) {
			for _, s := range f.statements(all[f.stack]) {
				if s["Effect"] != "Deny" {
					continue
				}
				statement, tpl := resource{Properties: s}, all[f.stack]
				got := tpl.describe(statement.at("Condition", "ArnEquals", "lambda:SourceFunctionArn"))
				want := "arn:{AWS::Partition}:lambda:{AWS::Region}:{AWS::AccountId}:function:" + f.at("FunctionName").(string)
				if conditions, _ := s["Condition"].(map[string]any); got != want || len(conditions) != 1 {
					t.Errorf("%s: %v is denied if %v", f, s["Action"], s["Condition"])
				}
			}
		}
	})
}

func TestRelayMapping(t *testing.T) {
	targets(t, func(t *testing.T, all map[string]template) {
		for _, f := range functions(all) {
			if f.kind != "relay" {
				continue
			}
			tpl := all[f.stack]
			m := tpl.mapping(t, f)
			var filter map[string]any
			if err := json.Unmarshal([]byte(m.at("FilterCriteria", "Filters", 0, "Pattern").(string)), &filter); err != nil {
				t.Fatal(err)
			}
			want := map[string]any{
				"eventName": []any{"INSERT"},
				"dynamodb":  map[string]any{"NewImage": map[string]any{"entity": map[string]any{"S": []any{"outbox"}}}},
			}
			if diff := cmp.Diff(want, filter); diff != "" {
				t.Errorf("%s: filter: %s", f, diff)
			}
			if len(m.at("FilterCriteria", "Filters").([]any)) != 1 {
				t.Errorf("%s: more than one filter: they are alternatives", f)
			}
			// A bus that is down is waited for as long as the stream lasts, and no longer: then
			// somebody is told.
			if age := m.at("MaximumRecordAgeInSeconds"); m.at("MaximumRetryAttempts") != -1.0 || age == nil || age.(float64) >= 24*3600 || age.(float64) < 12*3600 {
				t.Errorf("%s: tries %v times, for %v s", f, m.at("MaximumRetryAttempts"), age)
			}
			if m.at("BisectBatchOnFunctionError") != true {
				t.Errorf("%s: one record that ends the function takes its batch with it", f)
			}
			if got := tpl.describe(m.at("DestinationConfig", "OnFailure", "Destination")); got != f.stack+"-relay-dlq" {
				t.Errorf("%s: what fails goes to %q", f, got)
			}
			if got := tpl.describe(m.at("EventSourceArn")); got != "GlobalTable.StreamArn" {
				t.Errorf("%s: reads %q", f, got)
			}
		}
	})
}

// mapping is the event source mapping of a function, which must report partial
// failures: without that, one bad message fails, and repeats, its whole batch.
func (t template) mapping(tb testing.TB, f function) resource {
	tb.Helper()
	for _, m := range t.of("AWS::Lambda::EventSourceMapping") {
		if t.behind(m.at("FunctionName")) != f.id {
			continue
		}
		if diff := cmp.Diff([]any{"ReportBatchItemFailures"}, m.at("FunctionResponseTypes")); diff != "" {
			tb.Errorf("%s: %s", f, diff)
		}
		return m
	}
	tb.Fatalf("%s has no event source", f)
	return resource{}
}

// A backlog in one queue leaves the other functions their share of the account's
// concurrency. The house's cap is what a new account has in all.
func TestConsumersAreCapped(t *testing.T) {
	for want, all := range map[float64]map[string]template{
		10: onAWS(),
		25: synth("concurrency", with(func(s *stages.Settings) { s.Concurrency = 25 })),
	} {
		capped := 0
		for stack, tpl := range all {
			for id, m := range tpl.of("AWS::Lambda::EventSourceMapping") {
				if tpl.Resources[ref(m.at("EventSourceArn"))].Type != "AWS::SQS::Queue" {
					continue
				}
				capped++
				if got := m.at("ScalingConfig", "MaximumConcurrency"); got != want {
					t.Errorf("%s/%s works on %v batches at a time", stack, id, got)
				}
			}
		}
		if capped == 0 {
			t.Error("no consumer has a queue")
		}
	}
}

// Every queue either is a dead-letter queue, kept as long as possible and alarmed on,
// or has one and leaves its function time for its retries.
func TestQueues(t *testing.T) {
	targets(t, func(t *testing.T, all map[string]template) {
		for stack, tpl := range all {
			timeouts := map[string]float64{} // by logical id of the queue
			for _, f := range functions(map[string]template{stack: tpl}) {
				if f.kind != "consumer" {
					continue
				}
				queue := ref(tpl.mapping(t, f).at("EventSourceArn"))
				timeouts[queue] = f.at("Timeout").(float64)
				// The function's last delivery must be the queue's.
				last := fmt.Sprint(tpl.Resources[queue].at("RedrivePolicy", "maxReceiveCount"))
				if got := f.at("Environment", "Variables", "MAX_RECEIVES"); got != last {
					t.Errorf("%s: takes delivery %v for the last, the queue %s", f, got, last)
				}
				if got := tpl.describe(f.at("Environment", "Variables", "DLQ_URL")); got != stack+"-consumer-dlq" {
					t.Errorf("%s: puts what it cannot process into %s", f, got)
				}
			}
			for id, q := range tpl.of("AWS::SQS::Queue") {
				name := q.queue()
				if q.at("SqsManagedSseEnabled") != true {
					t.Errorf("%s is not encrypted", name)
				}
				timeout, consumed := timeouts[id]
				switch {
				case strings.HasSuffix(name, "-dlq"):
					if q.at("MessageRetentionPeriod") != float64(14*24*3600) {
						t.Errorf("%s keeps messages %v s", name, q.at("MessageRetentionPeriod"))
					}
					if !tpl.alarmedOn(id) {
						t.Errorf("%s fills in silence", name)
					}
				case !consumed:
					t.Errorf("%s is read by nobody", name)
				default:
					if q.at("VisibilityTimeout").(float64) < 6*timeout {
						t.Errorf("%s: visibility %v s for a function of %v s", name, q.at("VisibilityTimeout"), timeout)
					}
					dlq := tpl.describe(q.at("RedrivePolicy", "deadLetterTargetArn"))
					if dlq != stack+"-consumer-dlq" || q.at("RedrivePolicy", "maxReceiveCount") != 5.0 {
						t.Errorf("%s: redrive %v", name, q.at("RedrivePolicy"))
					}
				}
			}
		}
	})
}

// SQS refuses the name of a queue that was deleted within a minute: the next stack has
// other names. They are what the tools look for, and not too long.
func TestQueueNames(t *testing.T) {
	targets(t, func(t *testing.T, all map[string]template) {
		found := 0
		for stack, tpl := range all {
			for id, q := range tpl.of("AWS::SQS::Queue") {
				found++
				named := func(stackID string) string {
					return tpl.expand(q.at("QueueName"), func(name string) string {
						if name != "AWS::StackId" {
							t.Errorf("%s/%s is named after %s", stack, id, name)
						}
						return "arn:aws:cloudformation:us-gov-west-1:111122223333:stack/tradewind-test-" + stack + "/" + stackID
					})
				}
				first, next := named("51af3dc0-da77-11e4-872e-1234567db123"), named("62b04ed1-da77-11e4-872e-1234567db123")
				if known := regexp.MustCompile(`^tradewind-test-` + stack + `-(consumer|consumer-dlq|relay-dlq|rule-dlq)-[0-9a-f]{8}$`); !known.MatchString(first) || first == next {
					t.Errorf("%s/%s is %s, and %s in the next stack", stack, id, first, next)
				}
				// A stage's name may have four characters more, a service's up to twenty.
				if longest := len(first) + 4 + 20 - len(stack); longest > 80 {
					t.Errorf("%s/%s: a name may have %d characters", stack, id, longest)
				}
			}
		}
		if found == 0 {
			t.Error("no queue")
		}
	})
}

func TestQueuesDemandTLS(t *testing.T) {
	for stack, tpl := range onAWS() {
		for id := range tpl.of("AWS::SQS::Queue") {
			if !tpl.refusesPlainHTTP(id) {
				t.Errorf("%s/%s can be reached without TLS", stack, id)
			}
		}
	}
}

func (t template) refusesPlainHTTP(queue string) bool {
	for _, s := range t.queuePolicy(queue) {
		if s["Effect"] == "Deny" && cmp.Equal(s["Condition"], map[string]any{"Bool": map[string]any{"aws:SecureTransport": "false"}}) {
			return true
		}
	}
	return false
}

func (t template) queuePolicy(queue string) []map[string]any {
	var statements []map[string]any
	for _, p := range t.of("AWS::SQS::QueuePolicy") {
		if ref(p.at("Queues", 0)) != queue {
			continue
		}
		for _, s := range p.at("PolicyDocument", "Statement").([]any) {
			statements = append(statements, s.(map[string]any))
		}
	}
	return statements
}

func (t template) alarmedOn(queue string) bool {
	for _, a := range t.of("AWS::CloudWatch::Alarm") {
		if a.at("MetricName") == "ApproximateNumberOfMessagesVisible" && ref(a.at("Dimensions", 0, "Value")) == queue &&
			a.at("Threshold") == 1.0 && a.at("AlarmActions", 0) != nil {
			return true
		}
	}
	return false
}

// Who the contracts say publishes or consumes must be a service with a stack, or its
// events would go nowhere.
func TestContractsNameServices(t *testing.T) {
	known := map[string]bool{}
	for _, s := range services {
		known[s.name] = true
	}
	for _, c := range contracts.All() {
		for _, name := range append(c.Consumers.Services(), c.Publisher) {
			if !known[name] {
				t.Errorf("%s: %s is no service of this platform", c.Name(), name)
			}
		}
	}
}

// One rule per consumer brings exactly the events that the contracts say it consumes,
// to a queue that lets in nothing else, with a dead-letter queue for what does not
// arrive. Both let in the rules of replays too, by the names that the tool gives them.
func TestRules(t *testing.T) {
	want, sources := map[string][]string{}, map[string][]string{}
	for _, c := range contracts.All() {
		for consumer := range c.Consumers {
			want[consumer] = append(want[consumer], c.Type())
			sources[consumer] = append(sources[consumer], c.Publisher)
		}
	}
	for consumer := range want {
		slices.Sort(want[consumer])
		slices.Sort(sources[consumer])
		want[consumer], sources[consumer] = slices.Compact(want[consumer]), slices.Compact(sources[consumer])
	}
	targets(t, func(t *testing.T, all map[string]template) {
		for id, b := range all["platform"].of("AWS::Events::EventBus") {
			if b.at("Name") != bus {
				t.Errorf("%s is called %v, the tools call it %s", id, b.at("Name"), bus)
			}
		}
		got, gotSources := map[string][]string{}, map[string][]string{}
		for stack, tpl := range all {
			for id, r := range tpl.of("AWS::Events::Rule") {
				if r.at("ScheduleExpression") != nil {
					continue
				}
				if _, second := got[stack]; second {
					t.Errorf("%s has more than one rule", stack)
				}
				got[stack] = texts(r.at("EventPattern", "detail-type"))
				gotSources[stack] = texts(r.at("EventPattern", "source"))
				if r.at("EventPattern", "replay-name", 0, "exists") != false {
					t.Errorf("%s gets the events of every replay", stack)
				}
				mayPass := map[string]bool{
					id: true,
					replayrule.Name(bus, stack, "t0a1b2c3d4"):     true,
					replayrule.Name(bus, "another", "t0a1b2c3d4"): false,
					bus + "-" + stack + "-another":                false,
				}
				for _, target := range r.at("Targets").([]any) {
					to := resource{Properties: target.(map[string]any)}
					dlq := ref(to.at("DeadLetterConfig", "Arn"))
					if dlq == "" {
						t.Errorf("%s: what %v does not take is lost", stack, tpl.describe(to.at("Arn")))
					}
					for _, queue := range []string{ref(to.at("Arn")), dlq} {
						for rule, want := range mayPass {
							if got := tpl.letsIn(t, queue, rule); got != want {
								t.Errorf("%s: %s lets in the rule %s: %v, want %v", stack, queue, rule, got, want)
							}
						}
					}
				}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(sources, gotSources); diff != "" {
			t.Error(diff)
		}
	})
}

// bus is the name of the event bus.
const bus = "tradewind-" + stage

// letsIn reports whether a queue's policy lets EventBridge send for the rule of the bus
// with a name. A statement that lets in anything else is an error.
func (t template) letsIn(tb testing.TB, queue, rule string) bool {
	tb.Helper()
	const arn = "arn:aws:events:eu-central-1:111122223333:rule/" + bus + "/"
	known := strings.NewReplacer("{AWS::Partition}", "aws", "{AWS::Region}", "eu-central-1", "{AWS::AccountId}", "111122223333", "{platform/bus-name}", bus)
	allowed := false
	for _, s := range t.queuePolicy(queue) {
		if s["Effect"] != "Allow" {
			continue
		}
		statement := resource{Properties: s}
		conditions, _ := s["Condition"].(map[string]any)
		sources := statement.at("Condition", "ArnLike", "aws:SourceArn")
		if s["Action"] != "sqs:SendMessage" || statement.at("Principal", "Service") != "events.amazonaws.com" || ref(s["Resource"]) != queue || sources == nil || len(conditions) != 1 {
			tb.Errorf("%s has a statement that is not about rules by their ARNs alone: %v", queue, s)
			continue
		}
		for _, source := range oneOrMany(sources) {
			pattern := known.Replace(t.describe(source))
			if id := ref(source); t.Resources[id].Type == "AWS::Events::Rule" {
				pattern = arn + id
			}
			allowed = allowed || arnLike(pattern, arn+rule)
		}
	}
	return allowed
}

// arnLike is IAM's operator of that name: the six parts of an ARN are compared one by
// one, with * for any characters and ? for one.
func arnLike(pattern, arn string) bool {
	patterns, parts := strings.SplitN(pattern, ":", 6), strings.SplitN(arn, ":", 6)
	return slices.EqualFunc(patterns, parts, func(pattern, part string) bool {
		expression := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(pattern))
		return regexp.MustCompile("^(?s:" + expression + ")$").MatchString(part)
	})
}

func TestArnLike(t *testing.T) {
	const rule = "arn:aws:events:eu-central-1:111122223333:rule/shop/shop-sales-replay-1"
	for pattern, want := range map[string]bool{
		rule: true,
		"arn:aws:events:*:*:rule/shop/shop-sales-replay-?":                 true,
		"arn:aws:events:eu-central-1:111122223333:rule/*":                  true,
		"arn:aws:events:eu-central-1:111122223333:rule/shop/shop-replay-*": false,
		"arn:aws:events:eu-central-1:111122223333:rule/shop/Shop-sales-*":  false,
		"arn:aws:events:*": false, // one part does not stand for three
		"arn:aws:events:eu.central-1:111122223333:rule/shop/shop-sales-rep*": false,
	} {
		if got := arnLike(pattern, rule); got != want {
			t.Errorf("%s: %v", pattern, got)
		}
	}
}

func texts(v any) []string {
	var list []string
	for _, item := range oneOrMany(v) {
		list = append(list, fmt.Sprint(item))
	}
	return list
}

// The routes of the contract, and who may call them.
func TestRoutes(t *testing.T) {
	const signedIn, anyone = true, false
	want := map[string]bool{
		"POST /api/users":        anyone,
		"GET /api/users":         signedIn,
		"GET /api/users/{id}":    signedIn,
		"PATCH /api/users/{id}":  signedIn,
		"DELETE /api/users/{id}": signedIn,

		"GET /api/products":         anyone,
		"GET /api/products/{id}":    anyone,
		"POST /api/products":        signedIn,
		"PATCH /api/products/{id}":  signedIn,
		"DELETE /api/products/{id}": signedIn,

		"GET /api/stock/{productId}":              anyone,
		"PUT /api/stock/{productId}":              signedIn,
		"POST /api/stock/{productId}/adjustments": signedIn,

		"POST /api/orders":                   signedIn,
		"GET /api/orders":                    signedIn,
		"GET /api/orders/{id}":               signedIn,
		"POST /api/orders/{id}/cancellation": signedIn,
		"GET /api/orders/{id}/history":       signedIn,

		"GET /api/payments":      signedIn,
		"GET /api/payments/{id}": signedIn,

		"GET /api/notifications":      signedIn,
		"GET /api/notifications/{id}": signedIn,

		"GET /health":              anyone,
		"GET /health/openapi.json": anyone,
		"ANY /health":              anyone,
		"ANY /health/{proxy+}":     anyone,
		"$default":                 anyone, // so that a path of no service is answered as all others are
	}
	for _, collection := range []string{"users", "products", "stock", "orders", "payments", "notifications"} {
		want["GET /api/"+collection+"/openapi.json"] = anyone
		want["ANY /api/"+collection] = anyone
		want["ANY /api/"+collection+"/{proxy+}"] = anyone
	}
	for key, needsToken := range maps.Clone(want) {
		if path, reads := strings.CutPrefix(key, "GET "); reads {
			want["HEAD "+path] = needsToken
		}
	}
	targets(t, func(t *testing.T, all map[string]template) {
		got := map[string]bool{}
		for stack, tpl := range all {
			for id, i := range tpl.of("AWS::ApiGatewayV2::Integration") {
				if called := tpl.Resources[ref(i.at("IntegrationUri"))]; called.Type != "AWS::Lambda::Alias" || i.at("PayloadFormatVersion") != "2.0" {
					t.Errorf("%s/%s calls a %s with payload %v", stack, id, called.Type, i.at("PayloadFormatVersion"))
				}
			}
			for _, r := range tpl.of("AWS::ApiGatewayV2::Route") {
				key := r.at("RouteKey").(string)
				got[key] = r.at("AuthorizationType") == "JWT"
				if got[key] && tpl.describe(r.at("AuthorizerId")) != "{platform/authorizer-id}" {
					t.Errorf("%s: not the platform's authorizer", key)
				}
				if r.at("AuthorizationScopes") != nil {
					t.Errorf("%s: a scope would answer an ID token with 403 instead of 401", key)
				}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// hosts are the names by which services know each other.
var hosts = map[string]string{
	"users": "user-service", "catalog": "catalog-service", "inventory": "inventory-service",
	"orders": "order-service", "payments": "payment-service", "notifications": "notification-service",
	"status": "status-service",
}

// Each service answers to the host that the kit sends, and to no other.
func TestBalancerRules(t *testing.T) {
	variables := map[string]string{"STAGE": stage, "ALB_URL": "http://balancer"}
	kit := discovery.FromEnv(env.From(func(name string) string { return variables[name] }))
	want := map[string][]string{}
	for name, host := range hosts {
		address, err := kit.Resolve(t.Context(), host)
		if err != nil {
			t.Fatal(err)
		}
		want[name] = []string{address.Host}
	}
	targets(t, func(t *testing.T, all map[string]template) {
		priorities, got := map[any]string{}, map[string][]string{}
		for stack, tpl := range all {
			for id, r := range tpl.of("AWS::ElasticLoadBalancingV2::ListenerRule") {
				if other, taken := priorities[r.at("Priority")]; taken {
					t.Errorf("%s/%s and %s have one priority: rename one of the services", stack, id, other)
				}
				priorities[r.at("Priority")] = stack + "/" + id
				got[stack] = append(got[stack], hostConditions(r)...)
			}
			for id, g := range tpl.of("AWS::ElasticLoadBalancingV2::TargetGroup") {
				if name := g.at("Name").(string); len(name) > 32 {
					t.Errorf("%s/%s: %q is longer than a target group's name may be", stack, id, name)
				}
				if len(g.DependsOn) == 0 {
					t.Errorf("%s/%s is made before the balancer may call its target", stack, id)
				}
				// The only target gets the requests however the checks end, and they are paid for.
				if g.at("HealthCheckEnabled") != false {
					t.Errorf("%s/%s checks the health of its only target", stack, id)
				}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// Only the gateway's API and this service's target group may call a function, and
// only its alias, so that a deployment can shift traffic.
func TestInvokePermissions(t *testing.T) {
	targets(t, func(t *testing.T, all map[string]template) {
		for stack, tpl := range all {
			for id, p := range tpl.of("AWS::Lambda::Permission") {
				if p.at("Principal") == "events.amazonaws.com" {
					continue // a schedule: see TestSchedules
				}
				if tpl.Resources[ref(p.at("FunctionName"))].Type != "AWS::Lambda::Alias" {
					t.Errorf("%s/%s opens more than the alias", stack, id)
				}
				arn := tpl.describe(p.at("SourceArn"))
				ok := regexp.MustCompile(`:\{platform/api-id\}/\*/\*/(api/[a-z]+|health)\*$|:targetgroup/tw-test-` + stack + `/\*$`)
				fallback := stack == "status" && strings.HasSuffix(arn, ":{platform/api-id}/*/$default")
				if !ok.MatchString(arn) && !fallback {
					t.Errorf("%s/%s: open to %s", stack, id, arn)
				}
			}
		}
	})
}

// A schedule calls its function, and nothing else may; a run that failed is not
// repeated, for the next comes anyway.
func TestSchedules(t *testing.T) {
	want := map[string]string{"orders": "rate(1 minute)", "status": "rate(1 minute)"}
	targets(t, func(t *testing.T, all map[string]template) {
		got := map[string]string{}
		for stack, tpl := range all {
			for id, r := range tpl.of("AWS::Events::Rule") {
				if r.at("ScheduleExpression") == nil {
					continue
				}
				got[stack] = r.at("ScheduleExpression").(string)
				called := tpl.behind(r.at("Targets", 0, "Arn"))
				for _, p := range tpl.of("AWS::Lambda::Permission") {
					if p.at("Principal") == "events.amazonaws.com" && (tpl.behind(p.at("FunctionName")) != called || ref(p.at("SourceArn")) != id) {
						t.Errorf("%s: %s may call %s", stack, tpl.describe(p.at("SourceArn")), tpl.describe(p.at("FunctionName")))
					}
				}
				retries := -1.0
				for f, c := range tpl.of("AWS::Lambda::EventInvokeConfig") {
					if ref(c.at("FunctionName")) == called && c.at("Qualifier") == "live" {
						retries = c.at("MaximumRetryAttempts").(float64)
						if !slices.Contains(c.DependsOn, ref(r.at("Targets", 0, "Arn"))) {
							t.Errorf("%s: %s may be made before its alias", stack, f)
						}
					}
				}
				if retries != 0 {
					t.Errorf("%s: a failed run is repeated %v times", stack, retries)
				}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// Every service has an alarm that it is degraded, which sounds as well when nobody has
// looked for three rounds of the prober; and every one is probed, without a line of code.
func TestEveryServiceIsWatched(t *testing.T) {
	targets(t, func(t *testing.T, all map[string]template) {
		var hosts []string
		for _, tpl := range all {
			for _, r := range tpl.of("AWS::ElasticLoadBalancingV2::ListenerRule") {
				for _, host := range hostConditions(r) {
					hosts = append(hosts, strings.TrimSuffix(host, "."+stage+".internal"))
				}
			}
		}
		slices.Sort(hosts)
		tpl := all["status"]
		var prober function
		for _, f := range functions(map[string]template{"status": tpl}) {
			if f.kind == "relay" {
				continue
			}
			if f.kind == "prober" {
				prober = f
			}
			named := strings.Split(f.at("Environment", "Variables", "SERVICES").(string), ",")
			if diff := cmp.Diff(hosts, slices.Sorted(slices.Values(named))); diff != "" {
				t.Errorf("%s knows (-there are +it does):\n%s", f, diff)
			}
		}
		var watched []string
		for id, a := range tpl.of("AWS::CloudWatch::Alarm") {
			if a.at("MetricName") != "ServiceHealthy" {
				continue
			}
			dimensions := map[string]string{}
			for _, d := range a.at("Dimensions").([]any) {
				dimension := resource{Properties: d.(map[string]any)}
				dimensions[dimension.at("Name").(string)] = dimension.at("Value").(string)
			}
			host := dimensions["target"]
			watched = append(watched, host)
			asked := metric{a.at("Namespace").(string), a.at("MetricName").(string), dimensions}
			if diff := cmp.Diff(prober.writes(t, host), asked, cmp.AllowUnexported(metric{})); diff != "" {
				t.Errorf("%s (-what the prober writes +what the alarm asks for):\n%s", id, diff)
			}
			low := a.at("Statistic") == "Minimum" && a.at("ComparisonOperator") == "LessThanThreshold" && a.at("Threshold") == 1.0
			if !low || a.at("TreatMissingData") != "breaching" || a.at("Period") != 180.0 || a.at("AlarmActions", 0) == nil || a.at("OKActions", 0) == nil {
				t.Errorf("%s does not sound: %v", id, a.Properties)
			}
		}
		slices.Sort(watched)
		if diff := cmp.Diff(hosts, watched); diff != "" {
			t.Error(diff)
		}
	})
}

// metric is all that CloudWatch tells metrics apart by.
type metric struct {
	namespace, name string
	dimensions      map[string]string
}

// writes returns the metric of a host's health as the kit writes it in a function, by
// the embedded metric format.
func (f function) writes(tb testing.TB, host string) metric {
	tb.Helper()
	var out bytes.Buffer
	meter := metrics.New(&out, func(name string) string {
		value, _ := f.at("Environment", "Variables", name).(string)
		return value
	})
	meter.Group(metrics.Target(host)).Counter(metrics.ServiceHealthy).Add(0)
	meter.Flush()
	var properties map[string]any
	var line struct {
		AWS struct {
			CloudWatchMetrics []struct {
				Namespace  string
				Dimensions [][]string
				Metrics    []struct{ Name string }
			}
		} `json:"_aws"`
	}
	if err := errors.Join(json.Unmarshal(out.Bytes(), &line), json.Unmarshal(out.Bytes(), &properties)); err != nil {
		tb.Fatal(err)
	}
	declared := line.AWS.CloudWatchMetrics[0]
	written := metric{declared.Namespace, declared.Metrics[0].Name, map[string]string{}}
	for _, name := range declared.Dimensions[0] {
		written.dimensions[name] = properties[name].(string)
	}
	return written
}

// The health of instances is set by one function, and only of services that carry the
// stage's tag, which every registered service does.
func TestRegistryHealth(t *testing.T) {
	const action = "servicediscovery:UpdateInstanceCustomHealthStatus"
	targets(t, func(t *testing.T, all map[string]template) {
		found := 0
		for stack, tpl := range all {
			for id, registered := range tpl.of("AWS::ServiceDiscovery::Service") {
				if diff := cmp.Diff([]any{map[string]any{"Key": "stage", "Value": stage}}, registered.at("Tags")); diff != "" {
					t.Errorf("%s/%s: tags: %s", stack, id, diff)
				}
			}
			for id, p := range tpl.of("AWS::IAM::Policy") {
				for _, s := range p.at("PolicyDocument", "Statement").([]any) {
					statement := resource{Properties: s.(map[string]any)}
					if !slices.Contains(oneOrMany(statement.at("Action")), any(action)) {
						continue
					}
					found++
					if diff := cmp.Diff(map[string]any{"StringEquals": map[string]any{"aws:ResourceTag/stage": stage}}, statement.at("Condition")); diff != "" {
						t.Errorf("%s/%s: %s", stack, id, diff)
					}
				}
			}
		}
		if found != 1 {
			t.Errorf("%d policies allow it", found)
		}
	})
}

func TestUserPool(t *testing.T) {
	targets(t, func(t *testing.T, all map[string]template) {
		for _, p := range all["platform"].of("AWS::Cognito::UserPool") {
			if p.at("UsernameAttributes") != nil {
				t.Error("the pool would refuse the platform's own user ids")
			}
			if p.at("AliasAttributes", 0) != "email" || p.at("UsernameConfiguration", "CaseSensitive") != false ||
				p.at("AdminCreateUserConfig", "AllowAdminCreateUserOnly") != true {
				t.Error("sign-in: ", p.Properties)
			}
		}
		for _, c := range all["platform"].of("AWS::Cognito::UserPoolClient") {
			want := []any{"ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"}
			if diff := cmp.Diff(want, c.at("ExplicitAuthFlows")); diff != "" {
				t.Error(diff)
			}
		}
	})
}

// The next key of the cursors is another secret, so that the parameter changes, and with
// it the functions. The one before stays for a stack that is rolled back to it.
func TestCursorKey(t *testing.T) {
	named := func(number int) (secrets []string, current string) {
		all := onAWS()
		if number > 0 {
			all = synth(fmt.Sprint("cursor-key-", number), with(func(s *stages.Settings) { s.CursorKey = number }))
		}
		tpl := all["platform"]
		for id := range tpl.of("AWS::SecretsManager::Secret") {
			secrets = append(secrets, id)
		}
		for _, p := range tpl.of("AWS::SSM::Parameter") {
			if p.at("Name") == "/tradewind/test/platform/cursor-key-arn" {
				current = ref(p.at("Value"))
			}
		}
		return secrets, current
	}
	first, one := named(0)
	second, two := named(2)
	third, three := named(3)
	if len(first) != 1 || len(second) != 2 || len(third) != 2 || !slices.Contains(second, one) || !slices.Contains(third, two) {
		t.Errorf("the secrets are %v, then %v, then %v", first, second, third)
	}
	if one == "" || two == one || three == two || !slices.Contains(third, three) {
		t.Errorf("in use is %s, then %s, then %s", one, two, three)
	}
}

// The keys of this stage's pool are asked for by a function of our own, which
// CloudFormation outlasts, and come to the services by parameters.
func TestPoolKeys(t *testing.T) {
	targets(t, func(t *testing.T, all map[string]template) {
		tpl, n := all["platform"], 0
		for id, keys := range tpl.of("Custom::PoolKeys") {
			n++
			asked := tpl.Resources[ref(keys.at("ServiceToken"))]
			if asked.at("FunctionName") != "tradewind-test-platform-poolkeys" || tpl.Resources[ref(keys.at("UserPoolId"))].Type != "AWS::Cognito::UserPool" {
				t.Errorf("%s asks %v for the keys of %v", id, asked.at("FunctionName"), keys.at("UserPoolId"))
			}
			if patience, _ := strconv.Atoi(keys.at("ServiceTimeout").(string)); float64(patience) <= asked.at("Timeout").(float64) {
				t.Errorf("%s waits for %d s, the function takes up to %v", id, patience, asked.at("Timeout"))
			}
			got := map[any]any{}
			for _, p := range tpl.of("AWS::SSM::Parameter") {
				if ref(p.at("Value")) == id {
					got[p.at("Name")] = p.at("Value", "Fn::GetAtt", 1)
				}
			}
			want := map[any]any{
				"/tradewind/test/platform/pool-keys": "Keys", "/tradewind/test/platform/pool-keys-id": "Id", "/tradewind/test/platform/pool-keys-url": "Url",
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		}
		if n != 1 {
			t.Errorf("%d resources", n)
		}
		read := map[string]string{"POOL_KEYS": "pool-keys", "JWKS_URL": "pool-keys-url", "TOKEN_ISSUER": "issuer", "USER_POOL_CLIENT_ID": "user-pool-client-id"}
		for _, f := range functions(all) {
			for name, key := range read {
				if v := f.at("Environment", "Variables", name); v != nil && all[f.stack].describe(v) != "{platform/"+key+"}" {
					t.Errorf("%s: %s is %v", f, name, v)
				}
			}
		}
	})
}

// Every event that passes can be replayed, but not after the consumers' inboxes have
// forgotten it, also where it waits in a queue and in a dead-letter queue first.
func TestArchive(t *testing.T) {
	var archived, queued, dead time.Duration
	n := 0
	for _, a := range onAWS()["platform"].of("AWS::Events::Archive") {
		n++
		archived = time.Duration(a.at("RetentionDays").(float64)) * 24 * time.Hour
	}
	for _, tpl := range onAWS() {
		for _, q := range tpl.of("AWS::SQS::Queue") {
			kept := time.Duration(q.at("MessageRetentionPeriod").(float64)) * time.Second
			if strings.HasSuffix(q.queue(), "-dlq") {
				dead = max(dead, kept)
			} else {
				queued = max(queued, kept)
			}
		}
	}
	if n != 1 || archived == 0 {
		t.Errorf("%d archives, which keep events for %v", n, archived)
	}
	if oldest := archived + queued + dead; oldest >= inbox.Lifetime {
		t.Errorf("an event may be %v old when it is handled again, an inbox knows it for %v", oldest, inbox.Lifetime)
	}
}

// The network has no way out: no gateway to the internet, no translation, and
// DynamoDB only as this account's tables.
func TestNetworkIsClosed(t *testing.T) {
	tpl := onAWS()["network"]
	for _, kind := range []string{"AWS::EC2::InternetGateway", "AWS::EC2::NatGateway", "AWS::EC2::Route", "AWS::EC2::EIP"} {
		for id := range tpl.of(kind) {
			t.Errorf("%s is a way out", id)
		}
	}
	for id, lb := range tpl.of("AWS::ElasticLoadBalancingV2::LoadBalancer") {
		if lb.at("Scheme") != "internal" {
			t.Errorf("%s faces the internet", id)
		}
	}
	for id, l := range tpl.of("AWS::ElasticLoadBalancingV2::Listener") {
		var problem struct {
			Title, Code string
			Status      int
		}
		body := l.at("DefaultActions", 0, "FixedResponseConfig", "MessageBody").(string)
		if err := json.Unmarshal([]byte(body), &problem); err != nil || problem.Status != 404 || problem.Code == "" {
			t.Errorf("%s answers unknown hosts with %s", id, body)
		}
	}
}
