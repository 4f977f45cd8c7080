package service

import (
	"maps"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/jsii-runtime-go"

	"tradewind/infra/param"
)

// The house's limits. The gateway gives up after 29 seconds, so an api function must
// have answered well before. Memory buys CPU: 512 MB keeps a cold start short, and
// what waits for nobody makes do with less.
var (
	apiDefaults      = Function{Timeout: 15 * time.Second, Memory: 512}
	relayDefaults    = Function{Timeout: 20 * time.Second, Memory: 256}
	consumerDefaults = Function{Timeout: 10 * time.Second, Memory: 256, Batch: 10}
	sweepDefaults    = Function{Timeout: 50 * time.Second, Memory: 256} // done before the next minute's run
)

// over fills what f leaves open from the house's values.
func (f Function) over(house Function) Function {
	if f.Timeout == 0 {
		f.Timeout = house.Timeout
	}
	if f.Memory == 0 {
		f.Memory = house.Memory
	}
	if f.Batch == 0 {
		f.Batch = house.Batch
	}
	return f
}

// api is the function behind the gateway and the balancer. The cursor key comes by
// dynamic reference: CloudFormation writes the secret into the environment, so the
// function starts without a call and without a permission on the secret.
//
// The pool's keys come along too, for the tokens of requests that the balancer brings
// (decision 6). A function that has a way to the internet is told where they are
// published, and so outlives their rotation.
func (b *builder) api(table awsdynamodb.TableV2) awslambda.Function {
	f := b.API.over(apiDefaults)
	f.Env = with(f.Env, map[string]*string{
		"CURSOR_KEY": awscdk.Fn_Join(jsii.String(""), &[]*string{
			jsii.String("{{resolve:secretsmanager:"), b.param(param.CursorKeyArn), jsii.String(":SecretString:::}}"),
		}),
		"TOKEN_ISSUER":        b.param(param.Issuer),
		"USER_POOL_CLIENT_ID": b.param(param.UserPoolClientID),
		"POOL_KEYS":           b.param(param.PoolKeys),
	})
	f.Allow = append(append(useTable(table), queryIndex(table, index)), f.Allow...)
	if b.hasDue() { // how much that is, and since when, is a part of its health
		f.Allow = append(f.Allow, queryIndex(table, dueIndex))
	}
	var network *awslambda.FunctionProps
	if b.CallsServices {
		f, network = b.callsServices("api", f)
	} else {
		f.Env["JWKS_URL"] = b.param(param.PoolKeysURL)
	}
	return b.function("api", table, f, network)
}

// callsServices is a function with what it needs to reach other services, and its
// place in the network.
func (b *builder) callsServices(fn string, f Function) (Function, *awslambda.FunctionProps) {
	b.finding(&f)
	f.Allow = append(f.Allow, networkInterfaces())
	return f, b.network(fn)
}

// function makes a function with a role and a log group of its own. The role gets
// what is listed and nothing by default: the managed policies are wider.
func (b *builder) function(fn string, table awsdynamodb.TableV2, f Function, network *awslambda.FunctionProps) awslambda.Function {
	id := title(fn)
	logs := awslogs.NewLogGroup(b.scope, jsii.String(id+"Logs"), &awslogs.LogGroupProps{
		LogGroupName: jsii.String("/aws/lambda/" + *b.physical(fn)),
		Retention:    awslogs.RetentionDays_ONE_MONTH,
		// Logs are not data: a group left behind would keep the stack from coming back.
		RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
	})
	role := awsiam.NewRole(b.scope, jsii.String(id+"Role"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
	})
	role.AddToPolicy(allow([]string{"logs:CreateLogStream", "logs:PutLogEvents"}, logs.LogGroupArn()))
	for _, statement := range f.Allow {
		role.AddToPolicy(statement)
	}
	props := awslambda.FunctionProps{
		FunctionName: b.physical(fn),
		Code:         b.binary(fn),
		Handler:      jsii.String("bootstrap"),
		Runtime:      awslambda.Runtime_PROVIDED_AL2023(),
		Architecture: Architecture(b.Arch),
		MemorySize:   jsii.Number(f.Memory),
		Timeout:      seconds(f.Timeout),
		Tracing:      awslambda.Tracing_ACTIVE,
		LogGroup:     logs,
		Role:         role,
		Environment: ptr(with(f.Env, map[string]*string{
			"STAGE":        jsii.String(b.Stage),
			"SERVICE_NAME": jsii.String(b.Name),
			"TABLE_NAME":   table.TableName(),
		})),
	}
	if network != nil {
		props.Vpc, props.VpcSubnets, props.SecurityGroups = network.Vpc, network.VpcSubnets, network.SecurityGroups
	}
	made := awslambda.NewFunction(b.scope, jsii.String(id), &props)
	AfterPolicy(made, role)
	return made
}

