package table_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"tradewind/shared/apperr"
	"tradewind/shared/table"
	"tradewind/shared/table/tabletest"
)

// TestTable holds both databases to the same promises.
func TestTable(t *testing.T) { tabletest.Both(t, tabletest.Run) }

func TestAgainIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries, start := 0, time.Now()
		err := table.Again(t.Context(), func() error {
			tries++
			return fmt.Errorf("save: %w", apperr.ErrStale)
		})
		if !errors.Is(err, apperr.ErrStale) || tries != 8 {
			t.Errorf("got %v after %d tries, want %v after 8", err, tries, apperr.ErrStale)
		}
		if took := time.Since(start); took > 1300*time.Millisecond {
			t.Errorf("took %v, want at most 1.3 s", took)
		}
	})
}

func TestAgainRepeatsNothingElse(t *testing.T) {
	for name, want := range map[string]error{"none": nil, "done": table.ErrDone, "conflict": errFirst} {
		tries := 0
		err := table.Again(t.Context(), func() error { tries++; return want })
		if !errors.Is(err, want) || tries != 1 {
			t.Errorf("%s: got %v after %d tries, want %v after one", name, err, tries, want)
		}
	}
}

func TestAgainStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	tries := 0
	err := table.Again(ctx, func() error {
		tries++
		cancel()
		return apperr.ErrStale
	})
	if !errors.Is(err, apperr.ErrStale) || tries != 1 {
		t.Errorf("got %v after %d tries, want %v after one", err, tries, apperr.ErrStale)
	}
}

// account is stored as one item; embedding Key says under which key.
type account struct {
	table.Key
	Balance int `dynamodbav:"balance"`
	Version int `dynamodbav:"version"`
}

// An update reads an item, decides, and replaces the version it has read. Who
// was slower gets apperr.ErrStale, and Again has it decide anew.
func ExampleTable_Commit() {
	ctx, tbl := context.Background(), tabletest.New()
	key := table.Key{PK: table.Prefixed("ACCOUNT", "7"), SK: "ACCOUNT"}
	errTaken := errors.New("there is such an account already")

	create := table.Create(account{key, 100, 1}, errTaken)
	fmt.Println("first: ", tbl.Commit(ctx, nil, create))
	fmt.Println("second:", tbl.Commit(ctx, nil, create))

	err := table.Again(ctx, func() error {
		var a account
		if _, err := tbl.Get(ctx, key, &a); err != nil {
			return err
		}
		seen := a.Version
		a.Balance, a.Version = a.Balance-30, seen+1
		return tbl.Commit(ctx, nil, table.Replace(a, seen))
	})
	var after account
	_, _ = tbl.Get(ctx, key, &after)
	fmt.Println("update:", err, after.Balance, after.Version)

	// Output:
	// first:  <nil>
	// second: there is such an account already
	// update: <nil> 70 2
}

// A list is read page by page. The position goes to the client in a sealed
// cursor, for it is made of keys.
func ExampleList() {
	ctx, tbl := context.Background(), tabletest.New()
	for i := range 5 {
		key := table.Key{PK: "ACCOUNT#7", SK: fmt.Sprintf("BOOKING#%d", i)}
		_ = tbl.Commit(ctx, nil, table.Create(key, errors.New("taken")))
	}
	q := table.Query{PK: "ACCOUNT#7", SKPrefix: "BOOKING#", Descending: true, Limit: 2}
	for {
		page, next, err := table.List[table.Key](ctx, tbl, q)
		for _, booking := range page {
			fmt.Print(booking.SK, " ")
		}
		fmt.Println(err)
		if next == "" {
			return
		}
		q.After = next
	}

	// Output:
	// BOOKING#4 BOOKING#3 <nil>
	// BOOKING#2 BOOKING#1 <nil>
	// BOOKING#0 <nil>
}
