package stacks

import (
	"cmp"
	"strconv"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"

	"tradewind/infra/param"
)

type platform struct {
	stack   awscdk.Stack
	archive awsevents.Archive
	api     awsapigatewayv2.CfnApi
	pool    awscognito.UserPool
}

// accessLog is one line a request. It names the caller by the token's subject and
// never holds the token; $context values that may be absent are logged as "-".
const accessLog = `{"requestId":"$context.requestId","time":"$context.requestTime","ip":"$context.identity.sourceIp",` +
	`"routeKey":"$context.routeKey","path":"$context.path","status":"$context.status","bytes":"$context.responseLength",` +
	`"latencyMs":"$context.responseLatency","integrationMs":"$context.integrationLatency",` +
	`"integrationError":"$context.integrationErrorMessage","authorizerError":"$context.authorizer.error","sub":"$context.authorizer.claims.sub"}`

// newPlatform is what all services share and none owns.
func newPlatform(stack awscdk.Stack, c Config) platform {
	p, stage := platform{stack: stack}, c.Stage
	p.events(stage)
	p.gateway(stage)
	p.signIn(stage)
	p.poolKeys(c)

	p.cursorKey(stage, cmp.Or(c.CursorKey, 1))

	// Every alarm of the stage; whoever is on call subscribes. A topic with a policy
	// loses the default one, so the alarms must be let in by name.
	alarms := awssns.NewTopic(stack, jsii.String("Alarms"), &awssns.TopicProps{EnforceSSL: jsii.Bool(true)})
	alarms.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("cloudwatch.amazonaws.com"), nil)},
		Actions:    jsii.Strings("sns:Publish"),
		Resources:  &[]*string{alarms.TopicArn()},
		Conditions: &map[string]interface{}{"StringEquals": map[string]*string{"aws:SourceAccount": stack.Account()}},
	}))
	param.Write(stack, stage, param.AlarmTopicArn, alarms.TopicArn())
	return p
}

// cursorKey is the secret that signs the cursors of lists, so that a forged one is
// noticed. A rotation is another secret, under the next number: the parameter then names
// another ARN, and every service gets the new key with its next deployment. A new value
// of the same secret would reach no function that is not changed otherwise. The secret
// before stays, for a stack whose deployment is rolled back. Cursors signed with it
// answer 400.
func (p *platform) cursorKey(stage string, number int) {
	for n := max(1, number-1); n <= number; n++ {
		id := "CursorKey"
		if n > 1 {
			id += strconv.Itoa(n)
		}
		secret := awssecretsmanager.NewSecret(p.stack, jsii.String(id), &awssecretsmanager.SecretProps{
			Description: jsii.String("Signs the list cursors of " + stage),
			GenerateSecretString: &awssecretsmanager.SecretStringGenerator{
				ExcludePunctuation: jsii.Bool(true), PasswordLength: jsii.Number(64),
			},
		})
		if n == number {
			// The attribute is the ARN everywhere, a reference to the secret is on AWS only.
			arn := secret.Node().DefaultChild().(awssecretsmanager.CfnSecret).AttrId()
			param.Write(p.stack, stage, param.CursorKeyArn, arn)
		}
	}
}

// events is the bus, and an archive of all that passed so that it can be replayed.
// The archive keeps less than a consumer's inbox remembers (package inbox), or a replay
// would take effect twice.
func (p *platform) events(stage string) {
	bus := awsevents.NewEventBus(p.stack, jsii.String("Bus"), &awsevents.EventBusProps{
		EventBusName: jsii.String("tradewind-" + stage),
	})
	p.archive = awsevents.NewArchive(p.stack, jsii.String("Archive"), &awsevents.ArchiveProps{
		ArchiveName:    jsii.String("tradewind-" + stage),
		SourceEventBus: bus,
		EventPattern:   &awsevents.EventPattern{Account: &[]*string{p.stack.Account()}},
		Retention:      awscdk.Duration_Days(jsii.Number(14)),
	})
	// Without an identifier AWS's own key encrypts the archive. The construct writes an
	// empty one instead, which EventBridge refuses in some regions.
	p.archive.Node().FindChild(jsii.String("Archive")).(awsevents.CfnArchive).SetKmsKeyIdentifier(nil)
	param.Write(p.stack, stage, param.BusName, bus.EventBusName())
	param.Write(p.stack, stage, param.BusArn, bus.EventBusArn())
	output(p.stack, "BusName", bus.EventBusName())
}