// AfterPolicy makes a function wait for its role's policy: a role without would do for
// creating a function, not for its first call. The CDK waits for both, although the
// reference to the role already does.
func AfterPolicy(f awslambda.Function, role awsiam.Role) {
	policy := role.Node().FindChild(jsii.String("DefaultPolicy")).Node().DefaultChild().(awsiam.CfnPolicy)
	f.Node().DefaultChild().(awslambda.CfnFunction).AddOverride(jsii.String("DependsOn"), []*string{policy.LogicalId()})
}

// network is the part of a function's properties that puts it into the stage's
// network: no way in, and out only to the balancer and over HTTPS. The subnets have
// no route but DynamoDB's gateway endpoint, and at most Cloud Map's interface in
// them, so HTTPS ends there; the endpoint's prefix list cannot be named without a
// look-up per region.
func (b *builder) network(fn string) *awslambda.FunctionProps {
	if b.vpc == nil {
		b.vpc = awsec2.Vpc_FromVpcAttributes(b.scope, jsii.String("Vpc"), &awsec2.VpcAttributes{
			VpcId:             b.param(param.VpcID),
			AvailabilityZones: jsii.Strings("a", "b"), // stands for the two subnets; never reaches the template
			IsolatedSubnetIds: &[]*string{b.param(param.SubnetA), b.param(param.SubnetB)},
		})
	}
	// Rules inside the group's own resource: the construct for groups would make one
	// resource each, because it does not know the balancer's group by value.
	group := awsec2.NewCfnSecurityGroup(b.scope, jsii.String(title(fn)+"SecurityGroup"), &awsec2.CfnSecurityGroupProps{
		GroupDescription: jsii.String("Calls of the " + b.Name + " " + fn + " to other services"),
		VpcId:            b.vpc.VpcId(),
		SecurityGroupEgress: &[]*awsec2.CfnSecurityGroup_EgressProperty{{
			Description:                jsii.String("internal load balancer"),
			IpProtocol:                 jsii.String("tcp"),
			FromPort:                   jsii.Number(80),
			ToPort:                     jsii.Number(80),
			DestinationSecurityGroupId: b.param(param.AlbSecurityGroupID),
		}, {
			Description: jsii.String("DynamoDB through its gateway endpoint"),
			IpProtocol:  jsii.String("tcp"),
			FromPort:    jsii.Number(443),
			ToPort:      jsii.Number(443),
			CidrIp:      jsii.String("0.0.0.0/0"),
		}},
	})
	return &awslambda.FunctionProps{
		Vpc:        b.vpc,
		VpcSubnets: &awsec2.SubnetSelection{SubnetType: awsec2.SubnetType_PRIVATE_ISOLATED},
		SecurityGroups: &[]awsec2.ISecurityGroup{
			awsec2.SecurityGroup_FromSecurityGroupId(b.scope, jsii.String(title(fn)+"Group"), group.AttrGroupId(),
				&awsec2.SecurityGroupImportOptions{Mutable: jsii.Bool(false)}),
		},
	}
}

// networkInterfaces is what Lambda demands of a role to attach a function to a
// network. None of these actions can be limited to a resource that exists beforehand.
func networkInterfaces() awsiam.PolicyStatement {
	return allow([]string{
		"ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets",
		"ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses",
	}, jsii.String("*"))
}

// Allow is one action on one resource, for Function.Allow.
func Allow(action, arn string) awsiam.PolicyStatement {
	return allow([]string{action}, jsii.String(arn))
}

func allow(actions []string, resources ...*string) awsiam.PolicyStatement {
	return awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:   jsii.Strings(actions...),
		Resources: &resources,
	})
}

// Architecture is Lambda's name of a GOARCH.
func Architecture(goarch string) awslambda.Architecture {
	if goarch == "amd64" {
		return awslambda.Architecture_X86_64()
	}
	return awslambda.Architecture_ARM_64()
}

func seconds(d time.Duration) awscdk.Duration {
	return awscdk.Duration_Seconds(jsii.Number(d.Seconds()))
}

// with is a new map of both; a key of more wins.
func with(env, more map[string]*string) map[string]*string {
	all := make(map[string]*string, len(env)+len(more))
	maps.Copy(all, env)
	maps.Copy(all, more)
	return all
}

// title is a function's name as a part of construct ids.
func title(name string) string { return strings.ToUpper(name[:1]) + name[1:] }

func ptr[T any](v T) *T { return &v }
