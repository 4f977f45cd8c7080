package awsclient

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Limits of retries. A service that calls another waits two seconds for an answer
// (client.Config.TryTimeout), so all waits of one AWS call together stay below that:
// 150 ms after failures, 600 ms when throttled, 1.6 s where AWS asks for pauses.
const (
	maxAttempts = 3 // the first one included

	// Each wait has full jitter below a bound, which doubles.
	failureDelay  = 50 * time.Millisecond
	throttleDelay = 200 * time.Millisecond

	// maxRetryAfter is the longest pause that is kept when AWS asks for one.
	maxRetryAfter = 500 * time.Millisecond

	// minAttempt is the time that must be left for an attempt after the wait.
	minAttempt = 50 * time.Millisecond
)

// The retry quota of a client, in tokens. A full bucket pays for 40 retries, enough for
// a consumer's batch of ten messages at once. A retry that succeeds gives its tokens
// back, and every success adds one. So in an outage each environment soon makes one
// attempt a call instead of three.
const (
	quotaTokens   = 400
	retryTokens   = 10
	successTokens = 1
)

// retryer decides which attempts of a client are repeated, and when. All its numbers
// and codes are stated here, so that another version of the SDK does not change them
// (decision 12).
type retryer struct{ quota *ratelimit.TokenRateLimit }

func newRetryer() aws.Retryer { return retryer{ratelimit.NewTokenRateLimit(quotaTokens)} }

func (retryer) MaxAttempts() int { return maxAttempts }

func (retryer) IsErrorRetryable(err error) bool { return Retryable(err) }

func (retryer) RetryDelay(attempt int, err error) (time.Duration, error) {
	return retryAfter(err) + rand.N(bound(attempt, err)), nil
}

// GetRetryToken is asked before each wait. It refuses a retry that the context's
// deadline cannot hold: the caller gets the error while there is time to answer.
func (r retryer) GetRetryToken(ctx context.Context, cause error) (func(error) error, error) {
	pause := retryAfter(cause)
	if pause > maxRetryAfter {
		return nil, fmt.Errorf("not retried: AWS asks for a pause of %v", pause)
	}
	if deadline, ok := ctx.Deadline(); ok {
		if left := time.Until(deadline); left < pause+bound(maxAttempts-1, cause)+minAttempt {
			return nil, fmt.Errorf("not retried: the deadline is in %v", left)
		}
	}
	release, err := r.quota.GetToken(ctx, retryTokens)
	if err != nil {
		return nil, err
	}
	return onSuccess(release), nil
}

func (r retryer) GetInitialToken() func(error) error {
	return onSuccess(func() error { return r.quota.AddTokens(successTokens) })
}

// onSuccess returns a function that the SDK calls with the outcome of an attempt. A
// failed one returns no tokens; to return some never fails.
func onSuccess(do func() error) func(error) error {
	return func(err error) error {
		if err == nil {
			_ = do()
		}
		return nil
	}
}

// bound returns the upper bound of the wait after an attempt, counted from 1. Core
// v1.47.0 counts from 0 if AWS_NEW_RETRIES_2026 is set.
func bound(attempt int, err error) time.Duration {
	first := failureDelay
	if throttled(err) {
		first = throttleDelay
	}
	return first << min(max(attempt-1, 0), maxAttempts-2)
}

// retryAfter returns the pause that AWS asks for with an error; 0 if it asks for none.
func retryAfter(err error) time.Duration {
	e, ok := errors.AsType[*smithyhttp.ResponseError](err)
	if !ok {
		return 0
	}
	ms, err := strconv.ParseUint(e.Response.Header.Get("X-Amz-Retry-After"), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(ms) * time.Millisecond
}

// Retryable reports whether a call that ended with err may succeed when it is repeated:
// after throttling, a failure of AWS or a lost connection. A call that the caller
// cancelled is not retryable, and neither is a cancelled transaction: its reasons
// decide.
func Retryable(err error) bool {
	if network := connection.IsErrorRetryable(err); network != aws.UnknownTernary {
		return network.Bool()
	}
	switch status(err) {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	switch code(err) {
	case "RequestTimeout", "RequestTimeoutException":
		return true
	}
	return throttled(err)
}

// connection is the SDK's judgement of errors without an answer.
var connection = retry.IsErrorRetryables{retry.NoRetryCanceledError{}, retry.RetryableError{}, retry.RetryableConnectionError{}}

// throttled reports whether AWS answered that there were too many requests, or that it
// still works on this one.
func throttled(err error) bool {
	switch code(err) {
	case "ProvisionedThroughputExceededException", "RequestLimitExceeded", "RequestThrottled", "RequestThrottledException",
		"ThrottledException", "Throttling", "ThrottlingException", "TooManyRequestsException", "TransactionInProgressException":
		return true
	}
	return status(err) == http.StatusTooManyRequests
}

func code(err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	return ""
}

func status(err error) int {
	if e, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		return e.HTTPStatusCode()
	}
	return 0
}
