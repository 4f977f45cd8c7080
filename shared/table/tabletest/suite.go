package tabletest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tradewind/shared/apperr"
	"tradewind/shared/table"
)

// thing is what the suite stores: every shape of attribute that stores use.
type thing struct {
	table.Key
	table.Index
	Version   int            `dynamodbav:"version"`
	Name      string         `dynamodbav:"name"`
	Note      string         `dynamodbav:"note,omitempty"`
	Amount    int64          `dynamodbav:"amount"`
	Done      bool           `dynamodbav:"done"`
	Tags      []string       `dynamodbav:"tags"`
	Counts    map[string]int `dynamodbav:"counts"`
	Parts     []part         `dynamodbav:"parts"`
	Origin    *part          `dynamodbav:"origin"`
	Raw       []byte         `dynamodbav:"raw"`
	ExpiresAt int64          `dynamodbav:"expiresAt,omitempty"`
}

type part struct {
	Name  string `dynamodbav:"name"`
	Count int    `dynamodbav:"count"`
}

// errTaken is what operations of the suite are refused with; errOther tells
// which of two it was.
var (
	errTaken = apperr.New(apperr.Conflict, "taken", "There is one already.")
	errOther = apperr.New(apperr.Conflict, "other", "There is another already.")
)

// Run holds a table to what package table promises. Both databases must pass
// it: what a service's tests see in memory is then what it meets in DynamoDB.
// The table needs no other preparation than being empty.
func Run(t *testing.T, tbl *table.Table) {
	for name, test := range map[string]func(*testing.T, *table.Table){
		"get what was put":           getWhatWasPut,
		"get nothing":                getNothing,
		"create":                     createOnce,
		"create or renew":            createOrRenew,
		"replace":                    replace,
		"remove":                     remove,
		"unchanged":                  unchanged,
		"discard":                    discard,
		"failed operation":           failedOperation,
		"refused untried":            refusedUntried,
		"all or nothing":             allOrNothing,
		"first refusal counts":       firstRefusalCounts,
		"one winner":                 oneWinner,
		"query order":                queryOrder,
		"query prefix":               queryPrefix,
		"query pages":                queryPages,
		"query index":                queryIndex,
		"query index ties":           queryIndexTies,
		"query index of keys":        queryIndexOfKeys,
		"query keeps partitions":     queryKeepsPartitions,
		"query bad position":         queryBadPosition,
		"guard joins the commit":     guardJoinsCommit,
		"guard comes before others":  guardComesFirst,
		"guard alone":                guardAlone,
		"guard removed":              guardRemoved,
		"guard without a record":     guardWithoutRecord,
		"a hundred operations":       hundredOperations,
		"ended context":              endedContext,
		"again repeats what is late": againRepeats,
	} {
		t.Run(name, func(t *testing.T) { test(t, tbl) })
	}
}

// key returns a key in a partition of the test's own, so that tests share a
// table and not their items.
func key(t *testing.T, sk string) table.Key {
	return table.Key{PK: table.Prefixed("TEST", t.Name()), SK: sk}
}

func mustCommit(t *testing.T, tbl *table.Table, ops ...table.Op) {
	t.Helper()
	if err := tbl.Commit(t.Context(), nil, ops...); err != nil {
		t.Fatalf("commit: %v", err)
	}
}

func wantRefused(t *testing.T, tbl *table.Table, want error, ops ...table.Op) {
	t.Helper()
	if err := tbl.Commit(t.Context(), nil, ops...); !errors.Is(err, want) {
		t.Fatalf("commit: got error %v, want %v", err, want)
	}
}

// want compares what is stored under a key; nil stands for nothing.
func want(t *testing.T, tbl *table.Table, k table.Key, want *thing) {
	t.Helper()
	var got thing
	found, err := tbl.Get(t.Context(), k, &got)
	if err != nil {
		t.Fatalf("get: %v", err)
	}
	switch {
	case !found && want != nil:
		t.Fatalf("nothing under %s %s", k.PK, k.SK)
	case found && want == nil:
		t.Fatalf("there is %+v under %s %s", got, k.PK, k.SK)
	case found:
		if diff := cmp.Diff(*want, got); diff != "" {
			t.Fatalf("stored item (-want +got):\n%s", diff)
		}
	}
}

