// Command api is the Lambda function behind the payments service's HTTP routes.
package main

import (
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	event "tradewind/events/payments"
	"tradewind/functions/payments"
	"tradewind/functions/payments/internal/dynamo"
	"tradewind/functions/payments/internal/httpapi"
	"tradewind/shared/api"
	"tradewind/shared/auth"
	"tradewind/shared/env"
	"tradewind/shared/function"
	"tradewind/shared/health"
	"tradewind/shared/id"
	"tradewind/shared/logs"
	"tradewind/shared/outbox"
	"tradewind/shared/table"
)

func main() { function.Main(build(os.Getenv)) }

func build(getenv func(string) string) (lambda.Handler, error) {
	vars := env.From(getenv)
	tbl, tokens := table.FromEnv(vars), auth.FromEnv(vars)
	if err := vars.Err(); err != nil {
		return nil, err
	}
	svc := payments.NewService(dynamo.New(tbl, outbox.New(event.Source, time.Now)), nil, 0, time.Now, id.New)
	routes := httpapi.Routes(svc, logs.New(os.Stdout, getenv))
	return api.New(routes, health.Table(tbl), tokens), nil
}
