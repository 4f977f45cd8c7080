package stacks

import (
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsroute53"
	"github.com/aws/jsii-runtime-go"

	"tradewind/infra/param"
	"tradewind/infra/service"
)

// accessLog is one line a request. It names the caller by the token's subject and
// never holds the token; $context values that may be absent are logged as "-".
const accessLog = `{"requestId":"$context.requestId","time":"$context.requestTime","ip":"$context.identity.sourceIp",` +
	`"routeKey":"$context.routeKey","path":"$context.path","status":"$context.status","bytes":"$context.responseLength",` +
	`"latencyMs":"$context.responseLatency","integrationMs":"$context.integrationLatency",` +
	`"integrationError":"$context.integrationErrorMessage","authorizerError":"$context.authorizer.error","sub":"$context.authorizer.claims.sub"}`

// newEdge opens the platform's HTTP API to clients: it deploys the routes, limits them and
// gives the API its public name. API Gateway refuses a limit for a route that is not
// there, so this stack is deployed after the services' and removed before them.
func newEdge(stack awscdk.Stack, c Config, routes []string) error {
	for _, route := range slices.Sorted(maps.Keys(c.Settings.Throttle.Routes)) {
		if !slices.Contains(routes, route) {
			return fmt.Errorf("throttle.routes of stage %s: there is no route %q; the OpenAPI documents name the routes, such as POST /api/users", c.Stage, route)
		}
	}
	api := param.Read(stack, c.Stage, param.APIID)
	// With this prefix the gateway's permission to write does not grow the account's one policy.
	logs := service.Logs(stack, "AccessLogs", "/aws/vendedlogs/tradewind-"+c.Stage+"-gateway", c.Settings.Logs.Days)
	// A route's settings take the place of the default ones as a whole. The CDK passes them
	// on as they are, so they have CloudFormation's names.
	limits := map[string]any{}
	for route, limit := range c.Settings.Throttle.Routes {
		limits[route] = map[string]any{
			"ThrottlingRateLimit": limit.Rate, "ThrottlingBurstLimit": limit.Burst, "DetailedMetricsEnabled": c.Settings.RouteMetrics,
		}
	}
	deployed := awsapigatewayv2.NewCfnStage(stack, jsii.String("Stage"), &awsapigatewayv2.CfnStageProps{
		ApiId:      api,
		StageName:  jsii.String("$default"),
		AutoDeploy: jsii.Bool(true),
		AccessLogSettings: &awsapigatewayv2.CfnStage_AccessLogSettingsProperty{
			DestinationArn: logs.LogGroupArn(), Format: jsii.String(accessLog),
		},
		DefaultRouteSettings: &awsapigatewayv2.CfnStage_RouteSettingsProperty{
			ThrottlingRateLimit:    jsii.Number(c.Settings.Throttle.Rate),
			ThrottlingBurstLimit:   jsii.Number(c.Settings.Throttle.Burst),
			DetailedMetricsEnabled: jsii.Bool(c.Settings.RouteMetrics),
		},
		RouteSettings: limits,
	})
	domain := c.Settings.Domain
	if domain.Name == "" {
		output(stack, "ApiUrl", awscdk.Fn_Join(jsii.String(""), &[]*string{
			jsii.String("https://"), api, jsii.String(".execute-api."), stack.Region(), jsii.String("."), stack.UrlSuffix(),
		}))
		return nil
	}
	name := awsapigatewayv2.NewCfnDomainName(stack, jsii.String("DomainName"), &awsapigatewayv2.CfnDomainNameProps{
		DomainName: jsii.String(domain.Name),
		DomainNameConfigurations: []*awsapigatewayv2.CfnDomainName_DomainNameConfigurationProperty{{
			CertificateArn: jsii.String(domain.Certificate),
			EndpointType:   jsii.String("REGIONAL"),
			SecurityPolicy: jsii.String("TLS_1_2"),
		}},
	})
	awsapigatewayv2.NewCfnApiMapping(stack, jsii.String("DomainMapping"), &awsapigatewayv2.CfnApiMappingProps{
		ApiId: api, DomainName: name.Ref(), Stage: deployed.Ref(),
	})
	if domain.HostedZone != "" {
		awsroute53.NewCfnRecordSet(stack, jsii.String("DomainRecord"), &awsroute53.CfnRecordSetProps{
			HostedZoneId: jsii.String(domain.HostedZone),
			Name:         jsii.String(domain.Name + "."),
			Type:         jsii.String("A"),
			AliasTarget: &awsroute53.CfnRecordSet_AliasTargetProperty{
				DnsName: name.AttrRegionalDomainName(), HostedZoneId: name.AttrRegionalHostedZoneId(),
			},
		})
	}
	output(stack, "ApiUrl", jsii.String("https://"+domain.Name))
	output(stack, "DomainTarget", name.AttrRegionalDomainName())
	return nil
}
