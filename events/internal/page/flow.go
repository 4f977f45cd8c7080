package page

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tradewind/events"
	"tradewind/events/internal/book"
)

// flow is what follows from one event, as the contracts declare it: a consumer of
// an event publishes, upon it, events that others consume.
type flow struct {
	start  string
	steps  []*step
	hidden []string // types that follow from nearly everything, and are left out
}

// step is one service publishing one or several events upon the same causes.
type step struct {
	service string
	column  int // of the longest way from the start
	causes  []cause
	events  []*happening
}

// cause is why a step is made: what the service does upon an event, or what sets it
// off besides.
type cause struct {
	from   *happening // nil where it is no event of the flow
	effect string
	aside  bool // what the service does upon it is told with an earlier step
}

// happening is an event in the flow.
type happening struct {
	entry book.Entry
	step  *step
	// ends are what consumers do with it upon which they publish nothing more.
	ends []end
	also []string // causes besides those of its step
}

type end struct{ service, effect string }

// everywhere is from how many events of a flow another must follow to be left out.
const everywhere = 4

// follow finds what follows from a type of event. Of a type in several versions it
// takes the one that is published.
func follow(b *book.Book, start string) flow {
	published := map[string]book.Entry{}
	for _, e := range b.Entries {
		if len(e.Contract.Causes) > 0 {
			published[e.Type()] = e
		}
	}
	f := flow{start: start}
	reached := map[string]bool{start: true}
	for grown := true; grown; {
		grown = false
		for _, e := range b.Entries {
			if reached[e.Type()] {
				continue
			}
			if _, types := e.Upon(); slices.ContainsFunc(types, func(cause string) bool { return reached[cause] }) {
				reached[e.Type()], grown = true, true
			}
		}
	}
	for _, e := range b.Entries { // in the order of the book
		if _, types := e.Upon(); reached[e.Type()] && e.Type() != start && count(types, reached) >= everywhere && !slices.Contains(f.hidden, e.Type()) {
			f.hidden = append(f.hidden, e.Type())
		}
	}
	for _, hidden := range f.hidden {
		delete(reached, hidden)
	}
	f.place(b, published, reached)
	return f
}

func count(types []string, among map[string]bool) int {
	n := 0
	for _, t := range types {
		if among[t] {
			n++
		}
	}
	return n
}

// place groups the events into steps and gives each its column.
func (f *flow) place(b *book.Book, published map[string]book.Entry, reached map[string]bool) {
	columns := map[string]int{}
	var column func(string, map[string]bool) int
	column = func(typ string, above map[string]bool) int {
		if c, ok := columns[typ]; ok || typ == f.start || above[typ] { // a circle ends where it began
			return c
		}
		above[typ] = true
		defer delete(above, typ)
		_, types := published[typ].Upon()
		for _, t := range types {
			if reached[t] {
				columns[typ] = max(columns[typ], column(t, above)+1)
			}
		}
		return columns[typ]
	}
	steps := map[string]*step{}
	happenings := map[string]*happening{}
	for _, e := range b.Entries {
		if !reached[e.Type()] || published[e.Type()].Version() != e.Version() {
			continue
		}
		others, types := e.Upon()
		types = slices.DeleteFunc(types, func(t string) bool { return !reached[t] })
		key := e.Publisher + " " + strings.Join(types, " ")
		s := steps[key]
		if s == nil {
			s = &step{service: e.Publisher, column: column(e.Type(), map[string]bool{})}
			steps[key] = s
			f.steps = append(f.steps, s)
		}
		h := &happening{entry: e, step: s, also: others}
		s.events = append(s.events, h)
		happenings[e.Type()] = h
	}
	for _, s := range f.steps {
		s.because(happenings)
	}
	for _, h := range happenings {
		for _, service := range h.entry.Consumers.Services() {
			if !slices.ContainsFunc(f.steps, func(s *step) bool { return s.service == service && s.follows(h) }) {
				h.ends = append(h.ends, end{service, h.entry.Consumers[service]})
			}
		}
	}
	slices.SortStableFunc(f.steps, func(a, b *step) int { return cmp.Compare(a.column, b.column) })
	for i, s := range f.steps {
		for j, c := range s.causes {
			s.causes[j].aside = c.from != nil && slices.ContainsFunc(f.steps[:i], func(earlier *step) bool {
				return earlier.service == s.service && earlier.follows(c.from)
			})
		}
	}
}

