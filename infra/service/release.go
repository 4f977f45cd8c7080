package service

import (
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscodedeploy"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"

	"tradewind/infra/param"
)

// alias is the name under which all callers know a function.
const alias = "live"

// released is a function as its callers get it.
type released struct {
	name    string
	version awslambda.Version
	live    awslambda.Alias
}

// release writes down which versions belong together, once all aliases lead to them: a
// deployment that changes one or several functions changes the parameter once. Its history
// has the versions of the deployment before, to which a rollback moves the aliases.
func (b *builder) release() {
	slices.SortFunc(b.released, func(x, y released) int { return strings.Compare(x.name, y.name) })
	var versions []*string
	for _, r := range b.released {
		versions = append(versions, awscdk.Fn_Join(jsii.String("="), &[]*string{jsii.String(r.name), r.version.Version()}))
	}
	written := param.Write(b.scope, b.Stage, param.Versions(b.Name), awscdk.Fn_Join(jsii.String(" "), &versions))
	for _, r := range b.released {
		written.Node().AddDependency(r.live)
	}
}

// canary has CodeDeploy move a function's alias, where the stage asks for it: a part of
// the calls first, and back at once when the new version fails, or one of the alarms
// sounds. Alarms on what waits in queues are not among them: a dead letter would keep out
// the version that is meant to process it.
func (b *builder) canary(name string, alarms ...awscloudwatch.CfnAlarm) {
	if b.Canary == "" {
		return
	}
	if b.application == nil {
		b.application = awscodedeploy.NewCfnApplication(b.scope, jsii.String("Canary"), &awscodedeploy.CfnApplicationProps{
			ComputePlatform: jsii.String("Lambda"),
		})
		b.deployer = awsiam.NewRole(b.scope, jsii.String("CanaryRole"), &awsiam.RoleProps{
			AssumedBy: awsiam.NewServicePrincipal(jsii.String("codedeploy.amazonaws.com"), nil),
		})
		b.deployer.AddToPolicy(allow([]string{"lambda:GetAlias", "lambda:UpdateAlias", "lambda:GetProvisionedConcurrencyConfig"},
			b.stack.FormatArn(&awscdk.ArnComponents{
				Service: jsii.String("lambda"), Resource: jsii.String("function"), ResourceName: b.physical("*"), ArnFormat: awscdk.ArnFormat_COLON_RESOURCE_NAME,
			})))
		b.deployer.AddToPolicy(allow([]string{"cloudwatch:DescribeAlarms"}, b.stack.FormatArn(&awscdk.ArnComponents{
			Service: jsii.String("cloudwatch"), Resource: jsii.String("alarm"), ResourceName: jsii.String("*"), ArnFormat: awscdk.ArnFormat_COLON_RESOURCE_NAME,
		})))
	}
	i := slices.IndexFunc(b.released, func(r released) bool { return r.name == name })
	r := b.released[i]
	// It tells CodeDeploy and no person. A consumer or a relay returns an error now and then,
	// to have a batch delivered again.
	fails := awscloudwatch.NewCfnAlarm(b.scope, jsii.String(title(name)+"CanaryAlarm"), &awscloudwatch.CfnAlarmProps{
		AlarmDescription: jsii.String("The version of " + *b.physical(name) + " that is being deployed fails. CodeDeploy moves the alias back."),
		Namespace:        jsii.String("AWS/Lambda"),
		MetricName:       jsii.String("Errors"),
		Dimensions: dimensions(
			jsii.String("FunctionName"), b.physical(name),
			jsii.String("Resource"), jsii.String(*b.physical(name)+":"+alias),
			jsii.String("ExecutedVersion"), r.version.Version()),
		Statistic:          jsii.String("Sum"),
		Period:             jsii.Number(minute),
		EvaluationPeriods:  jsii.Number(3),
		DatapointsToAlarm:  jsii.Number(2),
		ComparisonOperator: jsii.String("GreaterThanOrEqualToThreshold"),
		Threshold:          jsii.Number(1),
		TreatMissingData:   jsii.String("notBreaching"),
	})
	var watched []*awscodedeploy.CfnDeploymentGroup_AlarmProperty
	for _, alarm := range append(alarms, fails) {
		watched = append(watched, &awscodedeploy.CfnDeploymentGroup_AlarmProperty{Name: alarm.Ref()})
	}
	group := awscodedeploy.NewCfnDeploymentGroup(b.scope, jsii.String(title(name)+"Canary"), &awscodedeploy.CfnDeploymentGroupProps{
		ApplicationName:      b.application.Ref(),
		DeploymentConfigName: jsii.String("CodeDeployDefault.Lambda" + b.Canary),
		DeploymentStyle: &awscodedeploy.CfnDeploymentGroup_DeploymentStyleProperty{
			DeploymentType: jsii.String("BLUE_GREEN"), DeploymentOption: jsii.String("WITH_TRAFFIC_CONTROL"),
		},
		ServiceRoleArn:     b.deployer.RoleArn(),
		AlarmConfiguration: &awscodedeploy.CfnDeploymentGroup_AlarmConfigurationProperty{Enabled: jsii.Bool(true), Alarms: &watched},
		AutoRollbackConfiguration: &awscodedeploy.CfnDeploymentGroup_AutoRollbackConfigurationProperty{
			Enabled: jsii.Bool(true),
			Events:  jsii.Strings("DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"),
		},
	})
	policy := b.deployer.Node().FindChild(jsii.String("DefaultPolicy")).Node().DefaultChild().(awsiam.CfnPolicy)
	group.AddResourceDependency(policy, jsii.String("or its deployment is refused"))
	r.live.Node().DefaultChild().(awslambda.CfnAlias).CfnOptions().SetUpdatePolicy(&awscdk.CfnUpdatePolicy{
		CodeDeployLambdaAliasUpdate: &awscdk.CfnCodeDeployLambdaAliasUpdate{
			ApplicationName: b.application.Ref(), DeploymentGroupName: group.Ref(),
		},
	})
}
