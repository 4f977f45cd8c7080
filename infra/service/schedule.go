package service

import (
	"fmt"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"
)

// Schedule is a function of the service that runs by the clock.
type Schedule struct {
	Name  string        // "sweeper": the function's folder
	Every time.Duration // whole minutes
	// Due makes the table keep a sparse index of what is due, and lets the function
	// work through it.
	Due bool
	// CallsServices puts the function into the network, as that of Props does the api.
	CallsServices bool
	Function
}

// missed is how many runs of a schedule may fail or be missing.
const missed = 5

// scheduled makes the function and the rule that calls it. A run that fails is not
// tried again: the next one comes anyway, and finds what this one left. What must be
// known is that runs fail, so that is an alarm.
func (b *builder) scheduled(s *Service, schedule Schedule) {
	f := schedule.Function.over(sweepDefaults)
	if schedule.Due {
		f.Table = append(f.Table, queryGSI2)
	}
	var network *awslambda.FunctionProps
	if schedule.CallsServices {
		f, network = b.callsServices(schedule.Name, f)
	}
	fn, live := b.function(schedule.Name, f, network)
	invocation := awslambda.NewCfnEventInvokeConfig(b.scope, jsii.String(title(schedule.Name)+"Invocation"), &awslambda.CfnEventInvokeConfigProps{
		FunctionName:         fn.FunctionName(),
		Qualifier:            live.AliasName(),
		MaximumRetryAttempts: jsii.Number(0),
	})
	invocation.Node().AddDependency(live) // the alias is named, not referred to
	rule := awsevents.NewCfnRule(b.scope, jsii.String(title(schedule.Name)+"Schedule"), &awsevents.CfnRuleProps{
		Description:        jsii.String("When " + b.Name + " runs its " + schedule.Name),
		ScheduleExpression: jsii.String(rate(schedule.Every)),
		Targets: &[]*awsevents.CfnRule_TargetProperty{{
			Id:  jsii.String("function"),
			Arn: live.FunctionArn(),
		}},
	})
	awslambda.NewCfnPermission(b.scope, jsii.String("ScheduleMayInvoke"+title(schedule.Name)), &awslambda.CfnPermissionProps{
		Action:       jsii.String("lambda:InvokeFunction"),
		FunctionName: live.FunctionArn(),
		Principal:    jsii.String("events.amazonaws.com"),
		SourceArn:    rule.AttrArn(),
	})
	// One that fails is followed by the next. Several, or none at all, are a symptom.
	b.alarm(title(schedule.Name)+"Alarm",
		fmt.Sprintf("None of the last %d runs of the %s of %s has succeeded", missed, schedule.Name, b.Name),
		"Errors are in "+b.logs(schedule.Name)+"; without any, look whether the rule that calls it is enabled",
		&awscloudwatch.CfnAlarmProps{
			Metrics: combined(missed*int(schedule.Every.Seconds()), "m0-m1",
				series("AWS/Lambda", "Invocations", of(fn.FunctionName())), series("AWS/Lambda", "Errors", of(fn.FunctionName()))),
			ComparisonOperator: jsii.String("LessThanThreshold"),
			Threshold:          jsii.Number(1),
			TreatMissingData:   jsii.String("breaching"),
		})
	b.canary(schedule.Name)
	if s.Scheduled == nil {
		s.Scheduled = map[string]awslambda.Function{}
	}
	s.Scheduled[schedule.Name] = fn
}

// rate is a schedule expression, whose unit must agree with its number.
func rate(every time.Duration) string {
	if every == time.Minute {
		return "rate(1 minute)"
	}
	return fmt.Sprintf("rate(%d minutes)", int(every.Minutes()))
}
