// Command bare is the smallest useful Lambda function: it answers with what it was
// given. The starts of the services' functions are measured against it.
package main

import (
	"context"
	"encoding/json"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() { lambda.Start(echo) }

func echo(_ context.Context, event json.RawMessage) (json.RawMessage, error) { return event, nil }
