package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	bustypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"tradewind/events"
	"tradewind/events/orders"
	"tradewind/localstack/internal/audit"
	"tradewind/localstack/internal/endpoint"
)

// bus is the local stage's.
const bus = "tradewind-local"

// projection is a consumer of the test's own: it keeps what was sold of each product.
// Like every consumer it has a queue and a rule of its own, and counts an event once.
type projection struct {
	aws   aws.Config
	queue string
	seen  map[string]bool
	sold  map[string]int
	got   int // messages, also those that came again
}

// project makes a projection, which hears of everything from now on.
func (p *platform) project(t *testing.T, service string) *projection {
	t.Helper()
	cfg := endpoint.AWS(p.outputs.Endpoint, p.outputs.Region)
	name := bus + "-" + service + "-consumer"
	made, err := sqs.NewFromConfig(cfg).CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: map[string]string{
		"VisibilityTimeout": "600", // a slow reader gets each message once all the same
	}})
	if err != nil {
		t.Fatal(err)
	}
	attributes, err := sqs.NewFromConfig(cfg).GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: made.QueueUrl, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn},
	})
	if err != nil {
		t.Fatal(err)
	}
	pattern := fmt.Sprintf(`{"source":[%q],"detail-type":[%q],"replay-name":[{"exists":false}]}`, orders.Source, orders.TypeConfirmed)
	client := eventbridge.NewFromConfig(cfg)
	rule := &eventbridge.PutRuleInput{Name: &name, EventBusName: aws.String(bus), EventPattern: &pattern}
	if _, err := client.PutRule(t.Context(), rule); err != nil {
		t.Fatal(err)
	}
	arn := attributes.Attributes[string(types.QueueAttributeNameQueueArn)]
	_, err = client.PutTargets(t.Context(), &eventbridge.PutTargetsInput{
		Rule: &name, EventBusName: aws.String(bus), Targets: []bustypes.Target{{Id: aws.String("queue"), Arn: &arn}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		_, err1 := client.RemoveTargets(ctx, &eventbridge.RemoveTargetsInput{Rule: &name, EventBusName: aws.String(bus), Ids: []string{"queue"}})
		_, err2 := client.DeleteRule(ctx, &eventbridge.DeleteRuleInput{Name: &name, EventBusName: aws.String(bus)})
		_, err3 := sqs.NewFromConfig(cfg).DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: made.QueueUrl})
		if err := errors.Join(err1, err2, err3); err != nil {
			t.Error(err)
		}
	})
	return &projection{aws: cfg, queue: *made.QueueUrl, seen: map[string]bool{}, sold: map[string]int{}}
}

// catchUp works through the queue.
func (p *projection) catchUp(t *testing.T) {
	t.Helper()
	client := sqs.NewFromConfig(p.aws)
	for {
		out, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &p.queue, MaxNumberOfMessages: 10})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Messages) == 0 {
			return
		}
		for _, m := range out.Messages {
			var ev struct {
				Detail struct {
					Metadata events.Metadata
					Data     orders.ConfirmedV1
				}
			}
			if err := json.Unmarshal([]byte(*m.Body), &ev); err != nil {
				t.Fatal(err)
			}
			p.got++
			if id := ev.Detail.Metadata.EventID; !p.seen[id] {
				p.seen[id] = true
				for _, line := range ev.Detail.Data.Items {
					p.sold[line.ProductID] += line.Quantity
				}
			}
			_, err := client.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: &p.queue, ReceiptHandle: m.ReceiptHandle})
			// The SDK asks again when the answer was cut off, and then the message is gone.
			if _, gone := errors.AsType[*types.ReceiptHandleIsInvalid](err); err != nil && !gone {
				t.Fatal(err)
			}
		}
	}
}

// replayed replays the suite's whole day to everybody. Nobody who was there does
// anything about it, in a table or by mail; a projection that was not comes to what the
// one has that was.
func replayed(t *testing.T, o operator, since time.Time, live *projection) {
	fresh := o.project(t, "history")
	live.catchUp(t)
	if len(live.sold) == 0 {
		t.Fatal("nothing was sold so far")
	}
	o.quiet(t)
	before, mails := o.atRest(t), o.mailbox(t)
	if fresh.catchUp(t); fresh.got > 0 {
		t.Fatal("there is news, and the day is over")
	}

	out := o.does(t, "replay", "--from="+since.UTC().Format(time.RFC3339))
	if !strings.Contains(out, ": completed after") || !strings.Contains(out, "\n  history: order.confirmed\n") || !strings.Contains(out, "\n  inventory: ") {
		t.Errorf("said %s", out)
	}
	o.quiet(t)
	after := o.atRest(t)
	for _, change := range after.Since(before) {
		t.Errorf("the replay had an effect: %s", change)
	}
	if before.Checksum() != after.Checksum() {
		t.Errorf("checksum %s before, %s after", before.Checksum(), after.Checksum())
	}
	if now := o.mailbox(t); now != mails {
		t.Errorf("mail was sent: %s", now)
	}
	o.dead(t, map[string]int{})

	fresh.catchUp(t)
	if fresh.got == 0 || !maps.Equal(fresh.sold, live.sold) {
		t.Errorf("from history %v, live %v", fresh.sold, live.sold)
	}
	live.catchUp(t) // it got the replay too, and knew everything
	if live.got < 2*len(live.seen) || len(live.seen) != len(fresh.seen) {
		t.Errorf("live got %d messages of %d events", live.got, len(live.seen))
	}
	t.Logf("checksum of %d items %s before and after; %d events of %d products replayed to the projection",
		len(after), after.Checksum(), len(fresh.seen), len(fresh.sold))
}

// reaches replays to one consumer, and to nobody else.
func reaches(t *testing.T, o operator, since time.Time) {
	meant, other := o.project(t, "meant"), o.project(t, "other")
	from := "--from=" + since.UTC().Format(time.RFC3339)
	o.does(t, "replay", from, "--consumer=meant", "--dry-run")
	if meant.catchUp(t); meant.got > 0 {
		t.Fatal("a dry run has replayed")
	}
	o.does(t, "replay", from, "--consumer=meant")
	meant.catchUp(t)
	other.catchUp(t)
	if meant.got == 0 || other.got > 0 {
		t.Errorf("%d messages arrived where they were to go, %d elsewhere", meant.got, other.got)
	}
	for _, wrong := range [][]string{
		{from, "--consumer=meant", "--event=product.created"}, {from, "--consumer=nobody"}, {"--from=2020-01-01T00:00:00Z"}, {},
	} {
		if out, err := o.run(t, "replay", wrong...); err == nil {
			t.Errorf("%v was taken: %s", wrong, out)
		}
	}
	rules, err := eventbridge.NewFromConfig(o.aws).ListRules(t.Context(), &eventbridge.ListRulesInput{EventBusName: aws.String(bus)})
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range rules.Rules {
		if strings.Contains(*rule.Name, "-replay-") {
			t.Errorf("rule %s is left", *rule.Name)
		}
	}
}

// atRest is every item of every table once nothing changes any more, but of the one
// that changes by the clock.
func (o operator) atRest(t *testing.T) audit.Snapshot {
	t.Helper()
	still := maps.Clone(o.outputs.Tables)
	delete(still, "status")
	s, err := audit.SnapshotAtRest(within(t, soon), dynamodb.NewFromConfig(o.aws), still, 2*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// mailbox is what has left by the endpoint's mail service.
func (o operator) mailbox(t *testing.T) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, o.outputs.Endpoint+"/_ministack/ses/messages", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("the endpoint's mailbox: %d, %v", resp.StatusCode, err)
	}
	return string(text)
}
