package service

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"

	"tradewind/infra/param"
)

// gateway puts the service's operations on the platform's HTTP API.
//
// Each operation is a route of its own, with the authorizer where the contract asks
// for a sign-in. Behind them, without authorizer, ANY on the base and below goes to
// the same function, so that an unknown path or method is answered by the service with
// its problem document and not by the gateway with its own. One service answers so for
// what is below no base at all. A GET's HEAD is a route too, or it would come by
// that other way, without a caller.
func (b *builder) gateway(live awslambda.Alias) []awsapigatewayv2.CfnRoute {
	api := b.param(param.APIID)

	integration := awsapigatewayv2.NewCfnIntegration(b.scope, jsii.String("Integration"), &awsapigatewayv2.CfnIntegrationProps{
		ApiId:                api,
		IntegrationType:      jsii.String("AWS_PROXY"),
		IntegrationUri:       live.FunctionArn(),
		PayloadFormatVersion: jsii.String("2.0"),
		TimeoutInMillis:      jsii.Number(29_000),
	})
	b.gatewayMayInvoke("GatewayMayInvoke", live, "*/*"+b.Base+"*")

	routes := append([]Route{Public("GET", "/openapi.json"), Public("ANY", ""), Public("ANY", "/{proxy+}")}, b.Routes...)
	for _, r := range routes {
		if r.Method == "GET" {
			r.Method = "HEAD"
			routes = append(routes, r)
		}
	}
	target := awscdk.Fn_Join(jsii.String("/"), &[]*string{jsii.String("integrations"), integration.Ref()})
	made := make([]awsapigatewayv2.CfnRoute, 0, len(routes))
	for _, r := range routes {
		props := &awsapigatewayv2.CfnRouteProps{
			ApiId:             api,
			RouteKey:          jsii.String(r.Method + " " + b.Base + r.Path),
			AuthorizationType: jsii.String("NONE"),
			Target:            target,
		}
		if r.SignedIn {
			props.AuthorizationType = jsii.String("JWT")
			props.AuthorizerId = b.param(param.AuthorizerID)
		}
		made = append(made, awsapigatewayv2.NewCfnRoute(b.scope, jsii.String("Route "+r.Method+" "+r.Path), props))
	}
	if b.Default {
		b.gatewayMayInvoke("DefaultMayInvoke", live, "*/$default")
		made = append(made, awsapigatewayv2.NewCfnRoute(b.scope, jsii.String("Route default"), &awsapigatewayv2.CfnRouteProps{
			ApiId:             api,
			RouteKey:          jsii.String("$default"),
			AuthorizationType: jsii.String("NONE"),
			Target:            target,
		}))
	}
	return made
}

// gatewayMayInvoke lets the gateway call the function for routes, which are named
// behind their stage.
func (b *builder) gatewayMayInvoke(id string, live awslambda.Alias, routes string) {
	awslambda.NewCfnPermission(b.scope, jsii.String(id), &awslambda.CfnPermissionProps{
		Action:       jsii.String("lambda:InvokeFunction"),
		FunctionName: live.FunctionArn(),
		Principal:    jsii.String("apigateway.amazonaws.com"),
		SourceArn: b.stack.FormatArn(&awscdk.ArnComponents{
			Service:      jsii.String("execute-api"),
			Resource:     b.param(param.APIID),
			ResourceName: jsii.String(routes),
		}),
	})
}
