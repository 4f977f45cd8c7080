package poolkeys_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/google/go-cmp/cmp"

	"tradewind/functions/users/internal/poolkeys"
)

const poolID = "eu-central-1_pool"

// pool fails a number of times, then answers.
type pool struct {
	keys     string
	failures int
	asked    *int
}

func (p pool) Keys(context.Context) (keys, url string, err error) {
	if *p.asked++; *p.asked <= p.failures {
		return "", "", errors.New("https://pool.example answered 503 Service Unavailable")
	}
	return p.keys, "https://pool.example", nil
}

func request(kind cfn.RequestType, properties map[string]any) cfn.Event {
	ev := cfn.Event{RequestType: kind, ResourceProperties: properties}
	if kind != cfn.RequestCreate {
		ev.PhysicalResourceID = "keys-of-" + poolID
	}
	return ev
}

func TestResource(t *testing.T) {
	named := map[string]any{"UserPoolId": poolID, "ServiceToken": "arn"}
	tests := map[string]struct {
		event    cfn.Event
		keys     string
		failures int
		within   time.Duration
		asked    int
		reason   string // part of why it failed; "" means it did not
	}{
		"create":           {request(cfn.RequestCreate, named), `{"keys":[]}`, 0, time.Minute, 1, ""},
		"update":           {request(cfn.RequestUpdate, named), `{"keys":[]}`, 0, time.Minute, 1, ""},
		"a new pool":       {request(cfn.RequestCreate, named), `{"keys":[]}`, 4, time.Minute, 5, ""},
		"no answer":        {request(cfn.RequestCreate, named), "", 100, time.Minute, 5, "503 Service Unavailable"},
		"the time is over": {request(cfn.RequestCreate, named), "", 100, 2 * time.Second, 2, "503 Service Unavailable"},
		"too many keys":    {request(cfn.RequestCreate, named), strings.Repeat("k", 2501), 0, time.Minute, 1, "have 2501 bytes"},
		"no pool named":    {request(cfn.RequestCreate, map[string]any{}), "", 0, time.Minute, 0, "UserPoolId is missing"},
		"a list of pools":  {request(cfn.RequestCreate, map[string]any{"UserPoolId": []any{poolID}}), "", 0, time.Minute, 0, "UserPoolId is missing"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), test.within)
				defer cancel()
				asked := 0
				handle := poolkeys.Resource(func(id string) poolkeys.Pool {
					if id != poolID {
						t.Errorf("pool %q", id)
					}
					return pool{test.keys, test.failures, &asked}
				})
				id, data, err := handle(ctx, test.event)
				if asked != test.asked {
					t.Errorf("asked %d times, want %d", asked, test.asked)
				}
				if test.reason != "" {
					if err == nil || !strings.Contains(err.Error(), test.reason) || id == "" || data != nil {
						t.Errorf("%q, %v, %v; want %q", id, data, err, test.reason)
					}
					return
				}
				want := map[string]any{"Keys": test.keys, "Url": "https://pool.example", "Id": "9638d1191473"}
				if diff := cmp.Diff(want, data); diff != "" || id != "keys-of-"+poolID || err != nil {
					t.Errorf("%q, %v: %s", id, err, diff)
				}
			})
		})
	}
}

// TestDelete: the keys are the pool's, and a stack must go even when they cannot be had.
func TestDelete(t *testing.T) {
	handle := poolkeys.Resource(func(string) poolkeys.Pool {
		t.Error("the pool was asked")
		return nil
	})
	id, data, err := handle(t.Context(), request(cfn.RequestDelete, nil))
	if id != "keys-of-"+poolID || data != nil || err != nil {
		t.Errorf("%q, %v, %v", id, data, err)
	}
}
