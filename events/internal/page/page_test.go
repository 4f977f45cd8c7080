package page

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"tradewind/events"
	"tradewind/events/contracts"
	"tradewind/events/internal/book"
	"tradewind/events/internal/schema"
)

func read(t *testing.T, list []events.Contract) *book.Book {
	t.Helper()
	source := os.DirFS("../..")
	docs, err := schema.ReadDocs(source)
	if err != nil {
		t.Fatal(err)
	}
	b, err := book.Read(source, list, docs)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T) string {
	t.Helper()
	text, err := Page(read(t, contracts.All()))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// elements returns all elements of the page.
func elements(t *testing.T, page string) []*html.Node {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var all []*html.Node
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode {
			all = append(all, n)
		}
	}
	return all
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// TestWholeInItself: nothing on the page leads, or loads anything from, elsewhere.
func TestWholeInItself(t *testing.T) {
	page := write(t)
	ids := map[string]bool{}
	all := elements(t, page)
	for _, n := range all {
		if id := attribute(n, "id"); id != "" && ids[id] {
			t.Errorf("the id %s is there twice", id)
		} else {
			ids[id] = true
		}
	}
	for _, n := range all {
		for _, a := range n.Attr {
			switch a.Key {
			case "src", "srcset", "action", "formaction", "poster", "data", "background", "style", "onclick":
				t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
			case "href":
				if to, here := strings.CutPrefix(a.Val, "#"); !here && a.Val != "data:," || here && !ids[to] {
					t.Errorf("<%s href=%q> leads nowhere on this page", n.Data, a.Val)
				}
			}
		}
	}
	for _, loading := range []string{"@import", "url(http", "url(//", "fetch(", "XMLHttpRequest", "import("} {
		if strings.Contains(style+script, loading) {
			t.Errorf("the page has %s", loading)
		}
	}
}

// TestEveryContractIsThere reads the page for what each contract says.
func TestEveryContractIsThere(t *testing.T) {
	b := read(t, contracts.All())
	articles := map[string]string{}
	for _, n := range elements(t, write(t)) {
		if n.Data == "article" {
			articles[attribute(n, "id")] = text(n)
		}
	}
	if len(articles) != len(b.Entries) {
		t.Errorf("%d articles for %d contracts", len(articles), len(b.Entries))
	}
	for _, e := range b.Entries {
		want := []string{e.Type(), fmt.Sprint("v", e.Version()), e.Schema.Description, e.Publisher + " publishes it", `"eventId"`, `"x-publisher"`}
		for service, effect := range e.Consumers {
			want = append(want, service+" "+effect)
		}
		for _, p := range e.Schema.Properties {
			want = append(want, p.Name+" ", p.Schema.Description)
			want = append(want, p.Schema.Known...)
		}
		for _, x := range e.Examples {
			want = append(want, strings.TrimSuffix("Example: "+x.Title, ": "))
		}
		for _, words := range want {
			if !strings.Contains(articles[e.File()], strings.TrimSpace(words)) {
				t.Errorf("%s: the page does not say %q", e.Name(), words)
			}
		}
	}
}

func TestFields(t *testing.T) {
	n := int64(3)
	s := &schema.Schema{Type: "object", Required: []string{"id", "list"}, Properties: schema.Properties{
		{Name: "id", Schema: &schema.Schema{Type: "string", Pattern: "^par_[0-9A-HJKMNP-TV-Z]{26}$"}},
		{Name: "word", Schema: &schema.Schema{Type: "string", Pattern: "^x", Enum: []string{"x1", "x2"}}},
		{Name: "list", Schema: &schema.Schema{Type: "array", MinItems: &n, Items: &schema.Schema{Type: "object", Properties: schema.Properties{
			{Name: "due", Schema: &schema.Schema{Type: "string", Format: "date", MaxLength: &n}},
		}}}},
	}}
	got := fmt.Sprintf("%+v", fields(s))
	want := fmt.Sprintf("%+v", []field{
		{Name: "id", Type: "id par_…", Open: true},
		{Name: "word", Type: "string", Pattern: "^x", Optional: true, Values: []string{"x1", "x2"}},
		{Name: "list", Type: "list of objects, at least 3", Open: true, Inside: []field{
			{Name: "due", Type: "string (date), up to 3 characters", Optional: true, Open: true},
		}},
	})
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestShow(t *testing.T) {
	got := string(show("{\n  \"metadata\": {\n    \"n\": 1\n  },\n  \"data\": {\n    \"a\": \"<b>\",\n    \"c\": true\n  }\n}"))
	want := "{\n<span class=\"meta\">  <span class=\"k\">&#34;metadata&#34;</span>: {\n    <span class=\"k\">&#34;n&#34;</span>: <span class=\"n\">1</span>\n  },</span>\n" +
		"  <span class=\"k\">&#34;data&#34;</span>: {\n    <span class=\"k\">&#34;a&#34;</span>: <span class=\"t\">&#34;&lt;b&gt;&#34;</span>,\n    <span class=\"k\">&#34;c&#34;</span>: <span class=\"n\">true</span>\n  }\n}"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// parcels are events of a test, one for each letter.
type parcel struct {
	letter  string
	version int
}

func (p parcel) EventType() string  { return "parcel." + p.letter }
func (p parcel) SchemaVersion() int { return p.version }
func (parcel) Subject() string      { return "par_1" }

// book returns one of contracts whose schemas do not matter.
func bookOf(list ...events.Contract) *book.Book {
	b := &book.Book{}
	for _, c := range list {
		b.Entries = append(b.Entries, book.Entry{Contract: c, Schema: &schema.Schema{}})
		if !slices.Contains(b.Services, c.Publisher) {
			b.Services = append(b.Services, c.Publisher)
		}
	}
	return b
}

func of(letter, publisher string, consumers events.Consumers, causes ...string) events.Contract {
	for i, cause := range causes {
		if len(cause) == 1 {
			causes[i] = "parcel." + cause
		}
	}
	return events.Contract{Event: parcel{letter, 1}, Publisher: publisher, Consumers: consumers, Causes: causes}
}

// TestFlow follows declarations that go apart and together, in a circle, and past
// what is not drawn.
func TestFlow(t *testing.T) {
	tests := map[string]struct {
		contracts []events.Contract
		want      string
	}{
		"alone": {
			[]events.Contract{of("a", "post", nil, events.Request), of("x", "post", nil, events.Request)},
			"0 post upon a request: a",
		},
		"apart and together": {
			[]events.Contract{
				of("a", "post", events.Consumers{"van": "drives", "desk": "notes it"}, events.Request),
				of("b", "van", events.Consumers{"post": "thanks"}, "a"),
				of("c", "van", events.Consumers{"post": "regrets"}, "a"),
				of("d", "post", nil, "b", "c", events.Clock),
			},
			"0 post upon a request: a (desk notes it); 1 van drives: b, c; 2 post thanks, regrets, by the clock: d",
		},
		"a long way and a short one": {
			[]events.Contract{
				of("a", "post", events.Consumers{"van": "drives"}, events.Request),
				of("b", "van", events.Consumers{"post": "waits"}, "a"),
				of("d", "van", nil, "a", "c"),
				of("c", "post", events.Consumers{"van": "turns"}, "b"),
			},
			"0 post upon a request: a; 1 van drives: b; 2 post waits: c; 3 van (drives), turns: d",
		},
		"a circle": {
			[]events.Contract{
				of("a", "post", events.Consumers{"van": "drives"}, events.Request, "b"),
				of("b", "van", events.Consumers{"post": "sends it again"}, "a"),
			},
			"0 post sends it again, upon a request: a; 1 van drives: b",
		},
		"what follows from everything": {
			[]events.Contract{
				of("a", "post", events.Consumers{"log": "writes", "van": "drives"}, events.Request),
				of("b", "van", events.Consumers{"log": "writes"}, "a"),
				of("c", "van", events.Consumers{"log": "writes"}, "a"),
				of("d", "van", events.Consumers{"log": "writes"}, "a"),
				of("z", "log", nil, "a", "b", "c", "d"),
			},
			"0 post upon a request: a (log writes); 1 van drives: b (log writes), c (log writes), d (log writes); hidden parcel.z",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := follow(bookOf(test.contracts...), "parcel.a")
			if got := f.story(); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			f.draw(func(string) string { return "s0" }) // and ends
			f.tree()
		})
	}
}

func (f flow) story() string {
	var steps []string
	for _, s := range f.steps {
		var causes, names []string
		for _, c := range s.causes {
			if c.aside {
				c.effect = "(" + c.effect + ")"
			}
			causes = append(causes, c.effect)
		}
		for _, h := range s.events {
			name := strings.TrimPrefix(h.entry.Type(), "parcel.")
			for _, e := range h.ends {
				name += " (" + e.service + " " + e.effect + ")"
			}
			names = append(names, name)
		}
		steps = append(steps, fmt.Sprintf("%d %s %s: %s", s.column, s.service, strings.Join(causes, ", "), strings.Join(names, ", ")))
	}
	if f.hidden != nil {
		steps = append(steps, "hidden "+strings.Join(f.hidden, " "))
	}
	return strings.Join(steps, "; ")
}

// A version that is not published yet takes no part in the flow.
func TestFlowIsOfWhatIsPublished(t *testing.T) {
	next := events.Contract{Event: parcel{"a", 2}, Publisher: "post", Consumers: events.Consumers{"van": "drives faster"}}
	b := bookOf(of("a", "post", events.Consumers{"desk": "notes it"}, events.Request), next)
	if got := follow(b, "parcel.a").story(); got != "0 post upon a request: a (desk notes it)" {
		t.Errorf("got %s", got)
	}
	for i, want := range []string{"published", "not published yet"} {
		if got := state(b.Entries[i], 1); got != want {
			t.Errorf("version %d is %s, want %s", i+1, got, want)
		}
	}
	if got := state(book.Entry{Contract: events.Contract{Event: parcel{"a", 1}}}, 2); got != "no longer published" {
		t.Errorf("an old version is %s", got)
	}
}

var rect = regexp.MustCompile(`<rect class="(lane|step|event)" x="([\d.-]+)" y="([\d.-]+)" width="([\d.]+)" height="([\d.]+)"`)

// TestDrawing looks at where things are: no box on another, all within their lane
// and the drawing, and an arrow for every cause.
func TestDrawing(t *testing.T) {
	b := read(t, contracts.All())
	f := follow(b, start)
	svg := f.draw(func(string) string { return "s0" })
	view := regexp.MustCompile(`viewBox="0 0 (\d+) (\d+)"`).FindStringSubmatch(svg)
	if view == nil {
		t.Fatal("no viewBox")
	}
	whole := box{0, 0, number(t, view[1]), number(t, view[2])}
	boxes := map[string][]box{}
	for _, m := range rect.FindAllStringSubmatch(svg, -1) {
		boxes[m[1]] = append(boxes[m[1]], box{number(t, m[2]), number(t, m[3]), number(t, m[4]), number(t, m[5])})
	}
	for kind, list := range boxes {
		for i, a := range list {
			if !inside(a, whole) {
				t.Errorf("%s %v is outside of the drawing %v", kind, a, whole)
			}
			for _, other := range list[i+1:] {
				if a.x < other.x+other.w && other.x < a.x+a.w && a.y < other.y+other.h && other.y < a.y+a.h {
					t.Errorf("%s %v lies on %v", kind, a, other)
				}
			}
		}
	}
	within := map[string]string{"step": "lane", "event": "step"}
	for inner, outer := range within {
		for _, a := range boxes[inner] {
			if !slices.ContainsFunc(boxes[outer], func(o box) bool { return inside(a, o) }) {
				t.Errorf("%s %v is in no %s", inner, a, outer)
			}
		}
	}
	arrows := 0
	for _, s := range f.steps {
		for _, c := range s.causes {
			if c.from != nil {
				arrows++
			}
		}
	}
	if n := strings.Count(svg, `<path class="arrow`); n != arrows || n == 0 {
		t.Errorf("%d arrows for %d causes", n, arrows)
	}
	if len(boxes["lane"]) != 3 || len(boxes["event"]) < 10 {
		t.Errorf("%d lanes and %d events", len(boxes["lane"]), len(boxes["event"]))
	}
}

func inside(a, b box) bool {
	return a.x >= b.x && a.y >= b.y && a.x+a.w <= b.x+b.w+0.1 && a.y+a.h <= b.y+b.h+0.1
}

func number(t *testing.T, text string) float64 {
	t.Helper()
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
