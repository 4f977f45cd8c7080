// Package reconcile publishes once more what stands in the outbox of a service: for
// events that the bus took and lost, or that a relay gave up.
//
// It exists because nothing tells which events these are. An outbox item is written
// once and never marked, for a mark would double what an event costs; what the bus did
// with an event it does not say. But all items of the last days are there, and to
// publish an event twice is harmless. So the operator says which time is in doubt, and
// all of it is published, by the code that the relays publish with (decision 11).
//
// It scans the table, which no function may: an outbox has no index by time, and this
// is a tool for rare days. It keeps to a rate of reading, so that the service has its
// table to itself.
package reconcile

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/oklog/ulid/v2"

	"tradewind/shared/cmd/tradewind/internal/stage"
	"tradewind/shared/outbox"
	"tradewind/shared/relay"
)

// Scanner is what is asked of DynamoDB.
type Scanner interface {
	Scan(context.Context, *dynamodb.ScanInput, ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error)
}

// Run is one run over one service's table.
type Run struct {
	DB     Scanner
	Table  string
	Window stage.Window // of the events' ids, which tell when they were made
	Events []string     // detail types; none means all

	// Publish puts entries on the bus; see relay.Publisher. Nil only counts.
	Publish func(context.Context, []relay.Entry) relay.Published
	// Rate is how much may be read in a second, in DynamoDB's units.
	Rate float64
	// Note is told how far it is after each page.
	Note func(Result)
}

// Result says what was found, and what became of it.
type Result struct {
	Found     map[string]int // by detail type
	Published int
	// Refused are what the bus will never take, each with the reason. They are still in
	// the outbox.
	Refused []relay.Entry
}

// Do works through the table. Items of an aggregate come in their order.
func (r Run) Do(ctx context.Context) (Result, error) {
	result := Result{Found: map[string]int{}}
	in, err := r.scan()
	if err != nil {
		return result, err
	}
	for {
		start := time.Now()
		page, err := r.DB.Scan(ctx, in)
		if err != nil {
			return result, fmt.Errorf("scan table %s: %w", r.Table, err)
		}
		if err := r.publish(ctx, page.Items, &result); err != nil {
			return result, err
		}
		r.Note(result)
		if len(page.LastEvaluatedKey) == 0 {
			return result, nil
		}
		in.ExclusiveStartKey = page.LastEvaluatedKey
		if err := r.rest(ctx, page.ConsumedCapacity, start); err != nil {
			return result, err
		}
	}
}

// scan asks for the outbox items of the window. The read is consistent: an item that was
// passed over would be missed for good.
func (r Run) scan() (*dynamodb.ScanInput, error) {
	first, last, err := ids(r.Window)
	if err != nil {
		return nil, err
	}
	in := &dynamodb.ScanInput{
		TableName:              &r.Table,
		ConsistentRead:         aws.Bool(true),
		ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
		ProjectionExpression:   aws.String("eventId, #source, detailType, detail"),
		FilterExpression:       aws.String("#entity = :outbox AND eventId BETWEEN :first AND :last"),
		ExpressionAttributeNames: map[string]string{
			"#entity": "entity", "#source": "source",
		},
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":outbox": text(outbox.Entity), ":first": text(first), ":last": text(last),
		},
	}
	if len(r.Events) > 0 {
		names := make([]string, len(r.Events))
		for i, event := range r.Events {
			names[i] = fmt.Sprintf(":event%d", i)
			in.ExpressionAttributeValues[names[i]] = text(event)
		}
		in.FilterExpression = aws.String(*in.FilterExpression + " AND detailType IN (" + strings.Join(names, ", ") + ")")
	}
	return in, nil
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

// ids returns the first and the last event id that can have been made in a window.
func ids(w stage.Window) (first, last string, err error) {
	var from, to ulid.ULID
	for _, end := range []struct {
		id *ulid.ULID
		at time.Time
	}{{&from, w.From}, {&to, w.To}} {
		if err := end.id.SetTime(ulid.Timestamp(end.at)); err != nil {
			return "", "", fmt.Errorf("no event can be of %s: %w", end.at, err)
		}
	}
	if err := to.SetEntropy([]byte(strings.Repeat("\xff", 10))); err != nil {
		return "", "", err
	}
	return "evt_" + from.String(), "evt_" + to.String(), nil
}

func (r Run) publish(ctx context.Context, items []map[string]types.AttributeValue, result *Result) error {
	entries := make([]relay.Entry, len(items))
	for i, item := range items {
		var record outbox.Record
		if err := attributevalue.UnmarshalMap(item, &record); err != nil {
			return fmt.Errorf("read an outbox item of table %s: %w", r.Table, err)
		}
		entries[i] = relay.Entry{EventID: record.EventID, Source: record.Source, DetailType: record.DetailType, Detail: record.Detail}
		result.Found[record.DetailType]++
	}
	if r.Publish == nil || len(entries) == 0 {
		return nil
	}
	done := r.Publish(ctx, entries)
	result.Published += len(done.Taken)
	result.Refused = append(result.Refused, done.Never...)
	if n := len(done.Again); n > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		return fmt.Errorf("the bus takes nothing any more, event %s first: %s", done.Again[0].EventID, done.Again[0].Refusal)
	}
	return nil
}

// rest waits until reading on keeps the rate.
func (r Run) rest(ctx context.Context, used *types.ConsumedCapacity, since time.Time) error {
	if used == nil || used.CapacityUnits == nil {
		return ctx.Err()
	}
	due := time.Duration(*used.CapacityUnits / r.Rate * float64(time.Second))
	timer := time.NewTimer(time.Until(since.Add(due)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
