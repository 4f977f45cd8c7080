package audit

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// DeadLetters counts the messages in the dead-letter queues among a run's queues,
// by name; empty ones are left out.
func DeadLetters(ctx context.Context, cfg aws.Config, queues map[string]string) (map[string]int, error) {
	client := sqs.NewFromConfig(cfg)
	found := map[string]int{}
	for name, url := range queues {
		if !strings.HasSuffix(name, "-dlq") {
			continue
		}
		out, err := client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
			QueueUrl:       aws.String(url),
			AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameApproximateNumberOfMessages},
		})
		if err != nil {
			return nil, fmt.Errorf("count the messages of %s: %w", name, err)
		}
		n, err := strconv.Atoi(out.Attributes[string(types.QueueAttributeNameApproximateNumberOfMessages)])
		if err != nil {
			return nil, fmt.Errorf("count the messages of %s: %w", name, err)
		}
		if n > 0 {
			found[name] = n
		}
	}
	return found, nil
}
