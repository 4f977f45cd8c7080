package asyncapi_test

import (
	"compress/gzip"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"tradewind/events"
	"tradewind/events/contracts"
	"tradewind/events/internal/asyncapi"
	"tradewind/events/internal/book"
	"tradewind/events/internal/schema"
)

// home is the folder of package events.
const home = "../.."

func document(t *testing.T, list []events.Contract) map[string]any {
	t.Helper()
	source := os.DirFS(home)
	docs, err := schema.ReadDocs(source)
	if err != nil {
		t.Fatal(err)
	}
	b, err := book.Read(source, list, docs)
	if err != nil {
		t.Fatal(err)
	}
	text, err := asyncapi.Document(b)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return v.(map[string]any)
}

// TestDocument holds the document to the schema of its specification, as it is in
// version 6.11.1 of npm's @asyncapi/specs. `make asyncapi` asks the whole validator.
func TestDocument(t *testing.T) {
	specification := compiler(t, "asyncapi.json", specification(t))
	doc := document(t, contracts.All())
	if err := specification.Validate(doc); err != nil {
		t.Errorf("%v", err)
	}
	// The schema must be able to say no.
	doc["channels"].(map[string]any)["order.created"].(map[string]any)["publisher"] = "orders"
	if specification.Validate(doc) == nil {
		t.Error("a channel with a field that there is not was taken")
	}
}

func TestReferencesResolve(t *testing.T) {
	doc := document(t, contracts.All())
	n := 0
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if to, ok := v["$ref"].(string); ok {
				n++
				if lookUp(doc, to) == nil {
					t.Errorf("%s is nowhere", to)
				}
			}
			for _, inner := range v {
				walk(inner)
			}
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	walk(doc)
	if n < 100 {
		t.Errorf("only %d references", n)
	}
}

func lookUp(doc map[string]any, to string) any {
	var at any = doc
	for _, name := range strings.Split(strings.TrimPrefix(to, "#/"), "/") {
		object, _ := at.(map[string]any)
		at = object[name]
	}
	return at
}

// TestExamples holds the examples to the messages as a reader of the document sees
// them, who knows no other schemas.
func TestExamples(t *testing.T) {
	doc := document(t, contracts.All())
	messages := lookUp(doc, "#/components/messages").(map[string]any)
	if len(messages) != len(contracts.All()) {
		t.Errorf("%d messages of %d contracts", len(messages), len(contracts.All()))
	}
	for name, message := range messages {
		payload := compiler(t, "asyncapi.json#/components/messages/"+name+"/payload", doc)
		examples, _ := message.(map[string]any)["examples"].([]any)
		if len(examples) == 0 {
			t.Errorf("%s has no example", name)
		}
		for _, example := range examples {
			if err := payload.Validate(example.(map[string]any)["payload"]); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if payload.Validate(map[string]any{"metadata": map[string]any{}, "data": map[string]any{}}) == nil {
			t.Errorf("%s may be empty", name)
		}
	}
}

// Who publishes and who consumes must be there as the contracts have it.
func TestOperations(t *testing.T) {
	operations := document(t, contracts.All())["operations"].(map[string]any)
	want := map[string]string{}
	for _, c := range contracts.All() {
		want[c.Publisher+".publishes."+c.Type()] = "send"
		for service := range c.Consumers {
			want[service+".consumes."+c.Type()] = "receive"
		}
	}
	for id, action := range want {
		if got := lookUp(map[string]any{"x": operations[id]}, "#/x/action"); got != action {
			t.Errorf("%s: action %v, want %s", id, got, action)
		}
	}
	if len(operations) != len(want) {
		t.Errorf("%d operations, want %d", len(operations), len(want))
	}
}

func compiler(t *testing.T, at string, doc any) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7)
	resource, _, _ := strings.Cut(at, "#")
	if err := c.AddResource(resource, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(at)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func specification(t *testing.T) any {
	t.Helper()
	f, err := os.Open("testdata/asyncapi-" + asyncapi.Version + ".schema.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unpacked, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.NewDecoder(unpacked).Decode(&doc); err != nil {
		t.Fatal(err)
	}
	return doc
}
