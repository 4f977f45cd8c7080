package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"tradewind/localstack/internal/await"
)

// Scanner is what is asked of DynamoDB.
type Scanner interface {
	Scan(context.Context, *dynamodb.ScanInput, ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error)
}

// Snapshot is a digest of each item of the tables, by table and key.
type Snapshot map[string]string

// TakeSnapshot reads every item of the tables, which are given by service.
func TakeSnapshot(ctx context.Context, db Scanner, tables map[string]string) (Snapshot, error) {
	s := Snapshot{}
	for service, name := range tables {
		pages := dynamodb.NewScanPaginator(db, &dynamodb.ScanInput{
			TableName: aws.String(name), ConsistentRead: aws.Bool(true),
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, fmt.Errorf("scan the table of %s: %w", service, err)
			}
			for _, stored := range page.Items {
				var item map[string]any
				if err := attributevalue.UnmarshalMap(stored, &item); err != nil {
					return nil, fmt.Errorf("read an item of %s: %w", service, err)
				}
				text, err := json.Marshal(item) // with sorted names
				if err != nil {
					return nil, fmt.Errorf("read an item of %s: %w", service, err)
				}
				sum := sha256.Sum256(text)
				s[fmt.Sprintf("%s %v %v", service, item["PK"], item["SK"])] = hex.EncodeToString(sum[:])
			}
		}
	}
	return s, nil
}

// SnapshotAtRest waits until the tables have stayed the same for a while, and returns them
// as they are then.
func SnapshotAtRest(ctx context.Context, db Scanner, tables map[string]string, still time.Duration) (Snapshot, error) {
	var last Snapshot
	err := await.Until(ctx, still, "the tables to come to rest", func(ctx context.Context) error {
		before := last
		var err error
		if last, err = TakeSnapshot(ctx, db, tables); err != nil {
			return err
		}
		if before == nil {
			return errors.New("looked at once")
		}
		if changes := last.Since(before); len(changes) > 0 {
			return errors.New(strings.Join(changes, "\n"))
		}
		return nil
	})
	return last, err
}

// Since lists what is different from an earlier snapshot.
func (s Snapshot) Since(before Snapshot) []string {
	var changes []string
	for key, digest := range s {
		switch was, known := before[key]; {
		case !known:
			changes = append(changes, "new: "+key)
		case was != digest:
			changes = append(changes, "changed: "+key)
		}
	}
	for key := range before {
		if _, known := s[key]; !known {
			changes = append(changes, "gone: "+key)
		}
	}
	slices.Sort(changes)
	return changes
}

// Checksum is one word for the whole.
func (s Snapshot) Checksum() string {
	lines := make([]string, 0, len(s))
	for key, digest := range s {
		lines = append(lines, key+" "+digest)
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return hex.EncodeToString(sum[:8])
}
