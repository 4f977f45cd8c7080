package integration

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"tradewind/localstack/internal/await"
	"tradewind/localstack/internal/endpoint"
	"tradewind/localstack/internal/fnproc"
	"tradewind/localstack/internal/shop"
)

// redelivered is the patience with messages whose consumer was killed: they come back
// when their visibility timeout is over, and may be hit again.
const redelivered = 5 * time.Minute

// visibility are the queues' timeouts while consumers are killed: longer than what a
// function does with a batch, of which asking the slow provider takes ten seconds, but not
// six times the function's own timeout, as they are otherwise: the tests would wait for
// minutes.
var visibility = map[string]time.Duration{
	"inventory":     15 * time.Second,
	"orders":        15 * time.Second,
	"notifications": 15 * time.Second,
	"payments":      20 * time.Second,
}

// comesBackSooner shortens the visibility timeouts until the test's end.
func (p *platform) comesBackSooner(t *testing.T) {
	t.Helper()
	const attribute = string(types.QueueAttributeNameVisibilityTimeout)
	client := sqs.NewFromConfig(endpoint.AWS(p.outputs.Endpoint, p.outputs.Region))
	set := func(ctx context.Context, queue, seconds string) error {
		_, err := client.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{
			QueueUrl: aws.String(queue), Attributes: map[string]string{attribute: seconds},
		})
		return err
	}
	for service, timeout := range visibility {
		queue := p.outputs.Queues[service+"-consumer"]
		before, err := client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
			QueueUrl: aws.String(queue), AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameVisibilityTimeout},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := set(t.Context(), queue, strconv.Itoa(int(timeout.Seconds()))); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := set(context.WithoutCancel(t.Context()), queue, before.Attributes[attribute]); err != nil {
				t.Error(err)
			}
		})
	}
}

// killedConsumer kills a service's consumer again and again while orders of every
// kind pass through it.
func killedConsumer(t *testing.T, p *platform, service string) {
	c, product := p.customer(t), p.product(t, 8)
	stop := make(chan struct{})
	killed := make(chan int)
	go func() {
		n := 0
		for {
			select {
			case <-stop:
				killed <- n
				return
			case <-time.After(rand.N(30 * time.Millisecond)):
				n += fnproc.Kill(p.outputs.Endpoint, p.function(service, "consumer"))
			}
		}
	}()
	// Six units of eight are sold, or the order for six comes first.
	var placed []shop.Order
	for _, o := range []shop.NewOrder{
		order(product.ID, 1, shop.CardOK), order(product.ID, 2, shop.CardOK), order(product.ID, 1, shop.CardDeclined),
		order(product.ID, 6, shop.CardOK), order(product.ID, 9, shop.CardOK), order(product.ID, 3, shop.CardOK),
	} {
		placed = append(placed, c.place(t, o))
	}
	time.Sleep(2 * time.Second)
	close(stop)
	if n := <-killed; n == 0 {
		t.Error("nothing was killed")
	}
	for _, o := range placed {
		c.settled(t, o.ID)
	}
}

// killedDuringCharge kills the payments consumer while the provider makes up its
// mind. The charge may have been made; it must be made neither twice nor in vain.
func killedDuringCharge(t *testing.T, p *platform) {
	c, product := p.customer(t), p.product(t, 5)
	o := c.place(t, order(product.ID, 2, shop.CardSlow))
	p.stock(t, product.ID, 5, 2, soon)
	time.Sleep(3 * time.Second) // of the ten that the provider takes
	if fnproc.Kill(p.outputs.Endpoint, p.function("payments", "consumer")) == 0 {
		t.Fatal("nothing was killed")
	}
	if now, err := c.Order(t.Context(), o.ID); err != nil || now.Status != shop.Pending {
		t.Fatalf("the order was settled before the kill: %+v, %v", now, err)
	}
	o = c.ends(t, o.ID, shop.Confirmed, redelivered)
	c.payment(t, o, shop.Captured)
	p.stock(t, product.ID, 3, 0, redelivered)
	c.told(t, o.ID, "order_received", "order_confirmed")
}

// killedRelay kills the relay of the orders service while it publishes.
func killedRelay(t *testing.T, p *platform) {
	c, product := p.customer(t), p.product(t, 10)
	var placed []shop.Order
	killed := 0
	for range 5 {
		placed = append(placed, c.place(t, order(product.ID, 1, shop.CardOK)))
		killed += fnproc.Kill(p.outputs.Endpoint, p.function("orders", "relay"))
	}
	if killed == 0 {
		t.Error("nothing was killed")
	}
	for _, o := range placed {
		c.settled(t, o.ID)
	}
}

// function is the name of a service's function on the local endpoint.
func (p *platform) function(service, name string) string {
	return "tradewind-local-" + service + "-" + name
}

// settled waits until an order is not pending any more, however it ended.
func (c customer) settled(t *testing.T, orderID string) shop.Order {
	t.Helper()
	var o shop.Order
	err := await.Until(within(t, redelivered), look, "order "+orderID+" to be settled", func(ctx context.Context) (err error) {
		if o, err = c.Order(ctx, orderID); err == nil && o.Status == shop.Pending {
			err = fmt.Errorf("it is pending")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}
