// Command pretoken is the Lambda function that the user pool calls before it issues a
// token, on stages whose admins need a TOTP.
package main

import (
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"tradewind/functions/users/internal/cognito"
	"tradewind/functions/users/internal/pretoken"
	"tradewind/shared/awsclient"
	"tradewind/shared/function"
	"tradewind/shared/logs"
)

func main() { function.Main(build(os.Getenv), nil) }

func build(getenv func(string) string) lambda.Handler {
	cfg := awsclient.Config(getenv, "COGNITO_IDENTITY_PROVIDER")
	pool := func(id string) pretoken.Pool { return cognito.New(cfg, id) }
	return lambda.NewHandler(pretoken.Trigger(pool, logs.New(os.Stdout, getenv)))
}
