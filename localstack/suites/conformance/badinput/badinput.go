// Package badinput makes bad JSON bodies out of what a good one is: from its schema
// and an example, one body for each way in which each of its parts can be wrong.
//
// It exists because people test the mistakes they think of. What it makes is the same
// at every run, and each body has one fault, so that a service which takes one is
// told which rule it lacks.
package badinput

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// Case is a body that must be refused.
type Case struct {
	Name string
	Body []byte
	// Pointer says where the fault is (RFC 6901).
	Pointer string
}

// Shapes returns bodies that are JSON and do not fit the schema. The example must
// fit it, and have every member that is to be spoiled.
func Shapes(schema *openapi3.Schema, example []byte) ([]Case, error) {
	dec := json.NewDecoder(bytes.NewReader(example))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		return nil, fmt.Errorf("read the example: %w", err)
	}
	m := &maker{root: value}
	m.value(nil, schema, value)
	return m.cases, m.err
}

// Texts returns bodies that are no JSON text at all, or more than one.
func Texts(example []byte) []Case {
	half := example[:len(example)/2]
	return []Case{
		{Name: "empty", Body: []byte{}},
		{Name: "white space", Body: []byte(" \r\n\t")},
		{Name: "one brace", Body: []byte("{")},
		{Name: "the other brace", Body: []byte("}")},
		{Name: "a word", Body: []byte("undefined")},
		{Name: "NaN", Body: []byte("NaN")},
		{Name: "cut off", Body: half},
		{Name: "single quotes", Body: bytes.ReplaceAll(example, []byte(`"`), []byte(`'`))},
		{Name: "no quotes", Body: []byte("{a: 1}")},
		{Name: "a comma too many", Body: append(bytes.TrimSuffix(bytes.Clone(example), []byte("}")), ",}"...)},
		{Name: "a comment", Body: append([]byte("/* hello */"), example...)},
		{Name: "a number with a leading zero", Body: []byte(`{"a": 01}`)},
		{Name: "a number with a plus", Body: []byte(`{"a": +1}`)},
		{Name: "a number without digits before the point", Body: []byte(`{"a": .5}`)},
		{Name: "a number in hex", Body: []byte(`{"a": 0x10}`)},
		{Name: "a bare line break in a text", Body: []byte("{\"a\": \"b\nc\"}")},
		{Name: "a bad escape", Body: []byte(`{"a": "\x41"}`)},
		{Name: "a short escape", Body: []byte(`{"a": "\u12"}`)},
		{Name: "trailing text", Body: append(bytes.Clone(example), " x"...)},
		{Name: "two values", Body: append(bytes.Clone(example), example...)},
		{Name: "a trailing NUL", Body: append(bytes.Clone(example), 0)},
		{Name: "a byte order mark", Body: append([]byte("\xef\xbb\xbf"), example...)},
		{Name: "UTF-16", Body: utf16(example)},
		{Name: "a form", Body: []byte("a=1&b=2")},
		{Name: "XML", Body: []byte("<a>1</a>")},
		{Name: "nested without an end", Body: bytes.Repeat([]byte("["), 50_000)},
		{Name: "nested deeper than anybody reads", Body: nested(20_000)},
		{Name: "objects nested deeper than anybody reads", Body: slices.Concat(
			bytes.Repeat([]byte(`{"a":`), 20_000), []byte("1"), bytes.Repeat([]byte("}"), 20_000))},
	}
}

// NotUTF8 returns bodies that would be JSON if their bytes were characters.
func NotUTF8(schema *openapi3.Schema, example []byte) ([]Case, error) {
	dec := json.NewDecoder(bytes.NewReader(example))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		return nil, fmt.Errorf("read the example: %w", err)
	}
	m := &maker{root: value}
	m.eachText(nil, schema, value, func(at path) {
		m.raw(at, "a byte of no character", "\"a\xffb\"")
		m.raw(at, "a character cut off", "\"a\xc3\"")
		m.raw(at, "an overlong form", "\"a\xc0\xafb\"")
		m.raw(at, "a surrogate in three bytes", "\"a\xed\xa0\x80b\"")
	})
	m.replaceRoot("a name of no character", slices.Concat([]byte("{\"\xff\": 1, "), bytes.TrimPrefix(example, []byte("{"))))
	return m.cases, m.err
}

