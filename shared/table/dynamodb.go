package table

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"tradewind/shared/awsclient"
	"tradewind/shared/env"
)

// FromEnv returns the table that TABLE_NAME names.
func FromEnv(vars *env.Vars) *Table {
	name := vars.Require("TABLE_NAME")
	return DynamoDB(dynamodb.NewFromConfig(awsclient.Config(vars.Getenv, "DYNAMODB")), name)
}

// DynamoDB returns the table with a name in DynamoDB.
func DynamoDB(client *dynamodb.Client, name string) *Table {
	return New(&dynamo{client, name})
}

type dynamo struct {
	client *dynamodb.Client
	name   string
}

func (d *dynamo) Get(ctx context.Context, key Key) (Item, error) {
	out, err := d.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName:      &d.name,
		Key:            key.item(),
		ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return nil, classify(err)
	}
	if len(out.Item) == 0 {
		return nil, nil
	}
	return out.Item, nil
}

func (d *dynamo) Query(ctx context.Context, q Query, limit int) ([]Item, error) {
	start, err := StartKey(q.After)
	if err != nil {
		return nil, err
	}
	in := &dynamodb.QueryInput{
		TableName:                 &d.name,
		KeyConditionExpression:    aws.String("#pk = :pk"),
		ExpressionAttributeNames:  map[string]string{"#pk": q.Index + "PK"},
		ExpressionAttributeValues: Item{":pk": &types.AttributeValueMemberS{Value: q.PK}},
		ScanIndexForward:          aws.Bool(!q.Descending),
		ExclusiveStartKey:         start,
	}
	if q.Index != "" {
		in.IndexName = &q.Index
	} else {
		in.ConsistentRead = aws.Bool(true)
	}
	if q.SKPrefix != "" {
		in.KeyConditionExpression = aws.String("#pk = :pk AND begins_with(#sk, :sk)")
		in.ExpressionAttributeNames["#sk"] = q.Index + "SK"
		in.ExpressionAttributeValues[":sk"] = &types.AttributeValueMemberS{Value: q.SKPrefix}
	}
	var items []Item
	for {
		in.Limit = aws.Int32(int32(limit - len(items))) //nolint:gosec // a page size
		out, err := d.client.Query(ctx, in)
		if err != nil {
			return nil, classify(err)
		}
		items = append(items, out.Items...)
		// A page also ends after 1 MB, short of its limit.
		if len(items) >= limit || len(out.LastEvaluatedKey) == 0 {
			return items, nil
		}
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
}

func (d *dynamo) Transact(ctx context.Context, ops []Op) error {
	items := make([]types.TransactWriteItem, len(ops))
	for i, op := range ops {
		items[i] = d.item(op)
	}
	_, err := d.client.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: items})
	return classify(err)
}

func (d *dynamo) item(op Op) types.TransactWriteItem {
	condition, values := op.condition()
	switch op.Verb {
	case Delete:
		return types.TransactWriteItem{Delete: &types.Delete{
			TableName: &d.name, Key: op.Key.item(),
			ConditionExpression: condition, ExpressionAttributeValues: values,
		}}
	case Check:
		return types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
			TableName: &d.name, Key: op.Key.item(),
			ConditionExpression: condition, ExpressionAttributeValues: values,
		}}
	default:
		return types.TransactWriteItem{Put: &types.Put{
			TableName: &d.name, Item: op.Item,
			ConditionExpression: condition, ExpressionAttributeValues: values,
		}}
	}
}

func (op Op) condition() (*string, Item) {
	switch {
	case op.Absent:
		return aws.String("attribute_not_exists(PK)"), nil
	case !op.AbsentOrEnded.IsZero():
		return aws.String("attribute_not_exists(PK) OR expiresAt < :now"), Item{":now": number(op.AbsentOrEnded.Unix())}
	case op.Version > 0:
		return aws.String("version = :seen"), Item{":seen": number(int64(op.Version))}
	default:
		return nil, nil
	}
}

func (k Key) item() Item {
	return Item{"PK": &types.AttributeValueMemberS{Value: k.PK}, "SK": &types.AttributeValueMemberS{Value: k.SK}}
}

// classify tells failed conditions from what passes by itself. A cancelled
// transaction may hold both; the SDK repeats neither, for to it a cancellation
// is final.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
//
// Retryable errors awsclient has retried already, a transaction under one token each
// time, so that it cannot be made twice. They are not repeated here:
// what came of the last attempt is not known, and under a new token a change
// could meet itself and be taken for somebody else's.
func classify(err error) error {
	if err == nil {
		return nil
	}
	if tc, ok := errors.AsType[*types.TransactionCanceledException](err); ok {
		return cancelled(tc, err)
	}
	if awsclient.Retryable(err) {
		return unavailable(err)
	}
	return err
}

func cancelled(tc *types.TransactionCanceledException, err error) error {
	var c Cancelled
	for i, reason := range tc.CancellationReasons {
		switch aws.ToString(reason.Code) {
		case "None", "":
		case "ConditionalCheckFailed":
			c.Failed = append(c.Failed, i)
		case "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded":
			c.Contended = true
		default:
			return fmt.Errorf("transaction refused (%s: %s): %w", aws.ToString(reason.Code), aws.ToString(reason.Message), err)
		}
	}
	switch {
	case len(c.Failed) > 0:
		return &c
	case c.Contended:
		return &Transient{err}
	}
	return err
}
