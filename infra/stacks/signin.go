package stacks

import (
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"

	"tradewind/infra/param"
	"tradewind/infra/service"
)

// signIn is the user pool. The users service alone makes the sign-ins, with the user's id
// as the name and the e-mail address as an alias, and alone changes an address. Passwords
// are judged by length: rules on their characters only make them guessable.
func (p *platform) signIn(c Config) {
	stage, settings := c.Stage, c.Settings.SignIn
	props := &awscognito.UserPoolProps{
		UserPoolName:        jsii.String("tradewind-" + stage),
		SignInAliases:       &awscognito.SignInAliases{Username: jsii.Bool(true), Email: jsii.Bool(true)},
		SignInCaseSensitive: jsii.Bool(false),
		SelfSignUpEnabled:   jsii.Bool(false),
		StandardAttributes: &awscognito.StandardAttributes{
			// Not required, because every client must be able to write what is. The users
			// service gives each user an address all the same.
			Email: &awscognito.StandardAttribute{Required: jsii.Bool(false), Mutable: jsii.Bool(true)},
		},
		AccountRecovery: awscognito.AccountRecovery_EMAIL_ONLY,
		PasswordPolicy: &awscognito.PasswordPolicy{
			MinLength:        jsii.Number(settings.PasswordLength),
			RequireDigits:    jsii.Bool(false),
			RequireLowercase: jsii.Bool(false),
			RequireUppercase: jsii.Bool(false),
			RequireSymbols:   jsii.Bool(false),
		},
		// Without a plan a pool gets Essentials, at almost three times the price of Lite.
		FeaturePlan:        awscognito.FeaturePlan_LITE,
		DeletionProtection: jsii.Bool(c.Settings.Protection.Data),
		RemovalPolicy:      service.DataPolicy(c.Settings.Protection.Data),
	}
	if settings.AdminTOTP {
		props.Mfa = awscognito.Mfa_OPTIONAL
		props.MfaSecondFactor = &awscognito.MfaSecondFactor{Otp: jsii.Bool(true), Sms: jsii.Bool(false)}
		props.FeaturePlan = awscognito.FeaturePlan_ESSENTIALS // has the trigger's second version
	}
	p.pool = awscognito.NewUserPool(p.stack, jsii.String("Users"), props)
	if settings.AdminTOTP {
		p.adminsNeedTOTP(c)
	}
	if mail := c.Settings.Mail; mail.Provider == "ses" {
		_, domain, _ := strings.Cut(mail.From, "@")
		p.pool.Node().DefaultChild().(awscognito.CfnUserPool).SetEmailConfiguration(&awscognito.CfnUserPool_EmailConfigurationProperty{
			EmailSendingAccount: jsii.String("DEVELOPER"),
			From:                jsii.String(mail.From),
			SourceArn: p.stack.FormatArn(&awscdk.ArnComponents{
				Service: jsii.String("ses"), Resource: jsii.String("identity"), ResourceName: jsii.String(domain),
			}),
		})
	}
	awscognito.NewCfnUserPoolGroup(p.stack, jsii.String("Admins"), &awscognito.CfnUserPoolGroupProps{
		UserPoolId: p.pool.UserPoolId(), GroupName: jsii.String("admin"),
	})
	srp := settings.Flow == "srp"
	client := p.pool.AddClient(jsii.String("Client"), &awscognito.UserPoolClientOptions{
		AuthFlows:                  &awscognito.AuthFlow{UserPassword: jsii.Bool(!srp), UserSrp: jsii.Bool(srp)},
		DisableOAuth:               jsii.Bool(true),
		PreventUserExistenceErrors: jsii.Bool(true),
		AccessTokenValidity:        awscdk.Duration_Minutes(jsii.Number(settings.AccessMinutes)),
		RefreshTokenValidity:       awscdk.Duration_Days(jsii.Number(settings.RefreshDays)),
		// A client that names none may write all: with its access token a customer would
		// change the address that the users service holds for theirs.
		WriteAttributes: awscognito.NewClientAttributes().WithStandardAttributes(&awscognito.StandardAttributesMask{Locale: jsii.Bool(true)}),
	})
	// Joined, not asked of the pool: the local endpoint has no attribute for it, and
	// the form is fixed.
	issuer := awscdk.Fn_Join(jsii.String(""), &[]*string{
		jsii.String("https://cognito-idp."), p.stack.Region(), jsii.String(".amazonaws.com/"), p.pool.UserPoolId(),
	})
	// One for the routes of all services: an HTTP API has ten authorizers at most.
	authorizer := awsapigatewayv2.NewCfnAuthorizer(p.stack, jsii.String("Authorizer"), &awsapigatewayv2.CfnAuthorizerProps{
		ApiId:          p.api.Ref(),
		AuthorizerType: jsii.String("JWT"),
		Name:           jsii.String("users"),
		IdentitySource: jsii.Strings("$request.header.Authorization"),
		JwtConfiguration: &awsapigatewayv2.CfnAuthorizer_JWTConfigurationProperty{
			Issuer:   issuer,
			Audience: &[]*string{client.UserPoolClientId()},
		},
	})
	param.Write(p.stack, stage, param.UserPoolID, p.pool.UserPoolId())
	param.Write(p.stack, stage, param.UserPoolClientID, client.UserPoolClientId())
	param.Write(p.stack, stage, param.Issuer, issuer)
	param.Write(p.stack, stage, param.AuthorizerID, authorizer.Ref())
	output(p.stack, "UserPoolId", p.pool.UserPoolId())
	output(p.stack, "UserPoolClientId", client.UserPoolClientId())
}