func nested(depth int) []byte {
	return slices.Concat(bytes.Repeat([]byte("["), depth), bytes.Repeat([]byte("]"), depth))
}

func utf16(text []byte) []byte {
	out := []byte{0xff, 0xfe}
	for _, c := range string(text) {
		out = append(out, byte(c), byte(c>>8))
	}
	return out
}

// path is where something is: names of members and numbers of elements.
type path []string

var escape = strings.NewReplacer("~", "~0", "/", "~1")

func (p path) pointer() string {
	var b strings.Builder
	for _, part := range p {
		b.WriteString("/" + escape.Replace(part))
	}
	return b.String()
}

func (p path) to(part string) path { return append(slices.Clip(slices.Clone(p)), part) }

// maker collects cases.
type maker struct {
	root  any
	cases []Case
	err   error
}

// placeholder stands for what encoding/json would not write.
const placeholder = "\ue000raw\ue000"

// with adds the example with another value at a place.
func (m *maker) with(at path, name string, value any) {
	m.add(at, name, replaced(m.root, at, func(any) any { return value }), "")
}

// raw adds the example with a piece of text in place of a value.
func (m *maker) raw(at path, name, text string) {
	m.add(at, name, replaced(m.root, at, func(any) any { return placeholder }), text)
}

// change adds the example with a changed value at a place; the fault is at another.
func (m *maker) change(at, fault path, name string, change func(any) any) {
	m.add(fault, name, replaced(m.root, at, change), "")
}

func (m *maker) add(fault path, name string, root any, raw string) {
	body, err := json.Marshal(root)
	if err != nil {
		m.err = fmt.Errorf("encode %s: %w", name, err)
		return
	}
	body = bytes.Replace(body, []byte(`"`+placeholder+`"`), []byte(raw), 1)
	m.cases = append(m.cases, Case{Name: fault.pointer() + " " + name, Body: body, Pointer: fault.pointer()})
}

func (m *maker) replaceRoot(name string, body []byte) {
	m.cases = append(m.cases, Case{Name: name, Body: body})
}

// value spoils what is at a place in every way, and then what is in it.
func (m *maker) value(at path, schema *openapi3.Schema, example any) {
	kind := schema.Type.Slice()[0]
	m.kinds(at, kind)
	switch kind {
	case "object":
		m.object(at, schema, example)
	case "array":
		m.array(at, schema, example)
	case "string":
		m.text(at, schema, example)
	case "integer":
		m.integer(at, schema)
	default:
		m.err = fmt.Errorf("%s is a %s, which has no cases yet", at.pointer(), kind)
	}
}

// kinds puts there what is of another type.
func (m *maker) kinds(at path, kind string) {
	for _, other := range []struct {
		kind, name, text string
	}{
		{"null", "is null", "null"},
		{"boolean", "is a boolean", "true"},
		{"string", "is a text", `"7"`},
		{"number", "is a number", "7"},
		{"array", "is an array", "[]"},
		{"array", "is an array of null", "[null]"},
		{"object", "is an object", "{}"},
	} {
		if other.kind == kind || kind == "integer" && other.kind == "number" || kind == "array" && other.kind == "array" {
			continue
		}
		m.raw(at, other.name, other.text)
	}
}

// foreign are names that are members of nothing here, but of something elsewhere.
var foreign = []string{"x", "", "__proto__", "constructor", "id", "version", "createdAt", "role", "isAdmin", "cognito:groups", "a/b~c", strings.Repeat("n", 5000)}

