package service

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"

	"tradewind/infra/param"
	"tradewind/shared/replayrule"
)

const (
	// outboxInsert lets through the birth of an outbox item and nothing else: not the
	// state written with it, not its removal by TTL.
	outboxInsert = `{"eventName":["INSERT"],"dynamodb":{"NewImage":{"entity":{"S":["outbox"]}}}}`

	relayBatch = 100
	// A bus that throttles or is down is waited for, however often that fails, until
	// shortly before the stream forgets (24 h). Then the mapping's destination gets to
	// know which part of the stream it was, and a reconciler publishes that from the
	// table. What the bus will never take does not come to this: the relay parks it.
	relayPatience = 23 * time.Hour
	relayRetries  = -1 // no limit

	receives  = 5               // of one message, before it goes to the dead-letter queue
	batches   = 10              // at a time; a new account has 10 concurrent executions in all
	dlqDays   = 14              // the longest SQS keeps a message
	ruleHours = 24              // the longest EventBridge tries to reach a queue
	patience  = 6               // visibility timeout over function timeout, as Lambda's poller needs
	staleness = 2 * time.Minute // an outbox item older than this at the relay is an alarm
	partial   = "ReportBatchItemFailures"
)

// relay publishes the outbox: it reads the table's stream, and only the stream. What
// the bus will never take the relay itself puts, whole, into its dead-letter queue;
// the mapping's own destination gets there only what the relay could not even judge,
// and then without payload.
func (b *builder) relay(table awsdynamodb.TableV2) (awslambda.Function, awssqs.Queue) {
	dlq := b.deadLetters("RelayDlq", "relay", "The bus does not take events of "+b.Name)
	f := b.Relay.over(relayDefaults)
	f.Env = with(f.Env, map[string]*string{"DLQ_URL": dlq.QueueUrl()})
	f.Params = with(f.Params, map[string]string{"BUS_NAME": param.BusName})
	f.config = append(f.config, dlq.QueueName())
	stream := table.TableStreamArn()
	f.Allow = append([]awsiam.PolicyStatement{
		allow([]string{"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"}, stream),
		allow([]string{"dynamodb:ListStreams"}, awscdk.Fn_Join(jsii.String(""), &[]*string{table.TableArn(), jsii.String("/stream/*")})),
		allow([]string{"events:PutEvents"}, b.param(param.BusArn)),
		allow([]string{"sqs:SendMessage"}, dlq.QueueArn()),
	}, f.Allow...)
	fn, live := b.function("relay", f, nil)

	mapping := awslambda.NewCfnEventSourceMapping(b.scope, jsii.String("RelayMapping"), &awslambda.CfnEventSourceMappingProps{
		FunctionName:     live.FunctionArn(),
		EventSourceArn:   stream,
		StartingPosition: jsii.String("TRIM_HORIZON"), // an event written before the mapping existed is published too
		BatchSize:        jsii.Number(relayBatch),
		FilterCriteria: &awslambda.CfnEventSourceMapping_FilterCriteriaProperty{
			Filters: &[]*awslambda.CfnEventSourceMapping_FilterProperty{{Pattern: jsii.String(outboxInsert)}},
		},
		FunctionResponseTypes:      jsii.Strings(partial),
		BisectBatchOnFunctionError: jsii.Bool(true),
		MaximumRetryAttempts:       jsii.Number(relayRetries),
		MaximumRecordAgeInSeconds:  jsii.Number(relayPatience.Seconds()),
		DestinationConfig: &awslambda.CfnEventSourceMapping_DestinationConfigProperty{
			OnFailure: &awslambda.CfnEventSourceMapping_OnFailureProperty{Destination: dlq.QueueArn()},
		},
		// For the alarm below. Lambda writes up to six metrics, at 30 cents a month each.
		MetricsConfig: &awslambda.CfnEventSourceMapping_MetricsConfigProperty{Metrics: jsii.Strings("EventCount")},
	})
	b.alarm("RelayLagAlarm",
		fmt.Sprintf("Events of %s wait for more than %.0f minutes until they are published", b.Name, staleness.Minutes()),
		"The errors are in "+b.logs("relay")+"; while the bus is down or throttles, the relay tries again by itself",
		&awscloudwatch.CfnAlarmProps{
			Namespace:  jsii.String("AWS/Lambda"),
			MetricName: jsii.String("IteratorAge"),
			Dimensions: of(fn.FunctionName()),
			Threshold:  jsii.Number(float64(staleness.Milliseconds())),
		})
	// The age is known of batches that were processed, and of nothing else. A mapping that
	// is disabled or has lost a permission processes none. One that works and finds nothing
	// counts 0 events.
	b.alarm("RelayStoppedAlarm",
		"Nothing reads the stream of the table of "+b.Name+", which loses events after 24 hours",
		"Look at the state and the last result of the event source mapping of "+*b.physical("relay")+"; if it has stood still for longer, "+
			b.command("reconcile", "SERVICE="+b.Name+" FROM=<when it stopped>")+" publishes what was lost",
		&awscloudwatch.CfnAlarmProps{
			Namespace:          jsii.String("AWS/Lambda"),
			MetricName:         jsii.String("PolledEventCount"),
			Dimensions:         dimensions(jsii.String("EventSourceMappingUUID"), mapping.Ref()),
			Statistic:          jsii.String("SampleCount"),
			Period:             jsii.Number(5 * minute),
			EvaluationPeriods:  jsii.Number(2),
			ComparisonOperator: jsii.String("LessThanThreshold"),
			Threshold:          jsii.Number(1),
			TreatMissingData:   jsii.String("breaching"),
		})
	b.canary("relay")
	return fn, dlq
}

