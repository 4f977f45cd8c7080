// Package service is the one construct every service of the platform is made of:
// table, functions, queues, routes, balancer rules and alarms.
//
// It exists so that a service's stack states only what is its own, and everything
// that must be the same everywhere is decided once: least privilege for each
// function, a dead-letter queue behind everything asynchronous and an alarm on each
// of them, time limits that nest, logs that expire.
//
// What a caller must keep in mind: other stacks are reached through package param
// only; nothing here knows about the local endpoint (package stacks bends the
// finished construct); and nothing may depend on any other service, or its template
// would change with a neighbour's.
package service

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscodedeploy"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"tradewind/infra/param"
)

// Props is what one service does not share with the others.
type Props struct {
	Stage string
	Arch  string // GOARCH of the binaries: amd64 or arm64
	Dist  string // folder of the binaries: <Dist>/<Arch>/<Name>/<function>/bootstrap

	Name       string  // "orders": folder of the functions, source of the events
	Collection string  // "orders": the routes are /api/<Collection>…
	Base       string  // where the routes are if not there: "/health"
	Host       string  // "order-service": the name in discovery, and behind the balancer with the domain
	Routes     []Route // operations of the OpenAPI document; openapi.json itself is implied
	Consumes   []Event // none: the service has no consumer function

	// Default makes the api function answer what the gateway has no route for.
	Default bool

	// CallsServices puts the api function into the network, where it reaches the
	// balancer, DynamoDB and what Discovery needs, and nothing else.
	CallsServices bool
	Discovery     string // how it finds them: one of Discoveries

	BalancerPort int // where the internal load balancer listens

	LogDays     int  // how long logs are kept
	ProtectData bool // the table stays when its stack goes

	// Canary is how a new version gets its calls: all at once, or by one of CodeDeploy's
	// ways for Lambda, such as Canary10Percent5Minutes.
	Canary string
	// Concurrency is how many batches of messages the consumer works on at a time, from 2
	// to 1000; 0 means 10. More waits in the queue.
	Concurrency int

	API, Relay, Consumer Function
	Schedules            []Schedule
}

// Route is one operation at the gateway, below the base.
type Route struct {
	Method, Path string // "GET", "/{id}"; the path of the base itself is ""
	SignedIn     bool   // the gateway refuses a request without a valid token
}

// Public is an operation anyone may call.
func Public(method, path string) Route { return Route{Method: method, Path: path} }

// SignedIn is an operation that needs a token. Which caller may do what is decided
// by the service; scopes are not used, because the gateway answers a token without
// the scope with 403 where the contract says 401.
func SignedIn(method, path string) Route { return Route{Method: method, Path: path, SignedIn: true} }

// Event is one kind of domain event.
type Event struct{ Source, Type string }

// Function is what differs in one function. Zero values mean the house's.
type Function struct {
	Env     map[string]*string
	Params  map[string]string // more variables: parameters of other stacks, by key
	Table   []TableAction     // what it does with the table, beyond what its kind does anyway
	Allow   []awsiam.PolicyStatement
	Timeout time.Duration
	Memory  int // MB
	Batch   int // messages a call; consumer only

	// config are short texts that change with what the function's configuration refers
	// to, other than Params; see [builder.function].
	config []*string
}

// Service is the finished construct. Consumer, its queues and its mapping are nil
// where the service consumes nothing.
type Service struct {
	constructs.Construct // pass this as a scope, never the Service itself: jsii cannot see through it

	Table    awsdynamodb.TableV2
	API      awslambda.Function
	Relay    awslambda.Function
	Consumer awslambda.Function
	// Scheduled are the functions that run by the clock, by name.
	Scheduled map[string]awslambda.Function

	Queue, ConsumerDLQ, RelayDLQ, RuleDLQ awssqs.Queue
	Routes                                []awsapigatewayv2.CfnRoute
}

