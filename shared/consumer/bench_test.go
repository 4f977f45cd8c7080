package consumer_test

import (
	"context"
	"testing"

	"tradewind/events"
	"tradewind/shared/consumer"
)

// BenchmarkInvoke is what the kit costs a message, next to whose decoding and log line
// finding the handler is little.
func BenchmarkInvoke(b *testing.B) {
	c, _ := newConsumer()
	consumer.On(c, func(context.Context, events.Metadata, shipped) error { return nil })
	consumer.On(c, func(context.Context, events.Metadata, lost) error { return nil })
	payload := batch(event("m-1", "evt_1", shipped{"1", 1}))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Invoke(b.Context(), payload); err != nil {
			b.Fatal(err)
		}
	}
}
