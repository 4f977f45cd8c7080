// Package claimcheck carries data that are too large for the event bus: the
// publisher leaves them in a store of objects, the event carries the claim, and the
// consumer fetches them by it.
//
// It exists for the rare event that outgrows what an SQS message holds. A service
// whose events stay small does without, and its functions link nothing of it; an
// event that is too large then fails its commit.
//
// The object's key is made of the event's id, so leaving it again is harmless, and
// a consumer reads no other object than the event's own. Data are left before the
// commit that stores the event: when that fails, an object stays that nobody claims.
// So the store must let objects expire, and not before the last consumer can want
// one: after 35 days, as long as an inbox remembers an event, which is longer than
// queue, dead-letter queue and archive keep one. An event replayed later than that
// fails, and says why.
//
// Callers must keep: personal data that is left here is erased by expiry alone.
package claimcheck

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"tradewind/events"
	"tradewind/shared/apperr"
)

const (
	// DefaultThreshold leaves what is around the data room below the size of an
	// event (see outbox.MaxDetail).
	DefaultThreshold = 200 << 10
	// DefaultLimit is far below a function's memory, which holds the data twice.
	DefaultLimit = 5 << 20
)

// Store keeps objects. Package s3 has one in Amazon S3.
type Store interface {
	Put(ctx context.Context, key string, body []byte) error
	// Get returns an object, or an error of kind NotFound where there is none. It
	// reads no more than limit bytes, and refuses an object that is larger.
	Get(ctx context.Context, key string, limit int) ([]byte, error)
}

// Config says where data are left, and which. Store is required.
type Config struct {
	Store Store
	// Threshold is the size in bytes above which data are left; DefaultThreshold
	// where it is 0.
	Threshold int
	// Limit is the most bytes that are left or fetched; DefaultLimit where it is 0.
	Limit int
}

// Claims leaves and fetches data. A nil *Claims leaves none.
type Claims struct{ cfg Config }

// New returns claims on a store.
func New(cfg Config) *Claims {
	if cfg.Threshold == 0 {
		cfg.Threshold = DefaultThreshold
	}
	if cfg.Limit == 0 {
		cfg.Limit = DefaultLimit
	}
	return &Claims{cfg}
}

// Key is where the data of an event are.
func Key(eventID string) string { return "claims/" + eventID + ".json" }

// Leave stores an event's data if they are large, and returns the claim; nil if the
// event carries them itself.
func (c *Claims) Leave(ctx context.Context, eventID string, data []byte) (*events.Claim, error) {
	if c == nil || len(data) <= c.cfg.Threshold {
		return nil, nil
	}
	if len(data) > c.cfg.Limit {
		return nil, fmt.Errorf("%d bytes of data are more than the %d that may be left in the store", len(data), c.cfg.Limit)
	}
	claim := &events.Claim{Key: Key(eventID), Bytes: len(data), SHA256: sum(data)}
	if err := c.cfg.Store.Put(ctx, claim.Key, data); err != nil {
		return nil, fmt.Errorf("leave the data of %s: %w", eventID, err)
	}
	return claim, nil
}

// Fetch returns the data that an event claims, as they were left.
func (c *Claims) Fetch(ctx context.Context, eventID string, claim events.Claim) ([]byte, error) {
	switch {
	case c == nil:
		return nil, apperr.New(apperr.Invalid, "claim_unexpected",
			"The event's data are in the store for large ones, and this function has none: give it WithClaims, and the right to read there.")
	case claim.Key != Key(eventID):
		return nil, apperr.New(apperr.Invalid, "claim_malformed", "The event claims an object that is not its own.")
	case claim.Bytes < 0 || claim.Bytes > c.cfg.Limit:
		return nil, apperr.New(apperr.Invalid, "claim_too_large",
			fmt.Sprintf("The event claims %d bytes, and this function takes %d.", claim.Bytes, c.cfg.Limit))
	}
	data, err := c.cfg.Store.Get(ctx, claim.Key, claim.Bytes)
	if apperr.KindOf(err) == apperr.NotFound {
		return nil, apperr.Wrap(err, apperr.NotFound, "claim_expired", "The event's data are not in the store: they have expired, or were never left.")
	}
	if err != nil {
		return nil, fmt.Errorf("fetch the data of %s: %w", eventID, err)
	}
	if len(data) != claim.Bytes || sum(data) != claim.SHA256 {
		return nil, apperr.New(apperr.Invalid, "claim_damaged", "The data in the store are not those that the event claims.")
	}
	return data, nil
}

func sum(data []byte) string {
	digest := sha256.Sum256(data)
	return hex.EncodeToString(digest[:])
}
