// Command api is the Lambda function behind the inventory service's HTTP routes.
package main

import (
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	event "tradewind/events/inventory"
	"tradewind/functions/inventory"
	"tradewind/functions/inventory/internal/dynamo"
	"tradewind/functions/inventory/internal/httpapi"
	"tradewind/shared/api"
	"tradewind/shared/auth"
	"tradewind/shared/env"
	"tradewind/shared/function"
	"tradewind/shared/health"
	"tradewind/shared/id"
	"tradewind/shared/idempotency"
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
	svc := inventory.NewService(dynamo.New(tbl, outbox.New(event.Source, time.Now)), time.Now, id.New)
	routes := httpapi.Routes(svc, idempotency.New(tbl, time.Now), logs.New(os.Stdout, getenv))
	return api.New(routes, health.Table(tbl), tokens), nil
}
