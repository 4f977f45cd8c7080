// Package api puts around a service's routes what every api function has. From the
// outside in, a request passes
//
//	lambdahttp  an event of the gateway or of the balancer becomes a request
//	tokens      of one that came through the balancer, the caller is found out here
//	within      what a service adds: a client's Handler passes verified tokens on
//	health      /health/live and /health/ready
//	routes      the service's own
//
// It exists because the order decides whom a service believes, and is the same for
// all: what is outside of tokens sees callers whom nobody has checked.
//
// Callers must keep: an api function is made by New and by nothing else.
package api

import (
	"net/http"

	"github.com/aws/aws-lambda-go/lambda"

	"tradewind/shared/auth"
	"tradewind/shared/health"
	"tradewind/shared/httpkit"
	"tradewind/shared/lambdahttp"
)

// New returns the Lambda handler of a service whose health is that of its checks. Of
// within, the first is the outermost.
func New(routes *httpkit.Router, checks []health.Check, tokens *auth.Verifier, within ...func(http.Handler) http.Handler) lambda.Handler {
	var h http.Handler = health.Handle(routes, checks...)
	for i := len(within) - 1; i >= 0; i-- {
		h = within[i](h)
	}
	return lambdahttp.New(tokens.Handler(h))
}