// consumer brings the events the service subscribed to into its queue, and the queue
// to its function. What the function cannot process it puts into the dead-letter queue
// itself, with the reason; the queue's own redrive policy is for a function that could
// not even do that. A rule's target keeps its own dead-letter queue: without it
// EventBridge drops in silence what the queue would not take.
func (b *builder) consumer(s *Service) {
	s.ConsumerDLQ = b.deadLetters("ConsumerDlq", "consumer", b.Name+" cannot process messages")
	f := b.Consumer.over(consumerDefaults)
	f.Env = with(f.Env, map[string]*string{
		"DLQ_URL":      s.ConsumerDLQ.QueueUrl(),
		"MAX_RECEIVES": jsii.String(strconv.Itoa(receives)),
	})
	f.config = append(f.config, s.ConsumerDLQ.QueueName())
	s.RuleDLQ = b.deadLetters("RuleDlq", "rule", "Events do not reach the queue of "+b.Name)
	s.Queue = awssqs.NewQueue(b.scope, jsii.String("ConsumerQueue"), &awssqs.QueueProps{
		QueueName:         b.queueName("consumer"),
		Encryption:        awssqs.QueueEncryption_SQS_MANAGED,
		EnforceSSL:        jsii.Bool(true),
		VisibilityTimeout: seconds(patience * f.Timeout),
		RetentionPeriod:   awscdk.Duration_Days(jsii.Number(4)),
		DeadLetterQueue:   &awssqs.DeadLetterQueue{Queue: s.ConsumerDLQ, MaxReceiveCount: jsii.Number(receives)},
	})

	rule := awsevents.NewCfnRule(b.scope, jsii.String("ConsumerRule"), &awsevents.CfnRuleProps{
		Description:  jsii.String("Events that " + b.Name + " consumes"),
		EventBusName: b.param(param.BusName),
		EventPattern: pattern(b.Consumes),
		Targets: &[]*awsevents.CfnRule_TargetProperty{{
			Id:               jsii.String("queue"),
			Arn:              s.Queue.QueueArn(),
			DeadLetterConfig: &awsevents.CfnRule_DeadLetterConfigProperty{Arn: s.RuleDLQ.QueueArn()},
			RetryPolicy: &awsevents.CfnRule_RetryPolicyProperty{
				MaximumEventAgeInSeconds: jsii.Number(ruleHours * 3600),
				MaximumRetryAttempts:     jsii.Number(185),
			},
		}},
	})
	for _, queue := range []awssqs.Queue{s.Queue, s.RuleDLQ} {
		queue.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("events.amazonaws.com"), nil)},
			Actions:    jsii.Strings("sqs:SendMessage"),
			Resources:  &[]*string{queue.QueueArn()},
			Conditions: &map[string]interface{}{"ArnLike": map[string][]*string{"aws:SourceArn": {rule.AttrArn(), b.replays()}}},
		}))
	}

	f.Allow = append([]awsiam.PolicyStatement{
		allow([]string{"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}, s.Queue.QueueArn()),
		allow([]string{"sqs:SendMessage"}, s.ConsumerDLQ.QueueArn()),
	}, f.Allow...)
	consumer, live := b.function("consumer", f, nil)
	s.Consumer = consumer
	awslambda.NewCfnEventSourceMapping(b.scope, jsii.String("ConsumerMapping"), &awslambda.CfnEventSourceMappingProps{
		FunctionName:          live.FunctionArn(),
		EventSourceArn:        s.Queue.QueueArn(),
		BatchSize:             jsii.Number(f.Batch),
		FunctionResponseTypes: jsii.Strings(partial),
		// Without it a backlog, after a replay for instance, takes all the concurrency that
		// the account has: the api functions are throttled, and so is the consumer, whose
		// messages then go to the dead-letter queue unseen, because a throttled delivery
		// counts as a delivery.
		ScalingConfig: &awslambda.CfnEventSourceMapping_ScalingConfigProperty{
			MaximumConcurrency: jsii.Number(cmp.Or(b.Concurrency, batches)),
		},
	})

	// After its last delivery a message has been processed, or is a dead letter.
	longest := receives * patience * f.Timeout
	b.alarm("BacklogAlarm",
		fmt.Sprintf("Messages to %s wait for more than %.0f minutes", b.Name, longest.Minutes()),
		"Errors are in "+b.logs("consumer")+"; without any, look whether the function's event source mapping is enabled and the account has concurrency left",
		&awscloudwatch.CfnAlarmProps{
			Namespace:  jsii.String("AWS/SQS"),
			MetricName: jsii.String("ApproximateAgeOfOldestMessage"),
			Dimensions: dimensions(jsii.String("QueueName"), s.Queue.QueueName()),
			Threshold:  jsii.Number(longest.Seconds()),
		})
	rules := dimensions(jsii.String("EventBusName"), b.param(param.BusName), jsii.String("RuleName"), rule.Ref())
	b.alarm("EventsLostAlarm",
		"EventBridge has dropped events for "+b.Name+", because neither its queue nor the rule's dead-letter queue took them",
		"Compare the policies of both queues with the rule's ARN, then "+b.command("replay", "CONSUMER="+b.Name+" FROM=<when it began>"),
		&awscloudwatch.CfnAlarmProps{
			Metrics: combined(minute, "m0+m1",
				series("AWS/Events", "FailedInvocations", rules), series("AWS/Events", "InvocationsFailedToBeSentToDlq", rules)),
			Threshold: jsii.Number(1),
		})
	b.canary("consumer")
}

// replays matches the rules that a replay of archived events to this service makes
// while it runs. Their name comes from the package that names them for the tool.
func (b *builder) replays() *string {
	name := replayrule.Name("tradewind-"+b.Stage, b.Name, "*")
	return b.stack.FormatArn(&awscdk.ArnComponents{
		Service:      jsii.String("events"),
		Resource:     jsii.String("rule"),
		ResourceName: awscdk.Fn_Join(jsii.String(""), &[]*string{b.param(param.BusName), jsii.String("/" + name)}),
	})
}

// pattern matches any of the events. Types are unique over all publishers, so the
// cross product of sources and types holds no event nobody asked for. A replay is not
// for everybody: it brings rules of its own to those it is for.
func pattern(events []Event) map[string]interface{} {
	var sources, types []string
	for _, e := range events {
		sources, types = append(sources, e.Source), append(types, e.Type)
	}
	slices.Sort(sources)
	slices.Sort(types)
	return map[string]interface{}{
		"source":      slices.Compact(sources),
		"detail-type": slices.Compact(types),
		"replay-name": []interface{}{map[string]interface{}{"exists": false}},
	}
}

// deadLetters is a queue for what could not be done, with the alarm that says so. It
// counts visible messages: what is already there counts, what is sent there again
// after a redrive counts too.
func (b *builder) deadLetters(id, part, symptom string) awssqs.Queue {
	queue := awssqs.NewQueue(b.scope, jsii.String(id), &awssqs.QueueProps{
		QueueName:       b.queueName(part + "-dlq"),
		Encryption:      awssqs.QueueEncryption_SQS_MANAGED,
		EnforceSSL:      jsii.Bool(true),
		RetentionPeriod: awscdk.Duration_Days(jsii.Number(dlqDays)),
	})
	queueArgument := "QUEUE=" + b.Name + "/" + part
	b.alarm(id+"Alarm", symptom,
		"List them with their causes: "+b.command("redrive", queueArgument+" DRY_RUN=1")+"; without DRY_RUN it sends them back",
		&awscloudwatch.CfnAlarmProps{
			Namespace:  jsii.String("AWS/SQS"),
			MetricName: jsii.String("ApproximateNumberOfMessagesVisible"),
			Dimensions: dimensions(jsii.String("QueueName"), queue.QueueName()),
			Threshold:  jsii.Number(1),
		})
	return queue
}

// queueName is a name that another stack never has, not even the next one of the same
// name: SQS refuses the name of a queue that was deleted in the last 60 seconds, and a
// stack that is deployed again right after its first deployment failed would fail too.
// So the name ends in the first part of the stack's own id. Tools leave that out (package
// stage).
func (b *builder) queueName(part string) *string {
	id := awscdk.Fn_Select(jsii.Number(2), awscdk.Fn_Split(jsii.String("/"), b.stack.StackId(), nil))
	return awscdk.Fn_Join(jsii.String("-"), &[]*string{
		b.physical(part), awscdk.Fn_Select(jsii.Number(0), awscdk.Fn_Split(jsii.String("-"), id, nil)),
	})
}
