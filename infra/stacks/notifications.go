package stacks

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"

	"tradewind/infra/service"
)

func notificationsService(stack awscdk.Stack, c Config) service.Props {
	return service.Props{
		Collection: "notifications",
		Host:       "notification-service",
		Routes: []service.Route{
			service.SignedIn("GET", ""),
			service.SignedIn("GET", "/{id}"),
		},
		Consumer: mailer(stack, c),
	}
}

// mailer lets the consumer send mails, where the stage does.
func mailer(stack awscdk.Stack, c Config) service.Function {
	mail := c.Settings.Mail
	if mail.Provider == "none" {
		return service.Function{}
	}
	_, domain, _ := strings.Cut(mail.From, "@")
	identity := *stack.FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("ses"), Resource: jsii.String("identity"), ResourceName: jsii.String(domain),
	})
	return service.Function{
		Env: map[string]*string{
			"MAILER": jsii.String(mail.Provider), "MAIL_FROM": jsii.String(mail.From), "ADMIN_EMAIL": jsii.String(mail.Admin),
		},
		Allow: []awsiam.PolicyStatement{service.Allow("ses:SendEmail", identity)},
	}
}
