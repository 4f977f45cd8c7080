// Package tap listens on the event bus while a suite runs, and judges what passed
// by the contracts: each event must be valid by its published schema, come from its
// publisher, and be caused by what the contract says.
//
// It exists because examples and unit tests hold to the contracts what people
// thought of. What is on the bus is what services really publish.
//
// The tap is a rule and a queue of its own, made through the API and removed again,
// so it changes nothing for the consumers.
package tap

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	bridge "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

const (
	everything = `{"source":[{"prefix":""}]}`
	target     = "tap"
	buses      = "tradewind-" // begins the name of a stage's bus
	batch      = 10           // messages a call, the most SQS gives
)

// Tap is open on a bus.
type Tap struct {
	bus, rule, queue string
	events           *eventbridge.Client
	sqs              *sqs.Client
}

// Event is one that passed.
type Event struct {
	Source string          `json:"source"`
	Type   string          `json:"detail-type"`
	Detail json.RawMessage `json:"detail"`
}

// Open begins to listen on the platform's bus, of which the endpoint has one. What
// was published before is not heard.
func Open(ctx context.Context, cfg aws.Config) (*Tap, error) {
	t := &Tap{rule: "tradewind-tap-" + rand.Text()[:12], events: eventbridge.NewFromConfig(cfg), sqs: sqs.NewFromConfig(cfg)}
	if err := t.find(ctx); err != nil {
		return nil, fmt.Errorf("tap the bus: %w", err)
	}
	if err := t.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("tap the bus %s: %w", t.bus, err), t.Close(context.WithoutCancel(ctx)))
	}
	return t, nil
}

func (t *Tap) find(ctx context.Context) error {
	out, err := t.events.ListEventBuses(ctx, &eventbridge.ListEventBusesInput{NamePrefix: aws.String(buses)})
	if err != nil {
		return err
	}
	var names []string
	for _, bus := range out.EventBuses {
		if name := aws.ToString(bus.Name); strings.HasPrefix(name, buses) { // not every endpoint filters
			names = append(names, name)
		}
	}
	if len(names) != 1 {
		return fmt.Errorf("there are %d of the name %s…: %v", len(names), buses, names)
	}
	t.bus = names[0]
	return nil
}

func (t *Tap) open(ctx context.Context) error {
	rule, err := t.events.PutRule(ctx, &eventbridge.PutRuleInput{
		Name: &t.rule, EventBusName: &t.bus, EventPattern: aws.String(everything), Description: aws.String("Listens for a test"),
	})
	if err != nil {
		return err
	}
	queue, err := t.sqs.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &t.rule, Attributes: map[string]string{
		"VisibilityTimeout": "600", // a slow reader hears each event once all the same
	}})
	if err != nil {
		return err
	}
	t.queue = *queue.QueueUrl
	attributes, err := t.sqs.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: &t.queue, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn},
	})
	if err != nil {
		return err
	}
	arn := attributes.Attributes[string(types.QueueAttributeNameQueueArn)]
	policy, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
		"Effect": "Allow", "Principal": map[string]string{"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn,
		"Condition": map[string]any{"ArnEquals": map[string]string{"aws:SourceArn": *rule.RuleArn}},
	}}})
	if err != nil {
		return err
	}
	if _, err := t.sqs.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{
		QueueUrl: &t.queue, Attributes: map[string]string{string(types.QueueAttributeNamePolicy): string(policy)},
	}); err != nil {
		return err
	}
	out, err := t.events.PutTargets(ctx, &eventbridge.PutTargetsInput{
		Rule: &t.rule, EventBusName: &t.bus, Targets: []bridge.Target{{Id: aws.String(target), Arn: &arn}},
	})
	if err == nil && out.FailedEntryCount > 0 {
		err = fmt.Errorf("the queue cannot be a target: %s", aws.ToString(out.FailedEntries[0].ErrorMessage))
	}
	return err
}

// Events returns what has passed since the last call, once nothing has come for a
// while.
func (t *Tap) Events(ctx context.Context, quiet time.Duration) ([]Event, error) {
	var heard []Event
	for last := time.Now(); time.Since(last) < quiet; {
		out, err := t.sqs.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &t.queue, MaxNumberOfMessages: batch, WaitTimeSeconds: 1})
		if err != nil {
			return heard, fmt.Errorf("listen at the tap: %w", err)
		}
		for _, m := range out.Messages {
			var e Event
			if err := json.Unmarshal([]byte(*m.Body), &e); err != nil {
				return heard, fmt.Errorf("what passed is no event: %w: %s", err, *m.Body)
			}
			heard = append(heard, e)
			last = time.Now()
			_, err := t.sqs.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &t.queue, ReceiptHandle: m.ReceiptHandle})
			// The SDK asks again when the answer was cut off, and then the message is gone.
			if _, gone := errors.AsType[*types.ReceiptHandleIsInvalid](err); err != nil && !gone {
				return heard, fmt.Errorf("listen at the tap: %w", err)
			}
		}
	}
	return heard, nil
}

// Close removes the rule and the queue.
func (t *Tap) Close(ctx context.Context) error {
	var failed []error
	if _, err := t.events.RemoveTargets(ctx, &eventbridge.RemoveTargetsInput{Rule: &t.rule, EventBusName: &t.bus, Ids: []string{target}}); err != nil {
		failed = append(failed, err)
	}
	if _, err := t.events.DeleteRule(ctx, &eventbridge.DeleteRuleInput{Name: &t.rule, EventBusName: &t.bus}); err != nil {
		failed = append(failed, err)
	}
	if t.queue != "" {
		if _, err := t.sqs.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: &t.queue}); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}