func getWhatWasPut(t *testing.T, tbl *table.Table) {
	full := thing{
		Key: key(t, "FULL"), Index: table.Index{PK: t.Name(), SK: "1"},
		Version: 3, Name: "Ünïcode ✓ \"quoted\"", Note: " ", Amount: -1 << 53, Done: true,
		Tags: []string{"b", "a", ""}, Counts: map[string]int{"x": 1, " ": 2},
		Parts: []part{{"p", 1}, {}}, Origin: &part{Name: "o"}, Raw: []byte{0, 255}, ExpiresAt: 1 << 33,
	}
	bare := thing{Key: key(t, "BARE")}
	empty := thing{Key: key(t, "EMPTY"), Tags: []string{}, Counts: map[string]int{}, Parts: []part{}, Raw: []byte{}}
	mustCommit(t, tbl, table.Create(full, errTaken), table.Create(&bare, errTaken), table.Create(empty, errTaken))
	want(t, tbl, full.Key, &full)
	want(t, tbl, bare.Key, &bare)
	want(t, tbl, empty.Key, &empty)
}

func getNothing(t *testing.T, tbl *table.Table) {
	want(t, tbl, key(t, "NONE"), nil)
	out := thing{Name: "as before"}
	if found, err := tbl.Get(t.Context(), key(t, "NONE"), &out); found || err != nil || out.Name != "as before" {
		t.Errorf("got %v, %v, %+v; want false, no error, and out untouched", found, err, out)
	}
}

func createOnce(t *testing.T, tbl *table.Table) {
	first := thing{Key: key(t, "A"), Name: "first"}
	mustCommit(t, tbl, table.Create(first, errTaken))
	wantRefused(t, tbl, errTaken, table.Create(thing{Key: first.Key, Name: "second"}, errTaken))
	want(t, tbl, first.Key, &first)
	// The sort key counts, not only the partition.
	mustCommit(t, tbl, table.Create(thing{Key: key(t, "B")}, errTaken))
}

func createOrRenew(t *testing.T, tbl *table.Table) {
	now := time.Unix(1_800_000_000, 0)
	at := func(name string, expires int64) thing {
		return thing{Key: key(t, "A"), Name: name, ExpiresAt: expires}
	}
	first := at("first", now.Unix())
	mustCommit(t, tbl, table.CreateOrRenew(first, now, errTaken))
	// In its last second an item still counts.
	wantRefused(t, tbl, errTaken, table.CreateOrRenew(at("early", now.Unix()+100), now, errTaken))
	want(t, tbl, first.Key, &first)
	second := at("second", now.Unix()+100)
	mustCommit(t, tbl, table.CreateOrRenew(second, now.Add(time.Second), errTaken))
	want(t, tbl, first.Key, &second)
	// What has no expiry never ends.
	forever := thing{Key: key(t, "FOREVER")}
	mustCommit(t, tbl, table.Create(forever, errTaken))
	wantRefused(t, tbl, errTaken, table.CreateOrRenew(forever, now, errTaken))
}

func replace(t *testing.T, tbl *table.Table) {
	item := thing{Key: key(t, "A"), Version: 1, Note: "gone after the first replacement"}
	wantRefused(t, tbl, apperr.ErrStale, table.Replace(item, 1)) // never brings a deleted item back
	want(t, tbl, item.Key, nil)
	mustCommit(t, tbl, table.Create(item, errTaken))
	next := thing{Key: item.Key, Version: 2}
	mustCommit(t, tbl, table.Replace(next, 1))
	want(t, tbl, item.Key, &next)
	wantRefused(t, tbl, apperr.ErrStale, table.Replace(thing{Key: item.Key, Version: 2, Name: "late"}, 1))
	want(t, tbl, item.Key, &next)
}

