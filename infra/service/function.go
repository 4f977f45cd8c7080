package service

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"tradewind/infra/param"
	"tradewind/shared/metrics"
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
// function starts without a call and without a permission on the secret. Anyone
// who may read a function's configuration can read the key there. With it a position in
// a list can be forged, within what the list shows its caller: DynamoDB refuses to start
// a query outside of its partition.
//
// The pool's keys come along too, for the tokens of requests that the balancer brings
// (decision 6). A function that has a way to the internet is told where they are
// published, and so outlives their rotation.
func (b *builder) api() (awslambda.Function, awslambda.Alias) {
	f := b.API.over(apiDefaults)
	f.Table = append([]TableAction{GetItem, conditionCheckItem}, f.Table...) // the readiness check
	f.Env = with(f.Env, map[string]*string{
		"CURSOR_KEY": awscdk.Fn_Join(jsii.String(""), &[]*string{
			jsii.String("{{resolve:secretsmanager:"), b.param(param.CursorKeyArn), jsii.String(":SecretString:::}}"),
		}),
	})
	f.config = append(f.config, param.Fingerprint(b.scope, b.Stage, param.CursorKeyArn))
	f.Params = with(f.Params, map[string]string{
		"TOKEN_ISSUER":        param.Issuer,
		"USER_POOL_CLIENT_ID": param.UserPoolClientID,
		"POOL_KEYS":           param.PoolKeys,
	})
	if b.hasDue() { // how much that is, and since when, is a part of its health
		f.Table = append(f.Table, queryGSI2)
	}
	var network *awslambda.FunctionProps
	if b.CallsServices {
		f, network = b.callsServices("api", f)
	} else {
		f.Params["JWKS_URL"] = param.PoolKeysURL
	}
	fn, live := b.function("api", f, network)
	b.canary("api", b.failures(fn))
	return fn, live
}

// failures raises an alarm when an api function fails its callers: it crashes or takes too
// long, Lambda throttles it, or it answers 5xx itself, which its log tells. A readiness
// check that fails is the status service's to report.
func (b *builder) failures(api awslambda.Function) awscloudwatch.CfnAlarm {
	const answers = "ServerErrors"
	awslogs.NewCfnMetricFilter(b.scope, jsii.String("ServerErrors"), &awslogs.CfnMetricFilterProps{
		LogGroupName:  api.LogGroup().LogGroupName(),
		FilterPattern: jsii.String(`{ $.msg = "request" && $.status >= 500 && $.route != "GET /health/ready" }`),
		MetricTransformations: &[]*awslogs.CfnMetricFilter_MetricTransformationProperty{{
			MetricNamespace: jsii.String(metrics.Namespace),
			MetricName:      jsii.String(answers),
			MetricValue:     jsii.String("1"),
			// Its name has the stage in it.
			Dimensions: &[]*awslogs.CfnMetricFilter_DimensionProperty{{Key: jsii.String("function"), Value: jsii.String("$.function")}},
		}},
	})
	return b.alarm("ApiAlarm", b.Name+" fails, is throttled or answers 5xx",
		"Errors are in "+b.logs("api")+"; if they began with a deployment, move the aliases back to the versions before (decision 16)",
		Often(&awscloudwatch.CfnAlarmProps{
			Metrics: combined(minute, "m0+m1+m2",
				series("AWS/Lambda", "Errors", of(api.FunctionName())),
				series("AWS/Lambda", "Throttles", of(api.FunctionName())),
				series(metrics.Namespace, answers, dimensions(jsii.String("function"), b.physical("api")))),
			Threshold: jsii.Number(1),
		}))
}

// callsServices is a function with what it needs to reach other services, and its
// place in the network.
func (b *builder) callsServices(fn string, f Function) (Function, *awslambda.FunctionProps) {
	b.finding(&f)
	f.Allow = append(f.Allow, b.networkInterfaces(fn)...)
	network := b.network(fn)
	f.config = append(f.config, param.Fingerprint(b.scope, b.Stage, param.SubnetA), param.Fingerprint(b.scope, b.Stage, param.SubnetB))
	for _, group := range *network.SecurityGroups {
		f.config = append(f.config, group.SecurityGroupId())
	}
	return f, network
}

