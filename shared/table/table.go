// Package table keeps a service's data in its one DynamoDB table: items found by
// a partition and a sort key, a secondary index, and changes that are always one
// transaction.
//
// It exists so that a store reads as what it stores. A change is a list of
// operations, each with its condition and the error to return when the condition
// fails; reading cancellation reasons, repeating what may be repeated, and
// adding the record that makes a repeat of the change fail (see Guard) are done
// here once.
//
// Callers must keep: an item embeds Key, and Index where it is listed; every
// write goes through Commit, so that outbox items and the guard's record cannot
// be forgotten; nothing remote happens between reading an item and committing
// its change. There is no scan.
package table

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"tradewind/shared/apperr"
)

// Key identifies an item. Items embed it.
type Key struct {
	PK string `dynamodbav:"PK"`
	SK string `dynamodbav:"SK"`
}

// Index places an item in a secondary index. Items that are listed embed it;
// an item without it is not in the index.
type Index struct {
	PK string `dynamodbav:"GSI1PK,omitempty"`
	SK string `dynamodbav:"GSI1SK,omitempty"`
}

// Due places an item in the sparse second index, which holds only keys: for what
// waits to be dealt with, and leaves the index when it has been.
type Due struct {
	PK string `dynamodbav:"GSI2PK,omitempty"`
	SK string `dynamodbav:"GSI2SK,omitempty"`
}

// The names of the secondary indexes. Every table has GSI1; GSI2 is there where
// the service's infrastructure asks for it.
const (
	GSI1 = "GSI1"
	GSI2 = "GSI2"
)

// Item is a stored item in DynamoDB's own form.
type Item = map[string]types.AttributeValue

// Backend is what a table needs of a database. DynamoDB is one; package
// tabletest has one in memory, held to the same suite.
type Backend interface {
	// Get reads an item with strong consistency; nil where there is none.
	Get(ctx context.Context, key Key) (Item, error)
	// Query reads at most limit items of q in order, from after its position.
	Query(ctx context.Context, q Query, limit int) ([]Item, error)
	// Transact makes all operations or none. Where conditions failed it
	// returns a *Cancelled, where the whole may be repeated a *Transient.
	Transact(ctx context.Context, ops []Op) error
}

// Cancelled says which operations of a transaction failed their condition.
type Cancelled struct {
	Failed []int
	// Contended says that others lost against another transaction, so that it
	// is not known yet what their conditions come to.
	Contended bool
}

func (c *Cancelled) Error() string {
	return fmt.Sprintf("transaction cancelled: condition of operations %v failed", c.Failed)
}

// Transient says that a transaction lost against another or was throttled.
// Nothing of it was written.
type Transient struct{ Err error }

func (t *Transient) Error() string { return "transaction may be repeated: " + t.Err.Error() }

// Unwrap returns the cause.
func (t *Transient) Unwrap() error { return t.Err }

// Query names a range of items: those of one partition, in the order of their
// sort keys.
type Query struct {
	// Index is GSI1, GSI2, or empty for the table itself. Indexes lag behind
	// writes.
	Index      string
	PK         string
	SKPrefix   string
	Descending bool
	// Limit is the page size; it must be positive.
	Limit int
	// After is the position a former page ended at; empty for the first.
	After string
}

// Table is a service's table.
type Table struct{ db Backend }

// New returns the table in a database.
func New(db Backend) *Table { return &Table{db} }

// Get reads the item with a key into out, a pointer to a struct, with strong
// consistency. It reports whether there was one.
func (t *Table) Get(ctx context.Context, key Key, out any) (bool, error) {
	item, err := t.db.Get(ctx, key)
	if err != nil {
		return false, fmt.Errorf("get %s: %w", key.PK, passing(err))
	}
	if item == nil {
		return false, nil
	}
	if err := attributevalue.UnmarshalMap(item, out); err != nil {
		return false, fmt.Errorf("decode %s: %w", key.PK, err)
	}
	return true, nil
}

// Readable returns nil if the table answers.
func (t *Table) Readable(ctx context.Context) error {
	_, err := t.db.Get(ctx, health)
	return err
}

// health is the key of an item that never is.
var health = Key{PK: "HEALTH", SK: "HEALTH"}

// Writable returns nil if the table takes a transaction, as it must for any change
// and for the events it causes. It writes nothing.
func (t *Table) Writable(ctx context.Context) error {
	return t.db.Transact(ctx, []Op{{Verb: Check, Key: health, Absent: true}})
}

// List reads one page of a query, each item as a T. The position of the next
// page is empty when there is none.
func List[T any](ctx context.Context, t *Table, q Query) (items []T, next string, err error) {
	if q.Limit < 1 {
		return nil, "", fmt.Errorf("query %s: a page of %d items", q.PK, q.Limit)
	}
	// One more than asked for tells whether there is a next page; DynamoDB's
	// own marker is also set when the page happens to end with the range.
	raw, err := t.db.Query(ctx, q, q.Limit+1)
	if err != nil {
		return nil, "", fmt.Errorf("query %s: %w", q.PK, passing(err))
	}
	if len(raw) > q.Limit {
		raw = raw[:q.Limit]
		next = Position(raw[q.Limit-1], q.Index)
	}
	items = make([]T, len(raw))
	for i, item := range raw {
		if err := attributevalue.UnmarshalMap(item, &items[i]); err != nil {
			return nil, "", fmt.Errorf("decode item of %s: %w", q.PK, err)
		}
	}
	return items, next, nil
}

