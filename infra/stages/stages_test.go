package stages

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const minimal = "payments: {provider: sandbox}\nmail: {provider: none}\n"

// load reads a file of the stage "test".
func load(t *testing.T, text string) (Settings, error) {
	t.Helper()
	return loadAs(t, "test", text)
}

func loadAs(t *testing.T, stage, text string) (Settings, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), stage+".yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	name, s, err := Load(file)
	if err == nil && name != stage {
		t.Errorf("the stage is called %q", name)
	}
	if err != nil {
		err = shortened{strings.ReplaceAll(err.Error(), filepath.Dir(file)+"/", "")}
	}
	return s, err
}

// shortened is an error without the folder of the test.
type shortened struct{ text string }

func (e shortened) Error() string { return e.text }

func TestMinimal(t *testing.T) {
	got, err := load(t, minimal)
	want := Defaults()
	want.Payments.Provider, want.Mail.Provider = "sandbox", "none"
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v: %s", err, diff)
	}
}

// full.yaml has every key but those that exclude others.
func TestFull(t *testing.T) {
	name, got, err := Load("testdata/full.yaml")
	if err != nil || name != "full" {
		t.Fatalf("%q: %v", name, err)
	}
	want := Settings{
		Production: true, Account: "111122223333", Region: "eu-central-1",
		Payments:  Payments{Provider: "stripe", Secret: "arn:aws:secretsmanager:eu-central-1:111122223333:secret:stripe-AbCdEf"},
		Mail:      Mail{"ses", "shop@example.com", "admin@example.com"},
		Discovery: "loadbalancer",
		Network: Network{
			Zones: []string{"euc1-az2", "euc1-az3"},
			TLS:   TLS{"arn:aws:acm:eu-central-1:111122223333:certificate/00000000-0000-0000-0000-000000000001", "svc.example.com"},
		},
		Domain:   Domain{"api.example.com", "arn:aws:acm:eu-central-1:111122223333:certificate/00000000-0000-0000-0000-000000000002", "Z0123456789"},
		Throttle: Throttle{500, 800, map[string]Limit{"POST /api/users": {5, 20}, "POST /api/orders": {50, 100}}},
		SignIn:   SignIn{"srp", 12, true, true, 15, 30},
		Logs:     Logs{90, true, true}, RouteMetrics: true,
		Alarms: Alarms{Emails: []string{"on-call@example.com"}}, Budget: Budget{200, []string{"money@example.com"}},
		Concurrency: 25, CursorKey: 2,
		Canary: "Linear10PercentEvery1Minute", Protection: Protection{true, true},
		PermissionsBoundary: "arn:aws:iam::111122223333:policy/bounds",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// bad are values that a key must refuse, in a file of one line below the minimal two.
var bad = map[string][]string{
	"production":              {"production: yes please", "production: 1", "production: [true]", "production:"},
	"account":                 {"account: 1234", "account: 1111222233334", "account: my-account", "account:", "account: [1]"},
	"region":                  {"region: Frankfurt", "region: eu-central", "region: eu-central-1a", "region: cn-north-1", "region: us-gov-west-1"},
	"payments.provider":       {"payments: {provider: paypal}", "payments: {provider: }", "payments: {provider: Stripe}"},
	"payments.secret":         {"payments: {secret: stripe}", "payments: {secret: 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:stripe'}", "payments: {secret: 'arn:aws:ssm:eu-central-1:111122223333:parameter/stripe'}"},
	"payments.sandboxBecause": {"payments: {sandboxBecause: yes}", "payments: {sandboxBecause: }"},
	"mail.provider":           {"mail: {provider: smtp}", "mail: {provider: true}"},
	"mail.from":               {"mail: {from: example.com}", "mail: {from: 'Shop <shop@example.com>'}", "mail: {from: shop@localhost}"},
	"mail.admin":              {"mail: {admin: root}", "mail: {admin: [a@example.com]}"},
	"discovery":               {"discovery: consul", "discovery: DNS", "discovery: {mode: dns}"},
	"network.zones":           {"network: {zones: a}", "network: {zones: []}", "network: {zones: [1, 2]}", "network: {zones: [eu-central-1]}"},
	"network.vpc.id":          {"network: {vpc: {id: mine}}", "network: {vpc: {id: vpc-1}}"},
	"network.vpc.subnets":     {"network: {vpc: {subnets: subnet-11111111}}", "network: {vpc: {subnets: [one, two]}}"},
	"network.tls.certificate": {"network: {tls: {certificate: mine}}", "network: {tls: {certificate: 'arn:aws:iam::111122223333:server-certificate/mine'}}"},
	"network.tls.domain":      {"network: {tls: {domain: internal}}", "network: {tls: {domain: '*.example.com'}}"},
	"domain.name":             {"domain: {name: https://api.example.com}", "domain: {name: api}"},
	"domain.certificate":      {"domain: {certificate: 1}"},
	"domain.hostedZone":       {"domain: {hostedZone: example.com}"},
	"throttle.rate":           {"throttle: {rate: 0}", "throttle: {rate: 10001}", "throttle: {rate: fast}", "throttle: {rate: 1.5}", "throttle: {rate: [1]}"},
	"throttle.burst":          {"throttle: {burst: -1}", "throttle: {burst: 5001}"},
	"throttle.routes":         {"throttle: {routes: [POST /api/users]}", "throttle: {routes: {/api/users: {rate: 1, burst: 1}}}", "throttle: {routes: {POST /api/users: {}}}", "throttle: {routes: {POST /api/users: {rate: 1}}}", "throttle: {routes: {POST /api/users: {rate: 0, burst: 1}}}", "throttle: {routes: {POST /api/users: 5}}"},
	"signIn.flow":             {"signIn: {flow: oauth}"},
	"signIn.passwordLength":   {"signIn: {passwordLength: 7}", "signIn: {passwordLength: 100}"},
	"signIn.adminTotp":        {"signIn: {adminTotp: maybe}"},
	"signIn.verifyEmail":      {"signIn: {verifyEmail: 'true'}"},
	"signIn.accessMinutes":    {"signIn: {accessMinutes: 4}", "signIn: {accessMinutes: 1441}", "signIn: {accessMinutes: 1h}"},
	"signIn.refreshDays":      {"signIn: {refreshDays: 0}", "signIn: {refreshDays: 3651}"},
	"logs.days":               {"logs: {days: 31}", "logs: {days: 0}", "logs: {days: ever}"},
	"logs.flow":               {"logs: {flow: all}"},
	"logs.balancer":           {"logs: {balancer: s3}"},
	"routeMetrics":            {"routeMetrics: some"},
	"alarms.emails":           {"alarms: {emails: me@example.com}", "alarms: {emails: [me]}", "alarms: {emails: [[a@example.com]]}"},
	"alarms.topic":            {"alarms: {topic: alarms}", "alarms: {topic: 'arn:aws:sqs:eu-central-1:111122223333:alarms'}"},
	"budget.monthly":          {"budget: {monthly: 0}", "budget: {monthly: 20.50}", "budget: {monthly: $20}"},
	"budget.emails":           {"budget: {emails: []}", "budget: {emails: [me]}"},
	"concurrency":             {"concurrency: 1", "concurrency: 1001", "concurrency: many"},
	"cursorKey":               {"cursorKey: 0", "cursorKey: next"},
	"canary":                  {"canary: blue-green", "canary: canary10percent5minutes", "canary: AllAtOnce"},
	"protection.stacks":       {"protection: {stacks: 2}"},
	"protection.data":         {"protection: {data: none}"},
	"permissionsBoundary":     {"permissionsBoundary: bounds", "permissionsBoundary: 'arn:aws:iam::111122223333:role/bounds'"},
}

// keys are all of a type's keys, with those above them.
func keys(t reflect.Type, above string) []string {
	var list []string
	for field := range t.Fields() {
		key := within(above, field.Tag.Get("yaml"))
		if field.Type.Kind() == reflect.Struct {
			list = append(list, keys(field.Type, key)...)
		} else {
			list = append(list, key)
		}
	}
	return list
}

func TestBadValues(t *testing.T) {
	all := keys(reflect.TypeFor[Settings](), "")
	if diff := cmp.Diff(slices.Sorted(slices.Values(all)), slices.Sorted(maps.Keys(bad))); diff != "" {
		t.Errorf("keys without bad values (-) and bad values without a key (+):\n%s", diff)
	}
	for key, lines := range bad {
		for _, line := range lines {
			_, err := load(t, line)
			if err == nil || !strings.Contains(err.Error(), "test.yaml:1: "+key) {
				t.Errorf("%s: %v", line, err)
			}
		}
	}
}

// What is refused is said in full, in the order of the lines.
func TestMessage(t *testing.T) {
	_, err := loadAs(t, "prod", `production: true
acount: 111122223333
account: FILL-IN
region: eu-central-1
region: eu-west-1
payments:
  provider: sandbox
  secret: arn:aws:secretsmanager:eu-west-1:111122223333:secret:stripe-AbCdEf
mail:
  provider: ses
network:
  zones: [use1-az1]
throttle:
  routes:
    POST /api/users: {rate: 5}
alarm: {emails: [me@example.com]}
whatever: 1
`)
	want := `prod.yaml:2: acount is not a key: did you mean account?
prod.yaml:3: account is not filled in: it is the account's number, 12 digits
prod.yaml:5: region is given twice, first in line 4
prod.yaml:7: the sandbox moves no money, so a production stage would give its goods away: choose stripe, or say in payments.sandboxBecause why not
prod.yaml:8: payments.secret does nothing while payments.provider is sandbox: remove it, or choose stripe
prod.yaml:8: payments.secret is not in the stage's region, eu-central-1
prod.yaml:10: mail.from and mail.admin are missing: each is an e-mail address such as shop@example.com
prod.yaml:12: network.zones are two different zones, both by id or both by name
prod.yaml:15: throttle.routes.POST /api/users needs rate and burst
prod.yaml:16: alarm is not a key: did you mean alarms?
prod.yaml:17: whatever is not a key: the keys here are production, account, region, payments, mail, discovery, network, domain, throttle, signIn, logs, routeMetrics, alarms, budget, concurrency, cursorKey, canary, protection, permissionsBoundary`
	var got []string
	for line := range strings.Lines(err.Error()) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "prod.yaml:1: ") {
			got = append(got, line)
		}
	}
	if diff := cmp.Diff(strings.Split(want, "\n"), got); diff != "" {
		t.Error(diff)
	}
}

