package table

import (
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"tradewind/shared/apperr"
)

// Verb is what an operation does to its item.
type Verb int

// The verbs.
const (
	Put Verb = iota
	Delete
	Check
)

// Op is one operation of a commit. Make it with the functions below, each of
// which sets the condition that its use needs.
type Op struct {
	Verb Verb
	Key  Key
	// Item is what Put writes.
	Item Item

	// The condition: at most one of these is set.
	Absent        bool      // there is no item with this key
	AbsentOrEnded time.Time // there is none, or its expiresAt lies before this
	Version       int       // the item's version is this

	// Refused is returned by Commit when the condition fails.
	Refused error

	err error // what went wrong when the operation was made
}

// Create puts an item where there must be none yet, else Commit returns taken.
func Create(item any, taken error) Op {
	op := put(item)
	op.Absent, op.Refused = true, taken
	return op
}

// CreateOrRenew puts an item where there must be none, or an expired one: the
// expiry is checked here because DynamoDB deletes expired items days later. The
// item needs an expiresAt in seconds since 1970.
func CreateOrRenew(item any, now time.Time, taken error) Op {
	op := put(item)
	op.AbsentOrEnded, op.Refused = now, taken
	return op
}

// Replace puts an item in place of the version that was read, else Commit
// returns apperr.ErrStale. It never brings a deleted item back.
func Replace(item any, seen int) Op {
	op := put(item)
	op.Version, op.Refused = seen, apperr.ErrStale
	return op
}

// Remove deletes the version of an item that was read, else Commit returns
// apperr.ErrStale.
func Remove(key Key, seen int) Op {
	return Op{Verb: Delete, Key: key, Version: seen, Refused: apperr.ErrStale}
}

// Unchanged checks that an item still has the version that was read, else
// Commit returns apperr.ErrStale.
func Unchanged(key Key, seen int) Op {
	return Op{Verb: Check, Key: key, Version: seen, Refused: apperr.ErrStale}
}

// Discard deletes an item whatever it holds, also none.
func Discard(key Key) Op { return Op{Verb: Delete, Key: key} }

// Fail is an operation that could not be made: Commit returns err and writes
// nothing.
func Fail(err error) Op { return Op{err: err} }

func put(item any) Op {
	m, err := attributevalue.MarshalMap(item)
	if err != nil {
		return Fail(fmt.Errorf("encode item: %w", err))
	}
	key := Key{text(m["PK"]), text(m["SK"])}
	if key.PK == "" || key.SK == "" {
		return Fail(fmt.Errorf("encode item: %T has no key", item))
	}
	return Op{Verb: Put, Key: key, Item: m}
}

func text(v types.AttributeValue) string {
	s, _ := v.(*types.AttributeValueMemberS)
	if s == nil {
		return ""
	}
	return s.Value
}

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}
