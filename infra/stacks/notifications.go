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

// mailer lets the consumer send mails, where the stage has an address to send from.
func mailer(stack awscdk.Stack, c Config) service.Function {
	if c.MailFrom == "" {
		return service.Function{}
	}
	_, domain, _ := strings.Cut(c.MailFrom, "@")
	identity := *stack.FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("ses"), Resource: jsii.String("identity"), ResourceName: jsii.String(domain),
	})
	return service.Function{
		Env: map[string]*string{
			"MAILER": jsii.String("ses"), "MAIL_FROM": jsii.String(c.MailFrom), "ADMIN_EMAIL": jsii.String(c.AdminEmail),
		},
		Allow: []awsiam.PolicyStatement{service.Allow("ses:SendEmail", identity)},
	}
}