// gateway is the public HTTP API, still without routes: the services bring theirs.
// Any origin may call it: there are no cookies, and a token is nothing a foreign page
// could make a browser send.
func (p *platform) gateway(stage string) {
	p.api = awsapigatewayv2.NewCfnApi(p.stack, jsii.String("Api"), &awsapigatewayv2.CfnApiProps{
		Name:         jsii.String("tradewind-" + stage),
		ProtocolType: jsii.String("HTTP"),
		CorsConfiguration: &awsapigatewayv2.CfnApi_CorsProperty{
			AllowOrigins:  jsii.Strings("*"),
			AllowMethods:  jsii.Strings("GET", "POST", "PUT", "PATCH", "DELETE"),
			AllowHeaders:  jsii.Strings("authorization", "content-type", "idempotency-key", "if-match", "traceparent", "x-correlation-id"),
			ExposeHeaders: jsii.Strings("etag", "location", "retry-after", "idempotency-replayed", "x-correlation-id"),
			MaxAge:        jsii.Number(3600),
		},
	})
	logs := awslogs.NewLogGroup(p.stack, jsii.String("AccessLogs"), &awslogs.LogGroupProps{
		// With this prefix the gateway's permission to write does not grow the account's one policy.
		LogGroupName:  jsii.String("/aws/vendedlogs/tradewind-" + stage + "-gateway"),
		Retention:     awslogs.RetentionDays_ONE_MONTH,
		RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
	})
	awsapigatewayv2.NewCfnStage(p.stack, jsii.String("Stage"), &awsapigatewayv2.CfnStageProps{
		ApiId:      p.api.Ref(),
		StageName:  jsii.String("$default"),
		AutoDeploy: jsii.Bool(true),
		AccessLogSettings: &awsapigatewayv2.CfnStage_AccessLogSettingsProperty{
			DestinationArn: logs.LogGroupArn(), Format: jsii.String(accessLog),
		},
		DefaultRouteSettings: &awsapigatewayv2.CfnStage_RouteSettingsProperty{
			ThrottlingRateLimit:    jsii.Number(1000),
			ThrottlingBurstLimit:   jsii.Number(2000),
			DetailedMetricsEnabled: jsii.Bool(true),
		},
	})
	param.Write(p.stack, stage, param.APIID, p.api.Ref())
	output(p.stack, "ApiId", p.api.Ref())
}

// signIn is the user pool. The users service makes the sign-ins, with the user's id
// as the name and the e-mail address as an alias; nobody signs up past it. Passwords
// are judged by length alone, rules on their characters only make them guessable.
func (p *platform) signIn(stage string) {
	p.pool = awscognito.NewUserPool(p.stack, jsii.String("Users"), &awscognito.UserPoolProps{
		UserPoolName:        jsii.String("tradewind-" + stage),
		SignInAliases:       &awscognito.SignInAliases{Username: jsii.Bool(true), Email: jsii.Bool(true)},
		SignInCaseSensitive: jsii.Bool(false),
		SelfSignUpEnabled:   jsii.Bool(false),
		StandardAttributes: &awscognito.StandardAttributes{
			Email: &awscognito.StandardAttribute{Required: jsii.Bool(true), Mutable: jsii.Bool(true)},
		},
		AccountRecovery: awscognito.AccountRecovery_EMAIL_ONLY,
		PasswordPolicy: &awscognito.PasswordPolicy{
			MinLength:        jsii.Number(8),
			RequireDigits:    jsii.Bool(false),
			RequireLowercase: jsii.Bool(false),
			RequireUppercase: jsii.Bool(false),
			RequireSymbols:   jsii.Bool(false),
		},
		DeletionProtection: jsii.Bool(true),
		RemovalPolicy:      awscdk.RemovalPolicy_RETAIN,
	})
	awscognito.NewCfnUserPoolGroup(p.stack, jsii.String("Admins"), &awscognito.CfnUserPoolGroupProps{
		UserPoolId: p.pool.UserPoolId(), GroupName: jsii.String("admin"),
	})
	client := p.pool.AddClient(jsii.String("Client"), &awscognito.UserPoolClientOptions{
		AuthFlows:                  &awscognito.AuthFlow{UserPassword: jsii.Bool(true), AdminUserPassword: jsii.Bool(true)},
		DisableOAuth:               jsii.Bool(true),
		PreventUserExistenceErrors: jsii.Bool(true),
		AccessTokenValidity:        awscdk.Duration_Hours(jsii.Number(1)),
		RefreshTokenValidity:       awscdk.Duration_Days(jsii.Number(30)),
	})
	param.Write(p.stack, stage, param.UserPoolID, p.pool.UserPoolId())
	param.Write(p.stack, stage, param.UserPoolClientID, client.UserPoolClientId())
	// Joined, not asked of the pool: the local endpoint has no attribute for it, and
	// the form is fixed.
	param.Write(p.stack, stage, param.Issuer, awscdk.Fn_Join(jsii.String(""), &[]*string{
		jsii.String("https://cognito-idp."), p.stack.Region(), jsii.String(".amazonaws.com/"), p.pool.UserPoolId(),
	}))
	output(p.stack, "UserPoolId", p.pool.UserPoolId())
	output(p.stack, "UserPoolClientId", client.UserPoolClientId())
}
