// Command consumer is the Lambda function that handles the events the inventory
// service consumes.
package main

import (
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	event "tradewind/events/inventory"
	"tradewind/functions/inventory"
	eventhandlers "tradewind/functions/inventory/internal/consumer"
	"tradewind/functions/inventory/internal/dynamo"
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
	svc := inventory.NewService(dynamo.New(tbl, eventbus.NewPublisher(event.Source, time.Now)), time.Now, id.New)
	eventhandlers.Register(c, svc)
	return c, nil
}