const (
	arnOf       = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:stripe-AbCdEf"
	certificate = "arn:aws:acm:eu-central-1:111122223333:certificate/00000000-0000-0000-0000-000000000001"
	live        = "production: true\naccount: 111122223333\nregion: eu-central-1\nmail: {provider: none}\n" +
		"alarms: {emails: [me@example.com]}\nprotection: {stacks: true, data: true}\n"
)

func TestRules(t *testing.T) {
	tests := map[string]struct{ stage, text, want string }{
		"no provider of payments":      {"test", "mail: {provider: none}", "payments.provider is missing: it is one of sandbox, stripe"},
		"no provider of mail":          {"test", "payments: {provider: sandbox}", "mail.provider is missing: it is one of none, ses"},
		"an account without a region":  {"test", minimal + "account: 111122223333", "account needs region"},
		"a region without an account":  {"test", minimal + "region: eu-central-1", "region needs account"},
		"stripe without a secret":      {"test", "payments: {provider: stripe}\nmail: {provider: none}", "payments.secret is missing"},
		"a reason for stripe":          {"test", "payments: {provider: stripe, secret: '" + arnOf + "', sandboxBecause: it is a demonstration}\nmail: {provider: none}", "payments.sandboxBecause does nothing while payments.provider is stripe"},
		"an address without mail":      {"test", "payments: {provider: sandbox}\nmail: {provider: none, from: shop@example.com, admin: a@example.com}", "mail.from does nothing while mail.provider is none"},
		"mail without its admin":       {"test", "payments: {provider: sandbox}\nmail: {provider: ses, from: shop@example.com}", "mail.from needs mail.admin"},
		"codes without mail":           {"test", minimal + "signIn: {verifyEmail: true}", "signIn.verifyEmail needs mail.provider ses"},
		"one zone":                     {"test", minimal + "network: {zones: [euc1-az1]}", "network.zones are two different zones"},
		"three zones":                  {"test", minimal + "network: {zones: [euc1-az1, euc1-az2, euc1-az3]}", "network.zones are two different zones"},
		"one zone twice":               {"test", minimal + "network: {zones: [euc1-az1, euc1-az1]}", "network.zones are two different zones"},
		"zones by id and by name":      {"test", minimal + "network: {zones: [euc1-az1, eu-central-1b]}", "network.zones are two different zones"},
		"a zone of another region":     {"test", minimal + "account: 111122223333\nregion: eu-west-1\nnetwork: {zones: [eu-west-1a, eu-central-1b]}", "the zone eu-central-1b is not in the stage's region, eu-west-1"},
		"a network without subnets":    {"test", minimal + "network: {vpc: {id: vpc-11111111}}", "network.vpc.id needs network.vpc.subnets"},
		"one subnet":                   {"test", minimal + "network: {vpc: {id: vpc-11111111, subnets: [subnet-11111111]}}", "network.vpc.subnets are two"},
		"zones of another's network":   {"test", minimal + "network: {zones: [euc1-az1, euc1-az2], vpc: {id: vpc-11111111, subnets: [subnet-11111111, subnet-22222222]}}", "network.zones is decided by the owner of network.vpc"},
		"logs of another's network":    {"test", minimal + "logs: {flow: true}\nnetwork: {vpc: {id: vpc-11111111, subnets: [subnet-11111111, subnet-22222222]}}", "logs.flow is decided by the owner of network.vpc"},
		"half of TLS":                  {"test", minimal + "network: {tls: {domain: svc.example.com}}", "network.tls.domain needs network.tls.certificate"},
		"TLS to addresses":             {"test", minimal + "discovery: dns\nnetwork: {tls: {domain: svc.example.com, certificate: '" + certificate + "'}}", "discovery dns calls addresses, which no certificate names"},
		"half of a domain":             {"test", minimal + "domain: {name: api.example.com}", "domain.name needs domain.certificate"},
		"a record for no name":         {"test", minimal + "domain: {hostedZone: Z1}", "domain.hostedZone needs domain.name"},
		"a certificate from elsewhere": {"test", minimal + "account: 111122223333\nregion: us-east-1\ndomain: {name: api.example.com, certificate: '" + certificate + "'}", "domain.certificate is not in the stage's region, us-east-1"},
		"logs in any region":           {"test", minimal + "logs: {balancer: true}", "logs.balancer needs region"},
		"half of a budget":             {"test", minimal + "budget: {monthly: 20}", "budget.monthly needs budget.emails"},
		"two ways for alarms":          {"test", minimal + "alarms: {emails: [me@example.com], topic: 'arn:aws:sns:eu-central-1:111122223333:alarms'}", "alarms.emails and alarms.topic exclude each other"},
		"prod by name alone":           {"prod2", minimal, "production is not true: a stage called prod2 has real customers"},
		"prod says it is not":          {"prod", "production: false\n" + minimal, "prod.yaml:1: production is not true"},
		"the sandbox in production":    {"test", live + "payments: {provider: sandbox}", "the sandbox moves no money"},
		"production anywhere":          {"test", "production: true\n" + minimal, "a production stage names its account and region"},
		"production alarms no one":     {"test", "production: true\n" + minimal, "a production stage names in alarms.emails or alarms.topic who receives its alarms"},
		"production unprotected":       {"test", "production: true\n" + minimal, "a production stage has protection.stacks and protection.data"},
		"no keys at all":               {"test", "- payments", "the file is a list: it has keys of its own"},
		"a value for keys":             {"test", minimal + "domain: api.example.com", `domain is "api.example.com": it has keys of its own`},
		"two documents":                {"test", minimal + "---\n" + minimal, "the file has more than one document"},
		"not YAML":                     {"test", "payments: {provider: sandbox", "test.yaml is not YAML"},
		"nothing":                      {"test", "# soon\n", "test.yaml is empty: dev.yaml beside it shows what a stage needs"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := loadAs(t, tt.stage, tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
}

func TestAccepted(t *testing.T) {
	tests := map[string]string{
		"a production stage":             live + "payments: {provider: stripe, secret: '" + arnOf + "'}",
		"a production sandbox":           live + "payments: {provider: sandbox, sandboxBecause: the shop opens in May}",
		"zones by name":                  minimal + "network: {zones: [eu-central-1a, eu-central-1b]}",
		"a network that exists":          minimal + "network: {vpc: {id: vpc-0123456789abcdef0, subnets: [subnet-11111111, subnet-22222222]}}",
		"alarms to a topic":              minimal + "alarms: {topic: 'arn:aws:sns:eu-central-1:111122223333:alarms'}",
		"a token as long as the session": minimal + "signIn: {accessMinutes: 1440, refreshDays: 1}",
		"an account with leading zeros":  minimal + "account: 000011112222\nregion: eu-central-1",
		"an anchor":                      minimal + "alarms: {emails: &us [me@example.com]}\nbudget: {monthly: 20, emails: *us}",
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := load(t, text); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]string{
		"production": "at most 7 letters or digits",
		"Dev":        "all lower case",
		"my-dev":     "at most 7 letters or digits",
		"1st":        "a name is a letter",
		"":           "a name is a letter",
		"local":      "the run on this machine is called so",
		"ec2":        "the stage's private zone would hide them",
		"compute":    "the stage's private zone would hide them",
	} {
		if _, _, err := Load(name + ".yaml"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", name, err)
		}
	}
	_, _, err := Load("absent.yaml")
	if want := `there is no stage "absent": copy dev.yaml to absent.yaml and change what differs`; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// dev works as it is shipped. prod does when what only its user knows is filled in, and
// until then all of it is asked for at once.
func TestShippedStages(t *testing.T) {
	if _, _, err := Load("dev.yaml"); err != nil {
		t.Error(err)
	}
	_, _, err := Load("prod.yaml")
	if err == nil {
		t.Fatal("prod was accepted as it is shipped")
	}
	for line := range strings.Lines(err.Error()) {
		if !strings.Contains(line, "is not filled in: it is ") {
			t.Error(line)
		}
	}
	raw, err := os.ReadFile("prod.yaml")
	if err != nil {
		t.Fatal(err)
	}
	filled := string(raw)
	for key, value := range map[string]string{
		"account: ": "111122223333", "region: ": "eu-central-1", "secret: ": arnOf,
		"from: ": "shop@example.com", "admin: ": "admin@example.com", "emails: [": "on-call@example.com",
	} {
		filled = strings.ReplaceAll(filled, key+placeholder, key+value)
	}
	s, err := loadAs(t, "prod", filled)
	if err != nil {
		t.Fatal(err)
	}
	if !s.Production || s.Payments.Provider != "stripe" || s.SignIn.Flow != "srp" || !s.SignIn.AdminTOTP || !s.SignIn.VerifyEmail {
		t.Errorf("prod is weaker than it should be: %+v", s)
	}
}

// The page beside the files lists every key.
func TestEveryKeyIsListed(t *testing.T) {
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys(reflect.TypeFor[Settings](), "") {
		if !strings.Contains(string(page), "| `"+key+"` |") {
			t.Errorf("%s is not on the page", key)
		}
	}
}
