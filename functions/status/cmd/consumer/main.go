// Command consumer is the Lambda function that tells the registry which services are
// well.
package main

import (
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/servicediscovery"

	event "tradewind/events/status"
	"tradewind/functions/status"
	"tradewind/functions/status/internal/cloudmap"
	eventhandlers "tradewind/functions/status/internal/consumer"
	"tradewind/functions/status/internal/dynamo"
	"tradewind/shared/awsclient"
	"tradewind/shared/env"
	"tradewind/shared/eventbus"
	"tradewind/shared/function"
	"tradewind/shared/logs"
	"tradewind/shared/table"
)

func main() { function.Main(build(os.Getenv)) }

func build(getenv func(string) string) (lambda.Handler, error) {
	vars := env.From(getenv)
	tbl, names, namespace := table.FromEnv(vars), vars.List("SERVICES"), vars.Require("NAMESPACE_ID")
	c := eventbus.FromEnv(vars)
	if err := vars.Err(); err != nil {
		return nil, err
	}
	client := servicediscovery.NewFromConfig(awsclient.Config(getenv, "SERVICEDISCOVERY"))
	monitor := status.NewMonitor(dynamo.New(tbl, eventbus.NewPublisher(event.Source, time.Now)), names, time.Now)
	eventhandlers.Register(c, monitor, cloudmap.New(client, namespace, logs.New(os.Stdout, getenv)))
	return c, nil
}
