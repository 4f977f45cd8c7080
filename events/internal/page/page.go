// Package page writes the catalogue: one HTML page with every event, what it means,
// who publishes and who consumes it, its fields, examples and versions, and the
// flow of an order drawn from the declarations.
//
// The page is whole in itself: no other file, no request, so it can be mailed, kept
// beside a release and read offline. Its script only searches; without it, all is
// there to read.
package page

import (
	"bytes"
	_ "embed" // the parts of the page
	"fmt"
	"html/template"
	"regexp"
	"slices"
	"strings"

	"tradewind/events/internal/book"
	"tradewind/events/internal/schema"
)

//go:embed page.tmpl
var layout string

//go:embed page.css
var style string

//go:embed page.js
var script string

// start is the event whose flow is drawn.
const start = "order.created"

// hues are colours of services, by their place in the book.
const hues = 8

type view struct {
	Style      template.CSS
	Script     template.JS
	Flow       template.HTML
	Tree       branch
	Hidden     string
	Publishers []publisher
	Services   []string
	Columns    int
	Types      int
	Metadata   []field
	Lines      []entry // all entries, for the table
}

type publisher struct {
	Name, About string
	Entries     []entry
}

type entry struct {
	Name, Type, Anchor, Meaning, Publisher, Upon string
	Version                                      int
	State                                        string
	Consumers                                    []consumer
	Fields                                       []field
	Examples                                     []example
	Schema                                       string
	Search                                       string
	consumes                                     map[string]string
}

type consumer struct{ Service, Effect string }

type example struct {
	Title string
	JSON  template.HTML
}

// field is what is told of a field.
type field struct {
	Name, Type, Pattern, Description string
	Optional                         bool
	Values                           []string
	Open                             bool // there may be more values
	Inside                           []field
}