// triggerPatience is how long the pool waits for a trigger.
const triggerPatience = 5 * time.Second

// adminsNeedTOTP has the pool ask a function before it issues a token, which leaves the
// group out of those for an admin without a TOTP.
func (p *platform) adminsNeedTOTP(c Config) {
	function, role := p.function(c, "PreToken", triggerPatience)
	p.pool.AddTrigger(awscognito.UserPoolOperation_PRE_TOKEN_GENERATION_CONFIG(), function, awscognito.LambdaVersion_V2_0)
	// A policy of its own: the function waits for the role's, and would wait for the pool,
	// which waits for the function.
	lookUp := awsiam.NewPolicy(p.stack, jsii.String("PreTokenLookUp"), nil)
	lookUp.AddStatements(service.Allow("cognito-idp:AdminGetUser", *p.pool.UserPoolArn()))
	lookUp.AttachToRole(role)
}

// function is one of the platform's own, whose code is the users service's: that alone
// deals with the pool. It may do nothing but log.
func (p *platform) function(c Config, id string, timeout time.Duration) (awslambda.Function, awsiam.Role) {
	binary := strings.ToLower(id)
	name := "tradewind-" + c.Stage + "-platform-" + binary
	logs := service.Logs(p.stack, id+"Logs", "/aws/lambda/"+name, c.Settings.Logs.Days)
	role := awsiam.NewRole(p.stack, jsii.String(id+"Role"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
	})
	for _, action := range []string{"logs:CreateLogStream", "logs:PutLogEvents"} {
		role.AddToPolicy(service.Allow(action, *logs.LogGroupArn()))
	}
	function := awslambda.NewFunction(p.stack, jsii.String(id+"Function"), &awslambda.FunctionProps{
		FunctionName: jsii.String(name),
		Code:         awslambda.Code_FromAsset(jsii.String(filepath.Join(c.Dist, c.Arch, "users", binary)), nil),
		Handler:      jsii.String("bootstrap"),
		Runtime:      awslambda.Runtime_PROVIDED_AL2023(),
		Architecture: service.Architecture(c.Arch),
		MemorySize:   jsii.Number(128),
		Timeout:      awscdk.Duration_Seconds(jsii.Number(timeout.Seconds())),
		LogGroup:     logs,
		Role:         role,
		Environment:  &map[string]*string{"STAGE": jsii.String(c.Stage), "SERVICE_NAME": jsii.String("platform")},
	})
	service.AfterPolicy(function, role)
	return function, role
}
