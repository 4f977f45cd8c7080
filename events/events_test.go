package events_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"tradewind/events"
	"tradewind/events/orders"
)

func TestTimestampIsWritten(t *testing.T) {
	cet := time.FixedZone("CET", 3600)
	tests := map[string]struct {
		time time.Time
		want string
	}{
		"milliseconds": {time.Date(2026, 11, 12, 14, 0, 0, 123_000_000, time.UTC), "2026-11-12T14:00:00.123Z"},
		"none":         {time.Date(2026, 11, 12, 14, 0, 0, 0, time.UTC), "2026-11-12T14:00:00.000Z"},
		"finer":        {time.Date(2026, 11, 12, 14, 0, 0, 123_999_999, time.UTC), "2026-11-12T14:00:00.123Z"},
		"zone":         {time.Date(2026, 11, 12, 0, 30, 0, 0, cet), "2026-11-11T23:30:00.000Z"},
		"zero":         {time.Time{}, "0001-01-01T00:00:00.000Z"},
	}
	for name, test := range tests {
		got, err := json.Marshal(struct{ At events.Timestamp }{events.Timestamp(test.time)})
		if want := fmt.Sprintf(`{"At":%q}`, test.want); err != nil || string(got) != want {
			t.Errorf("%s: got %s, %v; want %s", name, got, err, want)
		}
		if s := events.Timestamp(test.time).String(); s != test.want {
			t.Errorf("%s: String is %s, want %s", name, s, test.want)
		}
	}
}

func TestTimestampIsRead(t *testing.T) {
	want := time.Date(2026, 11, 12, 14, 0, 0, 123_000_000, time.UTC)
	for _, text := range []string{
		"2026-11-12T14:00:00.123Z", "2026-11-12T14:00:00.123000Z", "2026-11-12T15:00:00.123+01:00",
	} {
		var got events.Timestamp
		if err := json.Unmarshal([]byte(`"`+text+`"`), &got); err != nil || got.Time() != want {
			t.Errorf("%s: got %v, %v; want %v", text, got.Time(), err, want)
		}
	}
	for _, text := range []string{`""`, `"yesterday"`, `"2026-11-12"`, `"2026-11-12T14:00:00"`, `"2026-13-12T14:00:00Z"`, `1794492000`} {
		got := events.Timestamp(want)
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s: read as %v", text, got)
		}
	}
}

// A consumer reads the envelope, then the data as the type that it knows for
// the detail type and version. Package consumer of the kit does this.
func Example() {
	detail := `{"metadata": {"eventId": "evt_01K9ZX3V5T8Q2M4N6P7R8S9T27", "occurredAt": "2026-11-12T14:00:07.107Z", "schemaVersion": 1},
		"data": {"orderId": "ord_01K9ZX3V5T8Q2M4N6P7R8S9T05", "total": {"amount": 3499, "currency": "EUR"}}}`
	var envelope events.Envelope
	if err := json.Unmarshal([]byte(detail), &envelope); err != nil {
		fmt.Println(err)
		return
	}
	var confirmed orders.ConfirmedV1
	if err := json.Unmarshal(envelope.Data, &confirmed); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(confirmed.Subject(), confirmed.Total.Amount, envelope.Metadata.OccurredAt)

	// Output: ord_01K9ZX3V5T8Q2M4N6P7R8S9T05 3499 2026-11-12T14:00:07.107Z
}
