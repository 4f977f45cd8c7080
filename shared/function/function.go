// Package function is the one way a Lambda binary starts: it takes what the
// function's build step made and serves invocations until the environment ends.
//
// It exists so that every function treats the same things alike: a fault in its
// wiring is one structured log line and exit code 1, a panic is one structured
// log line and a failed invocation, and each log line knows its request and
// whether it was a cold start.
//
// Callers must keep: main is one line, and everything it needs is made in build:
//
//	func main() { function.Main(build(os.Getenv)) }
package function

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"sync/atomic"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"tradewind/shared/logs"
)

// Main serves handler, or reports err and exits. It does not return.
func Main(handler lambda.Handler, err error) {
	log := logs.New(os.Stdout, os.Getenv)
	if err != nil {
		log.Error("the function cannot start", "error", err)
		os.Exit(1)
	}
	lambda.Start(Guard(handler, log))
}

// Guard returns handler with each invocation marked for the log and each panic
// turned into a log line and an error. Main does this by itself; it is exported
// for programs that run a handler elsewhere, such as a local server or a test.
func Guard(handler lambda.Handler, log *slog.Logger) lambda.Handler {
	return &guarded{handler: handler, log: log}
}

type guarded struct {
	handler lambda.Handler
	log     *slog.Logger
	warm    atomic.Bool
}

func (g *guarded) Invoke(ctx context.Context, payload []byte) (answer []byte, err error) {
	var requestID string
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		requestID = lc.AwsRequestID
	}
	ctx = logs.WithInvocation(ctx, requestID, !g.warm.Swap(true))
	defer func() {
		if p := recover(); p != nil {
			LogPanic(ctx, g.log, p)
			answer, err = nil, fmt.Errorf("panic: %v", p)
		}
	}()
	return g.handler.Invoke(ctx, payload)
}

// LogPanic writes a recovered panic with the stack it came from.
func LogPanic(ctx context.Context, log *slog.Logger, recovered any) {
	log.ErrorContext(ctx, "panic", "panic", fmt.Sprint(recovered), "stack", string(debug.Stack()))
}
