package awsclient_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/servicediscovery"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"tradewind/shared/awsclient"
)

// answer is what AWS does with one attempt.
type answer struct {
	status     int
	code       string // of the error
	retryAfter string
	err        error // instead of an answer
}

var (
	success   = answer{status: http.StatusOK}
	failure   = answer{status: http.StatusInternalServerError, code: "InternalServerError"}
	throttled = answer{status: http.StatusBadRequest, code: "ThrottlingException"}
)

// service answers each attempt with the next of its answers, then with the last.
type service struct {
	answers []answer
	times   []time.Time // of the attempts
}

// Do implements aws.HTTPClient.
func (s *service) Do(r *http.Request) (*http.Response, error) {
	a := s.answers[min(len(s.times), len(s.answers)-1)]
	s.times = append(s.times, time.Now())
	if err := r.Context().Err(); err != nil || a.err != nil {
		return nil, errors.Join(a.err, err)
	}
	body := `{}`
	if a.code != "" {
		body = fmt.Sprintf(`{"__type":"com.amazonaws#%s","message":"as told"}`, a.code)
	}
	header := http.Header{"Content-Type": {"application/x-amz-json-1.0"}}
	if a.retryAfter != "" {
		header.Set("X-Amz-Retry-After", a.retryAfter)
	}
	return &http.Response{StatusCode: a.status, Request: r, Header: header, Body: io.NopCloser(strings.NewReader(body))}, nil
}

// waits returns the times between attempts.
func (s *service) waits() []time.Duration {
	var waits []time.Duration
	for i := 1; i < len(s.times); i++ {
		waits = append(waits, s.times[i].Sub(s.times[i-1]))
	}
	return waits
}

func (s *service) config() aws.Config {
	e := env{"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"}
	cfg := awsclient.Config(e.get, "DYNAMODB")
	cfg.HTTPClient = s
	return cfg
}

func read(ctx context.Context, client *dynamodb.Client) error {
	_, err := client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: aws.String("orders"), Key: map[string]types.AttributeValue{"PK": &types.AttributeValueMemberS{Value: "1"}},
	})
	return err
}

// ask reads once from a service with these answers.
func ask(ctx context.Context, answers ...answer) (*service, error) {
	s := &service{answers: answers}
	return s, read(ctx, dynamodb.NewFromConfig(s.config()))
}