// because writes down the causes of a step. What is a cause of all its events
// besides events is the step's, the rest is told with the event.
func (s *step) because(happenings map[string]*happening) {
	_, types := s.events[0].entry.Upon()
	for _, t := range types {
		if from := happenings[t]; from != nil {
			s.causes = append(s.causes, cause{from: from, effect: from.entry.Consumers[s.service]})
		}
	}
	for _, other := range []string{events.Request, events.Clock} {
		if slices.ContainsFunc(s.events, func(h *happening) bool { return !slices.Contains(h.also, other) }) {
			continue
		}
		s.causes = append(s.causes, cause{effect: upon[other]})
		for _, h := range s.events {
			h.also = slices.DeleteFunc(slices.Clone(h.also), func(c string) bool { return c == other })
		}
	}
}

func (s *step) follows(h *happening) bool {
	return slices.ContainsFunc(s.causes, func(c cause) bool { return c.from == h })
}

// tells reports whether the step is the one that shows what its service does upon
// an event.
func (s *step) tells(h *happening) bool {
	return slices.ContainsFunc(s.causes, func(c cause) bool { return c.from == h && !c.aside })
}

// lanes are the services of the flow in the order in which it reaches them.
func (f flow) lanes() []string {
	var names []string
	for _, s := range f.steps {
		if !slices.Contains(names, s.service) {
			names = append(names, s.service)
		}
	}
	return names
}

// branch is the flow as a tree, for reading: what was told before is only named.
type branch struct {
	Event    string
	Anchor   string
	Service  string
	Told     bool // further up, with what follows
	Ends     []end
	Branches []reaction
}

// reaction is what a service does upon an event, and the events that it publishes.
type reaction struct {
	Service, Effect string
	Events          []branch
}

func (e end) Service() string { return e.service }
func (e end) Effect() string  { return e.effect }

// tree tells the flow from its start.
func (f flow) tree() branch {
	told := map[*happening]bool{}
	var tell func(*happening) branch
	tell = func(h *happening) branch {
		b := branch{Event: h.entry.Type(), Anchor: h.entry.File(), Service: h.entry.Publisher, Told: told[h]}
		if b.Told {
			return b
		}
		told[h] = true
		b.Ends = h.ends
		for _, service := range h.entry.Consumers.Services() {
			r := reaction{Service: service, Effect: h.entry.Consumers[service]}
			for _, s := range f.steps {
				if s.service != service || !s.tells(h) {
					continue
				}
				for _, next := range s.events {
					r.Events = append(r.Events, tell(next))
				}
			}
			if len(r.Events) > 0 {
				b.Branches = append(b.Branches, r)
			}
		}
		return b
	}
	for _, s := range f.steps {
		for _, h := range s.events {
			if h.entry.Type() == f.start {
				return tell(h)
			}
		}
	}
	return branch{}
}

// The drawing's measures, in pixels of its own.
const (
	stepWidth  = 168
	gap        = 58 // between columns, for the arrows
	stepPad    = 8
	nameHeight = 22
	lineHeight = 13.5
	lanePad    = 14
	laneTitle  = 18
	charWidth  = 5.2 // of small text, on average
	between    = 12  // steps of one lane and column
)

// box is where something is drawn.
type box struct{ x, y, w, h float64 }

