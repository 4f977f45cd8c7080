package permissions

import "strings"

// Code is what the code of each function calls. A call is here if the integration suite
// has recorded it, or if the code has it for a case that the suite does not cause.
var Code = map[string][]string{
	"catalog/api":   {get, queryGSI1, put, remove, check},
	"catalog/relay": relay,

	"inventory/api":      {get, put, check},
	"inventory/consumer": {get, put, send},
	"inventory/relay":    relay,

	"notifications/api":      {get, queryGSI1, check},
	"notifications/consumer": {get, put, remove, send, "sesv2.SendEmail"},
	"notifications/relay":    relay,

	"orders/api":      {get, queryGSI1, queryGSI2, put, check, discover, discoverRevision},
	"orders/consumer": {get, queryGSI1, put, send},
	"orders/relay":    relay,
	"orders/sweeper":  {get, queryGSI2, put},

	"payments/api":      {get, check},
	"payments/consumer": {get, put, send, "secretsmanager.GetSecretValue"},
	"payments/relay":    relay,

	"status/api":      {get, query, check},
	"status/consumer": {query, send, "servicediscovery.ListServices", "servicediscovery.ListInstances", "servicediscovery.UpdateInstanceCustomHealthStatus"},
	"status/prober":   {get, put, discover, discoverRevision},
	"status/relay":    relay,

	"users/api": {
		get, query, queryGSI1, put, remove, check,
		"cognitoidentityprovider.AdminCreateUser", "cognitoidentityprovider.AdminSetUserPassword", "cognitoidentityprovider.AdminUpdateUserAttributes",
		"cognitoidentityprovider.AdminGetUser", "cognitoidentityprovider.AdminDeleteUser",
	},
	"users/relay": relay,

	"platform/poolkeys": nil, // it asks the pool's public address
	"platform/pretoken": {"cognitoidentityprovider.AdminGetUser trigger"},
}

const (
	get       = "dynamodb.GetItem"
	query     = "dynamodb.Query"
	queryGSI1 = "dynamodb.Query GSI1"
	queryGSI2 = "dynamodb.Query GSI2"
	put       = "dynamodb.TransactWriteItems Put"
	remove    = "dynamodb.TransactWriteItems Delete"
	check     = "dynamodb.TransactWriteItems ConditionCheck"

	publish          = "eventbridge.PutEvents"
	send             = "sqs.SendMessage" // to the dead-letter queue
	discover         = "servicediscovery.DiscoverInstances"
	discoverRevision = "servicediscovery.DiscoverInstancesRevision"
)

var relay = []string{publish, send}

// Operation is a call of the code, as AWS authorises it.
type Operation struct {
	Action string
	// Variable is the environment's, of which the resource is made; "" where the code learns
	// it otherwise.
	Variable string
	// Optional calls are made only where the variable is set.
	Optional bool

	// resources are the ARNs, each of which must be allowed, with what else decides.
	resources func(s *Stage, value string) (arns []string, context map[string][]string)
}

// endpoint is the name of the network's endpoint that leads to the operation's service.
func (o Operation) endpoint() string {
	service, operation, _ := strings.Cut(o.Action, ":")
	if service == "servicediscovery" && strings.HasPrefix(operation, "Discover") {
		return "data-servicediscovery"
	}
	return service
}

