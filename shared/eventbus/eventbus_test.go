package eventbus_test

import (
	"strings"
	"testing"
	"time"

	"tradewind/events"
	"tradewind/shared/eventbus"
	"tradewind/shared/outbox"
	"tradewind/shared/table"
	"tradewind/shared/table/tabletest"
)

// manifest is an event that may be large.
type manifest struct {
	ParcelID string `json:"parcelId"`
	Contents string `json:"contents"`
}

func (manifest) EventType() string  { return "parcel.listed" }
func (manifest) SchemaVersion() int { return 1 }
func (e manifest) Subject() string  { return e.ParcelID }

// publish commits an event and returns its record.
func publish(t *testing.T, p *eventbus.Publisher, ev events.Event) (*table.Table, outbox.Record, error) {
	t.Helper()
	tbl := tabletest.New()
	if err := tbl.Commit(t.Context(), nil, p.Ops(t.Context(), "PARCEL#1", ev)...); err != nil {
		return tbl, outbox.Record{}, err
	}
	records, _, err := table.List[outbox.Record](t.Context(), tbl, table.Query{PK: "PARCEL#1", SKPrefix: "OUTBOX#", Limit: 2})
	if err != nil || len(records) != 1 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	return tbl, records[0], nil
}

// An event that is too large is refused, before anything is written.
func TestTooLarge(t *testing.T) {
	tbl, _, err := publish(t, eventbus.NewPublisher("post", time.Now), manifest{"1", strings.Repeat("x", outbox.MaxDetail)})
	if err == nil || !strings.Contains(err.Error(), "more than the 245760 an event may have") {
		t.Errorf("got %v", err)
	}
	records, _, err := table.List[outbox.Record](t.Context(), tbl, table.Query{PK: "PARCEL#1", Limit: 2})
	if err != nil || len(records) > 0 {
		t.Errorf("%d records, %v", len(records), err)
	}
}

// The largest event that is taken fits, with all that EventBridge and SQS add, into a
// message of 256 KiB.
func TestLargestFitsTheQueue(t *testing.T) {
	low, high := 0, outbox.MaxDetail
	for low < high-1 {
		middle := (low + high) / 2
		if _, _, err := publish(t, eventbus.NewPublisher("notifications", time.Now), manifest{"1", strings.Repeat("x", middle)}); err != nil {
			high = middle
		} else {
			low = middle
		}
	}
	_, record, err := publish(t, eventbus.NewPublisher("notifications", time.Now), manifest{"1", strings.Repeat("x", low)})
	if err != nil {
		t.Fatal(err)
	}
	const around = `{"version":"0","id":"7bf73129-1428-4cd3-a780-95db273d1602","detail-type":"","source":"","account":"123456789012",` +
		`"time":"2026-11-12T14:00:00Z","region":"ap-southeast-3","resources":[],"detail":}`
	if message := len(around) + len(record.Source) + len(record.DetailType) + len(record.Detail); message > 256<<10 || low < 200<<10 {
		t.Errorf("a message of %d bytes for %d bytes of contents", message, low)
	}
}
