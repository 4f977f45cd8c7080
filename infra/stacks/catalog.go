package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"

	"tradewind/infra/service"
)

func catalogService(awscdk.Stack, Config) service.Props {
	return service.Props{
		Collection: "products",
		Host:       "catalog-service",
		Routes: []service.Route{
			service.Public("GET", ""),
			service.Public("GET", "/{id}"),
			service.SignedIn("POST", ""),
			service.SignedIn("PATCH", "/{id}"),
			service.SignedIn("DELETE", "/{id}"),
		},
		API: service.Function{Table: []service.TableAction{service.QueryGSI1, service.PutItem, service.DeleteItem}},
	}
}
