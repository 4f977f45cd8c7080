package schema_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"tradewind/events"
	"tradewind/events/internal/schema"
)

// PartV1 is a part.
type PartV1 struct {
	Grams int64    `json:"grams" minimum:"1" maximum:"9000"`
	Kind  string   `json:"kind" enum:"box,bag"`
	Tags  []string `json:"tags,omitempty" maxItems:"5"`
}

// WholeV1 says that all is there.
type WholeV1 struct {
	PartV1ID string           `json:"partId" id:"prt"`
	At       events.Timestamp `json:"at"`
	Word     string           `json:"word,omitempty" known:"a,b" minLength:"1" maxLength:"9" format:"word"`
	Path     string           `json:"path" pattern:"^<\\d+>$"`
	First    *PartV1          `json:"first,omitempty"`
	All      []PartV1         `json:"all" minItems:"1"`
	Done     bool             `json:"done"`
	Raw      json.RawMessage  `json:"raw"`
}

// source is the comments that the compiler does not keep.
const source = `// Package schema_test is a publisher. It publishes parts.
package schema_test

// PartV1 is a part.
type PartV1 struct {
	Grams int64  // The weight.
	Kind string  // What it is.
	// What to
	// mind.
	Tags []string
}

// WholeV1 says that all is there. It may be a lot.
type WholeV1 struct {
	PartV1ID, At, Word, Path, First, All, Done, Raw string // Something.
}

type (
	// CarryV1 carries a part.
	CarryV1 struct{}
	// SilentV1 is silent.
	SilentV1 struct{}
)

type NamelessV1 struct{}
`

type (
	CarryV1    struct{}
	SilentV1   struct{}
	NamelessV1 struct{}
)

func docs(t *testing.T) *schema.Docs {
	t.Helper()
	// Where the types of this test are, as seen from package events.
	d, err := schema.ReadDocs(fstest.MapFS{"internal/schema_test/x.go": {Data: []byte(source)}, "internal/schema_test/x_test.go": {Data: []byte("no Go")}})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestOf(t *testing.T) {
	s, err := schema.Of(reflect.TypeFor[WholeV1](), docs(t))
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.File()
	if err != nil {
		t.Fatal(err)
	}
	const part = `"type":"object","required":["grams","kind"],"properties":{
		"grams":{"description":"The weight.","type":"integer","minimum":1,"maximum":9000},
		"kind":{"description":"What it is.","type":"string","enum":["box","bag"]},
		"tags":{"description":"What to mind.","type":"array","maxItems":5,"items":{"type":"string"}}}`
	want := `{"type":"object","required":["partId","at","path","all","done","raw"],"properties":{
		"partId":{"description":"Something.","type":"string","pattern":"^prt_[0-9A-HJKMNP-TV-Z]{26}$"},
		"at":{"description":"Something.","type":"string","pattern":"^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}\\.\\d{3}Z$"},
		"word":{"description":"Something.","type":"string","format":"word","examples":["a","b"],"minLength":1,"maxLength":9},
		"path":{"description":"Something.","type":"string","pattern":"^<\\d+>$"},
		"first":{"description":"Something.",` + part + `},
		"all":{"description":"Something.","type":"array","minItems":1,"items":{` + part + `}},
		"done":{"description":"Something.","type":"boolean"},
		"raw":{"description":"Something.","type":"object"}}}`
	squeeze := func(text string) string {
		return strings.NewReplacer("\n", "", "\t", "", `": `, `":`, " ", "").Replace(text)
	}
	if squeeze(string(got)) != squeeze(want) {
		t.Errorf("got  %s\nwant %s", squeeze(string(got)), squeeze(want))
	}
	if !s.Optional("word") || s.Optional("path") {
		t.Error("word is optional, path is not")
	}
}

// What a contract cannot be made of is refused, with the field's name and what to do.
func TestRefused(t *testing.T) {
	tests := map[string]struct {
		typ  any
		want string
	}{
		"a float":      {0.5, "a float64 has no place in a contract"},
		"a map":        {map[string]string{}, "a map[string]string has no place"},
		"anything":     {[]any{}, "has no place"},
		"no JSON name": {struct{ A string }{}, ".A: a field of a contract is exported and has a name"},
		"left out": {struct {
			A string `json:"-"`
		}{}, "has a name in its JSON tag"},
		"unexported": {struct{ a string }{}, "is exported"},
		"embedded":   {struct{ PartV1 }{}, "is exported and has a name"},
		"written as text": {struct {
			A int `json:"a,string"`
		}{}, `the JSON option "string" changes what is written`},
		"a pointer": {struct {
			A *PartV1 `json:"a"`
		}{}, "has no place"},
		"no comment": {struct {
			A string `json:"a"`
		}{}, ".A has no comment"},
		"an unknown keyword": {KeywordV1{}, "the tag multipleOf is none of a contract's"},
		"a wrong type":       {BoundV1{}, "the tag minimum is for a field of type integer, and this is one of type string"},
		"no number":          {NumberV1{}, "the tag minimum: "},
	}
	d, err := schema.ReadDocs(fstest.MapFS{"internal/schema_test/x.go": {Data: []byte("package x\ntype KeywordV1 struct { A int // x.\n}\n" +
		"type BoundV1 struct { A string // x.\n}\ntype NumberV1 struct { A int // x.\n}\n")}})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := schema.Of(reflect.TypeOf(test.typ), d); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

type (
	KeywordV1 struct {
		A int `json:"a" multipleOf:"2"`
	}
	BoundV1 struct {
		A string `json:"a" minimum:"2"`
	}
	NumberV1 struct {
		A int `json:"a" minimum:"two"`
	}
)

func TestMeaning(t *testing.T) {
	tests := map[reflect.Type]string{
		reflect.TypeFor[WholeV1]():    "All is there. It may be a lot.",
		reflect.TypeFor[CarryV1]():    "Carries a part.",
		reflect.TypeFor[SilentV1]():   "",
		reflect.TypeFor[NamelessV1](): "",
	}
	d := docs(t)
	for typ, want := range tests {
		got, err := d.Meaning(typ)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v; want %q", typ, got, err, want)
		}
	}
	if got, err := d.Publisher(reflect.TypeFor[WholeV1]()); got != "It publishes parts." || err != nil {
		t.Errorf("publisher: %q, %v", got, err)
	}
	if _, err := d.Publisher(reflect.TypeFor[events.Money]()); err == nil {
		t.Error("a package without source has a comment")
	}
	if _, err := schema.ReadDocs(fstest.MapFS{"x.go": {Data: []byte("no Go")}}); err == nil {
		t.Error("what is no Go was read")
	}
}