func (m *maker) object(at path, schema *openapi3.Schema, example any) {
	have, ok := example.(map[string]any)
	if !ok {
		m.err = fmt.Errorf("the example's %s is no object", at.pointer())
		return
	}
	for _, name := range slices.Sorted(slices.Values(schema.Required)) {
		m.change(at, at.to(name), "is missing", func(v any) any {
			rest := maps.Clone(v.(map[string]any))
			delete(rest, name)
			return rest
		})
	}
	extra := foreign
	if len(at) > 0 {
		extra = foreign[:3]
	}
	for _, name := range extra {
		if schema.Properties[name] != nil {
			continue
		}
		title := strconv.Quote(name[:min(20, len(name))]) + " is no member"
		m.change(at, at.to(name), title, func(v any) any {
			more := maps.Clone(v.(map[string]any))
			more[name] = 1
			return more
		})
	}
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		value, ok := have[name]
		if !ok {
			m.err = fmt.Errorf("the example has no %s", at.to(name).pointer())
			return
		}
		m.change(at, at.to(strings.ToUpper(name)), "is a member in other letters", func(v any) any {
			more := maps.Clone(v.(map[string]any))
			delete(more, name)
			more[strings.ToUpper(name)] = value
			return more
		})
		m.twice(at, name)
		m.value(at.to(name), schema.Properties[name].Value, value)
	}
}

// twice gives a member two times.
func (m *maker) twice(at path, name string) {
	var value any
	root := replaced(m.root, at, func(v any) any {
		more := maps.Clone(v.(map[string]any))
		value = more[name]
		delete(more, name)
		more[placeholder] = 0
		return more
	})
	body, err := json.Marshal(root)
	text, err2 := json.Marshal(value)
	if err != nil || err2 != nil {
		m.err = fmt.Errorf("encode %s twice: %w, %w", name, err, err2)
		return
	}
	member := fmt.Sprintf("%q:%s", name, text)
	body = bytes.Replace(body, []byte(`"`+placeholder+`":0`), []byte(member+","+member), 1)
	m.cases = append(m.cases, Case{Name: at.to(name).pointer() + " is given twice", Body: body, Pointer: at.to(name).pointer()})
}

func (m *maker) array(at path, schema *openapi3.Schema, example any) {
	have, ok := example.([]any)
	if !ok || len(have) == 0 {
		m.err = fmt.Errorf("the example's %s is no array with an element", at.pointer())
		return
	}
	if schema.MinItems > 0 {
		m.with(at, "is empty", []any{})
	}
	if schema.MaxItems != nil {
		m.with(at, "has an element too many", slices.Repeat(have[:1], int(*schema.MaxItems)+1))
		m.with(at, "has far too many elements", slices.Repeat(have[:1], 1000))
	}
	m.value(at.to("0"), schema.Items.Value, have[0])
}

func (m *maker) text(at path, schema *openapi3.Schema, example any) {
	now, _ := example.(string)
	for _, lone := range []string{`"\ud800"`, `"a\udc00b"`, `"\ud83d\ud83d"`, `"\udc00\ud800"`} {
		m.raw(at, "is half a character "+lone, lone)
	}
	if len(schema.Enum) > 0 {
		m.words(at, schema, "", "nonsense", strings.ToUpper(now), now+" ", " "+now, now+"\x00")
		return
	}
	if schema.MaxLength != nil {
		most := int(*schema.MaxLength)
		m.with(at, "is one character too long", long(now, "x", most+1))
		m.with(at, "is one character too long, of four bytes each", long(now, "\U0001f6d2", most+1))
		m.with(at, "is far too long", long(now, "y", 50*most))
	}
	if schema.MinLength > 0 {
		m.with(at, "is empty", "")
	}
	switch schema.Format {
	case "email":
		for _, word := range []string{"", " ", "@", "ada", "ada@", "@example.com", "ada@example", "ada@@example.com", "ada@example..com",
			"a da@example.com", "ada@exa mple.com", "ada@-example.com", "ada\n@example.com", "ada@example.com\x00", ".ada@example.com",
			"<ada@example.com>", "Ada <ada@example.com>", "ada@example.com, bob@example.com", strings.Repeat("l", 65) + "@example.com"} {
			m.with(at, fmt.Sprintf("is %.30q", word), word)
		}
	case "password":
		m.with(at, "is too short", strings.Repeat("p", int(schema.MinLength)-1))
		m.with(at, "begins with space", " correct horse")
	}
	if schema.Pattern != "" {
		m.words(at, schema, "", " ", "\t\n\u00a0", "x", "xx", "xxx", "1", "12", "123", "xxxx", "€€", "€€€", strings.ToLower(now), now+now, now+" ", now+"\n", "\x00")
	}
}