// draw writes the flow as SVG: a lane for each service from top to bottom, time from
// left to right. Colours come from the page.
func (f flow) draw(colour func(string) string) string {
	lanes := f.lanes()
	columns := 0
	for _, s := range f.steps {
		columns = max(columns, s.column+1)
	}
	width := float64(columns*stepWidth + (columns-1)*gap + 2*lanePad)

	// Heights first: of each step, then of each lane, which is that of its fullest column.
	heights := map[*step]float64{}
	for _, s := range f.steps {
		heights[s] = s.height()
	}
	tops, bottoms := map[string]float64{}, map[string]float64{}
	y := 0.0
	for _, lane := range lanes {
		filled := map[int]float64{}
		for _, s := range f.steps {
			if s.service == lane {
				if filled[s.column] > 0 {
					filled[s.column] += between
				}
				filled[s.column] += heights[s]
			}
		}
		tops[lane] = y
		y += laneTitle + slices.Max(slices.Collect(maps.Values(filled))) + 2*lanePad
		bottoms[lane] = y
		y += 10
	}
	height := y - 10

	// Places: centred in the lane, one below the other where there are several.
	places := map[*step]box{}
	for _, lane := range lanes {
		for column := range columns {
			var here []*step
			total := 0.0
			for _, s := range f.steps {
				if s.service == lane && s.column == column {
					here = append(here, s)
					total += heights[s] + between
				}
			}
			at := (tops[lane]+laneTitle+bottoms[lane])/2 - (total-between)/2
			for _, s := range here {
				places[s] = box{lanePad + float64(column*(stepWidth+gap)), at, stepWidth, heights[s]}
				at += heights[s] + between
			}
		}
	}

	var out strings.Builder
	fmt.Fprintf(&out, `<svg class="flow" viewBox="0 0 %.0f %.0f" role="img" aria-labelledby="flow-title flow-desc">`, width, height)
	fmt.Fprintf(&out, `<title id="flow-title">What follows from %s</title><desc id="flow-desc">%s</desc>`, escape(f.start), escape(f.describe()))
	out.WriteString(`<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" class="tip"/></marker></defs>`)
	for _, lane := range lanes {
		fmt.Fprintf(&out, `<g class="%s"><rect class="lane" x="0" y="%.1f" width="%.0f" height="%.1f" rx="10"/><text class="lane-name" x="12" y="%.1f">%s</text></g>`,
			colour(lane), tops[lane], width, bottoms[lane]-tops[lane], tops[lane]+18, escape(lane))
	}
	var boxes strings.Builder
	eventPlaces := map[*happening]box{}
	for _, s := range f.steps {
		s.draw(&boxes, places[s], colour, eventPlaces)
	}
	f.arrows(&out, places, eventPlaces, tops, bottoms, colour)
	out.WriteString(boxes.String())
	out.WriteString(`</svg>`)
	return out.String()
}

// describe is the drawing in words, for those who do not see it.
func (f flow) describe() string {
	var parts []string
	for _, s := range f.steps {
		for _, c := range s.causes {
			if c.from == nil || c.aside {
				continue
			}
			var names []string
			for _, h := range s.events {
				names = append(names, h.entry.Type())
			}
			parts = append(parts, fmt.Sprintf("Upon %s, %s %s: %s.", c.from.entry.Type(), s.service, c.effect, strings.Join(names, " or ")))
		}
	}
	return strings.Join(parts, " ")
}

// heading is why a step is made, in lines that fit.
func (s *step) heading() []string {
	var lines []string
	for _, c := range s.causes {
		if !c.aside {
			lines = append(lines, wrap(c.effect, stepWidth-2*stepPad)...)
		}
	}
	return lines
}

func (s *step) height() float64 {
	h := float64(stepPad) + float64(len(s.heading()))*lineHeight + 3
	for _, ev := range s.events {
		h += ev.height() + 6
	}
	return h + stepPad - 6
}

// note is one thing that is told below an event's name.
type note struct {
	service string // whose colour it has; empty for none
	lines   []string
}

func (h *happening) notes() []note {
	const room = stepWidth - 2*stepPad - 22
	var notes []note
	for _, other := range h.also {
		notes = append(notes, note{"", wrap("also "+upon[other], room)})
	}
	for _, e := range h.ends {
		notes = append(notes, note{e.service, wrap(e.service+" "+e.effect, room)})
	}
	return notes
}

