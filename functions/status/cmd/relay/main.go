// Command relay is the Lambda function that publishes the status service's
// events from its table's stream.
package main

import (
	"os"

	"tradewind/shared/function"
	"tradewind/shared/relay"
)

func main() { function.Main(relay.FromEnv(os.Getenv)) }
