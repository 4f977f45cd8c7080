package cognito_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"tradewind/functions/users/internal/cognito"
	"tradewind/functions/users/internal/cognito/cognitotest"
	"tradewind/shared/awsclient"
)

func TestMemory(t *testing.T) {
	var pool cognitotest.Pool
	cognitotest.Run(t, &pool, pool.SignIn)
}

// TestUserPool runs the suite against a pool of its own at the endpoint that the
// stores are tested against. DynamoDB's own local edition has no user pools.
func TestUserPool(t *testing.T) {
	endpoint := os.Getenv("DYNAMODB_ENDPOINT")
	if endpoint == "" {
		t.Skip("DYNAMODB_ENDPOINT is not set: there is no endpoint to make a user pool at")
	}
	cfg := awsclient.Config(func(name string) string {
		return cmp.Or(os.Getenv(name), map[string]string{
			"AWS_ENDPOINT_URL": endpoint, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
		}[name])
	}, "COGNITO_IDENTITY_PROVIDER")
	client := sdk.NewFromConfig(cfg)
	ctx := context.Background()
	made, err := client.CreateUserPool(ctx, &sdk.CreateUserPoolInput{
		PoolName:        aws.String("cognitotest-" + rand.Text()),
		AliasAttributes: []types.AliasAttributeType{types.AliasAttributeTypeEmail},
		Policies:        &types.UserPoolPolicyType{PasswordPolicy: &types.PasswordPolicyType{MinimumLength: aws.Int32(8)}},
	})
	if err != nil {
		t.Skipf("the endpoint makes no user pools: %v", err)
	}
	pool := made.UserPool.Id
	t.Cleanup(func() { _, _ = client.DeleteUserPool(ctx, &sdk.DeleteUserPoolInput{UserPoolId: pool}) })
	app, err := client.CreateUserPoolClient(ctx, &sdk.CreateUserPoolClientInput{
		UserPoolId: pool, ClientName: aws.String("test"), ExplicitAuthFlows: []types.ExplicitAuthFlowsType{types.ExplicitAuthFlowsTypeAllowUserPasswordAuth},
	})
	if err != nil {
		t.Fatal(err)
	}
	cognitotest.Run(t, cognito.New(cfg, *pool), func(email, password string) (string, bool) {
		out, err := client.InitiateAuth(ctx, &sdk.InitiateAuthInput{
			AuthFlow: types.AuthFlowTypeUserPasswordAuth, ClientId: app.UserPoolClient.ClientId,
			AuthParameters: map[string]string{"USERNAME": email, "PASSWORD": password},
		})
		if _, refused := errors.AsType[*types.NotAuthorizedException](err); refused {
			return "", false
		}
		if _, absent := errors.AsType[*types.UserNotFoundException](err); absent {
			return "", false
		}
		if err != nil {
			t.Fatal(err)
		}
		who, err := client.GetUser(ctx, &sdk.GetUserInput{AccessToken: out.AuthenticationResult.AccessToken})
		if err != nil {
			t.Fatal(err)
		}
		return *who.Username, true
	})
}
