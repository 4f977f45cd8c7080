// Command api is the Lambda function behind the orders service's HTTP routes.
package main

import (
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	event "tradewind/events/orders"
	"tradewind/functions/orders"
	"tradewind/functions/orders/internal/catalog"
	"tradewind/functions/orders/internal/dynamo"
	"tradewind/functions/orders/internal/httpapi"
	"tradewind/functions/orders/internal/users"
	"tradewind/shared/api"
	"tradewind/shared/auth"
	"tradewind/shared/client"
	"tradewind/shared/cursor"
	"tradewind/shared/env"
	"tradewind/shared/function"
	"tradewind/shared/id"
	"tradewind/shared/idempotency"
	"tradewind/shared/logs"
	"tradewind/shared/outbox"
	"tradewind/shared/table"
)

func main() { function.Main(build(os.Getenv)) }

func build(getenv func(string) string) (lambda.Handler, error) {
	vars := env.From(getenv)
	tbl, tokens, services, pages, provider := table.FromEnv(vars), auth.FromEnv(vars), client.FromEnv(vars), cursor.FromEnv(vars), vars.OneOf("PAYMENT_PROVIDER", "sandbox", "stripe")
	if err := vars.Err(); err != nil {
		return nil, err
	}
	svc := orders.NewService(dynamo.New(tbl, outbox.New(event.Source, time.Now)), catalog.New(services), users.New(services), orders.MethodsOf(provider), time.Now, id.New)
	routes := httpapi.Routes(svc, idempotency.New(tbl, time.Now), pages, logs.New(os.Stdout, getenv))
	return api.New(routes, httpapi.Checks(svc, tbl), tokens, services.Handler), nil
}
