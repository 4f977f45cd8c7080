package stacks

import (
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"tradewind/events/inventory"
	"tradewind/events/orders"
	"tradewind/infra/service"
)

func paymentsService(awscdk.Stack, string) service.Props {
	return service.Props{
		Collection: "payments",
		Host:       "payment-service",
		Routes: []service.Route{
			service.SignedIn("GET", ""),
			service.SignedIn("GET", "/{id}"),
		},
		Consumes: []service.Event{
			{Source: inventory.Source, Type: inventory.TypeStockReserved},
			{Source: orders.Source, Type: orders.TypeCancelled},
		},
		// One message a call: a provider that does not answer costs its whole timeout,
		// and must cost it to one payment only.
		Consumer: service.Function{
			Batch:   1,
			Timeout: 30 * time.Second,
			Env: map[string]*string{
				"PAYMENT_PROVIDER": jsii.String("sandbox"),
				"PROVIDER_TIMEOUT": jsii.String("12s"),
			},
		},
	}
}