// TestWaits has every attempt fail and looks at the waits between them.
func TestWaits(t *testing.T) {
	const ms = time.Millisecond
	type waits = []struct{ from, below time.Duration }
	failures, throttles := waits{{0, 50 * ms}, {0, 100 * ms}}, waits{{0, 200 * ms}, {0, 400 * ms}}
	tests := map[string]struct {
		answer answer
		want   waits
	}{
		"a failure":             {failure, failures},
		"no answer in time":     {answer{err: timeout{}}, failures},
		"a refused connection":  {answer{err: &net.OpError{Op: "dial", Err: errors.New("connection refused")}}, failures},
		"a lost connection":     {answer{err: io.ErrUnexpectedEOF}, failures},
		"a bad gateway":         {answer{status: 502}, failures},
		"unavailable":           {answer{status: 503, code: "ServiceUnavailable"}, failures},
		"a gateway's timeout":   {answer{status: 504}, failures},
		"a request's timeout":   {answer{status: 408, code: "RequestTimeout"}, failures},
		"throttled":             {throttled, throttles},
		"throttled by status":   {answer{status: 429}, throttles},
		"over capacity":         {answer{status: 400, code: "ProvisionedThroughputExceededException"}, throttles},
		"over the account's":    {answer{status: 400, code: "RequestLimitExceeded"}, throttles},
		"throttled with a 503":  {answer{status: 503, code: "RequestThrottled"}, throttles},
		"still in progress":     {answer{status: 400, code: "TransactionInProgressException"}, throttles},
		"a pause is asked for":  {answer{status: 503, retryAfter: "300"}, waits{{300 * ms, 350 * ms}, {300 * ms, 400 * ms}}},
		"the longest pause":     {answer{status: 400, code: "ThrottlingException", retryAfter: "500"}, waits{{500 * ms, 700 * ms}, {500 * ms, 900 * ms}}},
		"too long a pause":      {answer{status: 503, retryAfter: "501"}, nil},
		"a pause of 24 days":    {answer{status: 503, retryAfter: "2147483647"}, nil},
		"a pause that is none":  {answer{status: 503, retryAfter: "soon"}, failures},
		"a negative pause":      {answer{status: 503, retryAfter: "-1"}, failures},
		"a pause beyond bounds": {answer{status: 503, retryAfter: "99999999999999999999"}, failures},

		"invalid":                {answer{status: 400, code: "ValidationException"}, nil},
		"a condition":            {answer{status: 400, code: "ConditionalCheckFailedException"}, nil},
		"a transaction's reason": {answer{status: 400, code: "TransactionCanceledException"}, nil},
		"not allowed":            {answer{status: 403, code: "AccessDeniedException"}, nil},
		"a quota of resources":   {answer{status: 400, code: "LimitExceededException"}, nil},
		"no such host":           {answer{err: &net.DNSError{IsNotFound: true}}, nil},
		"not implemented":        {answer{status: 501}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bothModes(t, func(t *testing.T) {
				for range 20 {
					s, err := ask(t.Context(), test.answer)
					if err == nil || len(s.times) != len(test.want)+1 {
						t.Fatalf("error %v after %d attempts, want one after %d", err, len(s.times), len(test.want)+1)
					}
					for i, wait := range s.waits() {
						if want := test.want[i]; wait < want.from || wait >= want.below {
							t.Fatalf("wait %d is %v, want %v up to %v", i+1, wait, want.from, want.below)
						}
					}
				}
			})
		})
	}
}

// TestBounds draws many waits: they fill the range below their bound.
func TestBounds(t *testing.T) {
	const ms = time.Millisecond
	bounds := map[int]map[answer]time.Duration{ // by attempt
		// Core v1.47.0 counts from 0 if AWS_NEW_RETRIES_2026 is set.
		0: {failure: 50 * ms, throttled: 200 * ms},
		1: {failure: 50 * ms, throttled: 200 * ms},
		2: {failure: 100 * ms, throttled: 400 * ms},
		9: {failure: 100 * ms, throttled: 400 * ms},
	}
	retryer := dynamodb.NewFromConfig((&service{}).config()).Options().Retryer
	for attempt, of := range bounds {
		for a, below := range of {
			cfg := (&service{answers: []answer{a}}).config()
			cfg.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
			cause := read(t.Context(), dynamodb.NewFromConfig(cfg))
			least, most := below, time.Duration(0)
			for range 10_000 {
				wait, err := retryer.RetryDelay(attempt, cause)
				if err != nil {
					t.Fatal(err)
				}
				least, most = min(least, wait), max(most, wait)
			}
			if least < 0 || least > below/100 || most < below-below/100 || most >= below {
				t.Errorf("after attempt %d and %s: waits from %v to %v, want 0 up to %v", attempt, a.code, least, most, below)
			}
		}
	}
}

// bothModes runs a test on a virtual clock in the SDK's retry mode and in the newer one
// that is its default from core v1.48.0 on.
func bothModes(t *testing.T, test func(t *testing.T)) {
	for name, newer := range map[string]string{"older mode": "false", "newer mode": "true"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("AWS_NEW_RETRIES_2026", newer)
			synctest.Test(t, test)
		})
	}
}

// timeout is how an http.Client says that an exchange took too long.
type timeout struct{}

func (timeout) Error() string { return "Client.Timeout exceeded while awaiting headers" }
func (timeout) Timeout() bool { return true }

