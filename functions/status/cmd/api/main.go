// Command api is the Lambda function behind GET /health, and behind whatever the
// gateway has no route for.
package main

import (
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	event "tradewind/events/status"
	"tradewind/functions/status"
	"tradewind/functions/status/internal/dynamo"
	"tradewind/functions/status/internal/httpapi"
	"tradewind/shared/env"
	"tradewind/shared/function"
	"tradewind/shared/health"
	"tradewind/shared/lambdahttp"
	"tradewind/shared/logs"
	"tradewind/shared/outbox"
	"tradewind/shared/table"
)

func main() { function.Main(build(os.Getenv)) }

func build(getenv func(string) string) (lambda.Handler, error) {
	vars := env.From(getenv)
	tbl, names := table.FromEnv(vars), vars.List("SERVICES")
	if err := vars.Err(); err != nil {
		return nil, err
	}
	monitor := status.NewMonitor(dynamo.New(tbl, outbox.New(event.Source, time.Now)), names, time.Now)
	return lambdahttp.New(httpapi.Handler(monitor, logs.New(os.Stdout, getenv), health.Table(tbl)...)), nil
}
