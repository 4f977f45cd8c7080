package stacks

import (
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"tradewind/infra/param"
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
	function, _ := p.function(c, "PoolKeys", keysPatience)
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
