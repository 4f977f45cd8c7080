package stacks

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tradewind/events/contracts"
	"tradewind/shared/inbox"
)

func TestStacks(t *testing.T) {
	want := []string{"network", "platform"}
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
	before, after := onAWS(), synth("changed", Config{Stage: stage, Arch: "arm64", Dist: dist()})
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
		if stack != "network" && stack != "platform" {
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
	all := synth("providers", Config{
		Stage: stage, Arch: "arm64", Dist: dist(), StripeSecretARN: secret, MailFrom: "shop@example.com", AdminEmail: "admin@example.com",
	})
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
	if err := Build(nil, Config{Stage: stage, Arch: "arm64", StripeSecretARN: "stripe"}); err == nil {
		t.Error("a secret's name was taken for its ARN")
	}
}

func TestConfig(t *testing.T) {
	tests := map[string]Config{
		"a stage's name is too long for a target group": {Stage: "production1", Arch: "arm64"},
		"a stage's name is not a DNS label":             {Stage: "Dev", Arch: "arm64"},
		"Lambda does not run it":                        {Stage: "dev", Arch: "riscv64"},
		"there is no such way of discovery":             {Stage: "dev", Arch: "arm64", Discovery: "consul"},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			if err := Build(nil, c); err == nil {
				t.Error("accepted")
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
			if table.DeletionPolicy != "Retain" || table.at("Replicas", 0, "DeletionProtectionEnabled") != true {
				t.Errorf("%s/%s can be lost with its stack", s.name, id)
			}
		}
	}
}

func TestFunctions(t *testing.T) {
	house := []string{"STAGE", "SERVICE_NAME"}
	want := map[string][]string{
		"api":               {"TABLE_NAME", "CURSOR_KEY", "TOKEN_ISSUER", "USER_POOL_CLIENT_ID", "POOL_KEYS"},
		"relay":             {"TABLE_NAME", "BUS_NAME", "DLQ_URL"},
		"consumer":          {"TABLE_NAME", "DLQ_URL", "MAX_RECEIVES"},
		"sweeper":           {"TABLE_NAME"},
		"prober":            {"TABLE_NAME"},
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
			if f.at("Runtime") != "provided.al2023" || f.at("TracingConfig", "Mode") != "Active" {
				t.Errorf("%s: runtime %v, tracing %v", f, f.at("Runtime"), f.at("TracingConfig", "Mode"))
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
	house := []string{
		"logs:CreateLogStream on LogGroup", "logs:PutLogEvents on LogGroup",
		// X-Ray has no resources to limit these to.
		"xray:PutTelemetryRecords on *", "xray:PutTraceSegments on *",
	}
	data := []string{
		"dynamodb:ConditionCheckItem on GlobalTable", "dynamodb:DeleteItem on GlobalTable", "dynamodb:GetItem on GlobalTable",
		"dynamodb:PutItem on GlobalTable", "dynamodb:Query on GlobalTable", "dynamodb:UpdateItem on GlobalTable",
	}
	listed, due := "dynamodb:Query on GlobalTable/index/GSI1", "dynamodb:Query on GlobalTable/index/GSI2"
	kinds := map[string]func(function) []string{
		"api": func(function) []string {
			return append([]string{listed}, data...)
		},
		"sweeper": func(function) []string { return append([]string{due}, data...) },
		"prober":  func(function) []string { return data },
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
			return append([]string{
				"sqs:ChangeMessageVisibility on " + own, "sqs:DeleteMessage on " + own,
				"sqs:GetQueueAttributes on " + own, "sqs:ReceiveMessage on " + own, listed,
				"sqs:SendMessage on " + own + "-dlq",
			}, data...)
		},
	}
	kinds["poolkeys"] = func(function) []string { return nil }
	pool := "arn:{AWS::Partition}:cognito-idp:{AWS::Region}:{AWS::AccountId}:userpool/{platform/user-pool-id}"
	// Lambda attaches the function to the network with these; what they act on does not exist yet.
	network := []string{
		"ec2:AssignPrivateIpAddresses on *", "ec2:CreateNetworkInterface on *", "ec2:DeleteNetworkInterface on *",
		"ec2:DescribeNetworkInterfaces on *", "ec2:DescribeSubnets on *", "ec2:UnassignPrivateIpAddresses on *",
	}
	extra := map[string][]string{
		"orders/api":    append([]string{due}, network...), // its health tells how many orders are pending
		"status/prober": network,
		"status/consumer": {
			// None of them knows resources; see TestRegistryHealth.
			"servicediscovery:ListInstances on *", "servicediscovery:ListServices on *", "servicediscovery:UpdateInstanceCustomHealthStatus on *",
		},
		"users/api": {
			"cognito-idp:AdminCreateUser on " + pool, "cognito-idp:AdminDeleteUser on " + pool,
			"cognito-idp:AdminGetUser on " + pool, "cognito-idp:AdminSetUserPassword on " + pool,
			"cognito-idp:AdminUpdateUserAttributes on " + pool,
		},
	}
	targets(t, func(t *testing.T, all map[string]template) {
		for _, f := range functions(all) {
			want := slices.Sorted(slices.Values(slices.Concat(house, kinds[f.kind](f), extra[f.String()])))
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
		if ref(m.at("FunctionName")) != f.id {
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
				name := q.at("QueueName").(string)
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
// arrive.
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
				for _, target := range r.at("Targets").([]any) {
					to := resource{Properties: target.(map[string]any)}
					dlq := ref(to.at("DeadLetterConfig", "Arn"))
					if dlq == "" {
						t.Errorf("%s: what %v does not take is lost", stack, tpl.describe(to.at("Arn")))
					}
					for _, queue := range []string{ref(to.at("Arn")), dlq} {
						if !tpl.letsIn(queue, id, stack) {
							t.Errorf("%s: %s does not let its rule in", stack, queue)
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

// letsIn says whether EventBridge may send to the queue for this rule, for those of a
// replay to the service, and for no other.
func (t template) letsIn(queue, rule, service string) bool {
	allowed := 0
	for _, s := range t.queuePolicy(queue) {
		if s["Effect"] != "Allow" {
			continue
		}
		sources := resource{Properties: s}
		const replays = "arn:{AWS::Partition}:events:{AWS::Region}:{AWS::AccountId}:rule/{platform/bus-name}/tradewind-" + stage + "-"
		if s["Action"] != "sqs:SendMessage" || ref(sources.at("Condition", "ArnLike", "aws:SourceArn", 0)) != rule ||
			t.describe(sources.at("Condition", "ArnLike", "aws:SourceArn", 1)) != replays+service+"-replay-*" ||
			len(sources.at("Condition", "ArnLike", "aws:SourceArn").([]any)) != 2 {
			return false
		}
		allowed++
	}
	return allowed == 1
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
		got, names := map[string]bool{}, map[any]string{}
		for stack, tpl := range all {
			authorizer := ""
			for id, a := range tpl.of("AWS::ApiGatewayV2::Authorizer") {
				authorizer = id
				if other, taken := names[a.at("Name")]; taken {
					t.Errorf("%s and %s have authorizers of one name", stack, other)
				}
				names[a.at("Name")] = stack
			}
			for id, i := range tpl.of("AWS::ApiGatewayV2::Integration") {
				if called := tpl.Resources[ref(i.at("IntegrationUri"))]; called.Type != "AWS::Lambda::Alias" || i.at("PayloadFormatVersion") != "2.0" {
					t.Errorf("%s/%s calls a %s with payload %v", stack, id, called.Type, i.at("PayloadFormatVersion"))
				}
			}
			for _, r := range tpl.of("AWS::ApiGatewayV2::Route") {
				key := r.at("RouteKey").(string)
				got[key] = r.at("AuthorizationType") == "JWT"
				if got[key] && ref(r.at("AuthorizerId")) != authorizer {
					t.Errorf("%s: not its own authorizer", key)
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

func TestBalancerRules(t *testing.T) {
	targets(t, func(t *testing.T, all map[string]template) {
		priorities, got := map[any]string{}, map[string]string{}
		for stack, tpl := range all {
			for id, r := range tpl.of("AWS::ElasticLoadBalancingV2::ListenerRule") {
				if other, taken := priorities[r.at("Priority")]; taken {
					t.Errorf("%s/%s and %s have one priority: rename one of the services", stack, id, other)
				}
				priorities[r.at("Priority")] = stack + "/" + id
				if r.at("Conditions", 0, "Field") == "host-header" {
					got[stack] = texts(r.at("Conditions", 0, "HostHeaderConfig", "Values"))[0]
				}
			}
			for id, g := range tpl.of("AWS::ElasticLoadBalancingV2::TargetGroup") {
				if name := g.at("Name").(string); len(name) > 32 {
					t.Errorf("%s/%s: %q is longer than a target group's name may be", stack, id, name)
				}
				if len(g.DependsOn) == 0 {
					t.Errorf("%s/%s is made before the balancer may call its target", stack, id)
				}
				if g.at("HealthCheckEnabled") != true || g.at("HealthCheckPath") != "/health/ready" || g.at("Matcher", "HttpCode") != "200" {
					t.Errorf("%s/%s: the balancer asks %v for %v", stack, id, g.at("HealthCheckPath"), g.at("Matcher"))
				}
				if every := g.at("HealthCheckIntervalSeconds").(float64); every < 60 || every <= g.at("HealthCheckTimeoutSeconds").(float64) {
					t.Errorf("%s/%s is paid for every %v s", stack, id, every)
				}
			}
		}
		if diff := cmp.Diff(hosts, got); diff != "" {
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
// repeated, for the next comes anyway, but somebody hears of it.
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
				called := ref(r.at("Targets", 0, "Arn"))
				for _, p := range tpl.of("AWS::Lambda::Permission") {
					if p.at("Principal") == "events.amazonaws.com" && (ref(p.at("FunctionName")) != called || ref(p.at("SourceArn")) != id) {
						t.Errorf("%s: %s may call %s", stack, tpl.describe(p.at("SourceArn")), tpl.describe(p.at("FunctionName")))
					}
				}
				retries := -1.0
				for _, c := range tpl.of("AWS::Lambda::EventInvokeConfig") {
					if ref(c.at("FunctionName")) == called {
						retries = c.at("MaximumRetryAttempts").(float64)
					}
				}
				if retries != 0 {
					t.Errorf("%s: a failed run is repeated %v times", stack, retries)
				}
				alarmed := false
				for _, a := range tpl.of("AWS::CloudWatch::Alarm") {
					alarmed = alarmed || a.at("MetricName") == "Errors" && ref(a.at("Dimensions", 0, "Value")) == called
				}
				if !alarmed {
					t.Errorf("%s: nobody hears of a failing run", stack)
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
				if r.at("Conditions", 0, "Field") == "host-header" {
					hosts = append(hosts, texts(r.at("Conditions", 0, "HostHeaderConfig", "Values"))[0])
				}
			}
		}
		slices.Sort(hosts)
		tpl := all["status"]
		for _, f := range functions(map[string]template{"status": tpl}) {
			if f.kind == "relay" {
				continue
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
			dimensions := map[any]any{}
			for _, d := range a.at("Dimensions").([]any) {
				dimensions[d.(map[string]any)["Name"]] = d.(map[string]any)["Value"]
			}
			if a.at("Namespace") != "Tradewind" || len(dimensions) != 2 || dimensions["service"] != "status" {
				t.Errorf("%s is about %v of %v", id, dimensions, a.at("Namespace"))
			}
			watched = append(watched, dimensions["target"].(string))
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

// The health of instances is set by one function, and only in this account.
func TestRegistryHealth(t *testing.T) {
	const action = "servicediscovery:UpdateInstanceCustomHealthStatus"
	targets(t, func(t *testing.T, all map[string]template) {
		found := 0
		for stack, tpl := range all {
			for id, p := range tpl.of("AWS::IAM::Policy") {
				for _, s := range p.at("PolicyDocument", "Statement").([]any) {
					statement := resource{Properties: s.(map[string]any)}
					if !slices.Contains(oneOrMany(statement.at("Action")), any(action)) {
						continue
					}
					found++
					of := tpl.describe(statement.at("Condition", "StringLike", "servicediscovery:ServiceArn"))
					if of != "arn:{AWS::Partition}:servicediscovery:{AWS::Region}:{AWS::AccountId}:service/*" {
						t.Errorf("%s/%s may set it of %s", stack, id, of)
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
			want := []any{"ALLOW_USER_PASSWORD_AUTH", "ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"}
			if diff := cmp.Diff(want, c.at("ExplicitAuthFlows")); diff != "" {
				t.Error(diff)
			}
		}
	})
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
			want := map[any]any{"/tradewind/test/platform/pool-keys": "Keys", "/tradewind/test/platform/pool-keys-url": "Url"}
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
			if strings.HasSuffix(q.at("QueueName").(string), "-dlq") {
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
