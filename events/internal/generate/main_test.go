package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestUpToDate holds this project's contracts to what was published of them, and
// what is made of them to what they are.
func TestUpToDate(t *testing.T) {
	if err := run("../..", true, false); err != nil {
		t.Error(err)
	}
}

// project is a copy of the contracts' source, with one more publisher: the post,
// whose events have everything that can break.
type project struct {
	dir  string
	post string // its source
}

func newProject(t *testing.T) *project {
	t.Helper()
	p := &project{dir: t.TempDir()}
	source := os.DirFS("../..")
	err := fs.WalkDir(source, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(name, "_test.go") || strings.Contains(name, "testdata") {
			return err
		}
		text, err := fs.ReadFile(source, name)
		if err == nil {
			p.write(t, "events/"+name, string(text))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	p.write(t, "go.mod", "module tradewind\n\ngo 1.26\n")
	text, err := os.ReadFile("testdata/post.go.txt")
	if err != nil {
		t.Fatal(err)
	}
	p.post = string(text)
	p.write(t, "events/post/post.go", p.post)
	for _, event := range []string{"parcel.sent.v1", "parcel.lost.v1", "parcel.lost.v2"} {
		p.write(t, "events/post/examples/"+event+".json", "{}\n")
	}
	p.edit(t, "events/contracts/contracts.go", "\t\tusers.Published(),", "\t\tusers.Published(),\n\t\tpost.Published(),")
	p.edit(t, "events/contracts/contracts.go", `"tradewind/events/payments"`, "\"tradewind/events/payments\"\n\t\"tradewind/events/post\"")
	return p
}

func (p *project) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (p *project) edit(t *testing.T, name, old, with string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(p.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		t.Fatalf("%s does not hold %q", name, old)
	}
	p.write(t, name, strings.Replace(string(text), old, with, 1))
}

// change edits the post's contracts as they were at first.
func (p *project) change(t *testing.T, edits ...edit) {
	t.Helper()
	p.write(t, "events/post/post.go", p.post)
	for _, e := range edits {
		p.edit(t, "events/post/post.go", e.old, e.with)
	}
}

type edit struct {
	what, old, with string
	want            string // in the message; "" for a change that breaks nobody
}

// generate runs the command in the project and returns what it says, and whether
// it succeeded.
func (p *project) generate(t *testing.T, flags ...string) (string, bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"run", "./events/internal/generate"}, flags...)...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

func (p *project) must(t *testing.T, flags ...string) {
	t.Helper()
	if out, ok := p.generate(t, flags...); !ok {
		t.Fatalf("generate %v: %s", flags, out)
	}
}

// breaking are changes that one by one would break the consumers of what the post
// has published.
var breaking = []edit{
	{"a field is gone", "\tRemark   string       `json:\"remark,omitempty\" maxLength:\"200\"`", "//", "/data/remark is gone"},
	{"a field of another type", "Due      string       `json:\"due,omitempty\" format:\"date\"`", "Due      int          `json:\"due,omitempty\"`",
		"/data/due was of type string and is of type integer"},
	{"an enum is wider", `enum:"normal,express"`, `enum:"normal,express,slow"`, "/data/speed gained the value slow"},
	{"a set is closed", `known:"post"`, `enum:"post"`, "/data/carrier took any value and is closed to [post]"},
	{"another pattern", "`json:\"parcelId\" id:\"par\"`                ", "`json:\"parcelId\" id:\"prc\"`", `/data/parcelId had pattern "^par_`},
	{"a list may be empty", `json:"parts" minItems:"1"`, `json:"parts"`, "/data/parts had minItems 1 and has no minItems"},
	{"a nested field is renamed", `json:"city,omitempty"`, `json:"town,omitempty"`, "/data/to/city is gone"},
	{"a nested field may be missing", `json:"name" minLength`, `json:"name,omitempty" minLength`, "/data/to/name was required and is optional"},
	{"a nested enum is narrower", `enum:"home,shop"`, `enum:"home"`, "/data/to/kind lost the value shop"},
	{"a nested bound", `maximum:"9"`, `maximum:"12"`, "/data/to/zone had maximum 9 and has maximum 12"},
	{"an item's field must be there", `json:"note,omitempty"`, `json:"note"`, "/data/parts/*/note was optional and is required"},
	{"a new field must be there", "type PartV1 struct {", "type PartV1 struct {\n\tColour string `json:\"colour\"` // What it looks like.", "/data/parts/*/colour is new and required"},
	{"items of another type", "Tags  []string", "Tags  []int   ", "/data/parts/*/tags/* was of type string and is of type integer"},
	{"an item's bound", `json:"grams" minimum:"1"`, `json:"grams" minimum:"0"`, "/data/parts/*/grams had minimum 1 and has minimum 0"},
}

// harmless are changes that a published version may have.
var harmless = []edit{
	{what: "an optional field", old: "type SentV1 struct {", with: "type SentV1 struct {\n\tColour string `json:\"colour,omitempty\"` // What it looks like."},
	{what: "an optional nested field", old: "type AddressV1 struct {", with: "type AddressV1 struct {\n\tStreet string `json:\"street,omitempty\"` // Which street."},
	{what: "an optional field of items", old: "type PartV1 struct {", with: "type PartV1 struct {\n\tFrom *AddressV1 `json:\"from,omitempty\"` // Where it is from."},
	{what: "a known value", old: `known:"post"`, with: `known:"post,bicycle"`},
	{what: "another comment", old: "// How fast it goes.", with: "// How fast it is to go."},
	{what: "another meaning, in words", old: "says that a parcel is on its way", with: "says that a parcel has left the house"},
	{what: "a consumer", old: `"billing": "writes the bill"`, with: `"billing": "writes the bill", "claims": "notes the day"`},
	{what: "another name in Go", old: "Speed    string", with: "Pace     string"},
	{what: "an optional field where there was one only", old: "type LostV1 struct {", with: "type LostV1 struct {\n\tWhere string `json:\"where,omitempty\"` // Where it was seen last."},
	{what: "a new version", old: "// LostV1 says", with: "// LostV2 says that a parcel is lost.\ntype LostV2 struct { LostID string `json:\"lostId\"`  // The parcel.\n}\n" +
		"func (LostV2) EventType() string { return TypeLost }\nfunc (LostV2) SchemaVersion() int { return 2 }\nfunc (e LostV2) Subject() string { return e.LostID }\n\n// LostV1 says"},
	{what: "its contract", old: "events.Contract{Event: LostV1{}", with: "events.Contract{Event: LostV2{}},\n\t\tevents.Contract{Event: LostV1{}"},
}

// TestGate plants changes in real source and runs the real command.
func TestGate(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the command a few times")
	}
	p := newProject(t)
	p.must(t, "-publish")
	p.must(t, "-check")

	t.Run("breaking changes are stopped", func(t *testing.T) {
		p.change(t, breaking...)
		for _, flags := range [][]string{{"-check"}, {"-publish"}, nil} {
			out, ok := p.generate(t, flags...)
			if ok {
				t.Fatalf("generate %v took them", flags)
			}
			for _, want := range []string{
				"parcel.sent v1, published by post, would break its consumer billing:",
				"Either keep what is published and only add to it",
				"declare version 2 beside it (post.SentV2, with its Upcast from post.SentV1)",
			} {
				if !strings.Contains(out, want) {
					t.Errorf("generate %v does not say %q:\n%s", flags, want, out)
				}
			}
			for _, e := range breaking {
				if !strings.Contains(out, "    "+e.want) {
					t.Errorf("generate %v: %s: nothing says %q:\n%s", flags, e.what, e.want, out)
				}
			}
		}
		p.change(t)
		p.must(t, "-check") // none of it was written
	})

	t.Run("an event that somebody consumes stays", func(t *testing.T) {
		contract := edit{old: `events.Contract{Event: LostV1{}, Causes: []string{events.Request}, Consumers: events.Consumers{"claims": "opens a claim"}},`}
		p.change(t, contract)
		if out, ok := p.generate(t, "-publish"); ok || !strings.Contains(out, "parcel.lost v1, published by post, is gone, which would break its consumer claims") {
			t.Errorf("got %v: %s", ok, out)
		}
		p.change(t, edit{old: `Consumers: events.Consumers{"claims": "opens a claim"}`})
		p.must(t, "-publish")
		p.change(t, contract)
		p.must(t, "-publish")
		if _, err := os.Stat(filepath.Join(p.dir, "events/published/post/parcel.lost.v1.json")); err == nil {
			t.Error("its schema is still there")
		}
		p.change(t)
		p.must(t, "-publish")
	})

	t.Run("harmless changes pass and are to be published", func(t *testing.T) {
		p.change(t, harmless...)
		out, ok := p.generate(t, "-check")
		if ok || strings.Contains(out, "would break") ||
			!strings.Contains(out, "post/parcel.sent.v1.json, post/parcel.lost.v2.json, post/parcel.lost.v1.json.") || !strings.Contains(out, "make publish-events") {
			t.Errorf("got %v: %s", ok, out)
		}
		p.must(t, "-publish")
		p.must(t, "-check")
	})

	t.Run("an event without an example", func(t *testing.T) {
		example := filepath.Join(p.dir, "events/post/examples/parcel.sent.v1.json")
		if err := os.Remove(example); err != nil {
			t.Fatal(err)
		}
		if out, ok := p.generate(t); ok || !strings.Contains(out, "parcel.sent v1 has no example: write a whole event to events/post/examples/parcel.sent.v1.json") {
			t.Errorf("got %v: %s", ok, out)
		}
		p.write(t, "events/post/examples/parcel.sent.v1.json", "{}\n")
	})

	t.Run("documents are made again", func(t *testing.T) {
		p.edit(t, "events/asyncapi.json", `"parcel.sent"`, `"parcel.gone"`)
		if out, ok := p.generate(t, "-check"); ok || !strings.Contains(out, "events/asyncapi.json is not what the contracts say: run `make generate`") {
			t.Errorf("got %v: %s", ok, out)
		}
		p.must(t)
		p.must(t, "-check")
	})

	t.Run("what was published is not edited", func(t *testing.T) {
		p.edit(t, "events/published/post/parcel.sent.v1.json", `"maximum": 9`, `"maximum": 12`)
		if out, ok := p.generate(t, "-check"); ok || !strings.Contains(out, "/data/to/zone had maximum 12 and has maximum 9") {
			t.Errorf("got %v: %s", ok, out)
		}
	})

	t.Run("elsewhere", func(t *testing.T) {
		if err := run(t.TempDir(), false, true); err == nil || !strings.Contains(err.Error(), "run this in the project's top folder") {
			t.Errorf("got %v", err)
		}
	})
}
