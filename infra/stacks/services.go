package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"

	"tradewind/infra/service"
)

// services are the stage's services, one stack each. The functions say what differs
// from the house rules; they get the stack because a value of another stack is read
// where it is used. Status comes last: it watches those before it.
var services = []struct {
	name  string
	props func(awscdk.Stack, Config) service.Props
}{
	{"catalog", catalogService},
	{"inventory", inventoryService},
	{"notifications", notificationsService},
	{"orders", ordersService},
	{"payments", paymentsService},
	{"users", usersService},
	{statusName, statusService},
}