func remove(t *testing.T, tbl *table.Table) {
	item := thing{Key: key(t, "A"), Version: 2}
	wantRefused(t, tbl, apperr.ErrStale, table.Remove(item.Key, 2))
	mustCommit(t, tbl, table.Create(item, errTaken))
	wantRefused(t, tbl, apperr.ErrStale, table.Remove(item.Key, 1))
	want(t, tbl, item.Key, &item)
	mustCommit(t, tbl, table.Remove(item.Key, 2))
	want(t, tbl, item.Key, nil)
}

func unchanged(t *testing.T, tbl *table.Table) {
	item := thing{Key: key(t, "A"), Version: 1}
	effect := thing{Key: key(t, "EFFECT")}
	wantRefused(t, tbl, apperr.ErrStale, table.Unchanged(item.Key, 1), table.Create(effect, errTaken))
	mustCommit(t, tbl, table.Create(item, errTaken))
	wantRefused(t, tbl, apperr.ErrStale, table.Unchanged(item.Key, 2), table.Create(effect, errTaken))
	want(t, tbl, effect.Key, nil)
	mustCommit(t, tbl, table.Unchanged(item.Key, 1), table.Create(effect, errTaken))
	want(t, tbl, item.Key, &item)
	want(t, tbl, effect.Key, &effect)
}

func discard(t *testing.T, tbl *table.Table) {
	item := thing{Key: key(t, "A")}
	mustCommit(t, tbl, table.Discard(item.Key))
	mustCommit(t, tbl, table.Create(item, errTaken))
	mustCommit(t, tbl, table.Discard(item.Key))
	want(t, tbl, item.Key, nil)
}

func failedOperation(t *testing.T, tbl *table.Table) {
	item := thing{Key: key(t, "A")}
	wantRefused(t, tbl, errOther, table.Create(item, errTaken), table.Fail(errOther))
	want(t, tbl, item.Key, nil)
	if err := tbl.Commit(t.Context(), nil, table.Create(thing{}, errTaken)); err == nil {
		t.Error("an item without a key was stored")
	}
}

// refusedUntried has what no table's contents could make right.
func refusedUntried(t *testing.T, tbl *table.Table) {
	item := thing{Key: key(t, "A"), Version: 1}
	tooMany := make([]table.Op, 101)
	for i := range tooMany {
		tooMany[i] = table.Discard(key(t, fmt.Sprint(i)))
	}
	for name, ops := range map[string][]table.Op{
		"two operations on one item": {table.Discard(item.Key), table.Create(item, errTaken)},
		"too many operations":        tooMany,
		"no operation":               nil,
		"a key without a value":      {table.Discard(table.Key{PK: item.Key.PK})},
	} {
		if err := tbl.Commit(t.Context(), nil, ops...); err == nil {
			t.Errorf("%s: commit succeeded", name)
		}
	}
	want(t, tbl, item.Key, nil)
	if _, err := tbl.Get(t.Context(), table.Key{PK: item.Key.PK}, &item); err == nil {
		t.Error("get without a sort key succeeded")
	}
	for name, q := range map[string]table.Query{
		"no partition": {Limit: 1},
		"no limit":     {PK: item.Key.PK},
	} {
		if _, _, err := table.List[thing](t.Context(), tbl, q); err == nil {
			t.Errorf("list with %s succeeded", name)
		}
	}
}

func allOrNothing(t *testing.T, tbl *table.Table) {
	there := thing{Key: key(t, "THERE"), Version: 1}
	before := thing{Key: key(t, "BEFORE")}
	after := thing{Key: key(t, "AFTER")}
	mustCommit(t, tbl, table.Create(there, errTaken))
	wantRefused(t, tbl, errTaken,
		table.Create(before, errOther), table.Create(there, errTaken), table.Create(after, errOther))
	wantRefused(t, tbl, apperr.ErrStale,
		table.Create(before, errOther), table.Remove(there.Key, 7), table.Discard(after.Key))
	want(t, tbl, before.Key, nil)
	want(t, tbl, there.Key, &there)
	want(t, tbl, after.Key, nil)
}