func (h *happening) height() float64 {
	height := float64(nameHeight)
	for _, n := range h.notes() {
		height += float64(len(n.lines)) * lineHeight
	}
	if len(h.notes()) > 0 {
		height += 6
	}
	return height
}

func (s *step) draw(out *strings.Builder, at box, colour func(string) string, events map[*happening]box) {
	fmt.Fprintf(out, `<g class="%s"><rect class="step" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="8"/>`, colour(s.service), at.x, at.y, at.w, at.h)
	y := at.y + stepPad
	for _, line := range s.heading() {
		y += lineHeight
		fmt.Fprintf(out, `<text class="why" x="%.1f" y="%.1f">%s</text>`, at.x+stepPad+2, y-3, escape(line))
	}
	y += 3
	for _, h := range s.events {
		place := box{at.x + stepPad, y, at.w - 2*stepPad, h.height()}
		events[h] = place
		fmt.Fprintf(out, `<a href="#%s"><rect class="event" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="6"/><text class="name" x="%.1f" y="%.1f">%s</text></a>`,
			h.entry.File(), place.x, place.y, place.w, place.h, place.x+8, place.y+15, escape(h.entry.Type()))
		line := place.y + nameHeight - 2
		for _, n := range h.notes() {
			if n.service != "" {
				fmt.Fprintf(out, `<circle class="dot %s" cx="%.1f" cy="%.1f" r="2.6"/>`, colour(n.service), place.x+11, line+lineHeight-6.8)
			}
			for _, text := range n.lines {
				line += lineHeight
				fmt.Fprintf(out, `<text class="note" x="%.1f" y="%.1f">%s</text>`, place.x+18, line-3, escape(text))
			}
		}
		y += place.h + 6
	}
	out.WriteString(`</g>`)
}

// arrows draws the way from each event to the steps that follow. One that passes a
// column on its way runs between two lanes, where no box is.
func (f flow) arrows(out *strings.Builder, places map[*step]box, events map[*happening]box, tops, bottoms map[string]float64, colour func(string) string) {
	used := map[string]int{}   // of the channels
	entries := map[*step]int{} // arrows that end at a step
	for _, s := range f.steps {
		to := places[s]
		for _, c := range s.causes {
			if c.from == nil {
				continue
			}
			n := 0
			for _, other := range s.causes {
				if other.from != nil {
					n++
				}
			}
			from := events[c.from]
			x1, y1 := from.x+from.w+stepPad, from.y+min(from.h/2, 11)
			x2, y2 := to.x-1, to.y+to.h*float64(entries[s]+1)/float64(n+1)
			entries[s]++
			class := colour(s.service)
			if c.aside {
				class += " aside"
			}
			if s.column-c.from.step.column == 1 {
				bend := (x2 - x1) * 0.55
				fmt.Fprintf(out, `<path class="arrow %s" d="M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1f" marker-end="url(#tip)"/>`,
					class, x1, y1, x1+bend, y1, x2-bend, y2, x2, y2)
				continue
			}
			lane := bottoms[s.service] + 5 // below the target's lane, or above it
			if tops[c.from.step.service] <= tops[s.service] {
				lane = tops[s.service] - 5
			}
			key := fmt.Sprint(lane)
			lane += float64(used[key]%3) * 4
			used[key]++
			fmt.Fprintf(out, `<path class="arrow %s" d="M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1fL%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1f" marker-end="url(#tip)"/>`,
				class, x1, y1, x1+gap*0.6, y1, x1+gap*0.2, lane, x1+gap*0.9, lane, x2-gap*0.9, lane, x2-gap*0.2, lane, x2-gap*0.6, y2, x2, y2)
		}
	}
}

// wrap breaks text into lines of a width, at spaces.
func wrap(text string, width float64) []string {
	most := int(width / charWidth)
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > most {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

func escape(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;").Replace(text)
}

// upon says in words what events are published upon, other than events.
var upon = map[string]string{events.Request: "upon a request", events.Clock: "by the clock"}
