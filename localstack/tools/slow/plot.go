package main

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// The plot's measures in pixels, and its colours: of a brightness that can be read on
// white and on black, for a page may be either.
const (
	width  = 860
	left   = 56
	right  = 16
	top    = 52
	tall   = 150 // a panel
	apart  = 56  // with the next one's title
	plotW  = width - left - right
	height = top + 3*tall + 2*apart + 40

	grey  = "#6e7781"
	blue  = "#2f81f7"
	brown = "#bf8700"
	red   = "#e5534b"
	green = "#2da44e"
)

// drawing is an SVG that grows.
type drawing struct {
	strings.Builder
	seconds int
}

func (d *drawing) add(format string, args ...any) { fmt.Fprintf(d, format+"\n", args...) }

// x is where a time is, in seconds.
func (d *drawing) x(second float64) float64 { return left + plotW*second/float64(d.seconds) }

// text writes at a place; anchor is start, middle or end.
func (d *drawing) text(x, y float64, anchor, text string) {
	d.add(`<text x="%.1f" y="%.1f" text-anchor="%s" fill="%s">%s</text>`, x, y, anchor, grey, text)
}

// plot draws the seconds: what was asked, how long it took, and the circuits' states.
func plot(p plan, seconds []second) []byte {
	d := &drawing{seconds: len(seconds)}
	d.add(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" font-family="system-ui, sans-serif" font-size="12">`, width, height, width, height)
	d.add(`<title>Orders while the catalog takes %s to answer</title>`, inSeconds(p.takes))
	from, to := d.x(p.healthy.Seconds()), d.x((p.healthy + p.slow).Seconds())
	d.add(`<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s" fill-opacity="0.12"/>`, from, top-22, to-from, 3*tall+2*apart+22, grey)
	d.text((from+to)/2, top-28, "middle", "the catalog answers after "+inSeconds(p.takes))

	d.rates(top, seconds)
	d.latencies(top+tall+apart, p, seconds)
	d.circuits(top+2*(tall+apart), p, seconds)

	bottom := float64(top + 3*tall + 2*apart)
	for s := 0; s <= len(seconds); s += 10 {
		d.text(d.x(float64(s)), bottom+18, "middle", fmt.Sprint(s))
	}
	d.text(left+plotW/2, bottom+35, "middle", "seconds")
	d.add(`</svg>`)
	return []byte(d.String())
}

// entry is a line of a legend.
type entry struct{ colour, text string }

// panel draws a frame's title, legend and lines at some values.
func (d *drawing) panel(y float64, title string, legend []entry, ticks []float64, at func(float64) float64, label func(float64) string) {
	d.add(`<text x="%d" y="%.1f" fill="%s" font-weight="600">%s</text>`, left, y-8, grey, title)
	fmt.Fprintf(d, `<text x="%d" y="%.1f" text-anchor="end">`, width-right, y-8)
	for _, e := range legend {
		fmt.Fprintf(d, `<tspan dx="14" fill="%s">■</tspan><tspan dx="4" fill="%s">%s</tspan>`, e.colour, grey, e.text)
	}
	d.add(`</text>`)
	for _, tick := range ticks {
		d.add(`<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="%s" stroke-opacity="0.3"/>`, left, width-right, at(tick), at(tick), grey)
		d.text(left-8, at(tick)+4, "end", label(tick))
	}
}

// steps draws a value for each second; those below zero leave a gap.
func (d *drawing) steps(colour string, n int, at func(i int) float64) {
	var path strings.Builder
	down := false
	for i := range n {
		y := at(i)
		if y < 0 {
			down = false
			continue
		}
		verb := "L"
		if !down {
			verb, down = "M", true
		}
		fmt.Fprintf(&path, "%s%.1f %.1fL%.1f %.1f", verb, d.x(float64(i)), y, d.x(float64(i+1)), y)
	}
	d.add(`<path d="%s" fill="none" stroke="%s" stroke-width="1.8" stroke-linejoin="round"/>`, &path, colour)
}

func (d *drawing) rates(y float64, seconds []second) {
	highest := 1
	for _, s := range seconds {
		highest = max(highest, s.orders, s.calls)
	}
	step := niceStep(highest)
	limit := float64((highest/step + 1) * step)
	at := func(v float64) float64 { return y + tall*(1-v/limit) }
	var ticks []float64
	for v := 0.0; v <= limit; v += float64(step) {
		ticks = append(ticks, v)
	}
	d.panel(y, "in each second", []entry{{blue, "orders placed"}, {brown, "calls that reach the catalog"}}, ticks, at, func(v float64) string { return fmt.Sprint(v) })
	d.steps(brown, len(seconds), func(i int) float64 { return at(float64(seconds[i].calls)) })
	d.steps(blue, len(seconds), func(i int) float64 { return at(float64(seconds[i].orders)) })
}

func inSeconds(d time.Duration) string { return fmt.Sprintf("%v s", d.Seconds()) }

// niceStep returns a distance of lines for up to five of them below a value.
func niceStep(highest int) int {
	for unit := 1; ; unit *= 10 {
		for _, n := range []int{1, 2, 5} {
			if n*unit*5 >= highest {
				return n * unit
			}
		}
	}
}

func (d *drawing) latencies(y float64, p plan, seconds []second) {
	const shortest, decades = time.Millisecond, 4
	at := func(seconds float64) float64 {
		share := math.Log10(seconds/shortest.Seconds()) / decades
		return y + tall*(1-min(max(share, 0), 1))
	}
	d.panel(y, "until an order is answered", []entry{{green, "half of them"}, {red, "99 of 100"}}, []float64{0.001, 0.01, 0.1, 1, 10}, at, func(s float64) string {
		if s < 1 {
			return fmt.Sprintf("%.0f ms", s*1000)
		}
		return fmt.Sprintf("%.0f s", s)
	})
	line := at(p.deadline.Seconds())
	d.add(`<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="%s" stroke-dasharray="5 4"/>`, left, width-right, line, line, red)
	d.text(width-right-4, line-5, "end", "deadline "+inSeconds(p.deadline))
	value := func(took time.Duration) float64 {
		if took == 0 {
			return -1 // no answer came
		}
		return at(took.Seconds())
	}
	d.steps(red, len(seconds), func(i int) float64 { return value(seconds[i].p99) })
	d.steps(green, len(seconds), func(i int) float64 { return value(seconds[i].median) })
}

func (d *drawing) circuits(y float64, p plan, seconds []second) {
	all := float64(p.environments)
	at := func(v float64) float64 { return y + tall*(1-v/all) }
	d.panel(y, "circuits to the catalog, one in each environment", []entry{{green, "closed"}, {brown, "half-open"}, {red, "open"}}, []float64{0, all / 2, all}, at, func(v float64) string { return fmt.Sprint(v) })
	for i, s := range seconds {
		from := 0
		for _, part := range []struct {
			n      int
			colour string
		}{{s.open, red}, {s.halfOpen, brown}, {s.closed, green}} {
			if part.n > 0 {
				d.add(`<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s" fill-opacity="0.75"/>`,
					d.x(float64(i)), at(float64(from+part.n)), d.x(1)-d.x(0)-0.6, at(float64(from))-at(float64(from+part.n)), part.colour)
			}
			from += part.n
		}
	}
}
