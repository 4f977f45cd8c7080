package relay

import (
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"

	"tradewind/shared/awsclient"
	"tradewind/shared/env"
	"tradewind/shared/logs"
	"tradewind/shared/quarantine"
)

// FromEnv returns the relay that BUS_NAME and DLQ_URL describe. It is the whole
// wiring of a relay function, for a relay has nothing of its service in it.
func FromEnv(getenv func(string) string) (lambda.Handler, error) {
	vars := env.From(getenv)
	bus, dead := vars.Require("BUS_NAME"), quarantine.FromEnv(vars)
	if err := vars.Err(); err != nil {
		return nil, err
	}
	return New(Config{
		Bus:     eventbridge.NewFromConfig(awsclient.Config(getenv, "EVENTBRIDGE")),
		BusName: bus,
		Dead:    dead,
		Log:     logs.New(os.Stdout, getenv),
	}), nil
}
