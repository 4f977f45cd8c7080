package consumer_test

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tradewind/events"
	"tradewind/shared/consumer"
	"tradewind/shared/table/tabletest"
)

// Later versions of parcel.shipped: the second gives the weight its unit, the third
// says to whom it goes.
type (
	shippedV2 struct {
		ParcelID string `json:"parcelId"`
		Grams    int    `json:"grams"`
	}
	shippedV3 struct {
		ParcelID string `json:"parcelId"`
		Grams    int    `json:"grams"`
		To       string `json:"to,omitempty"`
	}
)

func (shippedV2) EventType() string  { return "parcel.shipped" }
func (shippedV3) EventType() string  { return "parcel.shipped" }
func (shippedV2) SchemaVersion() int { return 2 }
func (shippedV3) SchemaVersion() int { return 3 }
func (e shippedV2) Subject() string  { return e.ParcelID }
func (e shippedV3) Subject() string  { return e.ParcelID }

func (shippedV2) Upcast() events.Upcast {
	return events.From(func(old shipped) shippedV2 { return shippedV2{old.ParcelID, old.Weight} })
}

func (shippedV3) Upcast() events.Upcast {
	return events.From(func(old shippedV2) shippedV3 { return shippedV3{ParcelID: old.ParcelID, Grams: old.Grams} })
}

// archived returns messages as the bus sent them in the days of each version.
func archived(t *testing.T, versions ...string) []message {
	t.Helper()
	var messages []message
	for _, v := range versions {
		body, err := os.ReadFile("testdata/parcel.shipped." + v + ".json")
		if err != nil {
			t.Fatal(err)
		}
		messages = append(messages, message{"m-" + v, string(body)})
	}
	return messages
}

// TestVersions gives a consumer one event of each version, together, as they come
// while publisher and consumers move at different times.
func TestVersions(t *testing.T) {
	var got []any
	note := func(ev any) error {
		got = append(got, ev)
		return nil
	}
	v1 := func(c *consumer.Consumer) {
		consumer.On(c, func(_ context.Context, _ events.Metadata, ev shipped) error { return note(ev) })
	}
	v2 := func(c *consumer.Consumer) {
		consumer.On(c, func(_ context.Context, _ events.Metadata, ev shippedV2) error { return note(ev) })
	}
	v3 := func(c *consumer.Consumer) {
		consumer.On(c, func(_ context.Context, _ events.Metadata, ev shippedV3) error { return note(ev) })
	}
	type register = func(*consumer.Consumer)
	tests := map[string]struct {
		handlers []register
		want     []any
		refused  []string
	}{
		"only the first":       {[]register{v1}, []any{shipped{"par_1", 500}}, []string{"m-v2", "m-v3"}},
		"the second":           {[]register{v2}, []any{shippedV2{"par_1", 500}, shippedV2{"par_2", 700}}, []string{"m-v3"}},
		"the third":            {[]register{v3}, []any{shippedV3{"par_1", 500, ""}, shippedV3{"par_2", 700, ""}, shippedV3{"par_3", 900, "Ada"}}, nil},
		"first and third":      {[]register{v1, v3}, []any{shipped{"par_1", 500}, shippedV3{"par_2", 700, ""}, shippedV3{"par_3", 900, "Ada"}}, nil},
		"in the other order":   {[]register{v3, v1}, []any{shipped{"par_1", 500}, shippedV3{"par_2", 700, ""}, shippedV3{"par_3", 900, "Ada"}}, nil},
		"third and second":     {[]register{v3, v2}, []any{shippedV2{"par_1", 500}, shippedV2{"par_2", 700}, shippedV3{"par_3", 900, "Ada"}}, nil},
		"none of this type":    {nil, nil, []string{"m-v1", "m-v2", "m-v3"}},
		"each in its own time": {[]register{v1, v2, v3}, []any{shipped{"par_1", 500}, shippedV2{"par_2", 700}, shippedV3{"par_3", 900, "Ada"}}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got = nil
			c, l := newConsumer()
			for _, register := range test.handlers {
				register(c)
			}
			var refused []string
			for _, m := range archived(t, "v1", "v2", "v3") {
				refused = append(refused, failures(t.Context(), t, c, batch(m))...)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("handled (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.refused, refused); diff != "" {
				t.Errorf("given back (-want +got):\n%s", diff)
			}
			for _, line := range l.all(t) {
				if text, _ := line["error"].(string); line["level"] == "ERROR" && !strings.Contains(text, "deploy one that does, then redrive") {
					t.Errorf("the log does not say what to do: %v", line)
				}
			}
		})
	}
}

// TestLiftedOnce delivers an old event twice to a consumer of the new version.
func TestLiftedOnce(t *testing.T) {
	for _, test := range []string{"v1", "v2"} {
		tbl := tabletest.New()
		c, _ := newConsumer()
		consumer.On(c, func(ctx context.Context, _ events.Metadata, _ shippedV3) error { return count(ctx, tbl) })
		m := archived(t, test)
		wantFailures(t, c, batch(m[0]))
		wantFailures(t, c, batch(m[0]))
		if n := counted(t, tbl); n != 1 {
			t.Errorf("%s: counted %d times", test, n)
		}
	}
}

// An old payload that does not fit its own version is refused, not lifted half.
func TestMalformedOldPayload(t *testing.T) {
	c, _ := newConsumer()
	consumer.On(c, func(context.Context, events.Metadata, shippedV3) error {
		t.Error("handled")
		return nil
	})
	m := archived(t, "v1")[0]
	m.body = strings.Replace(m.body, `"weight": 500`, `"weight": "500"`, 1)
	if !json.Valid([]byte(m.body)) {
		t.Fatal(m.body)
	}
	wantFailures(t, c, batch(m), "m-v1")
}

// An event without a version is not taken for one of the first.
func TestNoVersion(t *testing.T) {
	c, _ := newConsumer()
	consumer.On(c, func(context.Context, events.Metadata, shippedV2) error { return nil })
	m := archived(t, "v1")[0]
	m.body = strings.Replace(m.body, `"schemaVersion": 1`, `"schemaVersion": 0`, 1)
	wantFailures(t, c, batch(m), "m-v1")
}

// An event whose data are kept outside of it is refused: an empty one is not what was
// published.
func TestClaimedData(t *testing.T) {
	c, _ := newConsumer()
	consumer.On(c, func(context.Context, events.Metadata, shipped) error {
		t.Error("handled")
		return nil
	})
	m := archived(t, "v1")[0]
	m.body = strings.Replace(m.body, `"schemaVersion": 1`, `"schemaVersion": 1, "claim": {"key": "claims/evt_1.json", "bytes": 2, "sha256": ""}`, 1)
	wantFailures(t, c, batch(m), "m-v1")
}

func TestTakes(t *testing.T) {
	c, _ := newConsumer()
	consumer.On(c, func(context.Context, events.Metadata, shippedV2) error { return nil })
	if diff := cmp.Diff([]events.Event{shippedV2{}}, c.Takes()); diff != "" {
		t.Errorf("takes (-want +got):\n%s", diff)
	}
}