// Page returns the catalogue.
func Page(b *book.Book) ([]byte, error) {
	f := follow(b, start)
	colour := func(service string) string {
		return fmt.Sprintf("s%d", slices.Index(b.Services, service)%hues)
	}
	v := view{
		Style:    template.CSS(style),           //nolint:gosec // ours
		Script:   template.JS(script),           //nolint:gosec // ours
		Flow:     template.HTML(f.draw(colour)), //nolint:gosec // escaped there
		Tree:     f.tree(),
		Hidden:   strings.Join(f.hidden, " and "),
		Services: b.Services,
		Columns:  len(b.Services) + 1,
	}
	newest := map[string]int{} // published version of each type
	for _, e := range b.Entries {
		if len(e.Contract.Causes) > 0 {
			newest[e.Type()] = max(newest[e.Type()], e.Version())
		}
	}
	types := map[string]bool{}
	for _, p := range b.Publishers {
		shown := publisher{Name: p.Name, About: p.About}
		for _, e := range p.Entries {
			one, err := newEntry(e, newest[e.Type()])
			if err != nil {
				return nil, err
			}
			types[e.Type()] = true
			shown.Entries = append(shown.Entries, one)
		}
		v.Publishers = append(v.Publishers, shown)
		v.Lines = append(v.Lines, shown.Entries...)
	}
	v.Types = len(types)
	for _, property := range b.Envelope.Properties {
		if property.Name == "metadata" {
			v.Metadata = fields(property.Schema)
		}
	}
	page, err := template.New("page").Funcs(template.FuncMap{
		"colour": colour,
		"effect": func(e entry, service string) string { return e.consumes[service] },
	}).Parse(layout)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := page.Execute(&out, v); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func newEntry(e book.Entry, newest int) (entry, error) {
	text, err := e.Schema.File()
	if err != nil {
		return entry{}, err
	}
	one := entry{
		Name: e.Name(), Type: e.Type(), Anchor: e.File(), Meaning: e.Schema.Description, Publisher: e.Publisher,
		Upon: causes(e), Version: e.Version(), State: state(e, newest), Fields: fields(e.Schema),
		Schema: string(text), consumes: e.Contract.Consumers,
	}
	search := append(words(one.Fields), e.Name(), e.Schema.Description, e.Publisher)
	for _, service := range e.Contract.Consumers.Services() {
		one.Consumers = append(one.Consumers, consumer{service, e.Contract.Consumers[service]})
		search = append(search, service, e.Contract.Consumers[service])
	}
	one.Search = strings.ToLower(strings.Join(search, " "))
	for _, x := range e.Examples {
		one.Examples = append(one.Examples, example{x.Title, show(strings.TrimSpace(string(x.Detail)))})
	}
	return one, nil
}

// state says where a version stands beside the one that is published.
func state(e book.Entry, newest int) string {
	switch {
	case len(e.Contract.Causes) > 0 && e.Version() == newest:
		return "published"
	case e.Version() > newest:
		return "not published yet"
	default:
		return "no longer published"
	}
}

// causes says in words upon what an entry is published.
func causes(e book.Entry) string {
	others, types := e.Upon()
	var parts []string
	for _, t := range types {
		parts = append(parts, "upon "+t)
	}
	for _, other := range others {
		parts = append(parts, upon[other])
	}
	if n := len(parts); n > 1 {
		return strings.Join(parts[:n-1], ", ") + " or " + parts[n-1]
	}
	return strings.Join(parts, "")
}

// fields lists those of an object, each with what is inside.
func fields(s *schema.Schema) []field {
	var list []field
	for _, p := range s.Properties {
		f := field{
			Name: p.Name, Optional: s.Optional(p.Name), Description: p.Schema.Description,
			Type: kind(p.Schema), Values: p.Schema.Known, Open: true,
		}
		if p.Schema.Pattern != "" && !strings.HasPrefix(f.Type, "id ") && f.Type != "time" {
			f.Pattern = p.Schema.Pattern
		}
		if p.Schema.Enum != nil {
			f.Values, f.Open = p.Schema.Enum, false
		}
		inside := p.Schema
		for inside.Items != nil {
			inside = inside.Items
		}
		f.Inside = fields(inside)
		list = append(list, f)
	}
	return list
}

// words are those of fields to be found by.
func words(list []field) []string {
	var found []string
	for _, f := range list {
		found = append(append(found, f.Name, f.Description), f.Values...)
		found = append(found, words(f.Inside)...)
	}
	return found
}

var idPattern = regexp.MustCompile(`^\^([a-z]+)_\[0-9A-HJKMNP-TV-Z\]\{26\}\$$`)

// kind is a type in words.
func kind(s *schema.Schema) string {
	if m := idPattern.FindStringSubmatch(s.Pattern); m != nil {
		return "id " + m[1] + "_…"
	}
	text := s.Type
	switch {
	case s.Type == "array" && s.Items != nil:
		text = "list of " + map[string]string{"object": "objects", "string": "strings", "integer": "integers", "boolean": "booleans", "array": "lists"}[s.Items.Type]
	case strings.HasPrefix(s.Pattern, `^\d{4}-\d{2}-\d{2}T`):
		return "time"
	case s.Format != "":
		text += " (" + s.Format + ")"
	}
	for _, bound := range []struct {
		n    *int64
		text string
	}{
		{s.Minimum, "≥ %d"}, {s.Maximum, "≤ %d"}, {s.MinItems, "at least %d"}, {s.MaxItems, "at most %d"},
		{s.MaxLength, "up to %d characters"},
	} {
		if bound.n != nil {
			text += ", " + fmt.Sprintf(bound.text, *bound.n)
		}
	}
	return text
}

// show marks the parts of an example for the style: the metadata, which are the same
// in all, step back.
func show(text string) template.HTML {
	before, data, ok := strings.Cut(text, "\n  \"data\":")
	if !ok {
		return template.HTML(mark(text)) //nolint:gosec // escaped there
	}
	opening, metadata, _ := strings.Cut(before, "\n")
	return template.HTML(opening + "\n<span class=\"meta\">" + mark(metadata) + "</span>\n" + mark("  \"data\":"+data)) //nolint:gosec // escaped there
}

var token = regexp.MustCompile(`("(?:[^"\\]|\\.)*")(\s*:)?|\b(?:true|false|null)\b|-?\d+(?:\.\d+)?`)

func mark(text string) string {
	var out strings.Builder
	at := 0
	for _, m := range token.FindAllStringSubmatchIndex(text, -1) {
		class, end := "n", m[1]
		switch {
		case m[4] >= 0: // the colon behind a key
			class, end = "k", m[3]
		case m[2] >= 0:
			class = "t"
		}
		out.WriteString(template.HTMLEscapeString(text[at:m[0]]))
		fmt.Fprintf(&out, `<span class="%s">%s</span>`, class, template.HTMLEscapeString(text[m[0]:end]))
		at = end
	}
	return out.String() + template.HTMLEscapeString(text[at:])
}
