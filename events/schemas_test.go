package events_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"tradewind/events"
)

// schema is where the JSON Schema of a contract's data is.
func (c contract) schema() string {
	return filepath.Join(c.source, "schemas", fmt.Sprintf("%s.v%d.json", c.eventType, c.version))
}

// TestSchemas holds the three forms of a contract to one another: the example
// must be valid, each required field must be missed, and the schema must name
// the Go type's fields, each with its type.
func TestSchemas(t *testing.T) {
	var files []string
	for _, c := range contracts {
		files = append(files, c.schema())
		t.Run(fmt.Sprintf("%s v%d", c.eventType, c.version), func(t *testing.T) {
			schema := compile(t, c.schema())
			example := decodeFile(t, c.example()).(map[string]any)
			if err := compile(t, "event.v1.json").Validate(example); err != nil {
				t.Errorf("the example is no event: %v", err)
			}
			data := example["data"].(map[string]any)
			if err := schema.Validate(data); err != nil {
				t.Errorf("the example is not valid: %v", err)
			}
			for _, name := range schema.Required {
				value := data[name]
				delete(data, name)
				if schema.Validate(data) == nil {
					t.Errorf("data without %s is valid", name)
				}
				data[name] = value
			}
			ev, err := c.decode(json.NewDecoder(strings.NewReader("{}")))
			if err != nil {
				t.Fatal(err)
			}
			describes(t, schema, reflect.TypeOf(ev), "data")
		})
	}
	found, err := filepath.Glob("*/schemas/*")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	if diff := cmp.Diff(files, found); diff != "" {
		t.Errorf("files of schemas (-want +got):\n%s", diff)
	}
}

// TestEventSchema does the same for what is around the data.
func TestEventSchema(t *testing.T) {
	describes(t, compile(t, "event.v1.json").Properties["metadata"], reflect.TypeFor[events.Metadata](), "metadata")
}

// describes compares a schema with a Go type, field by field.
func describes(t *testing.T, schema *jsonschema.Schema, typ reflect.Type, path string) {
	t.Helper()
	if schema.Description == "" && path != "data" && path != "metadata" && !strings.HasSuffix(path, "[]") {
		t.Errorf("%s is not described", path)
	}
	kind := map[reflect.Kind]string{
		reflect.String: "string", reflect.Int: "integer", reflect.Int64: "integer", reflect.Bool: "boolean",
		reflect.Slice: "array", reflect.Struct: "object",
	}[typ.Kind()]
	if typ == reflect.TypeFor[events.Timestamp]() {
		kind = "string"
	}
	if types := schema.Types.ToStrings(); len(types) != 1 || types[0] != kind {
		t.Errorf("%s is %v in the schema and a %s in Go", path, types, typ)
		return
	}
	switch kind {
	case "array":
		describes(t, schema.Items2020, typ.Elem(), path+"[]")
	case "object":
		var required, named []string
		for i := range typ.NumField() {
			f := typ.Field(i)
			name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			named = append(named, name)
			if options == "" {
				required = append(required, name)
			}
			if property := schema.Properties[name]; property != nil {
				describes(t, property, f.Type, path+"."+name)
			}
		}
		var properties []string
		for name := range schema.Properties {
			properties = append(properties, name)
		}
		sorted := cmp.Transformer("sorted", func(s []string) []string { return slices.Sorted(slices.Values(s)) })
		if diff := cmp.Diff(named, properties, sorted); diff != "" {
			t.Errorf("properties of %s (-Go +schema):\n%s", path, diff)
		}
		if diff := cmp.Diff(required, schema.Required, sorted); diff != "" {
			t.Errorf("required of %s (-Go +schema):\n%s", path, diff)
		}
	}
}

func compile(t *testing.T, path string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	if err := c.AddResource(path, decodeFile(t, path)); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(path)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func decodeFile(t *testing.T, path string) any {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return v
}
