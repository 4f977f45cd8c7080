// Package stacks assembles a stage of the platform: the network, what all services
// share, and one stack for each service.
//
// It exists apart from main so that tests synthesise exactly what is deployed. A
// stack never refers to another stack's construct, only to parameters (package
// param); the declared dependencies order a deployment of everything and can be
// ignored when one stack is deployed alone.
package stacks

import (
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"tradewind/events/contracts"
	"tradewind/infra/service"
)

// Config is what distinguishes one synthesis from another.
type Config struct {
	Stage string // part of every name; default dev
	Local bool   // for the local endpoint, see local.go
	Arch  string // GOARCH of the functions; default arm64, locally this machine's
	Dist  string // folder of the binaries; default build

	// Discovery is how services find each other: one of service.Discoveries, whose
	// first is the default.
	Discovery string

	// StripeSecretARN is that of the secret with Stripe's API key. Without it
	// payments go to the sandbox, which moves no money.
	StripeSecretARN string
	// MailFrom is an address whose domain SES has verified. Without it
	// notifications are recorded and no mail leaves.
	MailFrom string
	// AdminEmail is where mails to the shop itself go.
	AdminEmail string

	// Canary and Concurrency are those of every service; see service.Props.
	Canary      string
	Concurrency int
	// CursorKey is the number of the key that signs cursors; 0 means 1. The next number
	// is the next key.
	CursorKey int

	hosts []string // of the services built so far
}

// FromContext reads the configuration from the app's context, where the CDK's tools
// put it. A flag given on their command line arrives as text.
func FromContext(app constructs.Node) Config {
	text := func(key, otherwise string) string {
		if v := app.TryGetContext(jsii.String(key)); v != nil && v != "" {
			return fmt.Sprint(v)
		}
		return otherwise
	}
	c := Config{Local: text("local", "false") == "true"}
	arch := "arm64"
	if c.Local {
		arch = runtime.GOARCH
	}
	c.Stage, c.Arch, c.Dist = text("stage", "dev"), text("arch", arch), text("dist", "build")
	c.Discovery = text("discovery", "")
	c.StripeSecretARN, c.MailFrom, c.AdminEmail = text("stripeSecretArn", ""), text("mailFrom", ""), text("adminEmail", "")
	return c
}

// flags are the CDK's corrections of its own past behaviour that concern what is
// used here. They are set in code because the app also runs without the CDK's tools.
var flags = map[string]interface{}{
	"@aws-cdk/aws-iam:minimizePolicies":         true,
	"@aws-cdk/aws-lambda:recognizeLayerVersion": true,
	"@aws-cdk/aws-lambda:recognizeVersionProps": true,
	"@aws-cdk/core:validateAgainstDefaultRules": true,
	"@aws-cdk/core:checkSecretUsage":            true,
	"@aws-cdk/core:target-partitions":           []string{"aws"},
}

// NewApp is an app without the noise (usage reports, construct paths) that would
// make a template change when nothing deployed does.
func NewApp(props awscdk.AppProps) awscdk.App {
	props.AnalyticsReporting = jsii.Bool(false)
	props.PostCliContext = &flags
	return awscdk.NewApp(&props)
}

// stageName leaves room for the longest name made from it, a target group's.
var stageName = regexp.MustCompile(`^[a-z][a-z0-9]{0,7}$`)

// Build adds a whole stage to the app.
func Build(app awscdk.App, c Config) error {
	if !stageName.MatchString(c.Stage) {
		return fmt.Errorf("stage %q: a letter, then at most 7 letters or digits, all lower case", c.Stage)
	}
	if c.Arch != "arm64" && c.Arch != "amd64" {
		return fmt.Errorf("arch %q: Lambda runs arm64 and amd64", c.Arch)
	}
	if c.StripeSecretARN != "" && !strings.HasPrefix(c.StripeSecretARN, "arn:") {
		return fmt.Errorf("stripeSecretArn %q: the whole ARN of the secret is needed, which the permission names", c.StripeSecretARN)
	}
	if c.Discovery == "" {
		c.Discovery = service.Discoveries[0]
	}
	if !slices.Contains(service.Discoveries, c.Discovery) {
		return fmt.Errorf("discovery %q: services find each other by one of %q", c.Discovery, service.Discoveries)
	}
	n := newNetwork(newStack(app, c, "network", "Network, internal load balancer and discovery"), c.Stage, c.Discovery)
	p := newPlatform(newStack(app, c, "platform", "Event bus, HTTP API and user pool"), c)
	var made []service.Service
	for _, s := range services {
		stack := newStack(app, c, s.name, "Service "+s.name)
		stack.AddStackDependency(n.stack, jsii.String("reads its parameters"))
		stack.AddStackDependency(p.stack, jsii.String("reads its parameters"))
		props := s.props(stack, c)
		props.Name, props.Stage, props.Arch, props.Dist, props.Discovery = s.name, c.Stage, c.Arch, c.Dist, c.Discovery
		props.Consumes, props.Canary, props.Concurrency = consumes(s.name), c.Canary, c.Concurrency
		made = append(made, service.New(stack, "Service", props))
		c.hosts = append(c.hosts, props.Host)
	}
	if c.Local {
		bend(c, n, p, made)
	}
	return nil
}

// consumes is what the contracts say that a service relies on. It is said there and
// nowhere else, so rule and contract cannot drift apart.
func consumes(name string) []service.Event {
	var wanted []service.Event
	for _, c := range contracts.ConsumedBy(name) {
		wanted = append(wanted, service.Event{Source: c.Publisher, Type: c.Type()})
	}
	return wanted
}

func newStack(app awscdk.App, c Config, name, description string) awscdk.Stack {
	return awscdk.NewStack(app, jsii.String("tradewind-"+c.Stage+"-"+name), &awscdk.StackProps{
		Description: jsii.String("Tradewind " + c.Stage + ": " + description),
		Tags:        &map[string]*string{"project": jsii.String("tradewind"), "stage": jsii.String(c.Stage)},
	})
}