// function makes a function with a role and a log group of its own. The role gets
// what is listed and nothing by default: the managed policies are wider.
//
// Whatever calls the function calls its alias, which a deployment moves from one
// published version to the next. The version before stays, so that the alias can be
// moved back. One that was published by a deployment that failed goes: while it is the
// newest, Lambda publishes no other with the same content, and repeating the deployment
// would fail.
//
// A version is published when its own resource changes: the CDK gives it another logical
// id when the function's template changes. A new value of what the template refers to
// changes the function alone, and its callers would stay with the version before. So the
// version's description says what the values are, and so does a variable of the function
// that nothing reads, because Lambda publishes no version of a function that is the same.
func (b *builder) function(fn string, f Function, network *awslambda.FunctionProps) (awslambda.Function, awslambda.Alias) {
	id := title(fn)
	logs := Logs(b.scope, id+"Logs", "/aws/lambda/"+*b.physical(fn), b.LogDays)
	role := awsiam.NewRole(b.scope, jsii.String(id+"Role"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
	})
	role.AddToPolicy(allow([]string{"logs:CreateLogStream", "logs:PutLogEvents"}, logs.LogGroupArn()))
	for _, statement := range append(useTable(b.data, f.Table), f.Allow...) {
		role.AddToPolicy(statement)
	}
	env := with(f.Env, map[string]*string{
		"STAGE":        jsii.String(b.Stage),
		"SERVICE_NAME": jsii.String(b.Name),
		"TABLE_NAME":   b.tableName(),
	})
	config := f.config
	for _, variable := range slices.Sorted(maps.Keys(f.Params)) {
		key := f.Params[variable]
		env[variable] = b.param(key)
		config = append(config, param.Fingerprint(b.scope, b.Stage, key))
	}
	version := awslambda.VersionOptions{RemovalPolicy: awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE}
	if len(config) > 0 {
		version.Description = awscdk.Fn_Join(jsii.String(" "), &config)
		env["CONFIG_VERSION"] = version.Description
	}
	props := awslambda.FunctionProps{
		FunctionName: b.physical(fn),
		Code:         b.binary(fn),
		Handler:      jsii.String("bootstrap"),
		Runtime:      awslambda.Runtime_PROVIDED_AL2023(),
		Architecture: Architecture(b.Arch),
		MemorySize:   jsii.Number(f.Memory),
		Timeout:      seconds(f.Timeout),
		LogGroup:     logs,
		Role:         role,
		Environment:  &env,

		CurrentVersionOptions: &version,
	}
	if network != nil {
		props.Vpc, props.VpcSubnets, props.SecurityGroups = network.Vpc, network.VpcSubnets, network.SecurityGroups
	}
	made := awslambda.NewFunction(b.scope, jsii.String(id), &props)
	AfterPolicy(made, role)
	live := awslambda.NewAlias(b.scope, jsii.String(id+"Live"), &awslambda.AliasProps{
		AliasName: jsii.String(alias), Version: made.CurrentVersion(),
	})
	b.released = append(b.released, released{fn, made.CurrentVersion(), live})
	return made, live
}

// Logs is a log group with a name of its own, which keeps its lines for a number of days.
// Logs are not data: a group left behind would keep the stack from coming back.
func Logs(scope constructs.Construct, id, name string, days int) awslogs.LogGroup {
	group := awslogs.NewLogGroup(scope, jsii.String(id), &awslogs.LogGroupProps{
		LogGroupName: jsii.String(name), RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
	})
	group.Node().DefaultChild().(awslogs.CfnLogGroup).SetRetentionInDays(jsii.Number(days))
	return group
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
			FromPort:                   jsii.Number(b.BalancerPort),
			ToPort:                     jsii.Number(b.BalancerPort),
			DestinationSecurityGroupId: b.param(param.AlbSecurityGroupID),
		}, {
			Description: jsii.String("DynamoDB through its gateway endpoint"),
			IpProtocol:  jsii.String("tcp"),
			FromPort:    jsii.Number(443),
			ToPort:      jsii.Number(443),
			CidrIp:      jsii.String("0.0.0.0/0"),
		}},
	})
	known := func(id string, group *string) awsec2.ISecurityGroup {
		return awsec2.SecurityGroup_FromSecurityGroupId(b.scope, jsii.String(title(fn)+id), group,
			&awsec2.SecurityGroupImportOptions{Mutable: jsii.Bool(false)})
	}
	return &awslambda.FunctionProps{
		Vpc:        b.vpc,
		VpcSubnets: &awsec2.SubnetSelection{SubnetType: awsec2.SubnetType_PRIVATE_ISOLATED},
		// By the second one the balancer and the registry know it for a caller.
		SecurityGroups: &[]awsec2.ISecurityGroup{known("Group", group.AttrGroupId()), known("Callers", b.param(param.CallersSecurityGroupID))},
	}
}

// networkInterfaces is what Lambda demands of a role to attach a function to a
// network. None of these actions can be limited to a resource that exists beforehand.
// Lambda itself makes the calls, so the function's code is denied them.
func (b *builder) networkInterfaces(fn string) []awsiam.PolicyStatement {
	actions := jsii.Strings(
		"ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets",
		"ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses",
	)
	return []awsiam.PolicyStatement{
		awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{Actions: actions, Resources: jsii.Strings("*")}),
		awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Effect: awsiam.Effect_DENY, Actions: actions, Resources: jsii.Strings("*"),
			// The key is in the requests that a function's code signs, and has no version.
			Conditions: &map[string]interface{}{"ArnEquals": map[string]*string{
				"lambda:SourceFunctionArn": b.stack.FormatArn(&awscdk.ArnComponents{
					Service: jsii.String("lambda"), Resource: jsii.String("function"),
					ResourceName: b.physical(fn), ArnFormat: awscdk.ArnFormat_COLON_RESOURCE_NAME,
				}),
			}},
		}),
	}
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
func with[V any](env, more map[string]V) map[string]V {
	all := make(map[string]V, len(env)+len(more))
	maps.Copy(all, env)
	maps.Copy(all, more)
	return all
}

// title is a function's name as a part of construct ids.
func title(name string) string { return strings.ToUpper(name[:1]) + name[1:] }
