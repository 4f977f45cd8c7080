package service

import (
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"tradewind/infra/param"
)

const minute = 60 // a period of alarms, in seconds

// Alarm tells the stage's alarm topic of a symptom, and when it is over. There is one
// alarm for each symptom that a person must act on. What only explains a symptom, such
// as a consumer's errors behind its dead letters, is for dashboards.
//
// The description is the symptom and what to do about it. Unset properties mean that one
// minute's maximum reaches the threshold, and that no news is good news.
func Alarm(scope constructs.Construct, stage, id, symptom, remedy string, p *awscloudwatch.CfnAlarmProps) awscloudwatch.CfnAlarm {
	p.AlarmDescription = jsii.String(symptom + ". " + remedy + ".")
	if p.Metrics == nil && p.Statistic == nil {
		p.Statistic = jsii.String("Maximum")
	}
	if p.Metrics == nil && p.Period == nil {
		p.Period = jsii.Number(minute)
	}
	if p.EvaluationPeriods == nil {
		p.EvaluationPeriods = jsii.Number(1)
	}
	if p.ComparisonOperator == nil {
		p.ComparisonOperator = jsii.String("GreaterThanOrEqualToThreshold")
	}
	if p.TreatMissingData == nil {
		p.TreatMissingData = jsii.String("notBreaching")
	}
	topic := &[]interface{}{param.Read(scope, stage, param.AlarmTopicArn)}
	p.AlarmActions, p.OkActions = topic, topic
	return awscloudwatch.NewCfnAlarm(scope, jsii.String(id), p)
}

func (b *builder) alarm(id, symptom, remedy string, p *awscloudwatch.CfnAlarmProps) awscloudwatch.CfnAlarm {
	return Alarm(b.scope, b.Stage, id, symptom, remedy, p)
}

// command is a make target for this stage, as a remedy names it.
func (b *builder) command(target, variables string) string {
	return "make " + target + " STAGE=" + b.Stage + " " + variables
}

// logs names the log group of a function, as a remedy does.
func (b *builder) logs(fn string) string { return "log group /aws/lambda/" + *b.physical(fn) }

// Often makes an alarm wait for the third of five minutes, so that a single failure,
// which was answered or is tried again, wakes nobody.
func Often(p *awscloudwatch.CfnAlarmProps) *awscloudwatch.CfnAlarmProps {
	p.EvaluationPeriods, p.DatapointsToAlarm = jsii.Number(5), jsii.Number(3)
	return p
}

// combined are the queries of an alarm on several metrics' sums: an expression of m0, m1
// and so on. A metric without a value counts as 0.
func combined(period int, expression string, metrics ...*awscloudwatch.CfnAlarm_MetricProperty) *[]*awscloudwatch.CfnAlarm_MetricDataQueryProperty {
	queries := make([]*awscloudwatch.CfnAlarm_MetricDataQueryProperty, 0, len(metrics)+1)
	for i, metric := range metrics {
		id := fmt.Sprint("m", i)
		expression = strings.ReplaceAll(expression, id, "FILL("+id+",0)")
		queries = append(queries, &awscloudwatch.CfnAlarm_MetricDataQueryProperty{
			Id: jsii.String(id), ReturnData: jsii.Bool(false),
			MetricStat: &awscloudwatch.CfnAlarm_MetricStatProperty{Metric: metric, Period: jsii.Number(period), Stat: jsii.String("Sum")},
		})
	}
	queries = append(queries, &awscloudwatch.CfnAlarm_MetricDataQueryProperty{
		Id: jsii.String("all"), Expression: jsii.String(expression), ReturnData: jsii.Bool(true),
	})
	return &queries
}

func series(namespace, name string, dimensions *[]*awscloudwatch.CfnAlarm_DimensionProperty) *awscloudwatch.CfnAlarm_MetricProperty {
	return &awscloudwatch.CfnAlarm_MetricProperty{
		Namespace: jsii.String(namespace), MetricName: jsii.String(name), Dimensions: dimensions,
	}
}

// dimensions are pairs of names and values.
func dimensions(pairs ...*string) *[]*awscloudwatch.CfnAlarm_DimensionProperty {
	var list []*awscloudwatch.CfnAlarm_DimensionProperty
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, &awscloudwatch.CfnAlarm_DimensionProperty{Name: pairs[i], Value: pairs[i+1]})
	}
	return &list
}

// of is the dimension of a function's metrics, over all its versions.
func of(function *string) *[]*awscloudwatch.CfnAlarm_DimensionProperty {
	return dimensions(jsii.String("FunctionName"), function)
}