// words adds those texts that the schema forbids.
func (m *maker) words(at path, schema *openapi3.Schema, words ...string) {
	var pattern *regexp.Regexp
	if schema.Pattern != "" {
		var err error
		if pattern, err = regexp.Compile(schema.Pattern); err != nil {
			m.err = fmt.Errorf("the pattern of %s: %w", at.pointer(), err)
			return
		}
	}
	slices.Sort(words)
	for _, word := range slices.Compact(words) {
		if pattern != nil && pattern.MatchString(word) || slices.Contains(schema.Enum, any(word)) {
			continue
		}
		m.with(at, fmt.Sprintf("is %.30q", word), word)
	}
}

// long makes a text of a number of characters that ends as the example does.
func long(example, filler string, characters int) string {
	_, host, ok := strings.Cut(example, "@")
	if !ok {
		return strings.Repeat(filler, characters)
	}
	return strings.Repeat(filler, max(0, characters-len(host)-1)) + "@" + host
}

func (m *maker) integer(at path, schema *openapi3.Schema) {
	allowed := func(n float64) bool {
		return (schema.Min == nil || n >= *schema.Min) && (schema.Max == nil || n <= *schema.Max) && (schema.Not == nil || n != 0)
	}
	texts := []string{
		"0", "-0", "-1", "1.5", "0.1", "-1.5", "1e400", "-1e400", "1e-400", "1e19", "9223372036854775807", "9223372036854775808", "-9223372036854775809",
		"18446744073709551616", "1" + strings.Repeat("0", 400), "2147483648", "4294967296", "9007199254740993", "1.0000001",
	}
	if schema.Min != nil {
		texts = append(texts, strconv.FormatFloat(*schema.Min-1, 'f', 0, 64))
	}
	if schema.Max != nil {
		texts = append(texts, strconv.FormatFloat(*schema.Max+1, 'f', 0, 64))
	}
	slices.Sort(texts)
	for _, text := range slices.Compact(texts) {
		n, err := strconv.ParseFloat(text, 64)
		whole := !strings.ContainsAny(text, ".e")
		if err == nil && whole && allowed(n) {
			continue
		}
		m.raw(at, fmt.Sprintf("is %.30s", text), text)
	}
}

// eachText calls do for every place of free text.
func (m *maker) eachText(at path, schema *openapi3.Schema, example any, do func(path)) {
	switch v := example.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if member := schema.Properties[name]; member != nil {
				m.eachText(at.to(name), member.Value, v[name], do)
			}
		}
	case []any:
		if len(v) > 0 && schema.Items != nil {
			m.eachText(at.to("0"), schema.Items.Value, v[0], do)
		}
	case string:
		do(at)
	}
}

// replaced returns a copy of a value with the part at a place changed.
func replaced(v any, at path, change func(any) any) any {
	if len(at) == 0 {
		return change(v)
	}
	switch v := v.(type) {
	case map[string]any:
		c := maps.Clone(v)
		c[at[0]] = replaced(v[at[0]], at[1:], change)
		return c
	case []any:
		c := slices.Clone(v)
		i, err := strconv.Atoi(at[0])
		if err != nil || i >= len(c) {
			return v
		}
		c[i] = replaced(c[i], at[1:], change)
		return c
	}
	return v
}
