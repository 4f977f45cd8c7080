package archtest

import (
	"slices"
	"strings"
)

const (
	module = "tradewind"

	// anyService stands in a path for the name of one service, the same one
	// throughout a rule: what a service may use of itself, no other may.
	anyService = "{service}"
)

// Layer says what the packages at From may import directly. Paths are those of
// this module without its name.
type Layer struct {
	From        string
	Project     []string // packages of this module
	Tests       []string // and these in test files, where other modules are free
	Others      bool     // packages of other modules
	NotStandard []string // the standard library but for these
	Reason      string   // what breaks when the rule is broken; printed with the breach
}

func (l Layer) forService(name string) Layer {
	l.Project, l.Tests = slices.Clone(l.Project), slices.Clone(l.Tests)
	for _, patterns := range [][]string{l.Project, l.Tests} {
		for i, p := range patterns {
			patterns[i] = strings.ReplaceAll(p, anyService, name)
		}
	}
	return l
}

// outside is what a package that holds rules, and nothing else, has no use for.
var outside = []string{"net", "net/http/...", "os/...", "syscall"}

// layers are searched from the top: the first whose From fits a package holds it.
var layers = []Layer{
	{
		From:    "events/...",
		Project: []string{"events/..."},
		Reason:  "contracts need the standard library only, so that any program can read an event",
	},
	{
		From:        "shared/apperr",
		NotStandard: outside,
		Reason:      "the domain imports apperr, so it stays as clean as the domain",
	},
	{
		From:    "shared/cmd/...",
		Project: []string{"shared/...", "events/..."},
		Others:  true,
		Reason:  "a tool works on what is deployed, by names, HTTP, events and AWS's APIs: it contains no function, no stack and no endpoint",
	},
	{
		From:    "shared/...",
		Project: []string{"shared/...", "events"},
		Others:  true,
		Reason:  "the kit knows the envelope of an event and nothing of the services that use it",
	},
	{
		From:   "functions/sagatest",
		Tests:  []string{"events/...", "functions/...", "shared/..."},
		Reason: "the one place that knows several services holds tests only",
	},
	{
		From:        "functions/{service}",
		Project:     []string{"events/...", "shared/apperr"},
		Tests:       []string{"functions/{service}/...", "shared/..."},
		NotStandard: outside,
		Reason:      "the domain is rules only: no AWS, no HTTP, no os, no other service",
	},
	{
		From:    "functions/{service}/internal/...",
		Project: []string{"functions/{service}", "functions/{service}/internal/...", "events/...", "shared/..."},
		Tests:   []string{"functions/{service}/..."},
		Others:  true,
		Reason:  "an adapter serves its own domain; services meet in events and HTTP, never in code",
	},
	{
		From:    "functions/{service}/{service}test",
		Project: []string{"functions/{service}/...", "events/...", "shared/..."},
		Others:  true,
		Reason:  "it lends one service, wired for tests, to others",
	},
	{
		From:    "functions/{service}/cmd/...",
		Project: []string{"functions/{service}", "functions/{service}/internal/...", "events/...", "shared/..."},
		Tests:   []string{"functions/{service}/..."},
		Others:  true,
		Reason:  "a main wires one service out of its own parts and the kit",
	},
	{
		From:    "infra/...",
		Project: []string{"infra/...", "events/contracts", "shared/metrics", "shared/replayrule"},
		Tests:   []string{"shared/discovery", "shared/env", "shared/health", "shared/httpkit", "shared/inbox", "shared/logs"},
		Others:  true,
		Reason:  "infra names binaries by their path and takes who consumes what from the contracts; names on which two sides must agree it takes from the package that the other side uses (replay rules for its queue policies, metrics and their dimensions for its alarms); it runs no other code of theirs, though tests hold its times, hosts and filters to what the kit does",
	},
	{
		From:    "localstack/...",
		Project: []string{"localstack/...", "events/..."},
		Others:  true,
		Reason:  "the tools and tests here see the platform as a client does: by HTTP and events",
	},
}

// Ban says that nothing at From may reach To, however many imports lie between.
type Ban struct {
	From, To string
	Reason   string

	// Exists is what must be in the build for the ban to mean something, where To
	// itself is meant to be absent. Empty: To.
	Exists string
}

var bans = []Ban{
	{
		From:   "functions/...",
		To:     "github.com/aws/aws-cdk-go/...",
		Reason: "no deployment code in a Lambda binary: it is larger than Lambda takes and never used there",
	},
	{
		From:   "functions/...",
		To:     "github.com/aws/jsii-runtime-go/...",
		Reason: "no deployment code in a Lambda binary: it starts Node",
	},
	{
		From:   "functions/...",
		To:     "github.com/aws/aws-sdk-go-v2/.../schemas",
		Exists: "github.com/aws/aws-sdk-go-v2/service/...",
		Reason: "schema-based clients make every cold start longer: keep the service module at the last version without them",
	},
	{
		From:   "functions/...",
		To:     "github.com/aws/aws-sdk-go-v2/config/...",
		Exists: "github.com/aws/aws-sdk-go-v2/aws",
		Reason: "LoadDefaultConfig pays at every cold start for what the function's environment already says: use shared/awsclient",
	},
	{
		From:   "functions/...",
		To:     "github.com/getkin/kin-openapi/...",
		Reason: "documents are checked in tests: importing a schema validator makes every cold start longer",
	},
	{
		From:   "shared/cmd/...",
		To:     "github.com/aws/aws-cdk-go/...",
		Reason: "a tool runs the CDK's command line: to link the CDK takes minutes, and to use it starts Node",
	},
	{
		From:   "functions/...",
		To:     "github.com/alecthomas/kong",
		Reason: "a function has no command line: its configuration is its environment, by shared/env",
	},
	{
		From:   "functions/...",
		To:     "go.yaml.in/yaml/...",
		Reason: "a function serves its OpenAPI document as the JSON made beforehand; reading YAML makes every cold start longer",
	},
	{
		From:   "functions/.../cmd/api",
		To:     "github.com/aws/aws-sdk-go-v2/service/sqs",
		Reason: "what a route publishes goes through the table: import shared/outbox, not shared/eventbus, which brings a queue's client",
	},
	{
		From:   "functions/.../cmd/...",
		To:     "events/contracts",
		Reason: "a binary carries the contracts that it uses; the list of all is for infra, documents and tests",
	},
	{
		From:   "functions/.../cmd/...",
		To:     "testing",
		Reason: "a test suite got into a Lambda binary",
	},
	{
		From:   "functions/.../cmd/...",
		To:     "functions/.../...test",
		Reason: "a service wired for tests got into a Lambda binary",
	},
	{
		From:   "functions/.../cmd/...",
		To:     "shared/.../...test",
		Reason: "a fake got into a Lambda binary",
	},
}
