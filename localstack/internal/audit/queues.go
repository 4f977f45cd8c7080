package audit

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"tradewind/localstack/internal/await"
)

// deadLetters ends the names of dead-letter queues.
const deadLetters = "-dlq"

// counted are the attributes of a queue that together are its messages: those that
// wait, and those that a consumer has, or had when it was killed.
var counted = []types.QueueAttributeName{
	types.QueueAttributeNameApproximateNumberOfMessages,
	types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
	types.QueueAttributeNameApproximateNumberOfMessagesDelayed,
}

// Quiet waits until no consumer has anything left to do. Invariants may seem to hold
// while a killed consumer's message is still on its way back; then they must again.
func Quiet(ctx context.Context, cfg aws.Config, queues map[string]string) error {
	working := maps.Clone(queues)
	maps.DeleteFunc(working, func(name, _ string) bool { return strings.HasSuffix(name, deadLetters) })
	return await.Until(ctx, look, "the consumers to have nothing left to do", func(ctx context.Context) error {
		n, err := messages(ctx, cfg, working)
		if err == nil && len(n) > 0 {
			err = fmt.Errorf("messages: %v", n)
		}
		return err
	})
}

// DeadLetters counts the messages in the dead-letter queues among a run's queues,
// by name; empty ones are left out.
func DeadLetters(ctx context.Context, cfg aws.Config, queues map[string]string) (map[string]int, error) {
	dead := maps.Clone(queues)
	maps.DeleteFunc(dead, func(name, _ string) bool { return !strings.HasSuffix(name, deadLetters) })
	return messages(ctx, cfg, dead)
}

// messages counts the messages of queues that are not empty.
func messages(ctx context.Context, cfg aws.Config, queues map[string]string) (map[string]int, error) {
	client := sqs.NewFromConfig(cfg)
	found := map[string]int{}
	for name, url := range queues {
		out, err := client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: aws.String(url), AttributeNames: counted})
		if err != nil {
			return nil, fmt.Errorf("count the messages of %s: %w", name, err)
		}
		total := 0
		for _, attribute := range counted {
			n, err := strconv.Atoi(out.Attributes[string(attribute)])
			if err != nil {
				return nil, fmt.Errorf("count the messages of %s: %s: %w", name, attribute, err)
			}
			total += n
		}
		if total > 0 {
			found[name] = total
		}
	}
	return found, nil
}
