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

// tableName is fixed: a stack that is deployed again finds the table that its
// predecessor left, by this name, and takes it over or fails. Under a name of
// CloudFormation's it would begin with an empty one (decision 15).
func (b *builder) tableName() *string { return jsii.String("tradewind-" + b.Stage + "-" + b.Name) }

// table is the service's only store: state, outbox, inbox and idempotency records
// share it because they are written in one transaction. Capacity is on demand.
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
	if slices.ContainsFunc(b.Schedules, func(s Schedule) bool { return s.Due }) {
		indexes = append(indexes, &awsdynamodb.GlobalSecondaryIndexPropsV2{
			IndexName:      jsii.String(dueIndex),
			PartitionKey:   key(dueIndex + "PK"),
			SortKey:        key(dueIndex + "SK"),
			ProjectionType: awsdynamodb.ProjectionType_KEYS_ONLY,
		})
	}
	return awsdynamodb.NewTableV2(b.scope, jsii.String("Table"), &awsdynamodb.TablePropsV2{
		TableName:              b.tableName(),
		PartitionKey:           key("PK"),
		SortKey:                key("SK"),
		GlobalSecondaryIndexes: &indexes,
		TimeToLiveAttribute:    jsii.String("expiresAt"),
		DynamoStream:           awsdynamodb.StreamViewType_NEW_IMAGE,
		PointInTimeRecoverySpecification: &awsdynamodb.PointInTimeRecoverySpecification{
			PointInTimeRecoveryEnabled: jsii.Bool(true),
		},
		DeletionProtection: jsii.Bool(b.ProtectData),
		RemovalPolicy:      DataPolicy(b.ProtectData),
	})
}

// DataPolicy is what becomes of data when its stack goes. Protected data stays: losing it
// must take more than removing a stack.
func DataPolicy(protect bool) awscdk.RemovalPolicy {
	if protect {
		return awscdk.RemovalPolicy_RETAIN
	}
	return awscdk.RemovalPolicy_DESTROY
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