// Position is the place of an item in a query, as Query.After takes it.
func Position(item Item, index string) string {
	names := []string{"PK", "SK"}
	if index != "" {
		names = append(names, index+"PK", index+"SK")
	}
	keys := make(map[string]string, len(names))
	for _, name := range names {
		if s, ok := item[name].(*types.AttributeValueMemberS); ok {
			keys[name] = s.Value
		}
	}
	position, _ := json.Marshal(keys) // strings always encode
	return string(position)
}

// StartKey is the reverse of Position; nil for "".
func StartKey(position string) (Item, error) {
	if position == "" {
		return nil, nil
	}
	var keys map[string]string
	if err := json.Unmarshal([]byte(position), &keys); err != nil {
		return nil, fmt.Errorf("position of a page: %w", err)
	}
	item := make(Item, len(keys))
	for name, value := range keys {
		item[name] = &types.AttributeValueMemberS{Value: value}
	}
	return item, nil
}

// ErrDone is returned by Commit when the guard's record was there already: what
// was to be done has been done, by an earlier or concurrent duplicate.
var ErrDone = errors.New("already done")

// maxAttempts bounds how often one commit is tried; see backoff for how long
// that takes.
const maxAttempts = 8

// Commit makes all operations in one transaction, together with the record of
// the context's guard. The result is what the change led to; the guard may
// store it as the answer for repeats.
//
// It returns the error of the first operation whose condition failed, ErrDone
// before all others, or an Unavailable error when the database stayed busy or
// did not answer. After the latter the change may have been made all the same.
func (t *Table) Commit(ctx context.Context, result any, ops ...Op) error {
	guard := guardOf(ctx)
	if guard != nil {
		record, err := guard.Record(result)
		if err != nil {
			return fmt.Errorf("record of the change: %w", err)
		}
		ops = append(ops[:len(ops):len(ops)], record)
	}
	for _, op := range ops {
		if op.err != nil {
			return op.err
		}
	}
	var err error
	for attempt := range maxAttempts {
		if attempt > 0 && !sleep(ctx, backoff(attempt)) {
			break
		}
		err = t.db.Transact(ctx, ops)
		if !mayRepeat(err, guard != nil) {
			break
		}
	}
	if cancelled, ok := errors.AsType[*Cancelled](err); ok {
		return refusal(cancelled, ops, guard != nil)
	}
	if transient, ok := errors.AsType[*Transient](err); ok {
		return apperr.Wrap(transient.Err, apperr.Unavailable, "busy", "Too many changes at the same time; try again.")
	}
	if err != nil {
		return fmt.Errorf("commit: %w", passing(err))
	}
	if guard != nil {
		guard.Committed()
	}
	return nil
}

// mayRepeat reports whether another attempt may end otherwise. A failed condition
// fails again, with one exception: where the change of a duplicate is just being
// made, one of its conditions may fail before the guard's record tells that it
// is a duplicate.
func mayRepeat(err error, guarded bool) bool {
	if cancelled, ok := errors.AsType[*Cancelled](err); ok {
		return guarded && cancelled.Contended
	}
	_, transient := errors.AsType[*Transient](err)
	return transient
}

// refusal picks the error to return for the conditions that failed. The guard's
// record, which is the last operation, comes before all others: if the change
// was made already, that its other conditions fail now is no news.
func refusal(c *Cancelled, ops []Op, guarded bool) error {
	last := len(ops) - 1
	for _, i := range c.Failed {
		if guarded && i == last {
			return ErrDone
		}
	}
	return ops[c.Failed[0]].Refused
}

// backoff returns how long to wait before an attempt: full jitter under a bound
// that doubles from 10 ms up to 640 ms, so that eight attempts take at most
// 1.3 s (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/).
func backoff(attempt int) time.Duration {
	return rand.N(10 * time.Millisecond << min(attempt-1, 6))
}

// sleep waits for d, or reports false when the context ends before.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// Again repeats a change that was refused as stale (apperr.ErrStale), which
// means that somebody else changed the same item in between. The change must
// read what it decides on anew each time.
func Again(ctx context.Context, change func() error) error {
	err := change()
	for attempt := 1; attempt < maxAttempts && errors.Is(err, apperr.ErrStale); attempt++ {
		if !sleep(ctx, backoff(attempt)) {
			break
		}
		err = change()
	}
	return err
}

// A Guard makes a change happen once. It travels in the context, because it
// belongs to the request or message that is being handled and not to the domain
// that handles it: the first commit under the context carries the guard's
// record, so that the record and the effect stand or fall together.
type Guard interface {
	// Record returns the operation that creates the guard's record and fails
	// when there is one already.
	Record(result any) (Op, error)
	// Committed is called after the commit that held the record.
	Committed()
}

type guardKey struct{}

// WithGuard returns a context whose commits carry g's record. A nil guard
// removes the one that is there, for a commit that may be repeated by itself.
func WithGuard(ctx context.Context, g Guard) context.Context {
	return context.WithValue(ctx, guardKey{}, g)
}

func guardOf(ctx context.Context) Guard {
	g, _ := ctx.Value(guardKey{}).(Guard)
	return g
}

// passing marks an error that ends with the time for it as Unavailable.
func passing(err error) error {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return unavailable(err)
	}
	return err
}

func unavailable(err error) error {
	return apperr.Wrap(err, apperr.Unavailable, "unavailable", "The service cannot reach its data at the moment; try again.")
}

// Prefixed joins the parts of a key: Prefixed("ORDER", id) is "ORDER#<id>".
func Prefixed(parts ...string) string { return strings.Join(parts, "#") }
