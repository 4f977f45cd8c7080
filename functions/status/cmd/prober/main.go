// Command prober is the Lambda function that probes the platform's services.
package main

import (
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	event "tradewind/events/status"
	"tradewind/functions/status"
	"tradewind/functions/status/internal/dynamo"
	"tradewind/functions/status/internal/prober"
	"tradewind/functions/status/internal/readiness"
	"tradewind/shared/discovery"
	"tradewind/shared/env"
	"tradewind/shared/function"
	"tradewind/shared/logs"
	"tradewind/shared/metrics"
	"tradewind/shared/outbox"
	"tradewind/shared/table"
)

func main() { function.Main(build(os.Getenv)) }

func build(getenv func(string) string) (lambda.Handler, error) {
	vars := env.From(getenv)
	tbl, names := table.FromEnv(vars), vars.List("SERVICES")
	ask := readiness.New(discovery.AllFromEnv(vars), vars.Duration("PROBE_TIMEOUT", 5*time.Second)).Ask
	if err := vars.Err(); err != nil {
		return nil, err
	}
	monitor := status.NewMonitor(dynamo.New(tbl, outbox.New(event.Source, time.Now)), names, time.Now)
	return prober.New(monitor, ask, metrics.New(os.Stdout, getenv), logs.New(os.Stdout, getenv)), nil
}
