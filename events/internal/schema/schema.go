// Package schema makes the JSON Schemas of the events out of their Go types: the
// type's fields and tags say what is allowed, its comments what it means.
//
// It exists because a schema written by hand beside a type is a second truth. The
// Go type is what publishers write and consumers read, and the compiler holds all
// code to it; so the schema is made from it.
//
// It knows the kinds of Go types that contracts are made of and refuses the rest,
// a field without a comment, and a tag it does not know: what is promised to others
// is written down whole.
package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"tradewind/events"
)

// Draft is the dialect of the schemas.
const Draft = "https://json-schema.org/draft/2020-12/schema"

// Schema is the part of JSON Schema that contracts need, in the order in which it
// is written. Publisher and Consumers are annotations.
type Schema struct {
	Draft       string     `json:"$schema,omitempty"`
	Title       string     `json:"title,omitempty"`
	Description string     `json:"description,omitempty"`
	Publisher   string     `json:"x-publisher,omitempty"`
	Consumers   []string   `json:"x-consumers,omitzero"`
	Type        string     `json:"type"`
	Format      string     `json:"format,omitempty"`
	Pattern     string     `json:"pattern,omitempty"`
	Enum        []string   `json:"enum,omitempty"`
	Known       []string   `json:"examples,omitempty"` // values of a set that may grow
	Minimum     *int64     `json:"minimum,omitempty"`
	Maximum     *int64     `json:"maximum,omitempty"`
	MinLength   *int64     `json:"minLength,omitempty"`
	MaxLength   *int64     `json:"maxLength,omitempty"`
	MinItems    *int64     `json:"minItems,omitempty"`
	MaxItems    *int64     `json:"maxItems,omitempty"`
	Required    []string   `json:"required,omitempty"`
	Properties  Properties `json:"properties,omitempty"`
	Items       *Schema    `json:"items,omitempty"`
}

// Properties are those of an object, in the order of the Go type.
type Properties []Property

// Property is one of an object's.
type Property struct {
	Name   string
	Schema *Schema
}

// MarshalJSON keeps the order, which a map would not.
func (p Properties) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, property := range p {
		if i > 0 {
			b.WriteByte(',')
		}
		name, _ := json.Marshal(property.Name) // a string always encodes
		value, err := encode(property.Schema)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// encode writes patterns as they are, without escapes for HTML.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(b.Bytes()), nil
}

// File is the schema as it stands in a file.
func (s *Schema) File() ([]byte, error) { return File(s) }

// File is v as JSON for a file that people read too.
func File(v any) ([]byte, error) {
	text, err := encode(v)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", "  "); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// Optional reports whether an object may lack a property.
func (s *Schema) Optional(name string) bool { return !slices.Contains(s.Required, name) }

// OfContract returns the schema of a contract's data.
func OfContract(c events.Contract, docs *Docs) (*Schema, error) {
	typ := reflect.TypeOf(c.Event)
	s, err := Of(typ, docs)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Name(), err)
	}
	meaning, err := docs.Meaning(typ)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Name(), err)
	}
	s.Draft, s.Title, s.Description = Draft, c.Name(), meaning
	s.Publisher, s.Consumers = c.Publisher, c.Consumers.Services()
	if s.Consumers == nil {
		s.Consumers = []string{}
	}
	return s, nil
}

// OfEnvelope returns the schema of what every event travels in.
func OfEnvelope(docs *Docs) (*Schema, error) {
	s, err := Of(reflect.TypeFor[events.Envelope](), docs)
	if err != nil {
		return nil, err
	}
	s.Draft, s.Title = Draft, "Event v1"
	s.Description = "The detail of every event on the bus. Its data is described by the schema of the event's detail type and version."
	return s, nil
}

