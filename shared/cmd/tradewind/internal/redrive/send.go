package redrive

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"tradewind/shared/relay"
)

// busTime is how long a bus that throttles is asked for one event.
const busTime = 30 * time.Second

// Sender is what is asked of SQS to put letters into a queue.
type Sender interface {
	SendMessage(context.Context, *sqs.SendMessageInput, ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
}

var errNoEvent = errors.New("the message is no event")

// ToQueue returns a Run's Send for the letters of a consumer, also for those that
// never reached it: to its queue.
func ToQueue(client Sender, url string) func(context.Context, Letter) error {
	return func(ctx context.Context, l Letter) error {
		_, err := client.SendMessage(ctx, &sqs.SendMessageInput{
			QueueUrl: &url, MessageBody: aws.String(l.Body), MessageAttributes: l.back().Attributes(),
		})
		return err
	}
}

// ToBus returns a Run's Send for the letters of a relay: to the bus. What a letter
// only tells of is published from the table.
func ToBus(p *relay.Publisher, recover func(context.Context, Lost) error) func(context.Context, Letter) error {
	return func(ctx context.Context, l Letter) error {
		if l.Lost != nil {
			return recover(ctx, *l.Lost)
		}
		e, err := l.entry()
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, busTime)
		defer cancel()
		done := p.Publish(ctx, []relay.Entry{e})
		for _, e := range append(done.Again, done.Never...) {
			return fmt.Errorf("the bus does not take it: %s", e.Refusal)
		}
		return nil
	}
}
