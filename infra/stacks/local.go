package stacks

import (
	"maps"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"

	"tradewind/infra/param"
	"tradewind/infra/service"
	"tradewind/infra/stages"
)

// localSettings take the place of a stage's file. Customers sign in with their password,
// as the contract has it. Data of a local run is no loss, and data that outlives its stack
// would be in the way of the next run.
func localSettings(discovery string) stages.Settings {
	s := stages.Defaults()
	s.Payments.Provider, s.Mail.Provider = "sandbox", "none"
	s.Discovery = discovery
	s.Protection = stages.Protection{}
	return s
}

// bend is everything in which the local endpoint's templates differ from AWS's. It
// works on the finished stacks: what builds them does not know the difference, so
// nothing here can reach a template for AWS. Each line has its reason; when the
// reason goes, the line goes.
func bend(c Config, n network, p platform, services []service.Service) {
	// Refused as an unknown type, and the stack with it. Replay uses an archive made
	// through the API.
	p.stack.Node().TryRemoveChild(p.archive.Node().Id())

	// An alarm on several metrics is refused, and the stack with it. Alarms have no receiver here anyway.
	for _, s := range services {
		for _, child := range *s.Node().Children() {
			if alarm, ok := child.(awscloudwatch.CfnAlarm); ok && alarm.Metrics() != nil {
				s.Node().TryRemoveChild(alarm.Node().Id())
			}
		}
	}

	// The balancer's DNS name does not resolve. Only the endpoint knows its own port, so
	// whoever starts it writes the parameter before the first deployment.
	n.stack.Node().TryRemoveChild(n.albURL.Node().Id())

	// Nor does the private zone, for which this machine would have to ask another name
	// server. Whoever starts the endpoint serves the zone too, and says where.
	if c.Settings.Discovery == service.DNS {
		for _, s := range services {
			for _, f := range append(slices.Collect(maps.Values(s.Scheduled)), s.API) {
				if *f.IsBoundToVpc() { // it calls others
					f.AddEnvironment(jsii.String("DNS_SERVER"), param.Read(s.Construct, c.Stage, param.DNSServer), nil)
				}
			}
		}
	}

	// The endpoint speaks plain HTTP, and where it evaluates policies (AUTH=true) the
	// queues' demand for TLS would refuse every call. It is each policy's first
	// statement, and a dead-letter queue's only one.
	for _, s := range services {
		for _, queue := range []awssqs.Queue{s.RelayDLQ, s.ConsumerDLQ} {
			if queue != nil {
				queue.Node().TryRemoveChild(jsii.String("Policy"))
			}
		}
		for _, queue := range []awssqs.Queue{s.Queue, s.RuleDLQ} {
			if queue != nil {
				queue.Node().FindChild(jsii.String("Policy")).Node().DefaultChild().(awssqs.CfnQueuePolicy).
					AddPropertyDeletionOverride(jsii.String("PolicyDocument.Statement.0"))
			}
		}
	}
}