func firstRefusalCounts(t *testing.T, tbl *table.Table) {
	a, b := thing{Key: key(t, "A")}, thing{Key: key(t, "B")}
	mustCommit(t, tbl, table.Create(a, errTaken), table.Create(b, errTaken))
	fresh := table.Create(thing{Key: key(t, "C")}, errors.New("never"))
	wantRefused(t, tbl, errOther, fresh, table.Create(b, errOther), table.Create(a, errTaken))
	wantRefused(t, tbl, errTaken, fresh, table.Create(a, errTaken), table.Create(b, errOther))
}

func oneWinner(t *testing.T, tbl *table.Table) {
	item := thing{Key: key(t, "A"), Version: 1}
	mustCommit(t, tbl, table.Create(item, errTaken))
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() {
			errs[i] = tbl.Commit(t.Context(), nil, table.Replace(thing{Key: item.Key, Version: 2, Amount: int64(i)}, 1))
		})
	}
	wg.Wait()
	won := -1
	for i, err := range errs {
		switch {
		case err == nil && won == -1:
			won = i
		case err == nil:
			t.Errorf("both %d and %d replaced version 1", won, i)
		case !errors.Is(err, apperr.ErrStale):
			t.Errorf("loser got %v, want %v", err, apperr.ErrStale)
		}
	}
	if won == -1 {
		t.Fatalf("nobody won: %v", errs)
	}
	want(t, tbl, item.Key, &thing{Key: item.Key, Version: 2, Amount: int64(won)})
}

// fill puts one item per sort key into the test's partition.
func fill(t *testing.T, tbl *table.Table, sks ...string) {
	t.Helper()
	ops := make([]table.Op, len(sks))
	for i, sk := range sks {
		ops[i] = table.Create(thing{Key: key(t, sk), Name: sk}, errTaken)
	}
	mustCommit(t, tbl, ops...)
}

// page reads one page and returns the names of its items.
func page(t *testing.T, tbl *table.Table, q table.Query) (names []string, next string) {
	t.Helper()
	items, next, err := table.List[thing](t.Context(), tbl, q)
	if err != nil {
		t.Fatalf("list: %v", err)
	}
	if items == nil {
		t.Error("a page's items are nil, want none")
	}
	for _, item := range items {
		names = append(names, item.Name)
	}
	return names, next
}

// pages reads all pages of a query, each as its names joined.
func pages(t *testing.T, tbl *table.Table, q table.Query) []string {
	t.Helper()
	var all []string
	for {
		names, next := page(t, tbl, q)
		all = append(all, strings.Join(names, " "))
		if next == "" {
			return all
		}
		if len(all) > 20 {
			t.Fatal("pages without end")
		}
		q.After = next
	}
}

func wantPages(t *testing.T, tbl *table.Table, q table.Query, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, pages(t, tbl, q)); diff != "" {
		t.Errorf("pages of %+v (-want +got):\n%s", q, diff)
	}
}

func queryOrder(t *testing.T, tbl *table.Table) {
	// By bytes of UTF-8: capitals first, no locale, no numbers.
	fill(t, tbl, "a", "10", "é", "B", "a#1", "9", "a!", "b")
	q := table.Query{PK: key(t, "").PK, Limit: 10}
	wantPages(t, tbl, q, "10 9 B a a! a#1 b é")
	q.Descending = true
	wantPages(t, tbl, q, "é b a#1 a! a B 9 10")
}

func queryPrefix(t *testing.T, tbl *table.Table) {
	fill(t, tbl, "A", "A#1", "A#2", "AB", "B#1", "a#3")
	q := table.Query{PK: key(t, "").PK, SKPrefix: "A#", Limit: 10}
	wantPages(t, tbl, q, "A#1 A#2")
	q.Descending = true
	wantPages(t, tbl, q, "A#2 A#1")
	q.SKPrefix = "C"
	wantPages(t, tbl, q, "")
}

