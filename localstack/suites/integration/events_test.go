package integration

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"tradewind/events/contracts"
	"tradewind/localstack/internal/endpoint"
	"tradewind/localstack/suites/integration/tap"
)

// listen opens a tap on the bus for as long as the suite runs, where the bus is ours
// to tap.
func (p *platform) listen(t *testing.T) {
	t.Helper()
	if p.outputs.Endpoint == "" {
		return
	}
	opened, err := tap.Open(t.Context(), endpoint.AWS(p.outputs.Endpoint, p.outputs.Region))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := opened.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("close the tap: %v", err)
		}
	})
	p.tap = opened
}

// judgeEvents holds all that was published while the suite ran to the contracts.
func (p *platform) judgeEvents(t *testing.T) {
	if p.tap == nil {
		return
	}
	heard, err := p.tap.Events(within(t, soon), 2*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	report, err := tap.Judge(heard, contracts.All(), os.DirFS("../../../events/published"))
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range report.Faults {
		t.Error(fault)
	}
	// The suite walks through every path of an order; a tap that hears nothing of one
	// would find no fault either.
	for _, walked := range []string{
		"order.created v1 upon request", "order.confirmed v1 upon payment.captured", "order.cancelled v1 upon stock.rejected",
		"order.cancelled v1 upon payment.declined", "payment.refunded v1 upon order.cancelled", "user.deleted v1 upon request",
	} {
		if slices.Contains(report.Missing, walked) {
			t.Errorf("the tap did not hear %s", walked)
		}
	}
	t.Logf("%d events passed the bus; of what the contracts declare, these did not: %s", report.Heard, strings.Join(report.Missing, ", "))
}
