package stacks

import (
	"path/filepath"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/jsii-runtime-go"

	"tradewind/infra/param"
	"tradewind/infra/service"
)

// keysPatience is more than the function takes for all its tries. If it ends without a
// word, CloudFormation would wait for an hour.
const keysPatience = 40 * time.Second

// poolKeys publishes the user pool's public keys to the services, by a function that
// asks the pool when this stack is deployed: CloudFormation itself does not know them.
// The keys are public, and so is where they are, so the function may do nothing but
// log. It is asked again when the pool is another one, not when its keys are; decision
// 6 says what a rotation takes.
func (p *platform) poolKeys(c Config) {
	name := "tradewind-" + c.Stage + "-platform-poolkeys"
	logs := awslogs.NewLogGroup(p.stack, jsii.String("PoolKeysLogs"), &awslogs.LogGroupProps{
		LogGroupName:  jsii.String("/aws/lambda/" + name),
		Retention:     awslogs.RetentionDays_ONE_MONTH,
		RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
	})
	role := awsiam.NewRole(p.stack, jsii.String("PoolKeysRole"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
	})
	for _, action := range []string{"logs:CreateLogStream", "logs:PutLogEvents"} {
		role.AddToPolicy(service.Allow(action, *logs.LogGroupArn()))
	}
	function := awslambda.NewFunction(p.stack, jsii.String("PoolKeysFunction"), &awslambda.FunctionProps{
		FunctionName: jsii.String(name),
		Code:         awslambda.Code_FromAsset(jsii.String(filepath.Join(c.Dist, c.Arch, "users", "poolkeys")), nil),
		Handler:      jsii.String("bootstrap"),
		Runtime:      awslambda.Runtime_PROVIDED_AL2023(),
		Architecture: service.Architecture(c.Arch),
		MemorySize:   jsii.Number(128),
		Timeout:      awscdk.Duration_Seconds(jsii.Number(keysPatience.Seconds())),
		LogGroup:     logs,
		Role:         role,
		Environment:  &map[string]*string{"STAGE": jsii.String(c.Stage), "SERVICE_NAME": jsii.String("platform")},
	})
	service.AfterPolicy(function, role)
	keys := awscdk.NewCustomResource(p.stack, jsii.String("PoolKeys"), &awscdk.CustomResourceProps{
		ResourceType:   jsii.String("Custom::PoolKeys"),
		ServiceToken:   function.FunctionArn(),
		ServiceTimeout: awscdk.Duration_Seconds(jsii.Number((keysPatience + 20*time.Second).Seconds())),
		Properties:     &map[string]interface{}{"UserPoolId": p.pool.UserPoolId()},
	})
	param.Write(p.stack, c.Stage, param.PoolKeys, keys.GetAttString(jsii.String("Keys")))
	param.Write(p.stack, c.Stage, param.PoolKeysID, keys.GetAttString(jsii.String("Id")))
	param.Write(p.stack, c.Stage, param.PoolKeysURL, keys.GetAttString(jsii.String("Url")))
}
