// Package param names the SSM parameters by which one stack finds what another
// one made, and is the only way it may.
//
// Parameters replace CloudFormation exports because an export ties two stacks
// together: the exporting one can no longer be changed or removed while the other
// stands. A parameter is read when the reading stack is deployed, so every stack
// deploys, rolls back and goes alone.
//
// The price: a stack learns of a new value with its own next deployment, and not
// before. So a value once written keeps its meaning for the life of a stage, and a new
// meaning gets a new name.
package param

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsssm"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// The parameters of a stage, by the stack that writes them.
const (
	VpcID                  = "network/vpc-id"
	SubnetA                = "network/subnet-a"
	SubnetB                = "network/subnet-b"
	AlbURL                 = "network/alb-url"
	AlbListenerArn         = "network/alb-listener-arn"
	AlbSecurityGroupID     = "network/alb-security-group-id"
	CallersSecurityGroupID = "network/callers-security-group-id"
	NamespaceID            = "network/namespace-id"
	DNSServer              = "network/dns-server" // of the local endpoint only: on AWS the network has one

	APIID            = "platform/api-id"
	AuthorizerID     = "platform/authorizer-id"
	BusName          = "platform/bus-name"
	BusArn           = "platform/bus-arn"
	UserPoolID       = "platform/user-pool-id"
	UserPoolClientID = "platform/user-pool-client-id"
	Issuer           = "platform/issuer"
	PoolKeys         = "platform/pool-keys"
	PoolKeysID       = "platform/pool-keys-id" // a short text that changes with the keys
	PoolKeysURL      = "platform/pool-keys-url"
	CursorKeyArn     = "platform/cursor-key-arn"
	AlarmTopicArn    = "platform/alarm-topic-arn"
)

// Versions is the key of the parameter in which a service's stack keeps the versions of
// its functions that belong together, as "api=7 consumer=4 relay=4".
func Versions(service string) string { return service + "/versions" }

// Name is the full name of a stage's parameter.
func Name(stage, key string) string { return "/tradewind/" + stage + "/" + key }

// Write publishes a value of the stack that scope belongs to.
func Write(scope constructs.Construct, stage, key string, value *string) awsssm.CfnParameter {
	return awsssm.NewCfnParameter(scope, jsii.String("Param-"+key), &awsssm.CfnParameterProps{
		Name:  jsii.String(Name(stage, key)),
		Type:  jsii.String("String"),
		Value: value,
	})
}

// Read is the value of a parameter at the time the stack is deployed.
func Read(scope constructs.Construct, stage, key string) *string {
	return awsssm.StringParameter_ValueForStringParameter(scope, jsii.String(Name(stage, key)), nil)
}

// Fingerprint is a text that changes when the value of a parameter does, and is short
// enough to stand with others in the description of a function's version, which has 256
// characters.
func Fingerprint(scope constructs.Construct, stage, key string) *string {
	switch key {
	case PoolKeys:
		return Read(scope, stage, PoolKeysID)
	case AlbURL: // http://<host>
		return part(Read(scope, stage, key), "/", 2)
	case SubnetA, SubnetB: // subnet-<the subnet's number>
		return part(Read(scope, stage, key), "-", 1)
	case Issuer: // https://…/<the pool's id>
		return part(Read(scope, stage, key), "/", 3)
	case CursorKeyArn: // arn:aws:secretsmanager:<region>:<account>:secret:<name>
		return part(Read(scope, stage, key), ":", 6)
	}
	return Read(scope, stage, key)
}

func part(text *string, separator string, index float64) *string {
	return awscdk.Fn_Select(jsii.Number(index), awscdk.Fn_Split(jsii.String(separator), text, nil))
}
