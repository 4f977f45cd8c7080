package stacks

import (
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"

	"tradewind/infra/service"
)

func paymentsService(_ awscdk.Stack, c Config) service.Props {
	consumer := service.Function{
		// One message a call: a provider that does not answer costs its whole timeout,
		// and must cost it to one payment only.
		Batch:   1,
		Timeout: 30 * time.Second,
		Table:   []service.TableAction{service.GetItem, service.PutItem},
		Env: map[string]*string{
			"PAYMENT_PROVIDER": jsii.String(c.Settings.Payments.Provider),
			"PROVIDER_TIMEOUT": jsii.String("12s"),
		},
	}
	if secret := c.Settings.Payments.Secret; secret != "" {
		consumer.Env["STRIPE_SECRET_ARN"] = jsii.String(secret)
		consumer.Allow = []awsiam.PolicyStatement{service.Allow("secretsmanager:GetSecretValue", secret)}
	}
	return service.Props{
		Collection: "payments",
		Host:       "payment-service",
		Routes: []service.Route{
			service.SignedIn("GET", ""),
			service.SignedIn("GET", "/{id}"),
		},
		Consumer: consumer,
	}
}
