// Package metrics counts what a function does and writes it as CloudWatch metrics
// in the embedded metric format: a JSON line on standard output that CloudWatch
// reads out of the log by itself
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html).
//
// It exists because the other ways cost what a function has least of: a call of
// PutMetricData costs time and money per call, an agent beside the function costs its
// start. Counting here is an atomic addition; a line is written when somebody says
// so, usually once per invocation.
//
// Callers must keep: ask for groups and metrics once, not per event; flush at the
// end of an invocation, for what an environment holds when it ends is lost; and
// give a group few values (a service's name, never an id), for CloudWatch bills each
// combination as a metric of its own.
package metrics

import (
	"io"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Namespace is where the platform's metrics are found in CloudWatch.
const Namespace = "Tradewind"

// ServiceHealthy is the metric of the prober for each service: 1, or 0 while the
// service is degraded. The service is its [Target].
const ServiceHealthy = "ServiceHealthy"

// Dimension is a property by which metrics are told apart.
type Dimension struct{ Name, Value string }

// Base returns the dimensions of all metrics of a service. The stage is one of them
// because stages may share an account. Alarms must ask for exactly the dimensions that
// a metric is written with: they take them from here and from [Target].
func Base(stage, service string) []Dimension {
	return []Dimension{{"stage", stage}, {"service", service}}
}

// Target returns the dimension of metrics about another service: the one that is
// called or probed, by its name in discovery.
func Target(name string) Dimension { return Dimension{"target", name} }

// Meter holds the metrics of a process.
type Meter struct {
	out  io.Writer
	base []Dimension

	mu     sync.Mutex
	groups []*Group
	line   []byte // kept for the next flush
}

// New returns a meter that writes to out. All its metrics have the dimensions [Base],
// with STAGE and SERVICE_NAME from getenv.
func New(out io.Writer, getenv func(string) string) *Meter {
	return &Meter{out: out, base: Base(getenv("STAGE"), getenv("SERVICE_NAME"))}
}

// Group returns a new group of metrics with the same dimensions. They are written in
// one line.
func (m *Meter) Group(dimensions ...Dimension) *Group {
	g := &Group{dimensions: append(m.base[:len(m.base):len(m.base)], dimensions...)}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.groups = append(m.groups, g)
	return g
}

// Flush writes a line for each group in which something was counted since the last
// time, with the metrics that were, and starts them again from zero. CloudWatch bills
// a metric for each hour in which it gets a value, so a counter that nothing was added
// to is left out. A line that the writer refuses is lost: a function does not fail for
// its metrics.
func (m *Meter) Flush() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, g := range m.groups {
		if !g.touched.Swap(false) {
			continue
		}
		if m.line = g.append(m.line[:0], time.Now()); len(m.line) > 0 {
			_, _ = m.out.Write(m.line)
		}
	}
}

// Group is metrics with the same dimensions.
type Group struct {
	dimensions []Dimension
	touched    atomic.Bool

	mu       sync.Mutex
	counters []*Counter
	timers   []*Timer
}

// touch marks a group or a counter that has changed. Flush takes the mark away before
// it reads the values, so a mark that is still there need not be set again.
func touch(mark *atomic.Bool) {
	if !mark.Load() {
		mark.Store(true)
	}
}

// Counter returns a new counter of the group.
func (g *Group) Counter(name string) *Counter {
	c := &Counter{group: g, name: name}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.counters = append(g.counters, c)
	return c
}

// Timer returns a new timer of the group.
func (g *Group) Timer(name string) *Timer {
	t := &Timer{group: g, name: name}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.timers = append(g.timers, t)
	return t
}

// Counter counts.
type Counter struct {
	group   *Group
	name    string
	n       atomic.Int64
	touched atomic.Bool
	written bool // in the line that is being made; the group's mutex guards it
}

// Add adds n to what is counted. Adding 0 has the counter written as 0, where it would
// be left out.
func (c *Counter) Add(n int) {
	c.n.Add(int64(n))
	touch(&c.touched)
	touch(&c.group.touched)
}

// maxValues is how many values the format allows a metric in one line.
const maxValues = 100

// Timer notes how long things took. Beyond a hundred between two flushes it keeps
// an even sample of them.
type Timer struct {
	group *Group // its mutex guards the rest
	name  string

	values [maxValues]time.Duration
	kept   int
	seen   int
	every  int // one in so many is kept; a power of two
}

// Observe notes a duration.
func (t *Timer) Observe(d time.Duration) {
	t.group.mu.Lock()
	defer t.group.mu.Unlock()
	if t.every == 0 {
		t.every = 1
	}
	if t.seen%t.every == 0 {
		if t.kept == maxValues { // every second value goes, and of those to come
			t.kept = maxValues / 2
			for i := range t.kept {
				t.values[i] = t.values[2*i]
			}
			t.every *= 2
		}
		t.values[t.kept] = d
		t.kept++
	}
	t.seen++
	touch(&t.group.touched)
}

// append appends the group's line to b, which is empty. It appends nothing if an Add
// that runs beside it has marked the group and its counter is already written.
func (g *Group) append(b []byte, now time.Time) []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	b = strconv.AppendInt(append(b, `{"_aws":{"Timestamp":`...), now.UnixMilli(), 10)
	b = append(b, `,"CloudWatchMetrics":[{"Namespace":"`+Namespace+`","Dimensions":[[`...)
	for i, d := range g.dimensions {
		b = quote(comma(b, i), d.Name)
	}
	b = append(b, `]],"Metrics":[`...)
	n := 0
	for _, c := range g.counters {
		if c.written = c.touched.Swap(false); c.written {
			b = append(quote(append(comma(b, n), `{"Name":`...), c.name), `,"Unit":"Count"}`...)
			n++
		}
	}
	for _, t := range g.timers {
		if t.kept == 0 {
			continue // the format knows no metric without a value
		}
		b = append(quote(append(comma(b, n), `{"Name":`...), t.name), `,"Unit":"Milliseconds"}`...)
		n++
	}
	if n == 0 {
		return b[:0]
	}
	b = append(b, `]}]}`...)
	for _, d := range g.dimensions {
		b = quote(append(quote(append(b, ','), d.Name), ':'), d.Value)
	}
	for _, c := range g.counters {
		if c.written {
			b = strconv.AppendInt(append(quote(append(b, ','), c.name), ':'), c.n.Swap(0), 10)
		}
	}
	for _, t := range g.timers {
		if t.kept > 0 {
			b = t.append(append(quote(append(b, ','), t.name), ':'))
		}
	}
	return append(b, "}\n"...)
}

// append appends the values and forgets them.
func (t *Timer) append(b []byte) []byte {
	b = append(b, '[')
	for i, d := range t.values[:t.kept] {
		b = strconv.AppendFloat(comma(b, i), float64(d.Microseconds())/1000, 'f', -1, 64)
	}
	t.kept, t.seen, t.every = 0, 0, 0
	return append(b, ']')
}

func comma(b []byte, i int) []byte {
	if i > 0 {
		b = append(b, ',')
	}
	return b
}

// quote appends a JSON string. Names are written in the code, so it does without
// escapes: what would need one is left out.
func quote(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		if c := s[i]; c >= ' ' && c < 0x7f && c != '"' && c != '\\' {
			b = append(b, c)
		}
	}
	return append(b, '"')
}
