package stacks

import (
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

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
		CallsServices: true, // prices come from the catalog, and users knows who is a customer
		API: service.Function{
			// It decides which payment methods an order may name.
			Env:   map[string]*string{"PAYMENT_PROVIDER": jsii.String(c.Settings.Payments.Provider)},
			Table: []service.TableAction{service.QueryGSI1, service.PutItem},
		},
		Consumer: service.Function{Table: []service.TableAction{service.GetItem, service.QueryGSI1, service.PutItem}},
		Schedules: []service.Schedule{{
			Name:  "sweeper",
			Every: time.Minute,
			Due:   true,
			Function: service.Function{
				Env:   map[string]*string{"ORDER_TIMEOUT": jsii.String("15m")},
				Table: []service.TableAction{service.GetItem, service.PutItem},
			},
		}},
	}
}
