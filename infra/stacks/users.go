package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"

	"tradewind/infra/param"
	"tradewind/infra/service"
)

// usersService is the only one that may touch the user pool.
func usersService(stack awscdk.Stack, c Config) service.Props {
	pool := param.Read(stack, c.Stage, param.UserPoolID)
	env := map[string]*string{}
	if c.Settings.SignIn.VerifyEmail {
		env["EMAIL_VERIFICATION"] = jsii.String("code")
	}
	return service.Props{
		Collection: "users",
		Host:       "user-service",
		Routes: []service.Route{
			service.Public("POST", ""),
			service.SignedIn("GET", ""),
			service.SignedIn("GET", "/{id}"),
			service.SignedIn("PATCH", "/{id}"),
			service.SignedIn("DELETE", "/{id}"),
		},
		API: service.Function{
			Env:    env,
			Table:  []service.TableAction{service.Query, service.QueryGSI1, service.PutItem, service.DeleteItem},
			Params: map[string]string{"USER_POOL_ID": param.UserPoolID},
			Allow: []awsiam.PolicyStatement{
				awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
					Actions: jsii.Strings(
						"cognito-idp:AdminCreateUser", "cognito-idp:AdminSetUserPassword", "cognito-idp:AdminGetUser",
						"cognito-idp:AdminUpdateUserAttributes", "cognito-idp:AdminDeleteUser",
					),
					Resources: &[]*string{stack.FormatArn(&awscdk.ArnComponents{
						Service: jsii.String("cognito-idp"), Resource: jsii.String("userpool"), ResourceName: pool,
					})},
				}),
			},
		},
	}
}