// TestRecovers: what is over after one or two attempts costs no more than the waits.
func TestRecovers(t *testing.T) {
	tests := map[string]struct {
		answers []answer
		within  time.Duration
	}{
		"one failure":            {[]answer{failure, success}, 50 * time.Millisecond},
		"two failures":           {[]answer{failure, failure, success}, 150 * time.Millisecond},
		"a failure, a throttle":  {[]answer{failure, throttled, success}, 450 * time.Millisecond},
		"throttled twice":        {[]answer{throttled, throttled, success}, 600 * time.Millisecond},
		"two pauses, throttled":  {[]answer{{status: 429, retryAfter: "500"}, {status: 429, retryAfter: "500"}, success}, 1600 * time.Millisecond},
		"nothing to recover of":  {[]answer{success}, time.Nanosecond},
		"throttled, then failed": {[]answer{throttled, failure, success}, 300 * time.Millisecond},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bothModes(t, func(t *testing.T) {
				for range 50 {
					start := time.Now()
					if s, err := ask(t.Context(), test.answers...); err != nil || len(s.times) != len(test.answers) || time.Since(start) >= test.within {
						t.Fatalf("%v after %d attempts and %v, want success after %d and less than %v",
							err, len(s.times), time.Since(start), len(test.answers), test.within)
					}
				}
			})
		})
	}
}

// TestDeadline makes calls with deadlines of up to a second. The waits of a call end
// before it, with time left for the attempt; where they could not, the call ends at
// once with the error of AWS.
func TestDeadline(t *testing.T) {
	for name, a := range map[string]answer{"failures": failure, "throttled": throttled, "pauses": {status: 503, retryAfter: "200"}} {
		t.Run(name, func(t *testing.T) {
			bothModes(t, func(t *testing.T) {
				attempts := map[int]bool{}
				for left := time.Millisecond; left <= time.Second; left += 4 * time.Millisecond {
					ctx, cancel := context.WithTimeout(t.Context(), left)
					start := time.Now()
					s, err := ask(ctx, a)
					cancel()
					last := s.times[len(s.times)-1]
					if time.Since(start) != last.Sub(start) {
						t.Fatalf("with %v left it returned %v after the last attempt", left, time.Since(last))
					}
					if len(s.times) > 1 && left-last.Sub(start) < 50*time.Millisecond {
						t.Fatalf("with %v left the last attempt began at %v", left, last.Sub(start))
					}
					if errors.Is(err, context.DeadlineExceeded) || !awsclient.Retryable(err) {
						t.Fatalf("with %v left: %v, want the error of AWS", left, err)
					}
					attempts[len(s.times)] = true
				}
				if !attempts[1] || !attempts[3] {
					t.Errorf("attempts of the calls: %v, want one with no time left and three with enough", attempts)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 149*time.Millisecond)
		defer cancel()
		if _, err := ask(ctx, failure); err == nil || !strings.Contains(err.Error(), "not retried: the deadline is in 149ms") {
			t.Errorf("got %v", err)
		}
	})
}

// TestCancelled cancels calls in a wait: they end at that moment.
func TestCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inWait := 0
		for range 100 {
			ctx, cancel := context.WithCancel(t.Context())
			start := time.Now()
			time.AfterFunc(30*time.Millisecond, cancel)
			s, err := ask(ctx, answer{status: 503, retryAfter: "10"})
			if took := time.Since(start); errors.Is(err, context.Canceled) {
				inWait++
				if took != 30*time.Millisecond {
					t.Fatalf("ended after %v, want 30ms", took)
				}
			} else if len(s.times) != 3 || took > 30*time.Millisecond {
				t.Fatalf("%v after %d attempts and %v", err, len(s.times), took)
			}
			cancel()
		}
		if inWait < 50 {
			t.Errorf("%d of 100 calls were cancelled in a wait", inWait)
		}
	})
}

