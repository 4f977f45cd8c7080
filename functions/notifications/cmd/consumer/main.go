// Command consumer is the Lambda function that handles the events the
// notifications service consumes.
package main

import (
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	event "tradewind/events/notifications"
	"tradewind/functions/notifications"
	eventhandlers "tradewind/functions/notifications/internal/consumer"
	"tradewind/functions/notifications/internal/dynamo"
	"tradewind/functions/notifications/internal/ses"
	"tradewind/shared/env"
	"tradewind/shared/eventbus"
	"tradewind/shared/function"
	"tradewind/shared/table"
)

func main() { function.Main(build(os.Getenv)) }

func build(getenv func(string) string) (lambda.Handler, error) {
	vars := env.From(getenv)
	tbl, mailer, admin := table.FromEnv(vars), ses.FromEnv(vars), vars.String("ADMIN_EMAIL", "")
	c := eventbus.FromEnv(vars)
	if err := vars.Err(); err != nil {
		return nil, err
	}
	svc := notifications.NewService(dynamo.New(tbl, eventbus.NewPublisher(event.Source, time.Now)), mailer, admin, time.Now)
	eventhandlers.Register(c, svc)
	return c, nil
}
