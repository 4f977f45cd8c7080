package stacks

import (
	"fmt"
	"strconv"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsbudgets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"

	"tradewind/infra/param"
	"tradewind/infra/stages"
)

type platform struct {
	stack   awscdk.Stack
	archive awsevents.Archive
	api     awsapigatewayv2.CfnApi
	pool    awscognito.UserPool
}

// newPlatform is what all services share and none owns.
func newPlatform(stack awscdk.Stack, c Config) platform {
	p, stage := platform{stack: stack}, c.Stage
	p.events(stage)
	p.gateway(c)
	p.signIn(c)
	p.poolKeys(c)

	p.cursorKey(stage, c.Settings.CursorKey)

	p.alarms(c)
	p.budget(c.Settings.Budget)
	return p
}

// alarms names the topic that receives every alarm of the stage: its own, or one that
// exists already.
func (p *platform) alarms(c Config) {
	topic := jsii.String(c.Settings.Alarms.Topic)
	if *topic == "" {
		// A topic with a policy loses the default one, so the alarms must be let in by name.
		own := awssns.NewTopic(p.stack, jsii.String("Alarms"), &awssns.TopicProps{EnforceSSL: jsii.Bool(true)})
		own.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("cloudwatch.amazonaws.com"), nil)},
			Actions:    jsii.Strings("sns:Publish"),
			Resources:  &[]*string{own.TopicArn()},
			Conditions: &map[string]interface{}{"StringEquals": map[string]*string{"aws:SourceAccount": p.stack.Account()}},
		}))
		for i, address := range c.Settings.Alarms.Emails {
			awssns.NewCfnSubscription(p.stack, jsii.String(fmt.Sprint("AlarmsTo", i+1)), &awssns.CfnSubscriptionProps{
				TopicArn: own.TopicArn(), Protocol: jsii.String("email"), Endpoint: jsii.String(address),
			})
		}
		topic = own.TopicArn()
	}
	param.Write(p.stack, c.Stage, param.AlarmTopicArn, topic)
	output(p.stack, "AlarmTopicArn", topic)
}

// budget tells when a month's costs come to four fifths of the amount, and when they are
// going to exceed it. They are those of the whole account: costs of one stage are told
// apart only where its tags have been activated for billing, and would be none otherwise.
func (p *platform) budget(b stages.Budget) {
	if b.Monthly == 0 {
		return
	}
	var receivers []*awsbudgets.CfnBudget_SubscriberProperty
	for _, address := range b.Emails {
		receivers = append(receivers, &awsbudgets.CfnBudget_SubscriberProperty{SubscriptionType: jsii.String("EMAIL"), Address: jsii.String(address)})
	}
	notify := func(kind string, percent int) *awsbudgets.CfnBudget_NotificationWithSubscribersProperty {
		return &awsbudgets.CfnBudget_NotificationWithSubscribersProperty{
			Notification: &awsbudgets.CfnBudget_NotificationProperty{
				NotificationType: jsii.String(kind), ComparisonOperator: jsii.String("GREATER_THAN"), Threshold: jsii.Number(percent), ThresholdType: jsii.String("PERCENTAGE"),
			},
			Subscribers: receivers,
		}
	}
	awsbudgets.NewCfnBudget(p.stack, jsii.String("Budget"), &awsbudgets.CfnBudgetProps{
		Budget: &awsbudgets.CfnBudget_BudgetDataProperty{
			BudgetType:  jsii.String("COST"),
			TimeUnit:    jsii.String("MONTHLY"),
			BudgetLimit: &awsbudgets.CfnBudget_SpendProperty{Amount: jsii.Number(b.Monthly), Unit: jsii.String("USD")},
		},
		NotificationsWithSubscribers: []*awsbudgets.CfnBudget_NotificationWithSubscribersProperty{notify("ACTUAL", 80), notify("FORECASTED", 100)},
	})
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

// gateway is the public HTTP API, still without routes: the services bring theirs, and
// stack edge opens it. Any origin may call it: there are no cookies, and a token is
// nothing a foreign page could make a browser send.
func (p *platform) gateway(c Config) {
	p.api = awsapigatewayv2.NewCfnApi(p.stack, jsii.String("Api"), &awsapigatewayv2.CfnApiProps{
		Name:         jsii.String("tradewind-" + c.Stage),
		ProtocolType: jsii.String("HTTP"),
		CorsConfiguration: &awsapigatewayv2.CfnApi_CorsProperty{
			AllowOrigins:  jsii.Strings("*"),
			AllowMethods:  jsii.Strings("GET", "POST", "PUT", "PATCH", "DELETE"),
			AllowHeaders:  jsii.Strings("authorization", "content-type", "idempotency-key", "if-match", "traceparent", "x-correlation-id"),
			ExposeHeaders: jsii.Strings("etag", "location", "retry-after", "idempotency-replayed", "x-correlation-id"),
			MaxAge:        jsii.Number(3600),
		},
		DisableExecuteApiEndpoint: jsii.Bool(c.Settings.Domain.Name != ""),
	})
	param.Write(p.stack, c.Stage, param.APIID, p.api.Ref())
	output(p.stack, "ApiId", p.api.Ref())
}