// builder carries what the parts of one service need of each other.
type builder struct {
	Props
	scope constructs.Construct
	stack awscdk.Stack
	vpc   awsec2.IVpc // nil until a function is put into it
	data  awsdynamodb.TableV2

	released    []released
	application awscodedeploy.CfnApplication // nil until a function has a canary
	deployer    awsiam.Role
}

// names must leave room: a target group's is "tw-<stage>-<name>", at most 32 characters.
var name = regexp.MustCompile(`^[a-z][a-z0-9-]{1,18}[a-z0-9]$`)

// New makes a service. Props that cannot work are a programming error: it panics,
// and the synthesis stops with the reason.
func New(scope constructs.Construct, id string, props Props) Service {
	if err := props.validate(); err != nil {
		panic(err)
	}
	if props.Base == "" {
		props.Base = "/api/" + props.Collection
	}
	b := &builder{Props: props, scope: constructs.NewConstruct(scope, jsii.String(id)), stack: awscdk.Stack_Of(scope)}
	s := Service{Construct: b.scope}

	s.Table = b.table()
	b.data = s.Table
	api, live := b.api()
	s.API = api
	s.Routes = b.gateway(live)
	targets := b.balancer(live)
	b.register()
	s.Relay, s.RelayDLQ = b.relay(s.Table)
	if len(props.Consumes) > 0 {
		b.consumer(&s)
	}
	for _, schedule := range props.Schedules {
		b.scheduled(&s, schedule)
	}
	b.release()

	b.output("TableName", s.Table.TableName())
	b.output("ApiFunctionArn", live.FunctionArn())
	b.output("TargetGroupArn", targets.Ref())
	b.output("RelayDlqUrl", s.RelayDLQ.QueueUrl())
	if s.Consumer != nil {
		b.output("ConsumerQueueUrl", s.Queue.QueueUrl())
		b.output("ConsumerDlqUrl", s.ConsumerDLQ.QueueUrl())
		b.output("RuleDlqUrl", s.RuleDLQ.QueueUrl())
	}
	return s
}

func (p Props) validate() error {
	switch {
	case !name.MatchString(p.Name):
		return fmt.Errorf("service %q: a name has 3 to 20 of a-z, 0-9 and -", p.Name)
	case (p.Collection == "") == (p.Base == "") || p.Host == "":
		return fmt.Errorf("service %s: Host and one of Collection and Base are required", p.Name)
	case len(p.Routes) == 0:
		return fmt.Errorf("service %s: no routes", p.Name)
	case p.Concurrency != 0 && (p.Concurrency < 2 || p.Concurrency > 1000):
		return fmt.Errorf("service %s: a concurrency of %d: Lambda takes 2 to 1000", p.Name, p.Concurrency)
	case !slices.Contains(Discoveries, p.Discovery):
		return fmt.Errorf("service %s: discovery %q: it is one of %q", p.Name, p.Discovery, Discoveries)
	}
	for _, schedule := range p.Schedules {
		if schedule.Name == "" || schedule.Every < time.Minute || schedule.Every%time.Minute != 0 {
			return fmt.Errorf("service %s: schedule %q every %v: it needs a name, and EventBridge counts whole minutes", p.Name, schedule.Name, schedule.Every)
		}
	}
	return nil
}

// output is named by its key alone, so that tools read the same names from every stack.
func (b *builder) output(key string, value *string) {
	awscdk.NewCfnOutput(b.stack, jsii.String(key), &awscdk.CfnOutputProps{Value: value})
}

// physical is the name of a resource that people and tools look for by name.
func (b *builder) physical(part string) *string {
	return jsii.String("tradewind-" + b.Stage + "-" + b.Name + "-" + part)
}

func (b *builder) param(key string) *string { return param.Read(b.scope, b.Stage, key) }

func (b *builder) binary(function string) awslambda.Code {
	return awslambda.Code_FromAsset(jsii.String(filepath.Join(b.Dist, b.Arch, b.Name, function)), nil)
}
