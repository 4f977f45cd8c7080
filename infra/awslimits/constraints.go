package awslimits

import (
	_ "embed" // of the constraints
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// Constraint is one thing that AWS's own descriptions say of a property.
type Constraint struct {
	Type string // of the resource
	Path string // of the property, with * for each item of a list and each key of a map
	Kind string // a word of JSON Schema, or one of the words beside them in kinds
	// Limit is the value of Kind: a length, a pattern, the permitted values.
	Limit  any
	Source string
}

// Refuses reports whether a value breaks the constraint. A value that is known at the
// deployment only does not.
func (c Constraint) Refuses(v any) bool {
	return (!IsIntrinsic(v) || onText[c.Kind]) && kinds[c.Kind](c.Limit, v) != ""
}

//go:embed constraints.json
var generated []byte

// document is the form of constraints.json, which package generate writes.
type document struct {
	Comment string
	Schemas string // which resource schemas
	Models  string // and which API models were read
	Types   map[string]struct {
		Attributes []string // that Fn::GetAtt may ask for
		Paths      map[string][]map[string]any
	}
}

// table has the constraints of each path of each type, and the attributes of each type.
type table struct {
	paths      map[string]map[string][]Constraint
	attributes map[string][]string
}

var described = sync.OnceValue(func() table {
	var doc document
	if err := json.Unmarshal(generated, &doc); err != nil {
		panic(fmt.Sprint("constraints.json: ", err))
	}
	t := table{map[string]map[string][]Constraint{}, map[string][]string{}}
	for name, kind := range doc.Types {
		t.attributes[name] = kind.Attributes
		t.paths[name] = map[string][]Constraint{}
		for path, claims := range kind.Paths {
			list := []Constraint{}
			for _, claim := range claims {
				source := "resource schema of " + name + ", " + doc.Schemas
				if from, ok := claim["from"].(string); ok {
					source = "API model of " + from + ", " + doc.Models
				}
				for _, word := range slices.Sorted(maps.Keys(claim)) {
					if word != "from" {
						list = append(list, Constraint{name, path, word, claim[word], source})
					}
				}
			}
			t.paths[name][path] = list
		}
	}
	return t
})

// Constraints returns all of them in a fixed order.
func Constraints() []Constraint {
	var all []Constraint
	paths := described().paths
	for _, kind := range slices.Sorted(maps.Keys(paths)) {
		for _, path := range slices.Sorted(maps.Keys(paths[kind])) {
			for _, c := range paths[kind][path] {
				if c.Kind != free {
					all = append(all, c)
				}
			}
		}
	}
	return all
}

// free marks a property whose content no description has, such as a policy.
const free = "free"

// kinds say how a value breaks a constraint; empty where it does not. A value that is
// known at the deployment only breaks none.
var kinds = map[string]func(limit, v any) string{
	"type": func(limit, v any) string {
		for _, permitted := range list(limit) {
			if isA(permitted.(string), v) {
				return ""
			}
		}
		return fmt.Sprintf("is %s, give %s", kindOf(v), either(list(limit)))
	},
	"enum": func(limit, v any) string {
		s, exact := text(v)
		if !exact || slices.ContainsFunc(list(limit), func(one any) bool { permitted, _ := text(one); return permitted == s }) {
			return ""
		}
		return fmt.Sprintf("is %q, give %s", s, either(list(limit)))
	},
	"pattern": func(limit, v any) string {
		if s, exact := text(v); exact && !expression(limit.(string)).MatchString(s) {
			return fmt.Sprintf("is %q, which does not match %s: use other characters", s, limit)
		}
		return ""
	},
	"not": func(limit, v any) string {
		if s, exact := text(v); exact && expression(limit.(string)).MatchString(s) {
			return fmt.Sprintf("is %q, which must not match %s: use another value", s, limit)
		}
		return ""
	},
	"minLength": func(limit, v any) string {
		if s, exact := rendered(v); exact && float64(utf8.RuneCountInString(s)) < limit.(float64) {
			return fmt.Sprintf("has %d characters, give at least %v", utf8.RuneCountInString(s), limit)
		}
		return ""
	},
	"maxLength": func(limit, v any) string {
		if s, _ := rendered(v); float64(utf8.RuneCountInString(s)) > limit.(float64) {
			return fmt.Sprintf("has %d characters, at most %v are taken: shorten it", utf8.RuneCountInString(s), limit)
		}
		return ""
	},
	"minimum": func(limit, v any) string {
		if n, ok := number(v); ok && n < limit.(float64) {
			return fmt.Sprintf("is %v, give at least %v", n, limit)
		}
		return ""
	},
	"maximum": func(limit, v any) string {
		if n, ok := number(v); ok && n > limit.(float64) {
			return fmt.Sprintf("is %v, give at most %v", n, limit)
		}
		return ""
	},
	"minItems": func(limit, v any) string {
		if n := size(v); float64(n) < limit.(float64) {
			return fmt.Sprintf("has %d items, give at least %v", n, limit)
		}
		return ""
	},
	"maxItems": func(limit, v any) string {
		if n := size(v); float64(n) > limit.(float64) {
			return fmt.Sprintf("has %d items, at most %v are taken: drop some", n, limit)
		}
		return ""
	},
	"uniqueItems": func(limit, v any) string {
		if limit == true {
			return repeated(list(v), func(item any) any { return item })
		}
		return ""
	},
	"uniqueKeys": func(limit, v any) string {
		return repeated(list(v), func(item any) any {
			var keys []any
			for _, key := range list(limit) {
				keys = append(keys, at(item, key.(string)))
			}
			return keys
		})
	},
	"keyPattern": func(limit, v any) string {
		for key := range object(v) {
			if !expression(limit.(string)).MatchString(key) {
				return fmt.Sprintf("has the key %q, which does not match %s: rename it", key, limit)
			}
		}
		return ""
	},
	"keyLength": func(limit, v any) string {
		for key := range object(v) {
			if float64(len(key)) > limit.(float64) {
				return fmt.Sprintf("has the key %q, at most %v characters are taken: shorten it", key, limit)
			}
		}
		return ""
	},
	"required": func(limit, v any) string {
		for _, name := range list(limit) {
			if !has(v, name) {
				return fmt.Sprintf("lacks %s: set it", name)
			}
		}
		return ""
	},
	"exactlyOne": func(limit, v any) string {
		if n := count(v, limit); n != 1 {
			return fmt.Sprintf("has %d of %s: set one", n, either(list(limit)))
		}
		return ""
	},
	"atLeastOne": func(limit, v any) string {
		if count(v, limit) == 0 {
			return "has none of " + either(list(limit)) + ": set one"
		}
		return ""
	},
	"excludes": func(limit, v any) string {
		for name, others := range limit.(map[string]any) {
			if has(v, name) && count(v, others) > 0 {
				return fmt.Sprintf("has %s beside %s: drop one of them", name, either(list(others)))
			}
		}
		return ""
	},
	"needs": func(limit, v any) string {
		for name, others := range limit.(map[string]any) {
			if has(v, name) && count(v, others) < len(list(others)) {
				return fmt.Sprintf("has %s without %s: set both", name, either(list(others)))
			}
		}
		return ""
	},
	"network": func(_, v any) string {
		if s, exact := text(v); exact {
			if p, err := netip.ParsePrefix(s); err != nil || p != p.Masked() {
				return fmt.Sprintf("is %q, which is not a range of addresses: give one such as 10.0.0.0/16", s)
			}
		}
		return ""
	},
}

var expressions sync.Map // by text: a *regexp.Regexp

func expression(pattern string) *regexp.Regexp {
	if known, ok := expressions.Load(pattern); ok {
		return known.(*regexp.Regexp)
	}
	compiled := regexp.MustCompile(pattern)
	expressions.Store(pattern, compiled)
	return compiled
}

// rendered is text, and for objects their JSON: some objects of a template are texts in
// the API.
func rendered(v any) (string, bool) {
	if m, ok := v.(map[string]any); ok {
		if fn, _ := intrinsic(m); fn == "" {
			raw, _ := json.Marshal(m)
			return string(raw), true
		}
	}
	return text(v)
}

// isA reports whether CloudFormation takes a value for a type of JSON Schema. Numbers
// and texts are taken for each other where they can be.
func isA(kind string, v any) bool {
	switch v := v.(type) {
	case string:
		switch kind {
		case "integer", "number":
			n, ok := number(v)
			return ok && (kind == "number" || n == math.Trunc(n))
		case "boolean":
			return v == "true" || v == "false"
		}
		return kind == "string"
	case float64:
		return kind == "number" || kind == "string" || kind == "integer" && v == math.Trunc(v)
	case bool:
		return kind == "boolean" || kind == "string"
	}
	return kindOf(v) == kind
}

func kindOf(v any) string {
	switch v.(type) {
	case string:
		return "string"
	case float64:
		return "number"
	case bool:
		return "boolean"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	}
	return "null"
}

func size(v any) int {
	if m, ok := v.(map[string]any); ok {
		return len(m)
	}
	return len(list(v))
}

// object is a value's fields; none where it is no object.
func object(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func has(v any, name any) bool {
	_, ok := object(v)[name.(string)]
	return ok
}

func count(v, listed any) int {
	n := 0
	for _, name := range list(listed) {
		if has(v, name) {
			n++
		}
	}
	return n
}

func repeated(items []any, key func(any) any) string {
	seen := map[string]bool{}
	for _, item := range items {
		raw, _ := json.Marshal(key(item))
		if seen[string(raw)] {
			return fmt.Sprintf("has %s twice: drop one", raw)
		}
		seen[string(raw)] = true
	}
	return ""
}

func either(values []any) string {
	var b strings.Builder
	for i, v := range values {
		switch {
		case i == 0:
		case i == len(values)-1:
			b.WriteString(" or ")
		default:
			b.WriteString(", ")
		}
		fmt.Fprint(&b, v)
	}
	return b.String()
}

// properties holds a resource to the constraints of its type.
func properties(r located, report func(path, rule, source, message string)) {
	paths, known := described().paths[TypeName(r.Type)]
	if !known {
		report("", "described", generatedBy, "there are no constraints for this type: run `make limits`")
		return
	}
	var visit func(path, known string, v any)
	visit = func(path, generic string, v any) {
		constraints, ok := paths[generic]
		if !ok {
			report(path, "described", generatedBy, "there are no constraints for this property: correct its name, or run `make limits`")
			return
		}
		fn, _ := intrinsic(v)
		descend := fn == ""
		for _, c := range constraints {
			if c.Kind == free {
				descend = false
				continue
			}
			if fn != "" && !onText[c.Kind] {
				continue
			}
			if message := kinds[c.Kind](c.Limit, v); message != "" {
				report(path, c.Kind, c.Source, message)
			}
		}
		if !descend {
			return
		}
		switch v := v.(type) {
		case map[string]any:
			for _, key := range slices.Sorted(maps.Keys(v)) {
				next := join(generic, key)
				if _, named := paths[next]; !named && paths[join(generic, "*")] != nil {
					next = join(generic, "*")
				}
				visit(join(path, key), next, v[key])
			}
		case []any:
			for i, item := range v {
				visit(join(path, fmt.Sprint(i)), join(generic, "*"), item)
			}
		}
	}
	visit("", "", r.Properties)
}

// onText are the kinds that also judge a text that an intrinsic function makes.
var onText = map[string]bool{"enum": true, "pattern": true, "not": true, "minLength": true, "maxLength": true, "network": true}

// generatedBy is the source of findings about constraints.json itself.
const generatedBy = "infra/awslimits/constraints.json"

// TypeName is the type whose schema describes a resource.
func TypeName(kind string) string {
	if strings.HasPrefix(kind, "Custom::") {
		return "AWS::CloudFormation::CustomResource"
	}
	return kind
}

func join(path, step string) string {
	if path == "" {
		return step
	}
	return path + "/" + step
}
