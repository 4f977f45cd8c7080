package sagatest

import (
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/google/go-cmp/cmp"
)

// archived is how long the bus keeps events for a replay.
const archived = 14 * 24 * time.Hour

// After every story there is, all its events come once more, as late as an archive can
// bring them and in any order. No table changes, and nothing new is published.
func TestReplay(t *testing.T) {
	replayed := 0
	for i, s := range scripts() {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld()
			play(t, w, s, [3]string{}, false)
			time.Sleep(archived)
			before := w.items()
			again := slices.Clone(w.archive)
			random := rand.New(rand.NewPCG(uint64(i), 1))
			random.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
			for _, d := range again {
				if !w.deliver(d) {
					t.Errorf("%s of %s is not taken for done", d.eventType, d.consumer)
				}
			}
			replayed += len(again)
			if len(w.queue) > 0 {
				t.Errorf("%d events were published, the first %s", len(w.queue), w.queue[0].eventType)
			}
			if diff := cmp.Diff(before, w.items()); diff != "" {
				t.Errorf("tables changed (-before +after):\n%s", diff)
			}
			if t.Failed() {
				t.Fatalf("script %q\n  %s", s.name, w.story())
			}
		})
	}
	t.Logf("%d stories, %d messages replayed", len(scripts()), replayed)
}

// items are those of all tables, as plain values.
func (w *world) items() map[string][]map[string]any {
	all := map[string][]map[string]any{}
	for service, memory := range w.tables {
		for _, item := range memory.Items() {
			var plain map[string]any
			if err := attributevalue.UnmarshalMap(item, &plain); err != nil {
				panic(err)
			}
			all[service] = append(all[service], plain)
		}
	}
	return all
}
