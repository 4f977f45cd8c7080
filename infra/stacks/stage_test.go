package stacks

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tradewind/infra/service"
	"tradewind/infra/stages"
)

// These tests look for what a stage's file says in the templates.

// shippedProd is the shipped file of prod, filled in.
var shippedProd = sync.OnceValue(func() string {
	text, err := os.ReadFile("../stages/prod.yaml")
	if err != nil {
		panic(err)
	}
	filled := string(text)
	for key, value := range map[string]string{
		"account: ": "111122223333", "region: ": "eu-central-1",
		"secret: ": "arn:aws:secretsmanager:eu-central-1:111122223333:secret:stripe-AbCdEf",
		"from: ":   "shop@example.com", "admin: ": "admin@example.com", "emails: [": "on-call@example.com",
	} {
		filled = strings.ReplaceAll(filled, key+"FILL-IN", key+value)
	}
	file := filepath.Join(scratch, "prod.yaml")
	if err := os.WriteFile(file, []byte(filled), 0o600); err != nil {
		panic(err)
	}
	return file
})

// inProd are the templates of that file.
var inProd = sync.OnceValue(func() map[string]template { return synth("prod", prodWith(nil)) })

// prodWith reads that file, in an app with more in its context.
func prodWith(context map[string]any) Config {
	all := map[string]any{"stageFile": shippedProd()}
	maps.Copy(all, context)
	c, err := FromContext(NewApp(awscdk.AppProps{Context: &all}).Node())
	if err != nil {
		panic(err)
	}
	c.Stage, c.Dist = stage, dist() // as the helpers here have it
	return c
}

// Two deployments of one file are the same. The second has the empty variables that once
// turned payments back to the sandbox, and mail off.
func TestTheFileDecides(t *testing.T) {
	first := inProd()
	for _, variable := range []string{"STRIPE_SECRET_ARN", "MAIL_FROM", "ADMIN_EMAIL", "STAGE"} {
		t.Setenv(variable, "")
	}
	t.Setenv("DISCOVERY", "dns")
	second := synth("prod-again", prodWith(map[string]any{"stage": "dev", "discovery": "dns", "stripeSecretArn": "", "mailFrom": "", "adminEmail": ""}))
	for stack := range first {
		if diff := cmp.Diff(first[stack].raw, second[stack].raw); diff != "" {
			t.Errorf("%s: %s", stack, diff)
		}
	}
	for _, f := range functions(second) {
		for variable, want := range map[string]string{"PAYMENT_PROVIDER": "stripe", "MAILER": "ses", "DISCOVERY_MODE": "loadbalancer"} {
			if got := f.at("Environment", "Variables", variable); got != nil && got != want {
				t.Errorf("%s: %s is %v, want %s", f, variable, got, want)
			}
		}
	}
}

// The CDK deploys a stack to the account and region that its manifest names, and refuses
// credentials for another. A manifest with questions would have it look for answers in an
// account.
func TestStacksHaveTheirAccount(t *testing.T) {
	fully()
	onAWS()
	for name, want := range map[string]struct {
		environment string
		protected   bool
	}{
		"full": {"aws://111122223333/eu-central-1", true},
		"aws":  {"aws://unknown-account/unknown-region", false},
	} {
		manifest := readManifest(t, name)
		if len(manifest.Missing) > 0 {
			t.Errorf("%s: the CDK would ask for %v", name, manifest.Missing)
		}
		found := 0
		for id, a := range manifest.Artifacts {
			if a.Type != "aws:cloudformation:stack" {
				continue
			}
			found++
			if a.Environment != want.environment || a.Properties.TerminationProtection != want.protected {
				t.Errorf("%s: %s goes to %s, protected: %v", name, id, a.Environment, a.Properties.TerminationProtection)
			}
		}
		if found < len(services) {
			t.Errorf("%s: %d stacks", name, found)
		}
	}
}

// manifest is what the CDK reads of a synthesis.
type manifest struct {
	Missing   []any
	Artifacts map[string]struct {
		Type, Environment string
		Dependencies      []string
		Properties        struct{ TerminationProtection bool }
	}
}

