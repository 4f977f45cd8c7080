package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	elb "github.com/aws/aws-cdk-go/awscdk/v2/awselasticloadbalancingv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsroute53"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsservicediscovery"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsssm"
	"github.com/aws/jsii-runtime-go"

	"tradewind/infra/param"
	"tradewind/infra/service"
	"tradewind/infra/stages"
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

// balancerPort is where the internal load balancer listens.
func balancerPort(c Config) int {
	if c.Settings.Network.TLS.Domain != "" {
		return 443
	}
	return 80
}

// newNetwork is the private way from service to service. Functions that call others carry
// the group of callers, which the balancer lets in and nothing else does; the registry
// too, where it is asked.
func newNetwork(stack awscdk.Stack, c Config) network {
	stage, settings := c.Stage, c.Settings
	vpc := existingVPC(stack, settings.Network.VPC)
	if settings.Network.VPC.ID == "" {
		vpc = ownVPC(stack, c)
	}
	callers := awsec2.NewSecurityGroup(stack, jsii.String("Callers"), &awsec2.SecurityGroupProps{
		Vpc:              vpc,
		Description:      jsii.String("Functions that call services"),
		AllowAllOutbound: jsii.Bool(false), // where each may go is said by a group of its own
	})
	group := openTo(stack, vpc, "BalancerSecurityGroup", "Internal load balancer", callers, balancerPort(c))
	// The name is fixed because the local endpoint's address of the balancer is made
	// from it before the balancer exists.
	balancer := elb.NewApplicationLoadBalancer(stack, jsii.String("Balancer"), &elb.ApplicationLoadBalancerProps{
		LoadBalancerName:        jsii.String("tradewind-" + stage),
		Vpc:                     vpc,
		VpcSubnets:              &awsec2.SubnetSelection{SubnetType: awsec2.SubnetType_PRIVATE_ISOLATED},
		SecurityGroup:           group,
		DropInvalidHeaderFields: jsii.Bool(true),
	})
	if settings.Logs.Balancer {
		logTo(accessLogs(stack, settings.Logs.Days), balancer)
	}
	listen := &elb.BaseApplicationListenerProps{
		Port:     jsii.Number(balancerPort(c)),
		Protocol: elb.ApplicationProtocol_HTTP, // private addresses only; callers prove themselves by token
		Open:     jsii.Bool(false),
		DefaultAction: elb.ListenerAction_FixedResponse(jsii.Number(404), &elb.FixedResponseOptions{
			ContentType: jsii.String("application/json"),
			MessageBody: jsii.String(nobodyHere),
		}),
	}
	address := awscdk.Fn_Join(jsii.String(""), &[]*string{jsii.String("http://"), balancer.LoadBalancerDnsName()})
	if tls := settings.Network.TLS; tls.Domain != "" {
		listen.Protocol = elb.ApplicationProtocol_HTTPS
		listen.Certificates = &[]elb.IListenerCertificate{elb.ListenerCertificate_FromArn(jsii.String(tls.Certificate))}
		listen.SslPolicy = elb.SslPolicy_RECOMMENDED_TLS
		zone(stack, vpc, "TlsZone", tls.Domain, "TlsName", "balancer."+tls.Domain, balancer)
		address = jsii.String("https://balancer." + tls.Domain)
	}
	listener := balancer.AddListener(jsii.String("Http"), listen)

	// One record for all: <name>-service.<stage>.internal is the balancer, which tells
	// the services apart by that name.
	zone(stack, vpc, "Zone", service.Domain(stage), "EveryService", "*."+service.Domain(stage), balancer)
	namespace := awsservicediscovery.NewHttpNamespace(stack, jsii.String("Namespace"), &awsservicediscovery.HttpNamespaceProps{
		Name: jsii.String(service.Namespace(stage)),
	})
	if settings.Discovery == service.Registry && settings.Network.VPC.ID == "" {
		registryEndpoint(stack, vpc, callers, namespace)
	}

	subnets := *vpc.IsolatedSubnets()
	param.Write(stack, stage, param.VpcID, vpc.VpcId())
	param.Write(stack, stage, param.SubnetA, subnets[0].SubnetId())
	param.Write(stack, stage, param.SubnetB, subnets[1].SubnetId())
	param.Write(stack, stage, param.AlbListenerArn, listener.ListenerArn())
	param.Write(stack, stage, param.AlbSecurityGroupID, group.SecurityGroupId())
	param.Write(stack, stage, param.CallersSecurityGroupID, callers.SecurityGroupId())
	param.Write(stack, stage, param.NamespaceID, namespace.NamespaceId())
	albURL := param.Write(stack, stage, param.AlbURL, address)

	output(stack, "AlbName", balancer.LoadBalancerName())
	output(stack, "AlbDnsName", balancer.LoadBalancerDnsName())
	return network{stack: stack, albURL: albURL}
}

