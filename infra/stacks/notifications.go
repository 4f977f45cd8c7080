package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"

	"tradewind/events/inventory"
	"tradewind/events/orders"
	"tradewind/events/payments"
	"tradewind/events/users"
	"tradewind/infra/service"
)

func notificationsService(awscdk.Stack, string) service.Props {
	return service.Props{
		Collection: "notifications",
		Host:       "notification-service",
		Routes: []service.Route{
			service.SignedIn("GET", ""),
			service.SignedIn("GET", "/{id}"),
		},
		Consumes: []service.Event{
			{Source: users.Source, Type: users.TypeRegistered},
			{Source: users.Source, Type: users.TypeUpdated},
			{Source: users.Source, Type: users.TypeDeleted},
			{Source: orders.Source, Type: orders.TypeCreated},
			{Source: orders.Source, Type: orders.TypeConfirmed},
			{Source: orders.Source, Type: orders.TypeCancelled},
			{Source: payments.Source, Type: payments.TypeRefunded},
			{Source: inventory.Source, Type: inventory.TypeStockDepleted},
		},
	}
}
