// Command consumer is the Lambda function that handles the events the payments
// service consumes.
package main

import (
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	event "tradewind/events/payments"
	"tradewind/functions/payments"
	eventhandlers "tradewind/functions/payments/internal/consumer"
	"tradewind/functions/payments/internal/dynamo"
	"tradewind/functions/payments/internal/provider"
	"tradewind/shared/env"
	"tradewind/shared/eventbus"
	"tradewind/shared/function"
	"tradewind/shared/id"
	"tradewind/shared/table"
)

func main() { function.Main(build(os.Getenv)) }

func build(getenv func(string) string) (lambda.Handler, error) {
	vars := env.From(getenv)
	tbl, limit := table.FromEnv(vars), vars.Duration("PROVIDER_TIMEOUT", 12*time.Second)
	c := eventbus.FromEnv(vars)
	charger, err := provider.FromEnv(vars, tbl)
	if err != nil {
		return nil, err
	}
	store := dynamo.New(tbl, eventbus.NewPublisher(event.Source, time.Now))
	svc := payments.NewService(store, charger, limit, time.Now, id.New)
	eventhandlers.Register(c, svc)
	return c, nil
}
