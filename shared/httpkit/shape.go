package httpkit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"

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

// strict refuses what encoding/json passes over in silence:
//
//   - A member whose name differs from a field's by its case only. To a client
//     whose documents say "name", "Name" is a typing error.
//   - A member that is given twice. One of its values would win.
//   - Half of a surrogate pair, which is no character: it would be kept as
//     U+FFFD, not as it was sent.
//
// It reads a text that was decoded before, once and without decoding it again: a
// name is a string that a colon follows. Only where something is wrong is it
// worth knowing where.
func strict(body []byte, t reflect.Type) error {
	known := namesOf(t)
	// The names of each object that is open, those of the innermost last.
	var (
		nameBuf [32]string
		openBuf [8]int
		names   = nameBuf[:0]
		open    = openBuf[:0]
	)
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '{':
			open = append(open, len(names))
			continue
		case '}':
			names, open = names[:open[len(open)-1]], open[:len(open)-1]
			continue
		case '"':
		default:
			continue
		}
		start := i
		end, half := quoted(body, start)
		if half {
			return halfCharacter(body, start)
		}
		i = end
		rest := bytes.TrimLeft(body[end+1:], " \t\r\n")
		if known == nil || len(rest) == 0 || rest[0] != ':' {
			continue
		}
		name, ok := known[string(body[start+1:end])]
		if !ok { // it may be written with escapes
			var plain string
			err := json.Unmarshal(body[start:end+1], &plain)
			if name, ok = known[plain]; err != nil || !ok {
				return unknownField(body, t, path{plain})
			}
		}
		if slices.Contains(names[open[len(open)-1]:], name) {
			return givenTwice(body)
		}
		names = append(names, name)
	}
	return nil
}

// quoted returns where the string that begins at start ends, and whether half of
// a surrogate pair is in it.
func quoted(body []byte, start int) (end int, half bool) {
	for i := start + 1; ; i++ {
		switch body[i] {
		case '"':
			return i, false
		case '\\':
			i++
			if body[i] != 'u' {
				continue
			}
			switch r := unit(body[i+1:]); {
			case !utf16.IsSurrogate(r):
				i += 4
			case body[i+5] == '\\' && body[i+6] == 'u' && utf16.DecodeRune(r, unit(body[i+7:])) != utf8.RuneError:
				i += 10
			default:
				return i, true
			}
		}
	}
}

// unit reads the four digits of an escape.
func unit(digits []byte) rune {
	n, _ := strconv.ParseUint(string(digits[:4]), 16, 16) // digits they are: the text is JSON
	return rune(n)
}

// halfCharacter points at the string that begins at an offset.
func halfCharacter(body []byte, start int) error {
	found := path(nil)
	places(body, func(at path, _ json.Token, end int64) bool {
		found = at
		return end <= int64(start)
	})
	return invalid(found.pointer(), "holds half of a surrogate pair, which is no character")
}

// givenTwice points at the first member that was there before.
func givenTwice(body []byte) error {
	found, seen := path(nil), map[string]bool{}
	places(body, func(at path, _ json.Token, _ int64) bool {
		found = at
		again := seen[at.pointer()]
		seen[at.pointer()] = true
		return !again
	})
	return invalid(found.pointer(), "is given twice")
}

// namesByType keeps what namesOf has found, by reflect.Type.
var namesByType sync.Map

// namesOf returns the names of all fields at any depth of a type, each under
// itself; nil for a type that takes names of the client's choice somewhere.
func namesOf(t reflect.Type) map[string]string {
	if known, ok := namesByType.Load(t); ok {
		return known.(map[string]string)
	}
	names, seen, open := map[string]string{}, map[reflect.Type]bool{}, false
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
				names[as] = as
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
