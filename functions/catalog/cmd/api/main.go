// Command api is the Lambda function behind the catalog service's HTTP routes.
package main

import (
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	event "tradewind/events/catalog"
	"tradewind/functions/catalog"
	"tradewind/functions/catalog/internal/dynamo"
	"tradewind/functions/catalog/internal/httpapi"
	"tradewind/shared/api"
	"tradewind/shared/auth"
	"tradewind/shared/cursor"
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
	tbl, tokens, pages := table.FromEnv(vars), auth.FromEnv(vars), cursor.FromEnv(vars)
	if err := vars.Err(); err != nil {
		return nil, err
	}
	svc := catalog.NewService(dynamo.New(tbl, outbox.New(event.Source, time.Now)), time.Now, id.New)
	routes := httpapi.Routes(svc, idempotency.New(tbl, time.Now), pages, logs.New(os.Stdout, getenv))
	return api.New(routes, health.Table(tbl), tokens), nil
}
