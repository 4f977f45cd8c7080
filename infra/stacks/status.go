package stacks

import (
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"

	"tradewind/infra/param"
	"tradewind/infra/service"
	"tradewind/shared/metrics"
)

// The status service's own names. It watches itself too.
const (
	statusName = "status"
	statusHost = "status-service"
)

// statusService watches all services, which the configuration knows by then. It is the
// only one that may change their health in the registry, and the only one that answers
// what the gateway has no route for.
func statusService(stack awscdk.Stack, c Config) service.Props {
	watched := slices.Concat(c.hosts, []string{statusHost})
	for _, host := range watched {
		watch(stack, c, host)
	}
	watchGateway(stack, c)
	services := jsii.String(strings.Join(watched, ","))
	return service.Props{
		Base:    "/health",
		Host:    statusHost,
		Default: true,
		Routes:  []service.Route{service.Public("GET", "")},
		API: service.Function{
			Env:   map[string]*string{"SERVICES": services},
			Table: []service.TableAction{service.Query},
		},
		Consumer: service.Function{
			Env:    map[string]*string{"SERVICES": services},
			Table:  []service.TableAction{service.Query},
			Params: map[string]string{"NAMESPACE_ID": param.NamespaceID},
			Allow:  setHealth(stack, c.Stage),
			// Each event has the whole registry looked through.
			Timeout: 30 * time.Second,
		},
		Schedules: []service.Schedule{{
			Name:          "prober",
			Every:         time.Minute,
			CallsServices: true,
			Function: service.Function{
				Env:     map[string]*string{"SERVICES": services},
				Table:   []service.TableAction{service.GetItem, service.PutItem},
				Timeout: 20 * time.Second,
			},
		}},
	}
}

// setHealth lets a function set the health of this stage's registered instances. The
// services' ids are not known beforehand, so the tag of their stacks tells those of
// another stage in the account apart. Services are listed of the whole account: of all
// actions here, that one alone has no resource.
func setHealth(stack awscdk.Stack, stage string) []awsiam.PolicyStatement {
	registered := stack.FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("servicediscovery"), Resource: jsii.String("service"), ResourceName: jsii.String("*"),
	})
	return []awsiam.PolicyStatement{
		service.Allow("servicediscovery:ListServices", "*"),
		awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Actions:    jsii.Strings("servicediscovery:ListInstances", "servicediscovery:UpdateInstanceCustomHealthStatus"),
			Resources:  &[]*string{registered},
			Conditions: &map[string]interface{}{"StringEquals": map[string]*string{"aws:ResourceTag/stage": jsii.String(stage)}},
		}),
	}
}

// watch raises an alarm when a service is degraded, and also when nothing is heard of
// it: a prober that stands still must not pass for a platform that is well. Its metrics
// and the alarm cost some 70 cents a service and month.
func watch(stack awscdk.Stack, c Config, host string) {
	name := strings.TrimSuffix(host, "-service")
	var dimensions []*awscloudwatch.CfnAlarm_DimensionProperty
	for _, d := range append(metrics.Base(c.Stage, statusName), metrics.Target(host)) {
		dimensions = append(dimensions, &awscloudwatch.CfnAlarm_DimensionProperty{Name: jsii.String(d.Name), Value: jsii.String(d.Value)})
	}
	service.Alarm(stack, c.Stage, "Watch"+strings.ToUpper(name[:1])+name[1:],
		host+" is degraded, or was not probed for three minutes",
		"GET /health of the API tells which, since when, and what its last probe said",
		&awscloudwatch.CfnAlarmProps{
			Namespace:          jsii.String(metrics.Namespace),
			MetricName:         jsii.String(metrics.ServiceHealthy),
			Dimensions:         &dimensions,
			Statistic:          jsii.String("Minimum"),
			ComparisonOperator: jsii.String("LessThanThreshold"),
			Threshold:          jsii.Number(1),
			// Three of the prober's rounds: one that is late is no alarm.
			Period:           jsii.Number(180),
			TreatMissingData: jsii.String("breaching"),
		})
}

// watchGateway raises an alarm when clients get 5xx. The prober goes past the gateway, and
// no service sees a request that the gateway could not pass on to it.
func watchGateway(stack awscdk.Stack, c Config) {
	service.Alarm(stack, c.Stage, "WatchGateway",
		"Clients of the API get 5xx",
		"The access log /aws/vendedlogs/tradewind-"+c.Stage+"-gateway names the routes, and as integrationError why the gateway reached no function",
		service.Often(&awscloudwatch.CfnAlarmProps{
			Namespace:  jsii.String("AWS/ApiGateway"),
			MetricName: jsii.String("5xx"),
			Dimensions: &[]*awscloudwatch.CfnAlarm_DimensionProperty{{Name: jsii.String("ApiId"), Value: param.Read(stack, c.Stage, param.APIID)}},
			Statistic:  jsii.String("Sum"),
			Threshold:  jsii.Number(1),
		}))
}