// Operations are the calls that code makes, by the names that Code has for them: the
// service and operation, and what of it decides. The actions and resources are those of
// https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
//
// A transaction takes the permissions of its parts, and none of its own:
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
var Operations = map[string]Operation{
	get:       of("dynamodb:GetItem", "TABLE_NAME", "dynamodb", "table/%"),
	query:     of("dynamodb:Query", "TABLE_NAME", "dynamodb", "table/%"),
	queryGSI1: of("dynamodb:Query", "TABLE_NAME", "dynamodb", "table/%/index/GSI1"),
	queryGSI2: of("dynamodb:Query", "TABLE_NAME", "dynamodb", "table/%/index/GSI2"),
	put:       of("dynamodb:PutItem", "TABLE_NAME", "dynamodb", "table/%"),
	remove:    of("dynamodb:DeleteItem", "TABLE_NAME", "dynamodb", "table/%"),
	check:     of("dynamodb:ConditionCheckItem", "TABLE_NAME", "dynamodb", "table/%"),

	publish: of("events:PutEvents", "BUS_NAME", "events", "event-bus/%"),
	send: {Action: "sqs:SendMessage", Variable: "DLQ_URL", resources: func(_ *Stage, url string) ([]string, map[string][]string) {
		return []string{queueARN(url)}, nil
	}},

	"cognitoidentityprovider.AdminCreateUser":           of("cognito-idp:AdminCreateUser", "USER_POOL_ID", "cognito-idp", "userpool/%"),
	"cognitoidentityprovider.AdminSetUserPassword":      of("cognito-idp:AdminSetUserPassword", "USER_POOL_ID", "cognito-idp", "userpool/%"),
	"cognitoidentityprovider.AdminUpdateUserAttributes": of("cognito-idp:AdminUpdateUserAttributes", "USER_POOL_ID", "cognito-idp", "userpool/%"),
	"cognitoidentityprovider.AdminGetUser":              of("cognito-idp:AdminGetUser", "USER_POOL_ID", "cognito-idp", "userpool/%"),
	"cognitoidentityprovider.AdminDeleteUser":           of("cognito-idp:AdminDeleteUser", "USER_POOL_ID", "cognito-idp", "userpool/%"),
	// The pool says in its event which it is.
	"cognitoidentityprovider.AdminGetUser trigger": onEach("cognito-idp:AdminGetUser", "", "AWS::Cognito::UserPool"),

	"secretsmanager.GetSecretValue": optional(Operation{Action: "secretsmanager:GetSecretValue", Variable: "STRIPE_SECRET_ARN",
		resources: func(_ *Stage, secret string) ([]string, map[string][]string) { return []string{secret}, nil }}),
	"sesv2.SendEmail": optional(Operation{Action: "ses:SendEmail", Variable: "MAIL_FROM", resources: func(_ *Stage, from string) ([]string, map[string][]string) {
		_, domain, _ := strings.Cut(from, "@")
		return []string{arn("ses", "identity/"+domain)}, map[string][]string{"ses:fromaddress": {from}}
	}}),

	discover:         optional(inNamespace("servicediscovery:DiscoverInstances")),
	discoverRevision: optional(inNamespace("servicediscovery:DiscoverInstancesRevision")),
	"servicediscovery.ListServices": {Action: "servicediscovery:ListServices", Variable: "NAMESPACE_ID",
		resources: func(*Stage, string) ([]string, map[string][]string) { return []string{"*"}, nil }},
	"servicediscovery.ListInstances":                    onEach("servicediscovery:ListInstances", "NAMESPACE_ID", "AWS::ServiceDiscovery::Service"),
	"servicediscovery.UpdateInstanceCustomHealthStatus": onEach("servicediscovery:UpdateInstanceCustomHealthStatus", "NAMESPACE_ID", "AWS::ServiceDiscovery::Service"),
}

// of is an operation on a resource whose form has a variable's value for %.
func of(action, variable, service, form string) Operation {
	return Operation{Action: action, Variable: variable, resources: func(_ *Stage, value string) ([]string, map[string][]string) {
		return []string{arn(service, strings.ReplaceAll(form, "%", value))}, nil
	}}
}

func optional(o Operation) Operation {
	o.Optional = true
	return o
}

func inNamespace(action string) Operation {
	return Operation{Action: action, Variable: "DISCOVERY_NAMESPACE", resources: func(s *Stage, namespace string) ([]string, map[string][]string) {
		on := append(s.all("AWS::ServiceDiscovery::HttpNamespace"), s.all("AWS::ServiceDiscovery::Service")...)
		return on, map[string][]string{"servicediscovery:namespacename": {namespace}}
	}}
}

// onEach is an operation on every resource of a type that the stage has.
func onEach(action, variable, kind string) Operation {
	return Operation{Action: action, Variable: variable, resources: func(s *Stage, _ string) ([]string, map[string][]string) {
		return s.all(kind), nil
	}}
}