// existingVPC is the network that a stage's file names. The platform adds no route and no
// endpoint to it.
func existingVPC(stack awscdk.Stack, named stages.VPC) awsec2.IVpc {
	if named.ID == "" {
		return nil
	}
	return awsec2.Vpc_FromVpcAttributes(stack, jsii.String("Vpc"), &awsec2.VpcAttributes{
		VpcId:             jsii.String(named.ID),
		AvailabilityZones: jsii.Strings("a", "b"), // stands for the two subnets; never reaches the template
		IsolatedSubnetIds: jsii.Strings(named.Subnets...),
	})
}

// ownVPC is a network without NAT and internet gateway: what is in here reaches the
// balancer and, by its gateway endpoint, this stage's DynamoDB tables.
func ownVPC(stack awscdk.Stack, c Config) awsec2.IVpc {
	// The CDK would look up the zones of an account that it knows, and take those of
	// another where it cannot. They are set below.
	stack.Node().SetContext(jsii.String("availability-zones:account="+c.Settings.Account+":region="+c.Settings.Region), jsii.Strings("a", "b"))
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
	for i, subnet := range *vpc.IsolatedSubnets() {
		resource := subnet.Node().DefaultChild().(awsec2.CfnSubnet)
		switch zones := c.Settings.Network.Zones; {
		case len(zones) == 0:
			resource.SetAvailabilityZone(awscdk.Fn_Select(jsii.Number(i), awscdk.Fn_GetAzs(nil)))
		case stages.IsZoneID(zones[i]):
			resource.SetAvailabilityZone(nil)
			resource.SetAvailabilityZoneId(jsii.String(zones[i]))
		default:
			resource.SetAvailabilityZone(jsii.String(zones[i]))
		}
	}
	tables := vpc.AddGatewayEndpoint(jsii.String("DynamoDB"), &awsec2.GatewayVpcEndpointOptions{
		Service: awsec2.GatewayVpcEndpointAwsService_DYNAMODB(),
	})
	tables.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: &[]awsiam.IPrincipal{awsiam.NewAnyPrincipal()},
		// What the functions in the network do. A stage's name has no hyphen, so the tables of
		// another are not among these.
		Actions: jsii.Strings("dynamodb:ConditionCheckItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"),
		Resources: &[]*string{stack.FormatArn(&awscdk.ArnComponents{
			Service: jsii.String("dynamodb"), Resource: jsii.String("table"), ResourceName: jsii.String("tradewind-" + c.Stage + "-*"),
		})},
	}))
	if c.Settings.Logs.Flow {
		vpc.AddFlowLog(jsii.String("FlowLog"), &awsec2.FlowLogOptions{
			Destination: awsec2.FlowLogDestination_ToCloudWatchLogs(
				service.Logs(stack, "FlowLogs", "/aws/vpc/tradewind-"+c.Stage, c.Settings.Logs.Days), nil),
		})
	}
	return vpc
}

// openTo is a group that lets callers in by one port, and begins nothing itself. The rule
// is inside the group's own resource: the construct would make a resource of it.
func openTo(stack awscdk.Stack, vpc awsec2.IVpc, id, description string, callers awsec2.ISecurityGroup, port int) awsec2.ISecurityGroup {
	group := awsec2.NewSecurityGroup(stack, jsii.String(id), &awsec2.SecurityGroupProps{
		Vpc: vpc, Description: jsii.String(description), AllowAllOutbound: jsii.Bool(false),
	})
	group.Node().DefaultChild().(awsec2.CfnSecurityGroup).SetSecurityGroupIngress(&[]interface{}{&awsec2.CfnSecurityGroup_IngressProperty{
		Description:           jsii.String("functions that call services"),
		IpProtocol:            jsii.String("tcp"),
		FromPort:              jsii.Number(port),
		ToPort:                jsii.Number(port),
		SourceSecurityGroupId: callers.SecurityGroupId(),
	}})
	return group
}

