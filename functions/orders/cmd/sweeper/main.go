// Command sweeper is the Lambda function that cancels orders nobody answered for
// in time.
package main

import (
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	event "tradewind/events/orders"
	"tradewind/functions/orders"
	"tradewind/functions/orders/internal/dynamo"
	"tradewind/functions/orders/internal/sweeper"
	"tradewind/shared/env"
	"tradewind/shared/function"
	"tradewind/shared/id"
	"tradewind/shared/logs"
	"tradewind/shared/outbox"
	"tradewind/shared/table"
)

func main() { function.Main(build(os.Getenv)) }

func build(getenv func(string) string) (lambda.Handler, error) {
	vars := env.From(getenv)
	tbl, timeout := table.FromEnv(vars), vars.Duration("ORDER_TIMEOUT", 15*time.Minute)
	if err := vars.Err(); err != nil {
		return nil, err
	}
	svc := orders.NewService(dynamo.New(tbl, outbox.New(event.Source, time.Now)), nil, nil, nil, time.Now, id.New)
	return sweeper.New(svc, timeout, logs.New(os.Stdout, getenv)), nil
}
