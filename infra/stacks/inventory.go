package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"

	"tradewind/infra/service"
)

func inventoryService(awscdk.Stack, Config) service.Props {
	return service.Props{
		Collection: "stock",
		Host:       "inventory-service",
		Routes: []service.Route{
			service.Public("GET", "/{productId}"),
			service.SignedIn("PUT", "/{productId}"),
			service.SignedIn("POST", "/{productId}/adjustments"),
		},
		API:      service.Function{Table: []service.TableAction{service.PutItem}},
		Consumer: service.Function{Table: []service.TableAction{service.GetItem, service.PutItem}},
	}
}
