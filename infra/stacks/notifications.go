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
		API:      service.Function{Table: []service.TableAction{service.QueryGSI1}},
		Consumer: mailer(stack, c),
	}
}

// mailer is the consumer, which sends mails where the stage does.
func mailer(stack awscdk.Stack, c Config) service.Function {
	f := service.Function{Table: []service.TableAction{service.GetItem, service.PutItem, service.DeleteItem}}
	mail := c.Settings.Mail
	if mail.Provider == "none" {
		return f
	}
	_, domain, _ := strings.Cut(mail.From, "@")
	identity := *stack.FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("ses"), Resource: jsii.String("identity"), ResourceName: jsii.String(domain),
	})
	f.Env = map[string]*string{
		"MAILER": jsii.String(mail.Provider), "MAIL_FROM": jsii.String(mail.From), "ADMIN_EMAIL": jsii.String(mail.Admin),
	}
	f.Allow = []awsiam.PolicyStatement{service.Allow("ses:SendEmail", identity)}
	return f
}
