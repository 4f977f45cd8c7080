// Command poolkeys is the Lambda function that tells a deployment the user pool's public
// keys: the platform's stack has it as a custom resource.
package main

import (
	"os"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-lambda-go/lambda"

	"tradewind/functions/users/internal/cognito"
	"tradewind/functions/users/internal/poolkeys"
	"tradewind/shared/awsclient"
	"tradewind/shared/function"
)

func main() { function.Main(build(os.Getenv), nil) }

func build(getenv func(string) string) lambda.Handler {
	cfg := awsclient.Config(getenv, "COGNITO_IDENTITY_PROVIDER")
	pool := func(id string) poolkeys.Pool { return cognito.New(cfg, id) }
	return lambda.NewHandler(cfn.LambdaWrap(poolkeys.Resource(pool)))
}
