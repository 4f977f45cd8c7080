// Package tabletest has a table in memory for tests of stores and handlers, and
// the suite that holds it and DynamoDB to the same behaviour.
//
// It exists so that a service's tests run its real store in microseconds. A fake
// is only as good as its likeness, so Run is what both must pass.
package tabletest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"tradewind/shared/table"
)

// Memory is a table.Backend in memory. The zero value is empty and ready.
type Memory struct {
	mu    sync.Mutex
	items map[table.Key]table.Item

	// Before, when set, is called before each transaction and may refuse it: a
	// place to inject conflicts, throttling and lost answers.
	Before func(ops []table.Op) error
}

// New returns an empty table in memory.
func New() *table.Table { return table.New(&Memory{}) }

// Items returns a copy of all items, in the order of their keys.
func (m *Memory) Items() []table.Item {
	m.mu.Lock()
	defer m.mu.Unlock()
	keys := slices.SortedFunc(maps.Keys(m.items), func(a, b table.Key) int {
		return strings.Compare(a.PK+"\x00"+a.SK, b.PK+"\x00"+b.SK)
	})
	items := make([]table.Item, len(keys))
	for i, key := range keys {
		items[i] = maps.Clone(m.items[key])
	}
	return items
}

// Get implements table.Backend.
func (m *Memory) Get(ctx context.Context, key table.Key) (table.Item, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if key.PK == "" || key.SK == "" {
		return nil, errEmptyKey
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.items[key]), nil
}

// Query implements table.Backend.
func (m *Memory) Query(ctx context.Context, q table.Query, limit int) ([]table.Item, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if q.PK == "" {
		return nil, errEmptyKey
	}
	start, err := table.StartKey(q.After)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	pk, sk := q.Index+"PK", q.Index+"SK"
	// Items of one index key are told apart by the table's own.
	order := func(item table.Item) string {
		return str(item, sk) + "\x00" + str(item, "PK") + "\x00" + str(item, "SK")
	}
	var found []table.Item
	for _, item := range m.items {
		if str(item, pk) == q.PK && item[sk] != nil && strings.HasPrefix(str(item, sk), q.SKPrefix) {
			found = append(found, maps.Clone(item))
		}
	}
	slices.SortFunc(found, func(a, b table.Item) int { return strings.Compare(order(a), order(b)) })
	if q.Descending {
		slices.Reverse(found)
	}
	if start != nil {
		from := order(start)
		found = slices.DeleteFunc(found, func(item table.Item) bool {
			c := strings.Compare(order(item), from)
			return c == 0 || (c < 0) != q.Descending
		})
	}
	found = found[:min(limit, len(found))]
	if q.Index == table.GSI2 {
		for _, item := range found {
			maps.DeleteFunc(item, func(name string, _ types.AttributeValue) bool {
				return name != "PK" && name != "SK" && name != pk && name != sk
			})
		}
	}
	return found, nil
}

// Transact implements table.Backend.
func (m *Memory) Transact(ctx context.Context, ops []table.Op) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if m.Before != nil {
		if err := m.Before(ops); err != nil {
			return err
		}
	}
	if err := validate(ops); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var cancelled table.Cancelled
	for i, op := range ops {
		if !m.holds(op) {
			cancelled.Failed = append(cancelled.Failed, i)
		}
	}
	if len(cancelled.Failed) > 0 {
		return &cancelled
	}
	if m.items == nil {
		m.items = map[table.Key]table.Item{}
	}
	for _, op := range ops {
		switch op.Verb {
		case table.Put:
			m.items[op.Key] = maps.Clone(op.Item)
		case table.Delete:
			delete(m.items, op.Key)
		case table.Check:
		}
	}
	return nil
}

// errEmptyKey is what DynamoDB says to a key without a value.
var errEmptyKey = errors.New("memory: key values must not be empty")

// maxOps is the most operations that DynamoDB takes in one transaction.
const maxOps = 100

// validate refuses what DynamoDB refuses to try, whatever the table holds.
func validate(ops []table.Op) error {
	if len(ops) == 0 || len(ops) > maxOps {
		return fmt.Errorf("memory: %d operations; a transaction has 1 to %d", len(ops), maxOps)
	}
	seen := make(map[table.Key]bool, len(ops))
	for _, op := range ops {
		if op.Key.PK == "" || op.Key.SK == "" {
			return errEmptyKey
		}
		if seen[op.Key] {
			return fmt.Errorf("memory: a transaction cannot include multiple operations on one item, %s %s", op.Key.PK, op.Key.SK)
		}
		seen[op.Key] = true
	}
	return nil
}

func (m *Memory) holds(op table.Op) bool {
	item, found := m.items[op.Key]
	switch {
	case op.Absent:
		return !found
	case !op.AbsentOrEnded.IsZero():
		ends, has := num(item, "expiresAt")
		return !found || has && ends < op.AbsentOrEnded.Unix()
	case op.Version > 0:
		version, has := num(item, "version")
		return has && version == int64(op.Version)
	default:
		return true
	}
}

func str(item table.Item, name string) string {
	s, _ := item[name].(*types.AttributeValueMemberS)
	if s == nil {
		return ""
	}
	return s.Value
}

func num(item table.Item, name string) (int64, bool) {
	n, _ := item[name].(*types.AttributeValueMemberN)
	if n == nil {
		return 0, false
	}
	v, err := strconv.ParseInt(n.Value, 10, 64)
	return v, err == nil
}
