// Package stacks assembles a stage of the platform: the network, what all services
// share, one stack for each service, and the public entry to them.
//
// It exists apart from main so that tests synthesise exactly what is deployed. A
// stack never refers to another stack's construct, only to parameters (package
// param); the declared dependencies order a deployment of everything and can be
// ignored when one stack is deployed alone.
package stacks

import (
	"fmt"
	"runtime"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"tradewind/events/contracts"
	"tradewind/infra/service"
	"tradewind/infra/stages"
)

// Config is what distinguishes one synthesis from another.
type Config struct {
	Stage    string          // part of every name
	Settings stages.Settings // what the stage's file says
	Local    bool            // for the local endpoint, see local.go
	Arch     string          // GOARCH of the functions; default arm64, locally this machine's
	Dist     string          // folder of the binaries; default build

	hosts []string // of the services built so far
}

// FromContext reads the configuration from the app's context, where the CDK's tools
// put it. A flag given on their command line arrives as text.
func FromContext(app constructs.Node) (Config, error) {
	text := func(key, otherwise string) string {
		if v := app.TryGetContext(jsii.String(key)); v != nil && v != "" {
			return fmt.Sprint(v)
		}
		return otherwise
	}
	c := Config{Local: text("local", "false") == "true", Dist: text("dist", "build")}
	if c.Local {
		c.Stage, c.Arch = "local", text("arch", runtime.GOARCH)
		c.Settings = localSettings(text("discovery", service.LoadBalancer))
		if !slices.Contains(service.Discoveries, c.Settings.Discovery) {
			return c, fmt.Errorf("discovery %q: services find each other by one of %q", c.Settings.Discovery, service.Discoveries)
		}
		return c, nil
	}
	var err error
	c.Arch = text("arch", "arm64")
	c.Stage, c.Settings, err = stages.Load(text("stageFile", "infra/stages/dev.yaml"))
	return c, err
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

// Build adds a whole stage to the app.
func Build(app awscdk.App, c Config) error {
	if c.Arch != "arm64" && c.Arch != "amd64" {
		return fmt.Errorf("arch %q: Lambda runs arm64 and amd64", c.Arch)
	}
	n := newNetwork(newStack(app, c, "network", "Network, internal load balancer and discovery"), c)
	p := newPlatform(newStack(app, c, "platform", "Event bus, HTTP API and user pool"), c)
	edge := newStack(app, c, "edge", "Public entry of the HTTP API")
	var made []service.Service
	for _, s := range services {
		stack := newStack(app, c, s.name, "Service "+s.name)
		stack.AddStackDependency(n.stack, jsii.String("reads its parameters"))
		stack.AddStackDependency(p.stack, jsii.String("reads its parameters"))
		props := s.props(stack, c)
		props.Name, props.Stage, props.Arch, props.Dist, props.Discovery = s.name, c.Stage, c.Arch, c.Dist, c.Settings.Discovery
		props.BalancerPort = balancerPort(c)
		props.LogDays, props.ProtectData = c.Settings.Logs.Days, c.Settings.Protection.Data
		props.Consumes, props.Concurrency = consumes(s.name), c.Settings.Concurrency
		if c.Settings.Canary != "none" {
			props.Canary = c.Settings.Canary
		}
		edge.AddStackDependency(stack, jsii.String("limits its routes"))
		made = append(made, service.New(stack, "Service", props))
		c.hosts = append(c.hosts, props.Host)
	}
	var routes []string
	for _, s := range made {
		for _, route := range s.Routes {
			routes = append(routes, *route.RouteKey())
		}
	}
	if err := newEdge(edge, c, routes); err != nil {
		return err
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
	props := &awscdk.StackProps{
		Description:           jsii.String("Tradewind " + c.Stage + ": " + description),
		Tags:                  &map[string]*string{"project": jsii.String("tradewind"), "stage": jsii.String(c.Stage)},
		TerminationProtection: jsii.Bool(c.Settings.Protection.Stacks),
	}
	if c.Settings.Account != "" { // the CDK deploys such a stack there and nowhere else
		props.Env = &awscdk.Environment{Account: jsii.String(c.Settings.Account), Region: jsii.String(c.Settings.Region)}
	}
	if boundary := c.Settings.PermissionsBoundary; boundary != "" {
		props.PermissionsBoundary = awscdk.PermissionsBoundary_FromArn(jsii.String(boundary))
	}
	return awscdk.NewStack(app, jsii.String("tradewind-"+c.Stage+"-"+name), props)
}
