package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	elb "github.com/aws/aws-cdk-go/awscdk/v2/awselasticloadbalancingv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsroute53"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsservicediscovery"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsssm"
	"github.com/aws/jsii-runtime-go"

	"tradewind/infra/param"
	"tradewind/infra/service"
)

type network struct {
	stack  awscdk.Stack
	albURL awsssm.CfnParameter
}

// cidr is every stage's address range: the networks of stages are never joined.
const cidr = "10.42.0.0/16"

// nobodyHere is the balancer's own answer: no rule of a service matched. A fixed
// response cannot be labelled application/problem+json (the balancer takes five media
// types), so the problem document goes out as plain JSON.
const nobodyHere = `{"type":"about:blank","title":"Not Found","status":404,"detail":"No service answers here.","code":"not_found"}`

// newNetwork is the private way from service to service. There is no NAT and no
// internet gateway: what is in here reaches the balancer and, by its gateway
// endpoint, this account's DynamoDB tables; and the registry, where it is asked.
func newNetwork(stack awscdk.Stack, stage, discovery string) network {
	vpc := awsec2.NewVpc(stack, jsii.String("Vpc"), &awsec2.VpcProps{
		IpAddresses: awsec2.IpAddresses_Cidr(jsii.String(cidr)),
		MaxAzs:      jsii.Number(2),
		NatGateways: jsii.Number(0),
		SubnetConfiguration: &[]*awsec2.SubnetConfiguration{{
			Name:       jsii.String("isolated"),
			SubnetType: awsec2.SubnetType_PRIVATE_ISOLATED,
			CidrMask:   jsii.Number(20),
		}},
	})
	tables := vpc.AddGatewayEndpoint(jsii.String("DynamoDB"), &awsec2.GatewayVpcEndpointOptions{
		Service: awsec2.GatewayVpcEndpointAwsService_DYNAMODB(),
	})
	tables.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: &[]awsiam.IPrincipal{awsiam.NewAnyPrincipal()},
		Actions:    jsii.Strings("dynamodb:*"),
		Resources: &[]*string{stack.FormatArn(&awscdk.ArnComponents{
			Service: jsii.String("dynamodb"), Resource: jsii.String("table"), ResourceName: jsii.String("*"),
		})},
	}))

	if discovery == service.Registry {
		registryEndpoint(stack, vpc)
	}

	group := awsec2.NewSecurityGroup(stack, jsii.String("BalancerSecurityGroup"), &awsec2.SecurityGroupProps{
		Vpc:              vpc,
		Description:      jsii.String("Internal load balancer"),
		AllowAllOutbound: jsii.Bool(false), // its targets are functions, called through Lambda's API
	})
	group.AddIngressRule(awsec2.Peer_Ipv4(jsii.String(cidr)), awsec2.Port_Tcp(jsii.Number(80)), jsii.String("the network itself"), nil)
	// The name is fixed because the local endpoint's address of the balancer is made
	// from it before the balancer exists.
	balancer := elb.NewApplicationLoadBalancer(stack, jsii.String("Balancer"), &elb.ApplicationLoadBalancerProps{
		LoadBalancerName:        jsii.String("tradewind-" + stage),
		Vpc:                     vpc,
		VpcSubnets:              &awsec2.SubnetSelection{SubnetType: awsec2.SubnetType_PRIVATE_ISOLATED},
		SecurityGroup:           group,
		DropInvalidHeaderFields: jsii.Bool(true),
	})
	listener := balancer.AddListener(jsii.String("Http"), &elb.BaseApplicationListenerProps{
		Port:     jsii.Number(80),
		Protocol: elb.ApplicationProtocol_HTTP, // private addresses only; callers prove themselves by token
		Open:     jsii.Bool(false),
		DefaultAction: elb.ListenerAction_FixedResponse(jsii.Number(404), &elb.FixedResponseOptions{
			ContentType: jsii.String("application/json"),
			MessageBody: jsii.String(nobodyHere),
		}),
	})

	// One record for all: <name>-service.<stage>.internal is the balancer, which tells
	// the services apart by that name.
	zone := awsroute53.NewPrivateHostedZone(stack, jsii.String("Zone"), &awsroute53.PrivateHostedZoneProps{
		ZoneName: jsii.String(service.Domain(stage)), Vpc: vpc,
	})
	awsroute53.NewCfnRecordSet(stack, jsii.String("EveryService"), &awsroute53.CfnRecordSetProps{
		HostedZoneId: zone.HostedZoneId(),
		Name:         jsii.String("*." + service.Domain(stage) + "."),
		Type:         jsii.String("A"),
		AliasTarget: &awsroute53.CfnRecordSet_AliasTargetProperty{
			DnsName:      balancer.LoadBalancerDnsName(),
			HostedZoneId: balancer.LoadBalancerCanonicalHostedZoneId(),
		},
	})
	namespace := awsservicediscovery.NewHttpNamespace(stack, jsii.String("Namespace"), &awsservicediscovery.HttpNamespaceProps{
		Name: jsii.String(service.Namespace(stage)),
	})

	subnets := *vpc.IsolatedSubnets()
	param.Write(stack, stage, param.VpcID, vpc.VpcId())
	param.Write(stack, stage, param.SubnetA, subnets[0].SubnetId())
	param.Write(stack, stage, param.SubnetB, subnets[1].SubnetId())
	param.Write(stack, stage, param.AlbListenerArn, listener.ListenerArn())
	param.Write(stack, stage, param.AlbSecurityGroupID, group.SecurityGroupId())
	param.Write(stack, stage, param.NamespaceID, namespace.NamespaceId())
	albURL := param.Write(stack, stage, param.AlbURL,
		awscdk.Fn_Join(jsii.String(""), &[]*string{jsii.String("http://"), balancer.LoadBalancerDnsName()}))

	output(stack, "AlbName", balancer.LoadBalancerName())
	output(stack, "AlbDnsName", balancer.LoadBalancerDnsName())
	return network{stack: stack, albURL: albURL}
}

// registryEndpoint brings Cloud Map's data plane into the network, under the name
// that it has everywhere. It is paid by the hour in each of the two subnets, which is
// why only who asks the registry has it. Who may ask what is decided by the roles.
func registryEndpoint(stack awscdk.Stack, vpc awsec2.Vpc) {
	group := awsec2.NewSecurityGroup(stack, jsii.String("RegistrySecurityGroup"), &awsec2.SecurityGroupProps{
		Vpc:              vpc,
		Description:      jsii.String("Endpoint of the service registry"),
		AllowAllOutbound: jsii.Bool(false), // it answers, and begins nothing
	})
	group.AddIngressRule(awsec2.Peer_Ipv4(jsii.String(cidr)), awsec2.Port_Tcp(jsii.Number(443)), jsii.String("the network itself"), nil)
	vpc.AddInterfaceEndpoint(jsii.String("Registry"), &awsec2.InterfaceVpcEndpointOptions{
		// Not its namesake without "data", which has every operation but these.
		Service:           awsec2.InterfaceVpcEndpointAwsService_CLOUD_MAP_DATA_SERVICE_DISCOVERY(),
		Subnets:           &awsec2.SubnetSelection{SubnetType: awsec2.SubnetType_PRIVATE_ISOLATED},
		SecurityGroups:    &[]awsec2.ISecurityGroup{group},
		Open:              jsii.Bool(false), // the rule is written above
		PrivateDnsEnabled: jsii.Bool(true),
	})
}

func output(stack awscdk.Stack, key string, value *string) {
	awscdk.NewCfnOutput(stack, jsii.String(key), &awscdk.CfnOutputProps{Value: value})
}
