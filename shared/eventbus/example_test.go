package eventbus_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"tradewind/events"
	"tradewind/shared/eventbus"
	"tradewind/shared/logs"
	"tradewind/shared/outbox"
	"tradewind/shared/table"
	"tradewind/shared/table/tabletest"
)

// SentV1 says that a parcel is on its way.
type SentV1 struct {
	ParcelID string `json:"parcelId"`
	Grams    int    `json:"grams"`
}

// EventType implements events.Event.
func (SentV1) EventType() string { return "parcel.sent" }

// SchemaVersion implements events.Event.
func (SentV1) SchemaVersion() int { return 1 }

// Subject is the parcel's id.
func (e SentV1) Subject() string { return e.ParcelID }

// The post sends a parcel, and billing hears of it. Each has a table of its own; what
// lies between them (stream, relay, bus and queue) is played by deliver.
func Example() {
	ctx := context.Background()

	// The post: the parcel and its event are stored together.
	post := tabletest.New()
	publisher := eventbus.NewPublisher("post", time.Now)
	parcel := table.Key{PK: "PARCEL#7", SK: "PARCEL"}
	ops := publisher.Ops(ctx, parcel.PK, SentV1{ParcelID: "7", Grams: 500})
	if err := post.Commit(ctx, nil, append(ops, table.Create(parcel, errors.New("the parcel is there already")))...); err != nil {
		fmt.Println(err)
		return
	}

	// Billing: what it changes is one commit, so it is changed once.
	billing := tabletest.New()
	subscriber := eventbus.NewSubscriber(time.Now, logs.Discard())
	eventbus.On(subscriber, func(ctx context.Context, _ events.Metadata, e SentV1) error {
		bill := table.Key{PK: "BILL#" + e.ParcelID, SK: "BILL"}
		if err := billing.Commit(ctx, nil, table.Create(bill, errors.New("there are two bills"))); err != nil {
			return err
		}
		fmt.Println("a bill for", e.Grams, "grams")
		return nil
	})

	for range 2 { // a queue may deliver twice
		fmt.Println(deliver(ctx, post, parcel.PK, subscriber))
	}

	// Output:
	// a bill for 500 grams
	// {"batchItemFailures":[]}
	// {"batchItemFailures":[]}
}

// deliver brings what is stored in a partition's outbox to a subscriber.
func deliver(ctx context.Context, from *table.Table, pk string, to *eventbus.Subscriber) string {
	records, _, err := table.List[outbox.Record](ctx, from, table.Query{PK: pk, SKPrefix: "OUTBOX#", Limit: 10})
	if err != nil {
		return err.Error()
	}
	var messages []map[string]string
	for _, r := range records {
		body, _ := json.Marshal(map[string]any{"source": r.Source, "detail-type": r.DetailType, "detail": json.RawMessage(r.Detail)})
		messages = append(messages, map[string]string{"messageId": r.EventID, "body": string(body)})
	}
	batch, _ := json.Marshal(map[string]any{"Records": messages})
	answer, err := to.Invoke(ctx, batch)
	if err != nil {
		return err.Error()
	}
	return string(answer)
}