// accessLogs is a bucket for the balancer's logs. It stays when its stack goes, and
// empties itself.
func accessLogs(stack awscdk.Stack, days int) awss3.Bucket {
	return awss3.NewBucket(stack, jsii.String("BalancerLogs"), &awss3.BucketProps{
		Encryption:        awss3.BucketEncryption_S3_MANAGED, // the balancer can write to no other
		EnforceSSL:        jsii.Bool(true),
		BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL(),
		LifecycleRules:    &[]*awss3.LifecycleRule{{Expiration: awscdk.Duration_Days(jsii.Number(days))}},
		RemovalPolicy:     awscdk.RemovalPolicy_RETAIN,
	})
}

// logTo has the balancer write its access log into the bucket. The construct's own way also
// lets in the services that write the logs of network load balancers.
func logTo(bucket awss3.Bucket, balancer elb.ApplicationLoadBalancer) {
	const folder = "balancer"
	bucket.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("logdelivery.elasticloadbalancing.amazonaws.com"), nil)},
		Actions:    jsii.Strings("s3:PutObject"),
		// A balancer writes below its account's number, so only this account's reach it.
		Resources: &[]*string{bucket.ArnForObjects(awscdk.Fn_Join(jsii.String(""), &[]*string{
			jsii.String(folder + "/AWSLogs/"), awscdk.Stack_Of(bucket).Account(), jsii.String("/*"),
		}))},
	}))
	balancer.SetAttribute(jsii.String("access_logs.s3.enabled"), jsii.String("true"))
	balancer.SetAttribute(jsii.String("access_logs.s3.bucket"), bucket.BucketName())
	balancer.SetAttribute(jsii.String("access_logs.s3.prefix"), jsii.String(folder))
	balancer.Node().AddDependency(bucket.Policy()) // or its attributes are refused
}

// zone is a private zone of the network, with one name that is the balancer.
func zone(stack awscdk.Stack, vpc awsec2.IVpc, id, domain, recordID, name string, balancer elb.ApplicationLoadBalancer) {
	private := awsroute53.NewPrivateHostedZone(stack, jsii.String(id), &awsroute53.PrivateHostedZoneProps{ZoneName: jsii.String(domain), Vpc: vpc})
	awsroute53.NewCfnRecordSet(stack, jsii.String(recordID), &awsroute53.CfnRecordSetProps{
		HostedZoneId: private.HostedZoneId(),
		Name:         jsii.String(name + "."),
		Type:         jsii.String("A"),
		AliasTarget: &awsroute53.CfnRecordSet_AliasTargetProperty{
			DnsName:      balancer.LoadBalancerDnsName(),
			HostedZoneId: balancer.LoadBalancerCanonicalHostedZoneId(),
		},
	})
}

// registryEndpoint brings Cloud Map's data plane into the network, under the name
// that it has everywhere. It is paid by the hour in each of the two subnets, which is
// why only who asks the registry has it.
func registryEndpoint(stack awscdk.Stack, vpc awsec2.IVpc, callers awsec2.ISecurityGroup, namespace awsservicediscovery.HttpNamespace) {
	group := openTo(stack, vpc, "RegistrySecurityGroup", "Endpoint of the service registry", callers, 443)
	endpoint := vpc.AddInterfaceEndpoint(jsii.String("Registry"), &awsec2.InterfaceVpcEndpointOptions{
		// Not its namesake without "data", which has every operation but these.
		Service:           awsec2.InterfaceVpcEndpointAwsService_CLOUD_MAP_DATA_SERVICE_DISCOVERY(),
		Subnets:           &awsec2.SubnetSelection{SubnetType: awsec2.SubnetType_PRIVATE_ISOLATED},
		SecurityGroups:    &[]awsec2.ISecurityGroup{group},
		Open:              jsii.Bool(false), // to the whole network: its group has its own rule
		PrivateDnsEnabled: jsii.Bool(true),
	})
	endpoint.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: &[]awsiam.IPrincipal{awsiam.NewAnyPrincipal()},
		Actions:    jsii.Strings("servicediscovery:DiscoverInstances", "servicediscovery:DiscoverInstancesRevision"),
		Resources:  service.Registrations(stack, namespace.NamespaceId()),
	}))
}

func output(stack awscdk.Stack, key string, value *string) {
	awscdk.NewCfnOutput(stack, jsii.String(key), &awscdk.CfnOutputProps{Value: value})
}
