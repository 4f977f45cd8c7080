package integration

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"tradewind/events"
	"tradewind/localstack/internal/fnproc"
	"tradewind/localstack/internal/shop"
	"tradewind/localstack/suites/integration/badbus"
	"tradewind/localstack/suites/integration/redeploy"
	"tradewind/localstack/suites/integration/tap"
)

// reconciled has a bus that loses every tenth event of every service of the saga, and
// throttles every seventh at first, and kills a relay when the bus has taken events and
// the relay does not know yet. Afterwards the outboxes hold what never passed the bus;
// published once more from there, nothing is missing, and the orders end as they
// should.
func reconciled(t *testing.T, o operator) {
	began := time.Now()
	witness, err := tap.Open(t.Context(), o.aws)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := witness.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	bad := &badbus.Bus{}
	var good atomic.Bool
	var n, calls, killed int
	throttled := map[string]bool{}
	bad.Fate = func(e badbus.Event) badbus.Fate {
		if n++; good.Load() {
			return badbus.Pass
		}
		switch {
		case throttled[e.ID]:
		case n%10 == 4:
			return badbus.Lose
		case n%7 == 2:
			throttled[e.ID] = true
			return badbus.Refuse
		}
		return badbus.Pass
	}
	bad.Taken = func(taken []badbus.Event) {
		if !strings.HasPrefix(taken[0].Type, "order.") {
			return
		}
		if calls++; calls == 3 {
			killed = fnproc.Kill(o.outputs.Endpoint, o.function("orders", "relay"))
		}
	}
	if err := bad.Open(o.outputs.Endpoint); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bad.Close(context.WithoutCancel(t.Context())) }) // a killed relay's call may be open
	for _, service := range []string{"orders", "inventory", "payments", "notifications"} {
		o.publishesOn(t, service, bad.URL())
	}

	c, product := o.customer(t), o.product(t, 100)
	var placed []shop.Order
	for i := range 20 {
		method := shop.CardOK
		if i%5 == 4 {
			method = shop.CardDeclined
		}
		placed = append(placed, c.place(t, order(product.ID, 1, method)))
	}
	o.atRest(t) // what got through has had its consequences
	o.quiet(t)
	good.Store(true)

	heard := map[string]bool{}
	o.hear(t, witness, began, heard)
	lost, outbox := bad.Events(badbus.Lose), o.outbox(t, began)
	missing := slices.DeleteFunc(slices.Clone(outbox), func(id string) bool { return heard[id] })
	if len(missing) == 0 || len(bad.Events(badbus.Refuse)) == 0 || killed == 0 {
		t.Fatalf("%d events missing, %d throttled, %d relays killed: nothing was put to the test", len(missing), len(bad.Events(badbus.Refuse)), killed)
	}
	for _, id := range missing {
		if !slices.Contains(lost, id) {
			t.Errorf("event %s was not published, and no bus has lost it", id)
		}
	}
	t.Logf("%d events in the outboxes; the bus got %d, lost %d, throttled %d, and killed %d relays; %d were missing",
		len(outbox), len(bad.Events(badbus.Pass)), len(lost), len(bad.Events(badbus.Refuse)), killed, len(missing))

	window := []string{"--service=all", "--from=" + began.UTC().Format(time.RFC3339Nano)}
	counted := o.does(t, "reconcile", append(window, "--dry-run")...)
	if !strings.Contains(counted, "orders, ") || !strings.Contains(counted, "  order.created\n") || strings.Contains(counted, "published") {
		t.Errorf("counted:\n%s", counted)
	}
	said := o.does(t, "reconcile", window...)
	if !strings.Contains(said, ", 0 refused\n") || !strings.Contains(said, "    20  order.created\n") {
		t.Errorf("said:\n%s", said)
	}
	for _, p := range placed {
		c.settled(t, p.ID)
	}
	o.quiet(t)
	o.dead(t, map[string]int{})

	// What followed from the lost ones came by a good bus: published = outbox.
	o.hear(t, witness, began, heard)
	for _, id := range o.outbox(t, began) {
		if !heard[id] {
			t.Errorf("event %s is in an outbox and was never published", id)
		}
		delete(heard, id)
	}
	for id := range heard {
		t.Errorf("event %s was published and is in no outbox", id)
	}
}

// publishesOn sends a service's relay to another bus, until the test's end.
func (o operator) publishesOn(t *testing.T, service, url string) {
	t.Helper()
	o.relayHas(t, service, "AWS_ENDPOINT_URL_EVENTBRIDGE", url)
}

// relayHas gives a service's relay another value of a variable, until the test's end.
func (o operator) relayHas(t *testing.T, service, variable, value string) {
	t.Helper()
	relay := redeploy.New(o.aws, o.function(service, "relay"))
	now, err := relay.Live(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	set := func(ctx context.Context, variables map[string]string) {
		t.Helper()
		if err := relay.SetVariables(ctx, variables); err != nil {
			t.Fatal(err)
		}
	}
	variables := maps.Clone(now.Variables)
	variables[variable] = value
	set(t.Context(), variables)
	t.Cleanup(func() { set(context.WithoutCancel(t.Context()), now.Variables) })
}

// outbox are the ids of the events that were stored since a moment.
func (o operator) outbox(t *testing.T, since time.Time) []string {
	t.Helper()
	client := dynamodb.NewFromConfig(o.aws)
	var ids []string
	for service, table := range o.outputs.Tables {
		pages := dynamodb.NewScanPaginator(client, &dynamodb.ScanInput{
			TableName: aws.String(table), ConsistentRead: aws.Bool(true), FilterExpression: aws.String("entity = :outbox"),
			ExpressionAttributeValues: map[string]dbtypes.AttributeValue{":outbox": &dbtypes.AttributeValueMemberS{Value: "outbox"}},
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatalf("outbox of %s: %v", service, err)
			}
			for _, item := range page.Items {
				var e events.Envelope
				if err := json.Unmarshal([]byte(item["detail"].(*dbtypes.AttributeValueMemberS).Value), &e); err != nil {
					t.Fatal(err)
				}
				if !e.Metadata.OccurredAt.Time().Before(since) {
					ids = append(ids, e.Metadata.EventID)
				}
			}
		}
	}
	return ids
}

// hear adds to ids those of the events that were made since a moment and have passed
// the bus.
func (o operator) hear(t *testing.T, witness *tap.Tap, since time.Time, ids map[string]bool) {
	t.Helper()
	passed, err := witness.Events(within(t, soon), 2*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range passed {
		var detail events.Envelope
		if err := json.Unmarshal(e.Detail, &detail); err != nil {
			t.Fatalf("what passed is no event: %v", err)
		}
		if m := detail.Metadata; !m.OccurredAt.Time().Before(since) {
			ids[m.EventID] = true
		}
	}
}
