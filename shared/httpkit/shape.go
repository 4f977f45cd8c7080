package httpkit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"

	"tradewind/shared/apperr"
)

// nulls refuses null wherever it stands. No field of the platform takes it, and
// encoding/json would take it for a field that was not sent: a client that wants
// to remove something must hear that it cannot be removed like this.
func nulls(body []byte) error {
	if !bytes.Contains(body, []byte("null")) {
		return nil
	}
	var c apperr.Check
	places(body, func(at path, token json.Token, _ int64) bool {
		if token == nil {
			c.Fail(at.pointer(), "must not be null")
		}
		return true
	})
	return c.Err()
}

// shapeError says where a JSON value does not fit type t. encoding/json names
// fields only, neither the elements of arrays nor what an unknown field is in.
func shapeError(err error, body []byte, t reflect.Type) error {
	if te, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		found := path(nil)
		if te.Field != "" {
			found = strings.Split(te.Field, ".")
		}
		places(body, func(at path, _ json.Token, end int64) bool {
			if end == te.Offset && at.field() == te.Field {
				found = at
			}
			return end < te.Offset
		})
		return invalid(found.pointer(), fmt.Sprintf("must not be a JSON %s", te.Value))
	}
	// encoding/json has no type for this one, only its text.
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		found := path(nil)
		if field, err := strconv.Unquote(name); err == nil {
			found = path{field}
		}
		return unknownField(body, t, found)
	}
	return invalid("", "does not fit this request")
}

// unknownField says where the first member is that t has no place for.
func unknownField(body []byte, t reflect.Type, found path) error {
	places(body, func(at path, _ json.Token, _ int64) bool {
		known := at.knownTo(t)
		if !known {
			found = at
		}
		return known
	})
	return invalid(found.pointer(), "is not a field of this request")
}

// spelling refuses a member whose name differs from a field's by its case only.
// encoding/json takes it for the field; to a client whose documents say "name",
// "Name" is a typing error, and of both in one object one would win in silence.
//
// It reads the text once without decoding it: a name is a string that a colon
// follows. Only where a name is none of t's is it worth knowing where.
func spelling(body []byte, t reflect.Type) error {
	known := namesOf(t)
	if known == nil {
		return nil
	}
	for i := 0; i < len(body); i++ {
		if body[i] != '"' {
			continue
		}
		start := i + 1
		for i = start; body[i] != '"'; i++ {
			if body[i] == '\\' {
				i++
			}
		}
		rest := bytes.TrimLeft(body[i+1:], " \t\r\n")
		if len(rest) == 0 || rest[0] != ':' || known[string(body[start:i])] {
			continue
		}
		var name string // without its escapes
		if err := json.Unmarshal(body[start-1:i+1], &name); err != nil || !known[name] {
			return unknownField(body, t, path{name})
		}
	}
	return nil
}

// namesByType keeps what namesOf has found, by reflect.Type.
var namesByType sync.Map

// namesOf returns the names of all fields at any depth of a type; nil for a type
// that takes names of the client's choice somewhere.
func namesOf(t reflect.Type) map[string]bool {
	if known, ok := namesByType.Load(t); ok {
		return known.(map[string]bool)
	}
	names, seen, open := map[string]bool{}, map[reflect.Type]bool{}, false
	var collect func(reflect.Type)
	collect = func(t reflect.Type) {
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array:
			collect(t.Elem())
		case reflect.Map, reflect.Interface:
			open = true
		case reflect.Struct:
			if seen[t] {
				return
			}
			seen[t] = true
			for i := range t.NumField() {
				f := t.Field(i)
				as, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				if as == "" {
					as = f.Name
				}
				names[as] = true
				collect(f.Type)
			}
		}
	}
	collect(t)
	if open {
		names = nil
	}
	namesByType.Store(t, names)
	return names
}

func invalid(pointer, message string) error {
	var c apperr.Check
	c.Fail(pointer, message)
	return c.Err()
}

// path is a place in a JSON text: names of members and indexes of elements.
type path []string

var escape = strings.NewReplacer("~", "~0", "/", "~1")

// pointer returns the path as RFC 6901 writes it.
func (p path) pointer() string {
	var b strings.Builder
	for _, part := range p {
		b.WriteByte('/')
		b.WriteString(escape.Replace(part))
	}
	return b.String()
}

// field returns the path as encoding/json writes it.
func (p path) field() string {
	var names []string
	for _, part := range p {
		if _, err := strconv.Atoi(part); err != nil {
			names = append(names, part)
		}
	}
	return strings.Join(names, ".")
}

// knownTo reports whether t has a place for the path. A type that decodes itself
// is asked nothing.
func (p path) knownTo(t reflect.Type) bool {
	for _, part := range p {
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) {
			return true
		}
		switch t.Kind() {
		case reflect.Slice, reflect.Array, reflect.Map:
			t = t.Elem()
		case reflect.Struct:
			i := member(t, part)
			if i < 0 {
				return false
			}
			t = t.Field(i).Type
		default:
			return true
		}
	}
	return true
}

// member returns the index of the field of a struct that a JSON member goes to,
// or -1.
func member(t reflect.Type, name string) int {
	for i := range t.NumField() {
		f := t.Field(i)
		as, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if as == "" {
			as = f.Name
		}
		if f.IsExported() && as != "-" && as == name {
			return i
		}
	}
	return -1
}

// places calls visit for each value of a valid JSON text, in order, with where
// it is, its first token and where that ends, until visit returns false.
func places(body []byte, visit func(at path, first json.Token, end int64) bool) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	// value reports whether to go on.
	var value func(at path) bool
	value = func(at path) bool {
		token, err := dec.Token()
		if err != nil || !visit(at[:len(at):len(at)], token, dec.InputOffset()) {
			return false
		}
		opening, nested := token.(json.Delim)
		if !nested {
			return true
		}
		for i := 0; dec.More(); i++ {
			part := strconv.Itoa(i)
			if opening == '{' {
				name, err := dec.Token()
				if err != nil {
					return false
				}
				part, _ = name.(string)
			}
			if !value(append(at[:len(at):len(at)], part)) {
				return false
			}
		}
		_, err = dec.Token() // the closing one
		return err == nil
	}
	value(nil)
}
