package dynamo_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tradewind/events"
	event "tradewind/events/status"
	"tradewind/functions/status"
	"tradewind/functions/status/internal/dynamo"
	"tradewind/shared/apperr"
	"tradewind/shared/outbox"
	"tradewind/shared/table"
	"tradewind/shared/table/tabletest"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, int(7*time.Millisecond), time.UTC)

func service(name string, version int) status.Service {
	return status.Service{
		Name: name,
		Changes: []status.Change{
			{State: status.Degraded, Since: noon, Cause: "answered 502"},
			{State: status.Healthy, Since: noon.Add(-time.Hour)},
		},
		Last: status.Probe{
			Run: "run 1", At: noon.Add(time.Minute), Latency: 1234 * time.Microsecond, Fault: "answered 503",
			Checks: []status.Check{
				{Name: "orders", Status: status.Warn, Backlog: &status.Backlog{Waiting: 212, Oldest: 90 * time.Second}},
				{Name: "table", Status: status.Pass},
			},
		},
		Streak:  1,
		Began:   noon,
		Version: version,
	}
}

// both runs a suite over the store on either database.
func both(t *testing.T, suite func(*testing.T, *dynamo.Store, *table.Table)) {
	tabletest.Both(t, func(t *testing.T, tbl *table.Table) {
		suite(t, dynamo.New(tbl, outbox.New(event.Source, time.Now)), tbl)
	})
}

func TestService(t *testing.T) {
	both(t, func(t *testing.T, store *dynamo.Store, _ *table.Table) {
		unknown, err := store.Service(t.Context(), "order-service")
		if diff := cmp.Diff(status.Service{Name: "order-service"}, unknown); diff != "" || err != nil {
			t.Errorf("of what was never saved: %v\n%s", err, diff)
		}
		for version := 1; version <= 2; version++ {
			want := service("order-service", version)
			if err := store.Save(t.Context(), want); err != nil {
				t.Fatal(err)
			}
			got, err := store.Service(t.Context(), "order-service")
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("version %d: %v\n%s", version, err, diff)
			}
		}
		fresh := status.Service{Name: "new-service", Last: status.Probe{Run: "run 1", At: noon}, Version: 1}
		if err := store.Save(t.Context(), fresh); err != nil {
			t.Fatal(err)
		}
		got, err := store.Service(t.Context(), "new-service")
		if diff := cmp.Diff(fresh, got); diff != "" || err != nil {
			t.Errorf("with almost nothing in it: %v\n%s", err, diff)
		}
	})
}

func TestServices(t *testing.T) {
	both(t, func(t *testing.T, store *dynamo.Store, _ *table.Table) {
		none, err := store.Services(t.Context())
		if len(none) != 0 || err != nil {
			t.Errorf("of none: %v, %v", none, err)
		}
		const many = 130 // more than a page
		want := map[string]status.Service{}
		for n := range many {
			s := service(fmt.Sprintf("s%d-service", n), 1)
			want[s.Name] = s
			if err := store.Save(t.Context(), s, event.DegradedV1{Service: s.Name}); err != nil {
				t.Fatal(err)
			}
		}
		list, err := store.Services(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]status.Service{}
		for _, s := range list {
			got[s.Name] = s
		}
		if diff := cmp.Diff(want, got); diff != "" || len(list) != many {
			t.Errorf("%d of %d:\n%s", len(list), many, diff)
		}
	})
}

func TestSaveIsConditional(t *testing.T) {
	both(t, func(t *testing.T, store *dynamo.Store, tbl *table.Table) {
		degraded := event.DegradedV1{Service: "order-service"}
		if err := store.Save(t.Context(), service("order-service", 2), degraded); !errors.Is(err, apperr.ErrStale) {
			t.Errorf("the second version of what is not there: %v", err)
		}
		if err := store.Save(t.Context(), service("order-service", 1)); err != nil {
			t.Fatal(err)
		}
		for _, version := range []int{1, 3} {
			if err := store.Save(t.Context(), service("order-service", version), degraded); !errors.Is(err, apperr.ErrStale) {
				t.Errorf("version %d after the first: %v", version, err)
			}
		}
		if n := len(stored(t, tbl)); n != 0 {
			t.Errorf("%d events of what was not saved", n)
		}
	})
}

func TestEventsGoWithTheState(t *testing.T) {
	both(t, func(t *testing.T, store *dynamo.Store, tbl *table.Table) {
		evs := []events.Event{
			event.DegradedV1{Service: "order-service", SinceAt: events.Timestamp(noon), Cause: "answered 502", Probes: 2},
			event.RecoveredV1{Service: "order-service", SinceAt: events.Timestamp(noon), DegradedAt: events.Timestamp(noon), Probes: 2},
		}
		if err := store.Save(t.Context(), service("order-service", 1), evs...); err != nil {
			t.Fatal(err)
		}
		records := stored(t, tbl)
		if len(records) != len(evs) {
			t.Fatalf("%d events", len(records))
		}
		for i, r := range records {
			if r.Source != "status" || r.DetailType != evs[i].EventType() || r.Entity != outbox.Entity || !strings.Contains(r.Detail, `"subject":"order-service"`) {
				t.Errorf("event %d is %+v", i, r)
			}
		}
	})
}

func stored(t *testing.T, tbl *table.Table) []outbox.Record {
	t.Helper()
	records, _, err := table.List[outbox.Record](t.Context(), tbl, table.Query{PK: "SERVICES", SKPrefix: "OUTBOX#", Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	return records
}
