package shop

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	cognito "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
)

// adminGroup is the group whose members have the role admin.
const adminGroup = "admin"

// Pool is the platform's user pool.
type Pool struct {
	client   *cognito.Client
	id       string
	clientID string
}

// Tokens are what a sign-in yields. The platform takes access tokens only.
type Tokens struct {
	Access string
	ID     string
}

// NewPool returns the pool with an id, seen as one of its app clients.
func NewPool(cfg aws.Config, id, clientID string) *Pool {
	return &Pool{client: cognito.NewFromConfig(cfg), id: id, clientID: clientID}
}

// SignIn returns tokens for a user, named by user id or e-mail address.
func (p *Pool) SignIn(ctx context.Context, user, password string) (Tokens, error) {
	out, err := p.client.InitiateAuth(ctx, &cognito.InitiateAuthInput{
		AuthFlow:       types.AuthFlowTypeUserPasswordAuth,
		ClientId:       aws.String(p.clientID),
		AuthParameters: map[string]string{"USERNAME": user, "PASSWORD": password},
	})
	if err != nil {
		return Tokens{}, fmt.Errorf("sign in %s: %w", user, err)
	}
	if out.AuthenticationResult == nil {
		return Tokens{}, fmt.Errorf("sign in %s: the pool asks for %s", user, out.ChallengeName)
	}
	return Tokens{
		Access: aws.ToString(out.AuthenticationResult.AccessToken),
		ID:     aws.ToString(out.AuthenticationResult.IdToken),
	}, nil
}

// Promote makes a user an admin. Tokens issued before do not say so.
func (p *Pool) Promote(ctx context.Context, userID string) error {
	_, err := p.client.CreateGroup(ctx, &cognito.CreateGroupInput{
		UserPoolId: aws.String(p.id), GroupName: aws.String(adminGroup),
	})
	if exists := (*types.GroupExistsException)(nil); err != nil && !errors.As(err, &exists) {
		return fmt.Errorf("make the group %s: %w", adminGroup, err)
	}
	_, err = p.client.AdminAddUserToGroup(ctx, &cognito.AdminAddUserToGroupInput{
		UserPoolId: aws.String(p.id), Username: aws.String(userID), GroupName: aws.String(adminGroup),
	})
	if err != nil {
		return fmt.Errorf("make %s an admin: %w", userID, err)
	}
	return nil
}