func readManifest(t *testing.T, name string) manifest {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(outdir(name), "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var m manifest
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestPermissionsBoundary(t *testing.T) {
	for name, want := range map[string]any{"full": "arn:aws:iam::111122223333:policy/bounds", "aws": nil} {
		all := map[string]map[string]template{"full": fully(), "aws": onAWS()}[name]
		for stack, tpl := range all {
			for id, role := range tpl.of("AWS::IAM::Role") {
				if got := role.at("PermissionsBoundary"); got != want {
					t.Errorf("%s: %s/%s has the boundary %v", name, stack, id, got)
				}
			}
		}
	}
}

func TestLogRetention(t *testing.T) {
	for stack, tpl := range fully() {
		for id, group := range tpl.of("AWS::Logs::LogGroup") {
			if got := group.at("RetentionInDays"); got != 90.0 {
				t.Errorf("%s/%s keeps its lines for %v days", stack, id, got)
			}
		}
	}
}

// letsInCallers checks that a security group lets in one port from the group of callers,
// and nothing else.
func (t template) letsInCallers(tb testing.TB, group string, port float64) {
	tb.Helper()
	rules, _ := t.Resources[group].at("SecurityGroupIngress").([]any)
	if len(rules) != 1 {
		tb.Fatalf("%s lets in %v", group, rules)
	}
	in := resource{Properties: rules[0].(map[string]any)}
	from := t.Resources[ref(in.at("SourceSecurityGroupId"))]
	if from.at("GroupDescription") != "Functions that call services" || in.at("FromPort") != port || in.at("ToPort") != port || in.at("CidrIp") != nil {
		tb.Errorf("%s lets in %v", group, rules)
	}
}

// The balancer lets in callers and not their whole network; every function in the network
// is one, and reaches the balancer at its port.
func TestOnlyCallersReachTheBalancer(t *testing.T) {
	for name, test := range map[string]struct {
		all  map[string]template
		port float64
	}{"aws": {onAWS(), 80}, "local": {locally(), 80}, "full": {fully(), 443}} {
		tpl := test.all["network"]
		for id, balancer := range tpl.of("AWS::ElasticLoadBalancingV2::LoadBalancer") {
			groups := balancer.at("SecurityGroups").([]any)
			if len(groups) != 1 {
				t.Errorf("%s: %s has the groups %v", name, id, groups)
			}
			tpl.letsInCallers(t, ref(groups[0]), test.port)
		}
		for _, listener := range tpl.of("AWS::ElasticLoadBalancingV2::Listener") {
			if listener.at("Port") != test.port {
				t.Errorf("%s: the balancer listens at %v", name, listener.at("Port"))
			}
		}
		for _, f := range functions(test.all) {
			groups, _ := f.at("VpcConfig", "SecurityGroupIds").([]any)
			if len(groups) == 0 {
				continue
			}
			own := test.all[f.stack].Resources[ref(groups[0])]
			if len(groups) != 2 || test.all[f.stack].describe(groups[1]) != "{network/callers-security-group-id}" {
				t.Errorf("%s: %s has the groups %v", name, f, groups)
			}
			if to := (resource{Properties: own.at("SecurityGroupEgress", 0).(map[string]any)}); to.at("FromPort") != test.port || to.at("ToPort") != test.port {
				t.Errorf("%s: %s may leave by %v", name, f, to.Properties)
			}
		}
	}
}

// With a certificate, calls between services are encrypted, under a name that it is for.
func TestEncryptedCalls(t *testing.T) {
	tpl := fully()["network"]
	found := 0
	for id, listener := range tpl.of("AWS::ElasticLoadBalancingV2::Listener") {
		found++
		want := "arn:aws:acm:eu-central-1:111122223333:certificate/00000000-0000-0000-0000-000000000001"
		if listener.at("Protocol") != "HTTPS" || listener.at("Certificates", 0, "CertificateArn") != want || listener.at("SslPolicy") != "ELBSecurityPolicy-TLS13-1-2-2021-06" {
			t.Errorf("%s: %v", id, listener.Properties)
		}
	}
	for _, p := range tpl.of("AWS::SSM::Parameter") {
		if p.at("Name") == "/tradewind/test/network/alb-url" {
			found++
			if p.at("Value") != "https://balancer.svc.example.com" {
				t.Errorf("callers are sent to %v", p.at("Value"))
			}
		}
	}
	for id, record := range tpl.of("AWS::Route53::RecordSet") {
		if record.at("Name") != "balancer.svc.example.com." {
			continue
		}
		found++
		zone := tpl.Resources[ref(record.at("HostedZoneId"))]
		if zone.at("Name") != "svc.example.com." || zone.at("VPCs", 0) == nil || tpl.Resources[ref(record.at("AliasTarget", "DNSName"))].Type != "AWS::ElasticLoadBalancingV2::LoadBalancer" {
			t.Errorf("%s: %v in %v", id, record.Properties, zone.Properties)
		}
	}
	if found != 3 {
		t.Errorf("%d of a listener, its address and its name", found)
	}
}

// Subnets are in the zones that the file names, by their ids or names, or in the first two
// of the account.
func TestZones(t *testing.T) {
	byName := synth("zones", with(func(s *stages.Settings) { s.Network.Zones = []string{"us-east-1b", "us-east-1d"} }))
	for name, test := range map[string]struct {
		all       map[string]template
		zone, ids []any
	}{
		"aws":     {onAWS(), []any{firstZone(0), firstZone(1)}, []any{nil, nil}},
		"in prod": {inProd(), []any{firstZone(0), firstZone(1)}, []any{nil, nil}},
		"full":    {fully(), []any{nil, nil}, []any{"euc1-az2", "euc1-az3"}},
		"by name": {byName, []any{"us-east-1b", "us-east-1d"}, []any{nil, nil}},
	} {
		var zone, ids []any
		for _, subnet := range test.all["network"].of("AWS::EC2::Subnet") {
			zone, ids = append(zone, subnet.at("AvailabilityZone")), append(ids, subnet.at("AvailabilityZoneId"))
		}
		if diff := cmp.Diff([][]any{test.zone, test.ids}, [][]any{zone, ids}); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func firstZone(n float64) any {
	return map[string]any{"Fn::Select": []any{n, map[string]any{"Fn::GetAZs": ""}}}
}

// otherwise are the templates of a file that makes the other choices: a network that
// exists, and a topic that does.
var otherwise = sync.OnceValue(func() map[string]template {
	return synth("otherwise", with(func(s *stages.Settings) {
		s.Discovery = service.Registry
		s.Network.VPC = stages.VPC{ID: "vpc-0123456789abcdef0", Subnets: []string{"subnet-11111111", "subnet-22222222"}}
		s.Alarms.Topic = "arn:aws:sns:eu-central-1:111122223333:on-call"
	}))
})

// In a network that exists the platform makes no subnet, no route and no endpoint.
func TestExistingNetwork(t *testing.T) {
	tpl := otherwise()["network"]
	for id, r := range tpl.Resources {
		switch r.Type {
		case "AWS::EC2::VPC", "AWS::EC2::Subnet", "AWS::EC2::RouteTable", "AWS::EC2::Route", "AWS::EC2::VPCEndpoint", "AWS::EC2::FlowLog":
			t.Errorf("%s is a %s", id, r.Type)
		case "AWS::EC2::SecurityGroup":
			if r.at("VpcId") != "vpc-0123456789abcdef0" {
				t.Errorf("%s is in %v", id, r.at("VpcId"))
			}
		case "AWS::Route53::HostedZone":
			if r.at("VPCs", 0, "VPCId") != "vpc-0123456789abcdef0" {
				t.Errorf("%s is known in %v", id, r.at("VPCs"))
			}
		case "AWS::ElasticLoadBalancingV2::LoadBalancer":
			if diff := cmp.Diff([]any{"subnet-11111111", "subnet-22222222"}, r.at("Subnets")); diff != "" {
				t.Errorf("%s: %s", id, diff)
			}
		}
	}
	got := map[string]any{}
	for _, p := range tpl.of("AWS::SSM::Parameter") {
		got[p.at("Name").(string)] = p.at("Value")
	}
	for name, want := range map[string]string{"vpc-id": "vpc-0123456789abcdef0", "subnet-a": "subnet-11111111", "subnet-b": "subnet-22222222"} {
		if value := got["/tradewind/test/network/"+name]; value != want {
			t.Errorf("%s is %v", name, value)
		}
	}
}

// The logs of the network and of the balancer are kept where the file says so, and in the
// account's own bucket.
func TestNetworkLogs(t *testing.T) {
	tpl := fully()["network"]
	found := 0
	for id, logs := range tpl.of("AWS::EC2::FlowLog") {
		found++
		if logs.at("TrafficType") != "ALL" || tpl.Resources[ref(logs.at("ResourceId"))].Type != "AWS::EC2::VPC" || tpl.Resources[ref(logs.at("LogGroupName"))].at("LogGroupName") != "/aws/vpc/tradewind-test" {
			t.Errorf("%s: %v", id, logs.Properties)
		}
	}
	bucket := ""
	for id, b := range tpl.of("AWS::S3::Bucket") {
		found++
		bucket = id
		if b.at("LifecycleConfiguration", "Rules", 0, "ExpirationInDays") != 90.0 || b.at("PublicAccessBlockConfiguration", "BlockPublicAcls") != true || b.DeletionPolicy != "Retain" {
			t.Errorf("%s: %v", id, b.Properties)
		}
	}
	for id, balancer := range tpl.of("AWS::ElasticLoadBalancingV2::LoadBalancer") {
		got := map[any]any{}
		for _, a := range balancer.at("LoadBalancerAttributes").([]any) {
			got[a.(map[string]any)["Key"]] = a.(map[string]any)["Value"]
		}
		if got["access_logs.s3.enabled"] != "true" || ref(got["access_logs.s3.bucket"]) != bucket {
			t.Errorf("%s: %v", id, got)
		}
	}
	if found != 2 {
		t.Errorf("%d of flow logs and bucket", found)
	}
	for _, kind := range []string{"AWS::EC2::FlowLog", "AWS::S3::Bucket"} {
		for id := range onAWS()["network"].of(kind) {
			t.Errorf("%s is paid for, and not asked for", id)
		}
	}
}

// An HTTP API has at most ten authorizers, so all services share one: of this stage's pool
// and client.
func TestOneAuthorizer(t *testing.T) {
	targets(t, func(t *testing.T, all map[string]template) {
		found := 0
		for stack, tpl := range all {
			for id, a := range tpl.of("AWS::ApiGatewayV2::Authorizer") {
				found++
				issuer := tpl.describe(a.at("JwtConfiguration", "Issuer"))
				client := tpl.Resources[ref(a.at("JwtConfiguration", "Audience", 0))]
				if issuer != "https://cognito-idp.{AWS::Region}.amazonaws.com/UserPool" || client.Type != "AWS::Cognito::UserPoolClient" || a.at("AuthorizerType") != "JWT" {
					t.Errorf("%s/%s: %v", stack, id, a.Properties)
				}
			}
		}
		if found != 1 {
			t.Errorf("%d authorizers", found)
		}
	})
}

// The gateway refuses a limit for a route that is not there: limits are set in the last
// stack, for routes of the stacks that it waits for.
func TestLimits(t *testing.T) {
	type limits map[string]any
	every := func(rate, burst float64, metrics bool) limits {
		return limits{"ThrottlingRateLimit": rate, "ThrottlingBurstLimit": burst, "DetailedMetricsEnabled": metrics}
	}
	for name, test := range map[string]struct {
		all    map[string]template
		normal limits
		routes map[string]limits
	}{
		"aws":   {onAWS(), every(1000, 2000, false), nil},
		"local": {locally(), every(1000, 2000, false), nil},
		"full": {fully(), every(500, 800, true), map[string]limits{
			"POST /api/users": every(5, 20, true), "POST /api/orders": every(50, 100, true),
		}},
	} {
		routes := map[any]bool{}
		for stack, tpl := range test.all {
			for _, r := range tpl.of("AWS::ApiGatewayV2::Route") {
				routes[r.at("RouteKey")] = true
			}
			for id := range tpl.of("AWS::ApiGatewayV2::Stage") {
				if stack != "edge" {
					t.Errorf("%s: %s/%s is there before the routes", name, stack, id)
				}
			}
		}
		found := 0
		for _, s := range test.all["edge"].of("AWS::ApiGatewayV2::Stage") {
			found++
			if diff := cmp.Diff(map[string]any(test.normal), s.at("DefaultRouteSettings")); diff != "" || s.at("StageName") != "$default" || s.at("AutoDeploy") != true {
				t.Errorf("%s: %v: %s", name, s.at("StageName"), diff)
			}
			got := map[string]limits{}
			list, _ := s.at("RouteSettings").(map[string]any)
			for route, l := range list {
				got[route] = l.(map[string]any)
				if !routes[route] {
					t.Errorf("%s: %s is no route", name, route)
				}
			}
			if diff := cmp.Diff(test.routes, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
		if found != 1 {
			t.Errorf("%s: %d stages", name, found)
		}
	}
	if diff := cmp.Diff(serviceStacks(), waitsFor(t, "aws", "edge"), cmpopts.SortSlices(strings.Compare)); diff != "" {
		t.Errorf("edge waits for others than the services: %s", diff)
	}
}

func TestLimitOfNoRoute(t *testing.T) {
	c := with(func(s *stages.Settings) {
		s.Throttle.Routes = map[string]stages.Limit{"POST /api/user": {Rate: 5, Burst: 5}}
	})
	err := Build(NewApp(awscdk.AppProps{}), c)
	if want := `throttle.routes of stage test: there is no route "POST /api/user"`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
}

func serviceStacks() []string {
	var list []string
	for _, s := range services {
		list = append(list, "tradewind-test-"+s.name)
	}
	return list
}

// waitsFor are the stacks that are deployed before another.
func waitsFor(t *testing.T, name, stack string) []string {
	t.Helper()
	all := readManifest(t, name).Artifacts
	var list []string
	for _, id := range all["tradewind-test-"+stack].Dependencies {
		if all[id].Type == "aws:cloudformation:stack" {
			list = append(list, id)
		}
	}
	return list
}

// With a domain the API has that name, which its certificate is for, and no other.
func TestDomain(t *testing.T) {
	tpl := fully()["edge"]
	want := map[string]resource{}
	for _, kind := range []string{"AWS::ApiGatewayV2::DomainName", "AWS::ApiGatewayV2::ApiMapping", "AWS::Route53::RecordSet"} {
		for _, r := range tpl.of(kind) {
			want[r.Type] = r
		}
		for id := range onAWS()["edge"].of(kind) {
			t.Errorf("without a domain there is %s", id)
		}
	}
	name, mapping, record := want["AWS::ApiGatewayV2::DomainName"], want["AWS::ApiGatewayV2::ApiMapping"], want["AWS::Route53::RecordSet"]
	if name.at("DomainName") != "api.example.com" || name.at("DomainNameConfigurations", 0, "SecurityPolicy") != "TLS_1_2" ||
		name.at("DomainNameConfigurations", 0, "CertificateArn") != "arn:aws:acm:eu-central-1:111122223333:certificate/00000000-0000-0000-0000-000000000002" {
		t.Errorf("name: %v", name.Properties)
	}
	if tpl.Resources[ref(mapping.at("DomainName"))].Type != name.Type || tpl.Resources[ref(mapping.at("Stage"))].Type != "AWS::ApiGatewayV2::Stage" || tpl.describe(mapping.at("ApiId")) != "{platform/api-id}" {
		t.Errorf("mapping: %v", mapping.Properties)
	}
	if record.at("Name") != "api.example.com." || record.at("HostedZoneId") != "Z0123456789" || tpl.Resources[ref(record.at("AliasTarget", "DNSName"))].Type != name.Type {
		t.Errorf("record: %v", record.Properties)
	}
	for _, test := range []struct {
		all    map[string]template
		closed bool
	}{{fully(), true}, {onAWS(), false}} {
		for id, api := range test.all["platform"].of("AWS::ApiGatewayV2::Api") {
			if api.at("DisableExecuteApiEndpoint") != test.closed {
				t.Errorf("%s: its own address is closed: %v", id, api.at("DisableExecuteApiEndpoint"))
			}
		}
	}
}

// Alarms reach the addresses of the file, or the topic that it names.
func TestAlarmReceivers(t *testing.T) {
	for name, test := range map[string]struct {
		all    map[string]template
		emails []any
		own    bool
	}{
		"aws":   {onAWS(), nil, true},
		"full":  {fully(), []any{"on-call@example.com"}, true},
		"topic": {otherwise(), nil, false},
	} {
		tpl := test.all["platform"]
		var emails []any
		for id, s := range tpl.of("AWS::SNS::Subscription") {
			emails = append(emails, s.at("Endpoint"))
			if s.at("Protocol") != "email" || tpl.Resources[ref(s.at("TopicArn"))].Type != "AWS::SNS::Topic" {
				t.Errorf("%s: %s: %v", name, id, s.Properties)
			}
		}
		if diff := cmp.Diff(test.emails, emails); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		topics := 0
		for range tpl.of("AWS::SNS::Topic") {
			topics++
		}
		for _, p := range tpl.of("AWS::SSM::Parameter") {
			if p.at("Name") != "/tradewind/test/platform/alarm-topic-arn" {
				continue
			}
			if own := tpl.Resources[ref(p.at("Value"))].Type == "AWS::SNS::Topic"; own != test.own || !own && p.at("Value") != "arn:aws:sns:eu-central-1:111122223333:on-call" || own != (topics == 1) {
				t.Errorf("%s: alarms go to %v, beside %d topics", name, p.at("Value"), topics)
			}
		}
	}
}

func TestBudget(t *testing.T) {
	for id := range onAWS()["platform"].of("AWS::Budgets::Budget") {
		t.Errorf("%s was not asked for", id)
	}
	found := 0
	for _, b := range fully()["platform"].of("AWS::Budgets::Budget") {
		found++
		if b.at("Budget", "BudgetLimit", "Amount") != 200.0 || b.at("Budget", "TimeUnit") != "MONTHLY" || b.at("Budget", "BudgetType") != "COST" || b.at("Budget", "CostFilters") != nil {
			t.Errorf("budget: %v", b.Properties)
		}
		got := map[any]any{}
		for i, n := range b.at("NotificationsWithSubscribers").([]any) {
			to := b.at("NotificationsWithSubscribers", i, "Subscribers", 0, "Address")
			got[resource{Properties: n.(map[string]any)}.at("Notification", "NotificationType")] = to
		}
		if diff := cmp.Diff(map[any]any{"ACTUAL": "money@example.com", "FORECASTED": "money@example.com"}, got); diff != "" {
			t.Error(diff)
		}
	}
	if found != 1 {
		t.Errorf("%d budgets", found)
	}
}

// pool is the user pool of a stage, and client its client.
func pool(t *testing.T, all map[string]template) (pool, client resource) {
	t.Helper()
	for _, pool = range all["platform"].of("AWS::Cognito::UserPool") {
	}
	for _, client = range all["platform"].of("AWS::Cognito::UserPoolClient") {
	}
	if pool.Type == "" || client.Type == "" {
		t.Fatal("no user pool or no client")
	}
	return pool, client
}

// Customers change their address by the users service, and not by the pool's own call,
// for which their access token is enough. A required attribute must be writable by every
// client, so none is.
func TestClientWritesNoAddress(t *testing.T) {
	targets(t, func(t *testing.T, all map[string]template) {
		p, client := pool(t, all)
		if diff := cmp.Diff([]any{"locale"}, client.at("WriteAttributes")); diff != "" {
			t.Error(diff)
		}
		for _, attribute := range p.at("Schema").([]any) {
			if a := attribute.(map[string]any); a["Name"] != "email" || a["Required"] != false || a["Mutable"] != true {
				t.Errorf("the schema has %v", a)
			}
		}
	})
}

func TestSignIn(t *testing.T) {
	type signIn struct {
		Flows                    []any
		Length, Access, Refresh  any
		AccessUnit, RefreshUnit  any
		Plan, MFA, Second, Email any
	}
	read := func(all map[string]template) signIn {
		p, c := pool(t, all)
		return signIn{
			c.at("ExplicitAuthFlows").([]any), p.at("Policies", "PasswordPolicy", "MinimumLength"),
			c.at("AccessTokenValidity"), c.at("RefreshTokenValidity"), c.at("TokenValidityUnits", "AccessToken"), c.at("TokenValidityUnits", "RefreshToken"),
			p.at("UserPoolTier"), p.at("MfaConfiguration"), p.at("EnabledMfas"), p.at("EmailConfiguration", "From"),
		}
	}
	password := signIn{
		[]any{"ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"}, 8.0, 60.0, 43200.0, "minutes", "minutes", "LITE", nil, nil, nil,
	}
	for name, test := range map[string]struct {
		all  map[string]template
		want signIn
	}{
		"local": {locally(), password},
		"aws":   {onAWS(), password},
		"full": {fully(), signIn{
			[]any{"ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"}, 12.0, 15.0, 43200.0, "minutes", "minutes",
			"ESSENTIALS", "OPTIONAL", []any{"SOFTWARE_TOKEN_MFA"}, "shop@example.com",
		}},
	} {
		if diff := cmp.Diff(test.want, read(test.all)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// The pool's mail comes from the shop's verified domain; the users service is told that an
// address is verified by a code.
func TestVerification(t *testing.T) {
	p, _ := pool(t, fully())
	from := fully()["platform"].describe(p.at("EmailConfiguration", "SourceArn"))
	if from != "arn:{AWS::Partition}:ses:eu-central-1:111122223333:identity/example.com" || p.at("EmailConfiguration", "EmailSendingAccount") != "DEVELOPER" {
		t.Errorf("the pool's mail: %v", p.at("EmailConfiguration"))
	}
	if diff := cmp.Diff([]any{"email"}, p.at("AutoVerifiedAttributes")); diff != "" {
		t.Errorf("the pool sends no codes: %s", diff)
	}
	for name, test := range map[string]struct {
		all  map[string]template
		want any
	}{"full": {fully(), "code"}, "aws": {onAWS(), nil}, "local": {locally(), nil}} {
		for _, f := range functions(test.all) {
			got := f.at("Environment", "Variables", "EMAIL_VERIFICATION")
			if f.String() == "users/api" && got != test.want || f.String() != "users/api" && got != nil {
				t.Errorf("%s: %s is told %v", name, f, got)
			}
		}
	}
}

// The trigger that withholds the group is called with the version of its event that counts
// for access tokens, by this pool alone, and may look users of this pool up.
func TestAdminsNeedTOTP(t *testing.T) {
	tpl := fully()["platform"]
	p, _ := pool(t, fully())
	if p.at("LambdaConfig", "PreTokenGenerationConfig", "LambdaVersion") != "V2_0" {
		t.Errorf("triggers: %v", p.at("LambdaConfig"))
	}
	found := 0
	for _, f := range functions(fully()) {
		if f.kind != "pretoken" {
			continue
		}
		found++
		if ref(p.at("LambdaConfig", "PreTokenGenerationConfig", "LambdaArn")) != f.id {
			t.Errorf("the pool calls %v", p.at("LambdaConfig"))
		}
		want := []string{"cognito-idp:AdminGetUser on UserPool", "logs:CreateLogStream on LogGroup", "logs:PutLogEvents on LogGroup"}
		if diff := cmp.Diff(want, f.grants(tpl)); diff != "" || f.at("Timeout") != 5.0 {
			t.Errorf("%s, for %v s: %s", f, f.at("Timeout"), diff)
		}
		for id, permission := range tpl.of("AWS::Lambda::Permission") {
			if ref(permission.at("FunctionName")) == f.id && (permission.at("Principal") != "cognito-idp.amazonaws.com" || tpl.Resources[ref(permission.at("SourceArn"))].Type != p.Type) {
				t.Errorf("%s: %v", id, permission.Properties)
			}
		}
	}
	if found != 1 {
		t.Errorf("%d triggers", found)
	}
	for name, all := range map[string]map[string]template{"aws": onAWS(), "local": locally()} {
		if p, _ := pool(t, all); p.at("LambdaConfig") != nil {
			t.Errorf("%s: %v", name, p.at("LambdaConfig"))
		}
	}
}
