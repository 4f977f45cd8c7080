package stacks

import (
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"tradewind/events/inventory"
	"tradewind/events/payments"
	"tradewind/events/users"
	"tradewind/infra/service"
)

func ordersService(_ awscdk.Stack, c Config) service.Props {
	return service.Props{
		Collection: "orders",
		Host:       "order-service",
		Routes: []service.Route{
			service.SignedIn("POST", ""),
			service.SignedIn("GET", ""),
			service.SignedIn("GET", "/{id}"),
			service.SignedIn("POST", "/{id}/cancellation"),
			service.SignedIn("GET", "/{id}/history"),
		},
		Consumes: []service.Event{
			{Source: inventory.Source, Type: inventory.TypeStockRejected},
			{Source: payments.Source, Type: payments.TypeCaptured},
			{Source: payments.Source, Type: payments.TypeDeclined},
			{Source: payments.Source, Type: payments.TypeRefunded},
			{Source: users.Source, Type: users.TypeDeleted},
		},
		CallsServices: true, // prices come from the catalog
		API:           service.Function{Env: map[string]*string{"PAYMENT_PROVIDER": jsii.String(provider(c))}},
		Schedules: []service.Schedule{{
			Name:  "sweeper",
			Every: time.Minute,
			Due:   true,
			Function: service.Function{Env: map[string]*string{
				"ORDER_TIMEOUT": jsii.String("15m"),
			}},
		}},
	}
}
