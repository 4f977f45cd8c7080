package service

import (
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"
)

const (
	index    = "GSI1" // what the service lists
	dueIndex = "GSI2" // what its schedules work through: sparse, keys only
)

// table is the service's only store: state, outbox, inbox and idempotency records
// share it because they are written in one transaction. Capacity is on demand. The
// data outlives the stack: losing it must take more than removing a stack.
func (b *builder) table() awsdynamodb.TableV2 {
	key := func(name string) *awsdynamodb.Attribute {
		return &awsdynamodb.Attribute{Name: jsii.String(name), Type: awsdynamodb.AttributeType_STRING}
	}
	indexes := []*awsdynamodb.GlobalSecondaryIndexPropsV2{{
		IndexName:      jsii.String(index),
		PartitionKey:   key(index + "PK"),
		SortKey:        key(index + "SK"),
		ProjectionType: awsdynamodb.ProjectionType_ALL,
	}}
	if b.hasDue() {
		indexes = append(indexes, &awsdynamodb.GlobalSecondaryIndexPropsV2{
			IndexName:      jsii.String(dueIndex),
			PartitionKey:   key(dueIndex + "PK"),
			SortKey:        key(dueIndex + "SK"),
			ProjectionType: awsdynamodb.ProjectionType_KEYS_ONLY,
		})
	}
	return awsdynamodb.NewTableV2(b.scope, jsii.String("Table"), &awsdynamodb.TablePropsV2{
		PartitionKey:           key("PK"),
		SortKey:                key("SK"),
		GlobalSecondaryIndexes: &indexes,
		TimeToLiveAttribute:    jsii.String("expiresAt"),
		DynamoStream:           awsdynamodb.StreamViewType_NEW_IMAGE,
		PointInTimeRecoverySpecification: &awsdynamodb.PointInTimeRecoverySpecification{
			PointInTimeRecoveryEnabled: jsii.Bool(true),
		},
		DeletionProtection: jsii.Bool(true),
		RemovalPolicy:      awscdk.RemovalPolicy_RETAIN,
	})
}

// hasDue reports whether the table keeps an index of what is due.
func (b *builder) hasDue() bool {
	return slices.ContainsFunc(b.Schedules, func(s Schedule) bool { return s.Due })
}

// useTable is what a function that owns its data needs: point reads, queries, and
// the actions that make up a transaction. There is no Scan, and a transaction needs
// no permission of its own.
func useTable(t awsdynamodb.TableV2) []awsiam.PolicyStatement {
	return []awsiam.PolicyStatement{allow([]string{
		"dynamodb:GetItem", "dynamodb:Query",
		"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:ConditionCheckItem",
	}, t.TableArn())}
}

// queryIndex lets a function read one of the table's indexes.
func queryIndex(t awsdynamodb.TableV2, name string) awsiam.PolicyStatement {
	return allow([]string{"dynamodb:Query"}, awscdk.Fn_Join(jsii.String(""), &[]*string{t.TableArn(), jsii.String("/index/" + name)}))
}
