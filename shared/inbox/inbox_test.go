package inbox_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"tradewind/shared/inbox"
	"tradewind/shared/table"
	"tradewind/shared/table/tabletest"
)

var errTaken = errors.New("taken")

// effect is what an event leads to: one item per attempt.
func effect(n int) table.Op {
	return table.Create(table.Key{PK: "EFFECT", SK: fmt.Sprint(n)}, errTaken)
}

func effects(t *testing.T, tbl *table.Table) int {
	t.Helper()
	items, _, err := table.List[table.Key](t.Context(), tbl, table.Query{PK: "EFFECT", Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	return len(items)
}

func TestOnce(t *testing.T) {
	tabletest.Both(t, func(t *testing.T, tbl *table.Table) {
		now := time.Unix(1_800_000_000, 0)
		box := inbox.New(func() time.Time { return now })
		handle := func(eventID string, n int) error {
			return tbl.Commit(box.Guard(t.Context(), eventID), nil, effect(n))
		}
		if err := handle("evt_1", 1); err != nil {
			t.Fatal(err)
		}
		if err := handle("evt_1", 2); !errors.Is(err, table.ErrDone) {
			t.Errorf("duplicate: got %v, want %v", err, table.ErrDone)
		}
		if err := handle("evt_2", 3); err != nil {
			t.Errorf("another event: %v", err)
		}
		// Longer than queue, dead-letter queue and archive keep an event.
		now = now.Add(inbox.Lifetime)
		if err := handle("evt_1", 4); !errors.Is(err, table.ErrDone) {
			t.Errorf("duplicate at the end of its life: got %v, want %v", err, table.ErrDone)
		}
		if n := effects(t, tbl); n != 2 {
			t.Errorf("%d effects, want 2", n)
		}
		// The expired record may still be there; it must not stand for the event.
		now = now.Add(time.Second)
		if err := handle("evt_1", 5); err != nil {
			t.Errorf("after the record's end: %v", err)
		}
	})
}

// TestFailureLeavesNoRecord: an event whose effect was refused comes again.
func TestFailureLeavesNoRecord(t *testing.T) {
	tbl := tabletest.New()
	box := inbox.New(time.Now)
	ctx := box.Guard(t.Context(), "evt_1")
	if err := tbl.Commit(ctx, nil, effect(1), table.Fail(errTaken)); !errors.Is(err, errTaken) {
		t.Fatalf("got %v, want %v", err, errTaken)
	}
	if err := tbl.Commit(ctx, nil, effect(1)); err != nil {
		t.Errorf("second delivery: %v", err)
	}
}

// Package consumer does this for each message; handlers just commit.
func ExampleInbox_Guard() {
	tbl := tabletest.New()
	box := inbox.New(time.Now)
	for n := range 2 {
		ctx := box.Guard(context.Background(), "evt_01K9ZX3V5W1A2B3C4D5E6F7G8H")
		fmt.Println(tbl.Commit(ctx, nil, effect(n)))
	}

	// Output:
	// <nil>
	// already done
}
