package service

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsservicediscovery"
	"github.com/aws/jsii-runtime-go"

	"tradewind/infra/param"
)

// The ways by which a service finds another, in the words of DISCOVERY_MODE, which
// the kit's package discovery reads.
const (
	LoadBalancer = "loadbalancer" // the balancer's address, and the service by host
	Registry     = "registry"     // Cloud Map is asked for the service's instances
	DNS          = "dns"          // so is the private zone
)

// Discoveries are all of them, the default first.
var Discoveries = []string{LoadBalancer, Registry, DNS}

// Namespace is the name of a stage's namespace in Cloud Map.
func Namespace(stage string) string { return "tradewind-" + stage }

// Domain is that of a stage's private zone, in which a service's name is its host's.
func Domain(stage string) string { return stage + ".internal" }

// fullHost is the service's name in the private zone, and the Host of every call to it.
func (b *builder) fullHost() string { return b.Host + "." + Domain(b.Stage) }

// finding gives a function that calls other services what its way to them needs, and
// nothing of the other ways. Its code is the same in all of them.
func (b *builder) finding(f *Function) {
	f.Env = with(f.Env, map[string]*string{"DISCOVERY_MODE": jsii.String(b.Discovery)})
	switch b.Discovery {
	case Registry:
		f.Env["DISCOVERY_NAMESPACE"] = jsii.String(Namespace(b.Stage))
		// A request is for a namespace and a service, and both must be allowed. The services'
		// ids are not known beforehand; what limits them is the namespace that is named.
		f.Allow = append(f.Allow, awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Actions:   jsii.Strings("servicediscovery:DiscoverInstances", "servicediscovery:DiscoverInstancesRevision"),
			Resources: Registrations(b.stack, b.param(param.NamespaceID)),
			Conditions: &map[string]interface{}{"StringEquals": map[string]*string{
				"servicediscovery:NamespaceName": jsii.String(Namespace(b.Stage)),
			}},
		}))
	case DNS: // the network's own name server knows the zone, and needs no permission
	default:
		f.Params = with(f.Params, map[string]string{"ALB_URL": param.AlbURL})
	}
}

// Registrations are the ARNs of a namespace of Cloud Map, and of every service.
func Registrations(stack awscdk.Stack, namespace *string) *[]*string {
	arn := func(resource string, name *string) *string {
		return stack.FormatArn(&awscdk.ArnComponents{
			Service: jsii.String("servicediscovery"), Resource: jsii.String(resource), ResourceName: name,
		})
	}
	return &[]*string{arn("namespace", namespace), arn("service", jsii.String("*"))}
}

// register makes the service known in the registry, whichever way others find it: so
// that a caller changes its way without the services it calls being deployed again,
// and so that their health has a place where it is written.
//
// Its one instance is the balancer, behind which Lambda has as many as there is work.
// The attributes are the kit's own (package discovery reads them): a namespace that
// is asked by API alone takes any, and an address by name has none of AWS's.
func (b *builder) register() {
	registered := awsservicediscovery.NewCfnService(b.scope, jsii.String("Registered"), &awsservicediscovery.CfnServiceProps{
		Name:        jsii.String(b.Host),
		Description: jsii.String("Where " + b.Name + " answers"),
		NamespaceId: b.param(param.NamespaceID),
		// The permission to change its health asks for this tag. A stack's tags reach its
		// resources too, but not on every endpoint.
		Tags: &[]*awscdk.CfnTag{{Key: jsii.String("stage"), Value: jsii.String(b.Stage)}},
		// An instance is healthy until somebody says otherwise.
		HealthCheckCustomConfig: &awsservicediscovery.CfnService_HealthCheckCustomConfigProperty{
			FailureThreshold: jsii.Number(1), // the only value there is
		},
	})
	awsservicediscovery.NewCfnInstance(b.scope, jsii.String("RegisteredBalancer"), &awsservicediscovery.CfnInstanceProps{
		ServiceId:  registered.Ref(),
		InstanceId: jsii.String("balancer"),
		InstanceAttributes: map[string]*string{
			"url":  b.param(param.AlbURL),
			"host": jsii.String(b.fullHost()),
		},
	})
}
