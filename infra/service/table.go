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

// TableAction is what a function does with its service's table, by the name that IAM has
// for it. A transaction takes the permissions of its parts and none of its own. There is no
// Scan.
type TableAction int

// The actions.
const (
	GetItem TableAction = iota
	PutItem
	DeleteItem
	Query     // of the table itself
	QueryGSI1 // of the index by which the service lists

	conditionCheckItem
	queryGSI2
)

// tableActions are IAM's names, and the part of the table that each is on.
var tableActions = [...]struct{ name, part string }{
	GetItem:            {"GetItem", ""},
	PutItem:            {"PutItem", ""},
	DeleteItem:         {"DeleteItem", ""},
	Query:              {"Query", ""},
	QueryGSI1:          {"Query", "/index/" + index},
	conditionCheckItem: {"ConditionCheckItem", ""},
	queryGSI2:          {"Query", "/index/" + dueIndex},
}

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
	if b.hasDue() {
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

// hasDue reports whether the table keeps an index of what is due.
func (b *builder) hasDue() bool {
	return slices.ContainsFunc(b.Schedules, func(s Schedule) bool { return s.Due })
}

// useTable lets a function do what it says that it does.
func useTable(t awsdynamodb.TableV2, actions []TableAction) []awsiam.PolicyStatement {
	statements := make([]awsiam.PolicyStatement, 0, len(actions))
	for _, a := range actions {
		on := t.TableArn()
		if part := tableActions[a].part; part != "" {
			on = awscdk.Fn_Join(jsii.String(""), &[]*string{on, jsii.String(part)})
		}
		statements = append(statements, allow([]string{"dynamodb:" + tableActions[a].name}, on))
	}
	return statements
}
