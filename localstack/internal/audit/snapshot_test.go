package audit_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"tradewind/localstack/internal/audit"
)

type item = map[string]any

// store is a table that answers an item a page. Its turns are what it holds at each
// scan, the last one for ever.
type store struct {
	turns [][]item
	scans int
}

func (s *store) Scan(_ context.Context, in *dynamodb.ScanInput, _ ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	at := 0
	if last, ok := in.ExclusiveStartKey["n"].(*types.AttributeValueMemberS); ok {
		at = len(last.Value)
	}
	items := s.turns[min(s.scans, len(s.turns)-1)]
	out := &dynamodb.ScanOutput{}
	if at < len(items) {
		stored, err := attributevalue.MarshalMap(items[at])
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, stored)
	}
	if at+1 < len(items) {
		out.LastEvaluatedKey = map[string]types.AttributeValue{"n": &types.AttributeValueMemberS{Value: strings.Repeat("x", at+1)}}
	} else {
		s.scans++
	}
	return out, nil
}

func of(turns ...[]item) *store { return &store{turns: turns} }

func entry(key string, version int) item {
	return item{"PK": key, "SK": "A", "version": version, "list": []string{"x", "y"}}
}

func TestChangesAreSeen(t *testing.T) {
	table := map[string]string{"orders": "the-table"}
	before, err := audit.TakeSnapshot(t.Context(), of([]item{entry("a", 1), entry("b", 1), entry("c", 1)}), table)
	if err != nil {
		t.Fatal(err)
	}
	same, _ := audit.TakeSnapshot(t.Context(), of([]item{entry("c", 1), entry("a", 1), entry("b", 1)}), table)
	if changes := same.Since(before); len(changes) > 0 || same.Checksum() != before.Checksum() {
		t.Errorf("in another order: %v", changes)
	}
	after, _ := audit.TakeSnapshot(t.Context(), of([]item{entry("a", 1), entry("b", 2), entry("d", 1)}), table)
	want := []string{"changed: orders b A", "gone: orders c A", "new: orders d A"}
	if diff := cmp.Diff(want, after.Since(before)); diff != "" || after.Checksum() == before.Checksum() {
		t.Error(diff)
	}
}

func TestRestIsWaitedFor(t *testing.T) {
	db := of([]item{entry("a", 1)}, []item{entry("a", 2)}, []item{entry("a", 3)})
	s, err := audit.SnapshotAtRest(t.Context(), db, map[string]string{"orders": "the-table"}, time.Millisecond)
	if err != nil || db.scans != 4 {
		t.Fatalf("after %d scans: %v", db.scans, err)
	}
	if now, _ := audit.TakeSnapshot(t.Context(), db, map[string]string{"orders": "the-table"}); !slices.Equal(now.Since(s), nil) {
		t.Errorf("since: %v", now.Since(s))
	}
}
