package badinput_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"

	"tradewind/localstack/suites/conformance/badinput"
)

const schema = `{
  "type": "object", "required": ["email", "items"], "additionalProperties": false,
  "properties": {
    "email": {"type": "string", "format": "email", "maxLength": 200},
    "note": {"type": "string", "maxLength": 200, "pattern": "\\S"},
    "method": {"type": "string", "enum": ["card", "cash"]},
    "items": {"type": "array", "minItems": 1, "maxItems": 3, "items": {
      "type": "object", "required": ["quantity"], "additionalProperties": false,
      "properties": {"quantity": {"type": "integer", "minimum": 1, "maximum": 999}, "delta": {"type": "integer", "minimum": -99, "maximum": 99, "not": {"const": 0}}}}}}
}`

const example = `{"email": "ada@example.com", "note": "hello", "method": "card", "items": [{"quantity": 2, "delta": -1}]}`

func shapes(t *testing.T) ([]badinput.Case, *openapi3.Schema) {
	t.Helper()
	var s openapi3.Schema
	if err := json.Unmarshal([]byte(schema), &s); err != nil {
		t.Fatal(err)
	}
	cases, err := badinput.Shapes(&s, []byte(example))
	if err != nil {
		t.Fatal(err)
	}
	return cases, &s
}

// A case that the schema allows would accuse a service of taking what is good.
func TestEveryShapeIsForbidden(t *testing.T) {
	cases, s := shapes(t)
	names := map[string]bool{}
	for _, c := range cases {
		if names[c.Name] {
			t.Errorf("%s: twice", c.Name)
		}
		names[c.Name] = true
		if !json.Valid(c.Body) || !utf8.Valid(c.Body) {
			t.Errorf("%s is not JSON: %.100s", c.Name, c.Body)
			continue
		}
		if strings.Contains(c.Name, "given twice") || strings.Contains(c.Name, "half a character") {
			continue // no schema can say that
		}
		if v, ok := decode(c.Body); ok && s.VisitJSON(v, openapi3.EnableJSONSchema2020(), openapi3.EnableFormatValidation()) == nil {
			if !strings.HasPrefix(c.Name, "/email ") { // a schema says less of addresses
				t.Errorf("%s is allowed: %.100s", c.Name, c.Body)
			}
		}
	}
}

func TestEachFaultIsThere(t *testing.T) {
	cases, _ := shapes(t)
	byName := map[string]badinput.Case{}
	for _, c := range cases {
		byName[c.Name] = c
	}
	for name, want := range map[string]struct{ pointer, part string }{
		" is null":                                            {"", "null"},
		"/items is missing":                                   {"/items", `{"email":"ada@example.com","method":"card","note":"hello"}`},
		"/items/0/quantity is missing":                        {"/items/0/quantity", `"items":[{"delta":-1}]`},
		"/items is empty":                                     {"/items", `"items":[]`},
		"/items has an element too many":                      {"/items", `"items":[{`},
		"/items/0/quantity is 0":                              {"/items/0/quantity", `"quantity":0`},
		"/items/0/quantity is -0":                             {"/items/0/quantity", `"quantity":-0`},
		"/items/0/quantity is 1000":                           {"/items/0/quantity", `"quantity":1000`},
		"/items/0/quantity is 1e400":                          {"/items/0/quantity", `"quantity":1e400`},
		"/items/0/quantity is 1.5":                            {"/items/0/quantity", `"quantity":1.5`},
		"/items/0/delta is -0":                                {"/items/0/delta", `"delta":-0`},
		`/items/0/x "x" is no member`:                         {"/items/0/x", `"x":1`},
		"/EMAIL is a member in other letters":                 {"/EMAIL", `"EMAIL":"ada@example.com"`},
		"/items/0/quantity is given twice":                    {"/items/0/quantity", `"quantity":2,"quantity":2`},
		`/method is "CARD"`:                                   {"/method", `"method":"CARD"`},
		`/email is "ada@"`:                                    {"/email", `"email":"ada@"`},
		`/note is " "`:                                        {"/note", `"note":" "`},
		`/note is half a character "\ud800"`:                  {"/note", `"note":"\ud800"`},
		"/note is one character too long, of four bytes each": {"/note", strings.Repeat("\U0001f6d2", 201)},
	} {
		c, ok := byName[name]
		if !ok {
			t.Errorf("no case %q", name)
			continue
		}
		if c.Pointer != want.pointer || !bytes.Contains(c.Body, []byte(want.part)) {
			t.Errorf("%s: at %q, %.200s", name, c.Pointer, c.Body)
		}
	}
	for _, name := range []string{"/items/0/delta is -1", `/method is "cash"`, "/note is empty"} {
		if c, ok := byName[name]; ok {
			t.Errorf("%s is no fault: %s", name, c.Body)
		}
	}
}

func TestNoTextIsJSON(t *testing.T) {
	for _, c := range badinput.Texts([]byte(example)) {
		if json.Valid(c.Body) && utf8.Valid(c.Body) {
			t.Errorf("%s is JSON", c.Name)
		}
	}
	_, s := shapes(t)
	cases, err := badinput.NotUTF8(s, []byte(example))
	if err != nil || len(cases) < 13 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	for _, c := range cases {
		if utf8.Valid(c.Body) || !json.Valid(c.Body) {
			t.Errorf("%s: %q", c.Name, c.Body)
		}
	}
}

func TestAnIncompleteExampleIsRefused(t *testing.T) {
	_, s := shapes(t)
	for name, text := range map[string]string{
		"a member is missing": `{"email": "ada@example.com"}`,
		"no element":          `{"email": "ada@example.com", "note": "x", "method": "card", "items": []}`,
		"another type":        `[]`,
		"not JSON":            `{`,
	} {
		if _, err := badinput.Shapes(s, []byte(text)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func decode(text []byte) (any, bool) {
	var v any
	err := json.Unmarshal(text, &v)
	return v, err == nil // 1e400 is JSON and no float64
}
