package redrive

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
)

// queue is an SQS queue in memory: what was received is invisible for a while. As
// recorded on AWS in 2024 and 2025 it gives at most ten messages at once, and takes a
// receipt for deleting and hiding a message also when that is visible again.
type queue struct {
	mu       sync.Mutex
	messages []*message
	receipts int
	undead   error // what DeleteMessage answers
	unheld   error // what ChangeMessageVisibility answers
}

type message struct {
	id, body, receipt string
	attributes        map[string]types.MessageAttributeValue
	sent, visible     time.Time
}

func (q *queue) put(body string, attributes map[string]types.MessageAttributeValue) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.messages = append(q.messages, &message{
		id: fmt.Sprint("m-", len(q.messages), time.Now().UnixNano()), body: body, attributes: attributes, sent: time.Now(),
	})
}

func (q *queue) SendMessage(_ context.Context, in *sqs.SendMessageInput, _ ...func(*sqs.Options)) (*sqs.SendMessageOutput, error) {
	q.put(*in.MessageBody, in.MessageAttributes)
	return &sqs.SendMessageOutput{}, nil
}

func (q *queue) ReceiveMessage(ctx context.Context, in *sqs.ReceiveMessageInput, _ ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if in.MaxNumberOfMessages > 10 {
		return nil, &smithy.GenericAPIError{Code: "InvalidParameterValue", Message: fmt.Sprintf(
			"Value %d for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.", in.MaxNumberOfMessages)}
	}
	out := &sqs.ReceiveMessageOutput{}
	for _, m := range q.messages {
		if len(out.Messages) == int(in.MaxNumberOfMessages) || m.visible.After(time.Now()) {
			continue
		}
		q.receipts++
		m.receipt = fmt.Sprint("r-", q.receipts)
		m.visible = time.Now().Add(time.Duration(in.VisibilityTimeout) * time.Second)
		out.Messages = append(out.Messages, types.Message{
			MessageId: aws.String(m.id), ReceiptHandle: aws.String(m.receipt), Body: aws.String(m.body), MessageAttributes: m.attributes,
			Attributes: map[string]string{"SentTimestamp": fmt.Sprint(m.sent.UnixMilli())},
		})
	}
	return out, ctx.Err()
}

func (q *queue) DeleteMessage(ctx context.Context, in *sqs.DeleteMessageInput, _ ...func(*sqs.Options)) (*sqs.DeleteMessageOutput, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := errors.Join(q.undead, ctx.Err()); err != nil {
		return nil, err
	}
	for i, m := range q.messages {
		if m.receipt == *in.ReceiptHandle {
			q.messages = append(q.messages[:i:i], q.messages[i+1:]...)
			return &sqs.DeleteMessageOutput{}, nil
		}
	}
	return nil, &types.ReceiptHandleIsInvalid{}
}

func (q *queue) ChangeMessageVisibility(_ context.Context, in *sqs.ChangeMessageVisibilityInput, _ ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityOutput, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.unheld != nil {
		return nil, q.unheld
	}
	for _, m := range q.messages {
		if m.receipt == *in.ReceiptHandle {
			m.visible = time.Now().Add(time.Duration(in.VisibilityTimeout) * time.Second)
			return &sqs.ChangeMessageVisibilityOutput{}, nil
		}
	}
	return nil, &types.ReceiptHandleIsInvalid{}
}

func (q *queue) GetQueueAttributes(context.Context, *sqs.GetQueueAttributesInput, ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error) {
	invisible := len(q.messages) - len(q.visible())
	return &sqs.GetQueueAttributesOutput{Attributes: map[string]string{"ApproximateNumberOfMessagesNotVisible": fmt.Sprint(invisible)}}, nil
}

// visible returns the bodies that anybody could receive now.
func (q *queue) visible() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	bodies := []string{}
	for _, m := range q.messages {
		if !m.visible.After(time.Now()) {
			bodies = append(bodies, m.body)
		}
	}
	return bodies
}

func receiving(n int32) *sqs.ReceiveMessageInput {
	return &sqs.ReceiveMessageInput{MaxNumberOfMessages: n, VisibilityTimeout: int32(hold.Seconds())}
}