// Of returns the schema of a Go type.
func Of(typ reflect.Type, docs *Docs) (*Schema, error) {
	switch typ {
	case reflect.TypeFor[events.Timestamp]():
		return &Schema{Type: "string", Pattern: `^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$`}, nil
	case reflect.TypeFor[json.RawMessage]():
		return &Schema{Type: "object"}, nil
	}
	switch typ.Kind() {
	case reflect.String:
		return &Schema{Type: "string"}, nil
	case reflect.Int, reflect.Int32, reflect.Int64:
		return &Schema{Type: "integer"}, nil
	case reflect.Bool:
		return &Schema{Type: "boolean"}, nil
	case reflect.Slice:
		items, err := Of(typ.Elem(), docs)
		return &Schema{Type: "array", Items: items}, err
	case reflect.Struct:
		return object(typ, docs)
	}
	return nil, fmt.Errorf("a %s has no place in a contract: strings, integers, booleans, structs and slices of these do", typ)
}

func object(typ reflect.Type, docs *Docs) (*Schema, error) {
	s := &Schema{Type: "object"}
	for i := range typ.NumField() {
		f := typ.Field(i)
		at := typ.Name() + "." + f.Name
		name, option, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || f.Anonymous || name == "" || name == "-" {
			return nil, fmt.Errorf("%s: a field of a contract is exported and has a name in its JSON tag", at)
		}
		fieldType := f.Type
		switch option {
		case "":
			s.Required = append(s.Required, name)
		case "omitempty", "omitzero":
			if fieldType.Kind() == reflect.Pointer { // how Go leaves an object out
				fieldType = fieldType.Elem()
			}
		default:
			return nil, fmt.Errorf("%s: the JSON option %q changes what is written; a contract has only omitempty and omitzero", at, option)
		}
		property, err := Of(fieldType, docs)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", at, err)
		}
		if property.Description = docs.Field(typ, f.Name); property.Description == "" {
			return nil, fmt.Errorf("%s has no comment: say what it holds, for those who read it in the catalogue", at)
		}
		if err := property.restrict(string(f.Tag)); err != nil {
			return nil, fmt.Errorf("%s: %w", at, err)
		}
		s.Properties = append(s.Properties, Property{name, property})
	}
	return s, nil
}

// restrict adds what a field's tags say.
func (s *Schema) restrict(tags string) error {
	for key, value := range pairs(tags) {
		if key == "json" {
			continue
		}
		if want := fits[key]; want == "" || want != s.Type {
			if want == "" {
				return fmt.Errorf("the tag %s is none of a contract's, which the comment of package events lists", key)
			}
			return fmt.Errorf("the tag %s is for a field of type %s, and this is one of type %s", key, want, s.Type)
		}
		switch key {
		case "id":
			s.Pattern = "^" + value + "_[0-9A-HJKMNP-TV-Z]{26}$"
		case "pattern":
			s.Pattern = value
		case "format":
			s.Format = value
		case "enum":
			s.Enum = strings.Split(value, ",")
		case "known":
			s.Known = strings.Split(value, ",")
		default:
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				return fmt.Errorf("the tag %s: %w", key, err)
			}
			*map[string]**int64{
				"minimum": &s.Minimum, "maximum": &s.Maximum, "minLength": &s.MinLength,
				"maxLength": &s.MaxLength, "minItems": &s.MinItems, "maxItems": &s.MaxItems,
			}[key] = &n
		}
	}
	return nil
}

// fits says for each tag which type of field it can be on.
var fits = map[string]string{
	"id": "string", "pattern": "string", "format": "string", "enum": "string", "known": "string", "minLength": "string", "maxLength": "string",
	"minimum": "integer", "maximum": "integer", "minItems": "array", "maxItems": "array",
}

// pairs reads all tags of a field: package reflect looks up only names one knows.
func pairs(tags string) map[string]string {
	found := map[string]string{}
	for tags = strings.TrimSpace(tags); tags != ""; tags = strings.TrimSpace(tags) {
		key, rest, ok := strings.Cut(tags, ":")
		quoted, err := strconv.QuotedPrefix(rest)
		if !ok || err != nil {
			found[tags] = "" // no tag: restrict refuses it
			break
		}
		found[key], _ = strconv.Unquote(quoted) // a prefix that was quoted
		tags = rest[len(quoted):]
	}
	return found
}
