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
	"tradewind/shared/env"
)

func TestMemory(t *testing.T) {
	var pool cognitotest.Pool
	cognitotest.Run(t, &pool, pool.SignIn)
}

// TestUserPool runs the suite against a pool of its own.
func TestUserPool(t *testing.T) {
	p := newPool(t)
	cognitotest.Run(t, cognito.FromEnv(env.From(p.getenv)), p.signIn)
}

// A user whose address is not verified signs in by id, and is not found by the address.
func TestUnverifiedUser(t *testing.T) {
	p := newPool(t)
	p.verification = "code"
	signIns, ctx := cognito.FromEnv(env.From(p.getenv)), context.Background()
	if err := signIns.Create(ctx, "usr_1", "ada@example.com", "Correct-Horse-1"); err != nil {
		t.Fatal(err)
	}
	if id, ok := p.signIn("usr_1", "Correct-Horse-1"); !ok || id != "usr_1" {
		t.Errorf("by id: %q, %v", id, ok)
	}
	if id, ok := p.signIn("ada@example.com", "Correct-Horse-1"); ok {
		t.Errorf("by address: %q", id)
	}
	if holder, err := signIns.Holder(ctx, "ada@example.com"); holder != "" || err != nil {
		t.Errorf("the address is held by %q, %v", holder, err)
	}
}

// userPool is a pool at the endpoint that the stores are tested against. DynamoDB's own
// local edition has no user pools.
type userPool struct {
	id, verification string
	getenv           func(string) string
	signIn           func(name, password string) (string, bool)
}

func newPool(t *testing.T) *userPool {
	t.Helper()
	endpoint := os.Getenv("DYNAMODB_ENDPOINT")
	if endpoint == "" {
		t.Skip("DYNAMODB_ENDPOINT is not set: there is no endpoint to make a user pool at")
	}
	p := &userPool{}
	p.getenv = func(name string) string {
		return cmp.Or(os.Getenv(name), map[string]string{
			"AWS_ENDPOINT_URL": endpoint, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
			"USER_POOL_ID": p.id, "EMAIL_VERIFICATION": p.verification,
		}[name])
	}
	client := sdk.NewFromConfig(awsclient.Config(p.getenv, "COGNITO_IDENTITY_PROVIDER"))
	ctx := context.Background()
	made, err := client.CreateUserPool(ctx, &sdk.CreateUserPoolInput{
		PoolName:        aws.String("cognitotest-" + rand.Text()),
		AliasAttributes: []types.AliasAttributeType{types.AliasAttributeTypeEmail},
		Policies:        &types.UserPoolPolicyType{PasswordPolicy: &types.PasswordPolicyType{MinimumLength: aws.Int32(8)}},
	})
	if err != nil {
		t.Skipf("the endpoint makes no user pools: %v", err)
	}
	p.id = *made.UserPool.Id
	t.Cleanup(func() { _, _ = client.DeleteUserPool(ctx, &sdk.DeleteUserPoolInput{UserPoolId: &p.id}) })
	app, err := client.CreateUserPoolClient(ctx, &sdk.CreateUserPoolClientInput{
		UserPoolId: &p.id, ClientName: aws.String("test"), ExplicitAuthFlows: []types.ExplicitAuthFlowsType{types.ExplicitAuthFlowsTypeAllowUserPasswordAuth},
	})
	if err != nil {
		t.Fatal(err)
	}
	p.signIn = func(name, password string) (string, bool) {
		out, err := client.InitiateAuth(ctx, &sdk.InitiateAuthInput{
			AuthFlow: types.AuthFlowTypeUserPasswordAuth, ClientId: app.UserPoolClient.ClientId,
			AuthParameters: map[string]string{"USERNAME": name, "PASSWORD": password},
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
	}
	return p
}