func queryPages(t *testing.T, tbl *table.Table) {
	fill(t, tbl, "1", "2", "3", "4", "5", "6", "X")
	q := table.Query{PK: key(t, "").PK, Limit: 4}
	wantPages(t, tbl, q, "1 2 3 4", "5 6 X")
	q.Descending = true
	wantPages(t, tbl, q, "X 6 5 4", "3 2 1")
	// The end of a page and of the range may be one: no empty page follows.
	q = table.Query{PK: key(t, "").PK, Limit: 7}
	wantPages(t, tbl, q, "1 2 3 4 5 6 X")
	q.Limit = 1
	wantPages(t, tbl, q, "1", "2", "3", "4", "5", "6", "X")

	// A position holds although its item is gone, and what came after it in
	// the meantime is on the next page.
	q = table.Query{PK: key(t, "").PK, Limit: 2}
	_, next := page(t, tbl, q)
	mustCommit(t, tbl, table.Discard(key(t, "2")), table.Create(thing{Key: key(t, "25"), Name: "25"}, errTaken))
	q.After = next
	wantPages(t, tbl, q, "25 3", "4 5", "6 X")
}

func queryIndex(t *testing.T, tbl *table.Table) {
	var ops []table.Op
	for i, sk := range []string{"2026-01", "2026-03", "2026-02", "2025-12", ""} {
		item := thing{Key: key(t, fmt.Sprint(i)), Name: sk, Index: table.Index{PK: t.Name(), SK: sk}}
		if sk == "" {
			item.Index = table.Index{} // not listed
		}
		ops = append(ops, table.Create(item, errTaken))
	}
	mustCommit(t, tbl, ops...)
	q := table.Query{Index: table.GSI1, PK: t.Name(), Limit: 2, Descending: true}
	eventually(t, func() bool { return len(pages(t, tbl, q)) == 2 })
	wantPages(t, tbl, q, "2026-03 2026-02", "2026-01 2025-12")
	q.Descending = false
	wantPages(t, tbl, q, "2025-12 2026-01", "2026-02 2026-03")
	q.SKPrefix, q.Limit = "2026-", 3
	wantPages(t, tbl, q, "2026-01 2026-02 2026-03")
	// The table's own partition is not affected by the index.
	wantPages(t, tbl, table.Query{PK: key(t, "").PK, Limit: 5}, "2026-01 2026-03 2026-02 2025-12 ")
}

// queryIndexTies pages through items that share their place in the index. Which
// comes first is not promised; that each comes once is.
func queryIndexTies(t *testing.T, tbl *table.Table) {
	var ops []table.Op
	for i := range 5 {
		ops = append(ops, table.Create(thing{
			Key: table.Key{PK: fmt.Sprint(t.Name(), i), SK: "A"}, Name: fmt.Sprint(i),
			Index: table.Index{PK: t.Name(), SK: "same"},
		}, errTaken))
	}
	mustCommit(t, tbl, ops...)
	for _, descending := range []bool{false, true} {
		q := table.Query{Index: table.GSI1, PK: t.Name(), Limit: 2, Descending: descending}
		eventually(t, func() bool { return len(pages(t, tbl, q)) == 3 })
		seen := map[string]int{}
		for _, names := range pages(t, tbl, q) {
			for name := range strings.FieldsSeq(names) {
				seen[name]++
			}
		}
		if diff := cmp.Diff(map[string]int{"0": 1, "1": 1, "2": 1, "3": 1, "4": 1}, seen); diff != "" {
			t.Errorf("how often each item came, descending %v (-want +got):\n%s", descending, diff)
		}
	}
}