// TestQuota: a bucket pays for 40 retries that fail, a retry that succeeds costs
// nothing, and ten successes earn one.
func TestQuota(t *testing.T) {
	bothModes(t, func(t *testing.T) {
		s := &service{}
		client := dynamodb.NewFromConfig(s.config())
		attempts := func(answers ...answer) int {
			s.answers, s.times = answers, nil
			_ = read(t.Context(), client)
			return len(s.times)
		}
		for range 100 {
			if n := attempts(failure, success); n != 2 {
				t.Fatalf("%d attempts for a call that succeeds at the second", n)
			}
		}
		for call := range 20 {
			if n := attempts(failure); n != 3 {
				t.Fatalf("failing call %d has %d attempts, want 3", call+1, n)
			}
		}
		if n := attempts(throttled); n != 1 {
			t.Errorf("the 21st has %d attempts, want 1", n)
		}
		if err := read(t.Context(), client); err == nil || !strings.Contains(err.Error(), "retry quota exceeded") {
			t.Errorf("it does not say why: %v", err)
		}
		for range 9 {
			attempts(success)
		}
		if n := attempts(failure); n != 1 {
			t.Errorf("%d attempts after nine successes, want 1", n)
		}
		attempts(success)
		if n := attempts(failure, success); n != 2 {
			t.Errorf("%d attempts after ten successes, want 2", n)
		}
		if n := attempts(failure); n != 2 {
			t.Errorf("%d attempts with one retry left, want 2", n)
		}
		if other, _ := ask(t.Context(), failure); len(other.times) != 3 {
			t.Errorf("another client has %d attempts, want 3: its quota is its own", len(other.times))
		}
		for range 500 { // more successes than the bucket holds
			attempts(success)
		}
		for range 20 {
			attempts(failure)
		}
		if n := attempts(failure); n != 1 {
			t.Errorf("%d attempts, want 1: the bucket holds 40 retries however long all went well", n)
		}
	})
}

// TestEveryClient has a client of every service that functions call meet two failures.
// package ses has none of it: it sends each mail once.
func TestEveryClient(t *testing.T) {
	clients := map[string]func(context.Context, aws.Config) error{
		"dynamodb read": func(ctx context.Context, cfg aws.Config) error { return read(ctx, dynamodb.NewFromConfig(cfg)) },
		"dynamodb transaction": func(ctx context.Context, cfg aws.Config) error {
			_, err := dynamodb.NewFromConfig(cfg).TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{}})
			return err
		},
		"eventbridge": func(ctx context.Context, cfg aws.Config) error {
			_, err := eventbridge.NewFromConfig(cfg).ListEventBuses(ctx, &eventbridge.ListEventBusesInput{})
			return err
		},
		"sqs": func(ctx context.Context, cfg aws.Config) error {
			_, err := sqs.NewFromConfig(cfg).ListQueues(ctx, &sqs.ListQueuesInput{})
			return err
		},
		"secretsmanager": func(ctx context.Context, cfg aws.Config) error {
			_, err := secretsmanager.NewFromConfig(cfg).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String("s")})
			return err
		},
		"servicediscovery": func(ctx context.Context, cfg aws.Config) error {
			_, err := servicediscovery.NewFromConfig(cfg).ListServices(ctx, &servicediscovery.ListServicesInput{})
			return err
		},
	}
	for name, call := range clients {
		t.Run(name, func(t *testing.T) {
			bothModes(t, func(t *testing.T) {
				for range 20 {
					s := &service{answers: []answer{failure, failure, success}}
					start := time.Now()
					if err := call(t.Context(), s.config()); err != nil || len(s.times) != 3 || time.Since(start) >= 150*time.Millisecond {
						t.Fatalf("%v after %d attempts and %v", err, len(s.times), time.Since(start))
					}
				}
				s := &service{answers: []answer{failure}}
				if err := call(t.Context(), s.config()); err == nil || len(s.times) != 3 {
					t.Errorf("%v after %d attempts, want an error after 3", err, len(s.times))
				}
			})
		})
	}
}
