package consumer_test

import (
	"testing"
	"time"

	"tradewind/events/contracts"
	event "tradewind/events/notifications"
	notificationsconsumer "tradewind/functions/notifications/internal/consumer"
	"tradewind/shared/consumer"
	"tradewind/shared/consumer/consumertest"
	"tradewind/shared/inbox"
	"tradewind/shared/logs"
)

// The rules bring what the contracts say that the service consumes, so the handlers
// must be for exactly that.
func TestTakesWhatIsDeclared(t *testing.T) {
	c := consumer.New(inbox.New(time.Now), logs.Discard())
	notificationsconsumer.Register(c, nil) // nothing is handled
	consumertest.TakesWhatIsDeclared(t, c, event.Source, contracts.All())
}