// queryIndexOfKeys has an item enter the sparse index, and leave it.
func queryIndexOfKeys(t *testing.T, tbl *table.Table) {
	type waiting struct {
		thing
		table.Due
	}
	due := waiting{thing{Key: key(t, "A"), Version: 1, Name: "not in the index"}, table.Due{PK: t.Name(), SK: "2026-01"}}
	mustCommit(t, tbl, table.Create(due, errTaken))
	list := func() []waiting {
		items, _, err := table.List[waiting](t.Context(), tbl, table.Query{Index: table.GSI2, PK: t.Name(), Limit: 2})
		if err != nil {
			t.Fatal(err)
		}
		return items
	}
	eventually(t, func() bool { return len(list()) == 1 })
	keys := []waiting{{thing{Key: due.Key}, due.Due}}
	if diff := cmp.Diff(keys, list(), cmp.AllowUnexported(waiting{})); diff != "" {
		t.Errorf("what the index holds (-want +got):\n%s", diff)
	}
	done := due.thing
	done.Version = 2
	mustCommit(t, tbl, table.Replace(done, 1))
	eventually(t, func() bool { return len(list()) == 0 })
}

func queryKeepsPartitions(t *testing.T, tbl *table.Table) {
	fill(t, tbl, "1")
	wantPages(t, tbl, table.Query{PK: key(t, "").PK + "2", Limit: 1}, "")
	wantPages(t, tbl, table.Query{PK: strings.TrimSuffix(key(t, "").PK, "s"), Limit: 1}, "")
}

func queryBadPosition(t *testing.T, tbl *table.Table) {
	_, _, err := table.List[thing](t.Context(), tbl, table.Query{PK: key(t, "").PK, Limit: 1, After: "{"})
	if err == nil {
		t.Error("a position that is none was taken")
	}
}

// eventually waits for an index to catch up with what was written.
func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	for range 100 {
		if holds() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the index did not catch up")
}

// testGuard is a guard that counts.
type testGuard struct {
	record    thing
	err       error
	results   []any
	committed int
}

func (g *testGuard) Record(result any) (table.Op, error) {
	g.results = append(g.results, result)
	return table.Create(g.record, table.ErrDone), g.err
}

func (g *testGuard) Committed() { g.committed++ }

func guardJoinsCommit(t *testing.T, tbl *table.Table) {
	g := &testGuard{record: thing{Key: key(t, "RECORD")}}
	effect := thing{Key: key(t, "EFFECT")}
	ctx := table.WithGuard(t.Context(), g)
	if err := tbl.Commit(ctx, "result", table.Create(effect, errTaken)); err != nil {
		t.Fatal(err)
	}
	want(t, tbl, g.record.Key, &g.record)
	want(t, tbl, effect.Key, &effect)
	if diff := cmp.Diff([]any{"result"}, g.results); diff != "" || g.committed != 1 {
		t.Errorf("committed %d times, results (-want +got):\n%s", g.committed, diff)
	}

	// A refused change leaves no record behind.
	refused := &testGuard{record: thing{Key: key(t, "REFUSED")}}
	err := tbl.Commit(table.WithGuard(t.Context(), refused), nil, table.Create(effect, errTaken))
	if !errors.Is(err, errTaken) || refused.committed != 0 {
		t.Errorf("got %v, committed %d times; want %v, 0", err, refused.committed, errTaken)
	}
	want(t, tbl, refused.record.Key, nil)
}

func guardComesFirst(t *testing.T, tbl *table.Table) {
	g := &testGuard{record: thing{Key: key(t, "RECORD")}}
	item := thing{Key: key(t, "ITEM"), Version: 1}
	ctx := table.WithGuard(t.Context(), g)
	if err := tbl.Commit(ctx, nil, table.Create(item, errTaken)); err != nil {
		t.Fatal(err)
	}
	// The repeat fails on everything: that it was done before says it all.
	err := tbl.Commit(ctx, nil, table.Create(item, errTaken), table.Unchanged(key(t, "NONE"), 9))
	if !errors.Is(err, table.ErrDone) || g.committed != 1 {
		t.Errorf("got %v, committed %d times; want %v, 1", err, g.committed, table.ErrDone)
	}
	// Also where the record is all that fails.
	fresh := thing{Key: key(t, "FRESH")}
	if err := tbl.Commit(ctx, nil, table.Create(fresh, errTaken)); !errors.Is(err, table.ErrDone) {
		t.Errorf("got %v, want %v", err, table.ErrDone)
	}
	want(t, tbl, fresh.Key, nil)
}

