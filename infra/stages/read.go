package stages

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// placeholder stands in a shipped file for a value that only its user knows.
const placeholder = "FILL-IN"

// fault is one thing that is wrong with a file.
type fault struct {
	line int
	text string
}

// reader decodes a file into Settings by their tags, and remembers where each key was.
type reader struct {
	faults []fault
	lines  map[string]int // by key, with those above it: "mail.from"
}

func (r *reader) fault(line int, format string, args ...any) {
	r.faults = append(r.faults, fault{line, fmt.Sprintf(format, args...)})
}

// has reports whether the file has a key, whatever its value.
func (r *reader) has(key string) bool { return r.lines[key] > 0 }

// at returns the line of a key, or that of the nearest one above it.
func (r *reader) at(key string) int {
	for ; key != ""; key = key[:max(0, strings.LastIndexByte(key, '.'))] {
		if r.has(key) {
			return r.lines[key]
		}
	}
	return 1
}

// value decodes a node. tag is that of the field which the value is, or is part of.
func (r *reader) value(n *yaml.Node, key string, tag reflect.StructTag, into reflect.Value) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch into.Kind() {
	case reflect.Struct:
		r.mapping(n, key, func(name string, k, v *yaml.Node) {
			field, ok := fieldOf(into.Type(), name)
			if !ok {
				r.fault(k.Line, "%s is not a key: %s", within(key, name), nearest(name, keysOf(into.Type())))
				return
			}
			r.value(v, within(key, name), field.Tag, into.FieldByIndex(field.Index))
		})
	case reflect.Map:
		into.Set(reflect.MakeMap(into.Type()))
		r.mapping(n, key, func(name string, k, v *yaml.Node) {
			item := reflect.New(into.Type().Elem()).Elem()
			before := len(r.faults)
			r.text(k, within(key, name), tag)
			r.value(v, within(key, name), "", item)
			if len(r.faults) == before {
				into.SetMapIndex(reflect.ValueOf(name), item)
			}
		})
	case reflect.Slice:
		if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
			r.fault(n.Line, "%s is a list: %s", key, formats[tag.Get("is")].want)
			return
		}
		for _, item := range n.Content {
			if text, ok := r.text(item, key, tag); ok {
				into.Set(reflect.Append(into, reflect.ValueOf(text)))
			}
		}
	case reflect.Bool:
		if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" {
			r.fault(n.Line, "%s is %s: it is true or false", key, shown(n))
			return
		}
		into.SetBool(n.Value == "true")
	case reflect.Int:
		if number, ok := r.number(n, key, tag); ok {
			into.SetInt(int64(number))
		}
	default:
		if text, ok := r.text(n, key, tag); ok {
			into.SetString(text)
		}
	}
}

// mapping calls each for the keys of a mapping, each key once.
func (r *reader) mapping(n *yaml.Node, key string, each func(name string, k, v *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		r.fault(n.Line, "%s is %s: it has keys of its own", cmp.Or(key, "the file"), shown(n))
		return
	}
	for i := 0; i < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		path := within(key, k.Value)
		if r.has(path) {
			r.fault(k.Line, "%s is given twice, first in line %d", path, r.lines[path])
			continue
		}
		r.lines[path] = k.Line
		each(k.Value, k, v)
	}
}

// text is a scalar as it is written, so that an account's number needs no quotes.
func (r *reader) text(n *yaml.Node, key string, tag reflect.StructTag) (string, bool) {
	f := formats[tag.Get("is")]
	switch {
	case n.Kind == yaml.ScalarNode && n.Value == placeholder:
		r.fault(n.Line, "%s is not filled in: it is %s", key, f.want)
	case n.Kind != yaml.ScalarNode || n.Tag == "!!null" || !f.fits(n.Value):
		r.fault(n.Line, "%s is %s: it is %s", key, shown(n), f.want)
	default:
		return n.Value, true
	}
	return "", false
}

func (r *reader) number(n *yaml.Node, key string, tag reflect.StructTag) (int, bool) {
	if tag.Get("is") != "" {
		text, ok := r.text(n, key, tag)
		number, err := strconv.Atoi(text)
		return number, ok && err == nil
	}
	low, high := bound(tag, "min"), bound(tag, "max")
	number, err := strconv.Atoi(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil || number < low || number > high {
		r.fault(n.Line, "%s is %s: it is a whole number from %d to %d", key, shown(n), low, high)
		return 0, false
	}
	return number, true
}

func bound(tag reflect.StructTag, name string) int {
	n, err := strconv.Atoi(tag.Get(name))
	if err != nil {
		panic(fmt.Sprintf("infra/stages: the tag %s needs a number: %s", tag, name))
	}
	return n
}

// shown is a node as its author knows it.
func shown(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!null":
		return "empty"
	}
	return strconv.Quote(n.Value)
}

func within(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}

func fieldOf(t reflect.Type, name string) (reflect.StructField, bool) {
	for field := range t.Fields() {
		if field.Tag.Get("yaml") == name {
			return field, true
		}
	}
	return reflect.StructField{}, false
}

func keysOf(t reflect.Type) []string {
	var keys []string
	for field := range t.Fields() {
		keys = append(keys, field.Tag.Get("yaml"))
	}
	return keys
}

// nearest names the key that was probably meant, or all of them.
func nearest(name string, keys []string) string {
	best := slices.MinFunc(keys, func(a, b string) int { return distance(name, a) - distance(name, b) })
	if distance(name, best) <= max(2, len(best)/3) {
		return "did you mean " + best + "?"
	}
	return "the keys here are " + strings.Join(keys, ", ")
}

// distance is Levenshtein's, without regard to case.
func distance(a, b string) int {
	a, b = strings.ToLower(a), strings.ToLower(b)
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substituted := diagonal
			if a[i] != b[j] {
				substituted++
			}
			diagonal = row[j+1]
			row[j+1] = min(substituted, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// message lists the faults of a file in the order of its lines.
func (r *reader) message(file string) string {
	slices.SortFunc(r.faults, func(a, b fault) int { return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.text, b.text)) })
	list := make([]string, len(r.faults))
	for i, f := range r.faults {
		list[i] = fmt.Sprintf("%s:%d: %s", file, f.line, f.text)
	}
	return strings.Join(list, "\n")
}
