package tabletest

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"tradewind/shared/awsclient"
	"tradewind/shared/table"
)

// EndpointVar names the environment variable with the address of a DynamoDB to
// test against: MiniStack, DynamoDB Local, or AWS itself.
const EndpointVar = "DYNAMODB_ENDPOINT"

// Open returns an empty table of the test's own: in DynamoDB when EndpointVar is
// set, until the test ends, else in memory.
func Open(t testing.TB) *table.Table {
	t.Helper()
	if os.Getenv(EndpointVar) == "" {
		return New()
	}
	return create(t)
}

// Both runs a suite against an empty table in memory and, where EndpointVar is
// set, against one in DynamoDB.
func Both(t *testing.T, suite func(*testing.T, *table.Table)) {
	t.Run("memory", func(t *testing.T) { suite(t, New()) })
	t.Run("dynamodb", func(t *testing.T) {
		if os.Getenv(EndpointVar) == "" {
			t.Skip(EndpointVar + " is not set: there is no DynamoDB to compare with")
		}
		suite(t, create(t))
	})
}

// create makes a table such as infra defines for every service.
func create(t testing.TB) *table.Table {
	t.Helper()
	client := dynamodb.NewFromConfig(awsclient.Config(getenv, "DYNAMODB"))
	name := aws.String("tabletest-" + rand.Text())
	var attributes []types.AttributeDefinition
	schema := func(index string) []types.KeySchemaElement {
		pk, sk := aws.String(index+"PK"), aws.String(index+"SK")
		attributes = append(attributes,
			types.AttributeDefinition{AttributeName: pk, AttributeType: types.ScalarAttributeTypeS},
			types.AttributeDefinition{AttributeName: sk, AttributeType: types.ScalarAttributeTypeS})
		return []types.KeySchemaElement{{AttributeName: pk, KeyType: types.KeyTypeHash}, {AttributeName: sk, KeyType: types.KeyTypeRange}}
	}
	index := func(name string, projection types.ProjectionType) types.GlobalSecondaryIndex {
		return types.GlobalSecondaryIndex{
			IndexName: &name, KeySchema: schema(name),
			Projection: &types.Projection{ProjectionType: projection},
		}
	}
	in := &dynamodb.CreateTableInput{
		TableName:   name,
		BillingMode: types.BillingModePayPerRequest,
		KeySchema:   schema(""),
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{
			index(table.GSI1, types.ProjectionTypeAll),
			index(table.GSI2, types.ProjectionTypeKeysOnly),
		},
	}
	in.AttributeDefinitions = attributes
	_, err := client.CreateTable(t.Context(), in)
	// The name is new: if it is taken, an answer was lost and the client has asked again.
	if _, made := errors.AsType[*types.ResourceInUseException](err); err != nil && !made {
		t.Fatalf("create a table at %s: %v", os.Getenv(EndpointVar), err)
	}
	t.Cleanup(func() {
		// The test's own context has ended by now.
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_, err := client.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: name})
		// A repeat by the SDK finds it gone.
		if _, gone := errors.AsType[*types.ResourceNotFoundException](err); err != nil && !gone {
			t.Errorf("delete the test's table %s: %v", *name, err)
		}
	})
	wait := dynamodb.NewTableExistsWaiter(client, func(o *dynamodb.TableExistsWaiterOptions) { o.MinDelay = 50 * time.Millisecond })
	if err := wait.Wait(t.Context(), &dynamodb.DescribeTableInput{TableName: name}, time.Minute); err != nil {
		t.Fatalf("wait for the test's table %s: %v", *name, err)
	}
	return table.DynamoDB(client, *name)
}

// getenv is the environment with what an endpoint on this machine does not look
// at, but the SDK insists on.
func getenv(name string) string {
	fallback := map[string]string{
		"AWS_ENDPOINT_URL_DYNAMODB": os.Getenv(EndpointVar),
		"AWS_REGION":                "us-east-1",
		"AWS_ACCESS_KEY_ID":         "test",
		"AWS_SECRET_ACCESS_KEY":     "test",
	}
	if name == "AWS_ENDPOINT_URL_DYNAMODB" {
		return fallback[name]
	}
	return cmp.Or(os.Getenv(name), fallback[name])
}