func guardAlone(t *testing.T, tbl *table.Table) {
	g := &testGuard{record: thing{Key: key(t, "RECORD")}}
	if err := tbl.Commit(table.WithGuard(t.Context(), g), nil); err != nil {
		t.Fatal(err)
	}
	want(t, tbl, g.record.Key, &g.record)
}

func guardRemoved(t *testing.T, tbl *table.Table) {
	g := &testGuard{record: thing{Key: key(t, "RECORD")}}
	ctx := table.WithGuard(table.WithGuard(t.Context(), g), nil)
	for _, sk := range []string{"A", "B"} {
		if err := tbl.Commit(ctx, nil, table.Create(thing{Key: key(t, sk)}, errTaken)); err != nil {
			t.Fatal(err)
		}
	}
	if g.committed != 0 || len(g.results) != 0 {
		t.Errorf("the guard took part: committed %d times, asked %d times", g.committed, len(g.results))
	}
	want(t, tbl, g.record.Key, nil)
}

func guardWithoutRecord(t *testing.T, tbl *table.Table) {
	g := &testGuard{record: thing{Key: key(t, "RECORD")}, err: errOther}
	item := thing{Key: key(t, "ITEM")}
	if err := tbl.Commit(table.WithGuard(t.Context(), g), nil, table.Create(item, errTaken)); !errors.Is(err, errOther) {
		t.Errorf("got %v, want %v", err, errOther)
	}
	want(t, tbl, item.Key, nil)
}

func hundredOperations(t *testing.T, tbl *table.Table) {
	sks := make([]string, 100)
	for i := range sks {
		sks[i] = fmt.Sprintf("%03d", i)
	}
	fill(t, tbl, sks...)
	if got := pages(t, tbl, table.Query{PK: key(t, "").PK, Limit: 50}); len(got) != 2 {
		t.Errorf("got %d pages, want 2", len(got))
	}
}

func endedContext(t *testing.T, tbl *table.Table) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	item := thing{Key: key(t, "A")}
	_, getErr := tbl.Get(ctx, item.Key, &item)
	_, _, listErr := table.List[thing](ctx, tbl, table.Query{PK: item.Key.PK, Limit: 1})
	for call, err := range map[string]error{
		"commit": tbl.Commit(ctx, nil, table.Create(item, errTaken)),
		"get":    getErr,
		"list":   listErr,
	} {
		if !errors.Is(err, context.Canceled) || apperr.KindOf(err) != apperr.Unavailable {
			t.Errorf("%s: got %v error %v, want an unavailable %v", call, apperr.KindOf(err), err, context.Canceled)
		}
	}
	want(t, tbl, item.Key, nil)
}

func againRepeats(t *testing.T, tbl *table.Table) {
	item := thing{Key: key(t, "A"), Version: 1}
	mustCommit(t, tbl, table.Create(item, errTaken))
	tries := 0
	err := table.Again(t.Context(), func() error {
		tries++
		var seen thing
		if _, err := tbl.Get(t.Context(), item.Key, &seen); err != nil {
			return err
		}
		if tries == 1 { // somebody else is faster
			mustCommit(t, tbl, table.Replace(thing{Key: item.Key, Version: 2, Amount: 1}, 1))
		}
		return tbl.Commit(t.Context(), nil,
			table.Replace(thing{Key: item.Key, Version: seen.Version + 1, Amount: seen.Amount + 1}, seen.Version))
	})
	if err != nil || tries != 2 {
		t.Errorf("got %v after %d tries, want none after 2", err, tries)
	}
	want(t, tbl, item.Key, &thing{Key: item.Key, Version: 3, Amount: 2})
}
