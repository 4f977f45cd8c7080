package service

import (
	"hash/fnv"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	elb "github.com/aws/aws-cdk-go/awscdk/v2/awselasticloadbalancingv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"

	"tradewind/infra/param"
)

// balancer puts the api function behind the internal load balancer: under its full host
// name, with every path (health checks live there), and under its base path whatever
// the host.
//
// Multi-value headers are on, or a repeated query parameter would lose all but its
// last value.
//
// The balancer checks no health. A group has one target, and would get the requests
// however the checks end; and each node, one in each of two zones, would have the
// function called once a minute and its table checked by a transaction. The status
// service's prober asks once for all and raises the alarm.
func (b *builder) balancer(live awslambda.Alias) elb.CfnTargetGroup {
	groupName := "tw-" + b.Stage + "-" + b.Name
	permission := awslambda.NewCfnPermission(b.scope, jsii.String("BalancerMayInvoke"), &awslambda.CfnPermissionProps{
		Action:       jsii.String("lambda:InvokeFunction"),
		FunctionName: live.FunctionArn(),
		Principal:    jsii.String("elasticloadbalancing.amazonaws.com"),
		// By name: the group's ARN is not known yet, and the group needs the permission.
		SourceArn: b.stack.FormatArn(&awscdk.ArnComponents{
			Service:      jsii.String("elasticloadbalancing"),
			Resource:     jsii.String("targetgroup"),
			ResourceName: jsii.String(groupName + "/*"),
		}),
	})
	group := elb.NewCfnTargetGroup(b.scope, jsii.String("TargetGroup"), &elb.CfnTargetGroupProps{
		Name:               jsii.String(groupName),
		TargetType:         jsii.String("lambda"),
		Targets:            &[]*elb.CfnTargetGroup_TargetDescriptionProperty{{Id: live.FunctionArn()}},
		HealthCheckEnabled: jsii.Bool(false),
		TargetGroupAttributes: &[]*elb.CfnTargetGroup_TargetGroupAttributeProperty{{
			Key: jsii.String("lambda.multi_value_headers.enabled"), Value: jsii.String("true"),
		}},
	})
	group.AddResourceDependency(permission, jsii.String("or its target is refused"))

	// The full name only, because AWS refuses the short one and a pattern such as
	// "order-service.*": a value needs a dot, and only letters may follow the last one.
	// Callers send the full name in every way of discovery.
	host := &elb.CfnListenerRule_RuleConditionProperty{
		Field:            jsii.String("host-header"),
		HostHeaderConfig: &elb.CfnListenerRule_HostHeaderConfigProperty{Values: jsii.Strings(b.fullHost())},
	}
	path := &elb.CfnListenerRule_RuleConditionProperty{
		Field:             jsii.String("path-pattern"),
		PathPatternConfig: &elb.CfnListenerRule_PathPatternConfigProperty{Values: jsii.Strings(b.Base, b.Base+"/*")},
	}
	byHost, byPath := priorities(b.Name)
	b.listenerRule("HostRule", byHost, host, group)
	b.listenerRule("PathRule", byPath, path, group)
	return group
}

func (b *builder) listenerRule(id string, priority int, condition *elb.CfnListenerRule_RuleConditionProperty, group elb.CfnTargetGroup) {
	elb.NewCfnListenerRule(b.scope, jsii.String(id), &elb.CfnListenerRuleProps{
		ListenerArn: b.param(param.AlbListenerArn),
		Priority:    jsii.Number(priority),
		Conditions:  &[]*elb.CfnListenerRule_RuleConditionProperty{condition},
		Actions: &[]*elb.CfnListenerRule_ActionProperty{{
			Type: jsii.String("forward"), TargetGroupArn: group.Ref(),
		}},
	})
}

// priorities must be unique on the listener, and must not move when another service
// comes or goes, so they are drawn from the name: the host rule's from the lower half
// of 1–50000, the path rule's from the upper, where a host always decides first. Two
// names that collide fail the synthesis test.
func priorities(name string) (byHost, byPath int) {
	h := fnv.New32a()
	h.Write([]byte(name))
	n := 1 + int(h.Sum32()%25_000)
	return n, 25_000 + n
}
