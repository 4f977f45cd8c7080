package consumertest_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tradewind/events"
	"tradewind/shared/consumer"
	"tradewind/shared/consumer/consumertest"
	"tradewind/shared/inbox"
	"tradewind/shared/logs"
)

type sent struct{ ID string }

func (sent) EventType() string  { return "parcel.sent" }
func (sent) SchemaVersion() int { return 1 }
func (e sent) Subject() string  { return e.ID }

type lost struct{ ID string }

func (lost) EventType() string  { return "parcel.lost" }
func (lost) SchemaVersion() int { return 1 }
func (e lost) Subject() string  { return e.ID }

// recorder notes what a test would be failed for.
type recorder struct {
	testing.TB
	errors []string
}

func (r *recorder) Helper() {}
func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func TestTakesWhatIsDeclared(t *testing.T) {
	takesSent := func(c *consumer.Consumer) {
		consumer.On(c, func(context.Context, events.Metadata, sent) error { return nil })
	}
	takesLost := func(c *consumer.Consumer) {
		consumer.On(c, func(context.Context, events.Metadata, lost) error { return nil })
	}
	contracts := []events.Contract{
		{Event: sent{}, Consumers: events.Consumers{"billing": "writes the bill", "claims": "notes the day"}},
		{Event: lost{}, Consumers: events.Consumers{"claims": "opens a claim"}},
	}
	tests := map[string]struct {
		service  string
		register []func(*consumer.Consumer)
		want     []string
	}{
		"as declared":  {"claims", []func(*consumer.Consumer){takesSent, takesLost}, nil},
		"too few":      {"claims", []func(*consumer.Consumer){takesSent}, []string{"the contracts say that claims consumes parcel.lost v1, and it has no handler: each would end in its dead-letter queue"}},
		"too many":     {"billing", []func(*consumer.Consumer){takesSent, takesLost}, []string{"billing has a handler for parcel.lost v1, and no rule will bring it: add billing to the contract's Consumers"}},
		"twice":        {"billing", []func(*consumer.Consumer){takesSent, takesSent}, []string{"billing has two handlers for parcel.sent v1: the last one gets them all"}},
		"of no matter": {"stamps", nil, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := consumer.New(inbox.New(time.Now), logs.Discard())
			for _, register := range test.register {
				register(c)
			}
			r := &recorder{TB: t}
			consumertest.TakesWhatIsDeclared(r, c, test.service, contracts)
			if diff := cmp.Diff(test.want, r.errors); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
		})
	}
}
