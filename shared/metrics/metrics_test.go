package metrics_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tradewind/shared/metrics"
)

func getenv(name string) string {
	return map[string]string{"STAGE": "test", "SERVICE_NAME": "orders"}[name]
}

func TestLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		m := metrics.New(&out, getenv)
		g := m.Group(metrics.Target("catalog-service"))
		calls, failures, took := g.Counter("Calls"), g.Counter("Failures"), g.Timer("Took")
		other := m.Group().Counter("Other")
		calls.Add(2)
		calls.Add(1)
		took.Observe(1500 * time.Microsecond)
		took.Observe(time.Second)
		m.Flush()
		if bytes.Count(out.Bytes(), []byte("\n")) != 1 {
			t.Fatalf("want one line, got:\n%s", &out)
		}
		var got any
		if err := json.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatalf("%v in %s", err, &out)
		}
		name := func(name, unit string) any { return map[string]any{"Name": name, "Unit": unit} }
		want := map[string]any{
			"_aws": map[string]any{
				"Timestamp": float64(time.Now().UnixMilli()),
				"CloudWatchMetrics": []any{map[string]any{
					"Namespace": "Tradewind", "Dimensions": []any{[]any{"stage", "service", "target"}},
					"Metrics": []any{name("Calls", "Count"), name("Took", "Milliseconds")},
				}},
			},
			"stage": "test", "service": "orders", "target": "catalog-service",
			"Calls": 3.0, "Took": []any{1.5, 1000.0},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("line (-want +got):\n%s", diff)
		}

		out.Reset()
		m.Flush()
		if out.Len() > 0 {
			t.Errorf("nothing was counted, and %s is written", &out)
		}
		other.Add(0)
		m.Flush()
		if !strings.Contains(out.String(), `"Dimensions":[["stage","service"]]`) || !strings.Contains(out.String(), `"Other":0`) {
			t.Errorf("got %s, want a zero", &out)
		}
		failures.Add(1)
		out.Reset()
		m.Flush()
		if !strings.Contains(out.String(), `"Metrics":[{"Name":"Failures","Unit":"Count"}]`) || !strings.Contains(out.String(), `,"Failures":1}`) ||
			strings.Contains(out.String(), "Calls") || strings.Contains(out.String(), "Took") {
			t.Errorf("got %s, want what came since the last line", &out)
		}
	})
}

// TestSample: a line holds a hundred values at most, and they stand for all.
func TestSample(t *testing.T) {
	var out bytes.Buffer
	m := metrics.New(&out, getenv)
	took := m.Group().Timer("Took")
	const n = 1000
	for i := range n {
		took.Observe(time.Duration(i) * time.Millisecond)
	}
	m.Flush()
	var got struct{ Took []float64 }
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Took) < 50 || len(got.Took) > 100 {
		t.Fatalf("%d values", len(got.Took))
	}
	step := got.Took[1] - got.Took[0]
	for i, v := range got.Took {
		if v != float64(i)*step {
			t.Fatalf("value %d is %v, want an even sample: %v", i, v, got.Took)
		}
	}
}

func TestNamesNeedNoEscapes(t *testing.T) {
	var out bytes.Buffer
	m := metrics.New(&out, func(string) string { return "a\"b\\c\nd\xff" })
	m.Group().Counter("Calls").Add(1)
	m.Flush()
	if !json.Valid(out.Bytes()) || !strings.Contains(out.String(), `"service":"abcd"`) {
		t.Errorf("got %s", &out)
	}
}

func TestConcurrency(t *testing.T) {
	var out bytes.Buffer
	m := metrics.New(&out, getenv)
	g := m.Group()
	calls, took := g.Counter("Calls"), g.Timer("Took")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 1000 {
				calls.Add(1)
				if i%10 == 0 {
					m.Flush()
				}
			}
			took.Observe(time.Millisecond)
			m.Flush()
		})
	}
	wg.Wait()
	m.Flush()
	total := 0
	for line := range bytes.Lines(out.Bytes()) {
		var got struct{ Calls int }
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if bytes.Contains(line, []byte(`"Metrics":[]`)) {
			t.Fatalf("a line without a metric: %s", line)
		}
		total += got.Calls
	}
	if total != 8000 {
		t.Errorf("%d calls in all lines, want 8000", total)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestWriterFails(*testing.T) {
	m := metrics.New(full{}, getenv)
	m.Group().Counter("Calls").Add(1)
	m.Flush() // and that is all
}

func BenchmarkCall(b *testing.B) {
	m := metrics.New(io.Discard, getenv)
	g := m.Group(metrics.Target("catalog-service"))
	calls, took := g.Counter("Calls"), g.Timer("Took")
	b.Run("count", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			calls.Add(1)
			took.Observe(time.Millisecond)
		}
	})
	b.Run("flush", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			calls.Add(1)
			took.Observe(1234 * time.Microsecond)
			m.Flush()
		}
	})
}

func ExampleMeter() {
	var log bytes.Buffer // os.Stdout in a function
	m := metrics.New(&log, getenv)
	calls := m.Group(metrics.Target("catalog-service")).Counter("Calls")

	calls.Add(1) // where it happens
	m.Flush()    // at the end of the invocation

	_, line, _ := strings.Cut(log.String(), `"CloudWatchMetrics":`)
	fmt.Print(line)

	// Output: [{"Namespace":"Tradewind","Dimensions":[["stage","service","target"]],"Metrics":[{"Name":"Calls","Unit":"Count"}]}]},"stage":"test","service":"orders","target":"catalog-service","Calls":1}
}
