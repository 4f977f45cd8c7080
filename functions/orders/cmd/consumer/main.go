// Command consumer is the Lambda function that handles the events the orders
// service consumes.
package main

import (
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	event "tradewind/events/orders"
	"tradewind/functions/orders"
	eventhandlers "tradewind/functions/orders/internal/consumer"
	"tradewind/functions/orders/internal/dynamo"
	"tradewind/shared/env"
	"tradewind/shared/eventbus"
	"tradewind/shared/function"
	"tradewind/shared/id"
	"tradewind/shared/table"
)

func main() { function.Main(build(os.Getenv)) }

func build(getenv func(string) string) (lambda.Handler, error) {
	vars := env.From(getenv)
	tbl := table.FromEnv(vars)
	c := eventbus.FromEnv(vars)
	if err := vars.Err(); err != nil {
		return nil, err
	}
	svc := orders.NewService(dynamo.New(tbl, eventbus.NewPublisher(event.Source, time.Now)), nil, nil, nil, time.Now, id.New)
	eventhandlers.Register(c, svc)
	return c, nil
}
