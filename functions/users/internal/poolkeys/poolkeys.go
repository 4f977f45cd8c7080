// Package poolkeys is the custom resource by which a deployment learns the user pool's
// public keys, so that they can be handed to functions that have no way to ask the pool
// themselves.
//
// It exists because CloudFormation knows a pool's id but not its keys, and because what
// is asked at every deployment need not be asked at every start of a function.
//
// Callers must keep: whatever happens, CloudFormation is answered, or it waits for an
// hour. So there is an end to the tries well before that of the function's time, and
// package cfn sends the answer. Removing the resource removes nothing: the keys are the
// pool's.
package poolkeys

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
)

const (
	// maxKeys is what functions have room for among their variables, which may have
	// four thousand bytes in all. The pool's two keys have nine hundred.
	maxKeys = 2500

	idBytes = 6 // of the keys' hash: enough for keys that change once a year

	tries = 5
	pause = time.Second // before the second try; each one after doubles it
)

// Pool publishes keys.
type Pool interface {
	// Keys returns them in the form of POOL_KEYS, and where they are published.
	Keys(ctx context.Context) (keys, url string, err error)
}

// Resource returns the handler. It asks the pool that the property UserPoolId names, and
// answers with the attributes Keys, Url, and Id, which changes when the keys do.
func Resource(pool func(id string) Pool) cfn.CustomResourceFunction {
	return func(ctx context.Context, ev cfn.Event) (string, map[string]any, error) {
		poolID, _ := ev.ResourceProperties["UserPoolId"].(string)
		// The id of what is neither made nor replaced is that of what it describes.
		physicalID := "keys-of-" + poolID
		if ev.RequestType == cfn.RequestDelete {
			return ev.PhysicalResourceID, nil, nil
		}
		if poolID == "" {
			return physicalID, nil, errors.New("the property UserPoolId is missing: it names the pool whose keys are wanted")
		}
		keys, url, err := patiently(ctx, pool(poolID))
		if err != nil {
			return physicalID, nil, fmt.Errorf("the keys of user pool %s cannot be had, deploy again: %w", poolID, err)
		}
		if len(keys) > maxKeys {
			return physicalID, nil, fmt.Errorf("the keys of user pool %s have %d bytes, and functions have room for %d among their variables", poolID, len(keys), maxKeys)
		}
		sum := sha256.Sum256([]byte(keys))
		return physicalID, map[string]any{"Keys": keys, "Url": url, "Id": hex.EncodeToString(sum[:idBytes])}, nil
	}
}

// patiently asks a pool. One may be so new that not all that answer for it know it.
func patiently(ctx context.Context, pool Pool) (keys, url string, err error) {
	wait := pause
	for n := 1; ; n++ {
		keys, url, err = pool.Keys(ctx)
		if err == nil || n == tries {
			return keys, url, err
		}
		select {
		case <-time.After(wait):
			wait *= 2
		case <-ctx.Done():
			return "", "", err
		}
	}
}
