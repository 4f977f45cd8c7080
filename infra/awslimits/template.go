package awslimits

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Stage holds the templates that are deployed together, by stack name.
type Stage map[string]Template

// Template is one stack as CloudFormation gets it.
type Template struct {
	Resources  map[string]Resource
	Parameters map[string]Parameter
	Outputs    map[string]any
	Size       int // bytes
}

// Parameter is an input of a template.
type Parameter struct{ Type, Default string }

// Resource is one resource of a template.
type Resource struct {
	Type       string
	Properties map[string]any
	DependsOn  names
}

// names is a list that a template may shorten to its only item.
type names []string

// UnmarshalJSON reads both forms.
func (n *names) UnmarshalJSON(raw []byte) error {
	if raw[0] == '[' {
		return json.Unmarshal(raw, (*[]string)(n))
	}
	*n = make(names, 1)
	return json.Unmarshal(raw, &(*n)[0])
}

// Parse reads a synthesised template.
func Parse(raw []byte) (Template, error) {
	t := Template{Size: len(raw)}
	if err := json.Unmarshal(raw, &t); err != nil {
		return Template{}, fmt.Errorf("template: %w", err)
	}
	return t, nil
}

// located is a resource with its place in the stage.
type located struct {
	stack, id string
	Resource
}

// of yields the resources of a type in a fixed order.
func (s Stage) of(kind string) iter.Seq[located] {
	return func(yield func(located) bool) {
		for r := range s.all() {
			if r.Type == kind && !yield(r) {
				return
			}
		}
	}
}

// all yields every resource in a fixed order.
func (s Stage) all() iter.Seq[located] {
	return func(yield func(located) bool) {
		for _, stack := range slices.Sorted(maps.Keys(s)) {
			for _, id := range slices.Sorted(maps.Keys(s[stack].Resources)) {
				if !yield(located{stack, id, s[stack].Resources[id]}) {
					return
				}
			}
		}
	}
}

// At follows a path such as Targets/0/Arn into a resource's properties. It is nil
// where there is nothing.
func (r Resource) At(path string) any { return at(r.Properties, path) }

func at(v any, path string) any {
	for step := range strings.SplitSeq(path, "/") {
		switch x := v.(type) {
		case map[string]any:
			v = x[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

// list is the value at a path as a list. A single value counts as a list of one.
func (r Resource) list(path string) []any { return list(r.At(path)) }

func list(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}

// text is the value at a path as far as it is known before the deployment.
func (r Resource) text(path string) string {
	s, _ := text(r.At(path))
	return s
}

// number is the value at a path, or the default where the property is absent.
func (r Resource) number(path string, otherwise float64) float64 {
	if n, ok := number(r.At(path)); ok {
		return n
	}
	return otherwise
}

// number reads a number. CloudFormation takes its text as well.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case string:
		n, err := strconv.ParseFloat(v, 64)
		return n, err == nil
	}
	return 0, false
}

// pseudo are values that every stack has, in the form they have on AWS.
var pseudo = map[string]string{
	"AWS::AccountId": "111122223333", "AWS::Partition": "aws", "AWS::Region": "eu-central-1",
	"AWS::StackId":   "arn:aws:cloudformation:eu-central-1:111122223333:stack/name/00000000-0000-0000-0000-000000000000",
	"AWS::URLSuffix": "amazonaws.com", "AWS::StackName": "name",
}

// text renders a value as the service gets it. It is exact unless a part is known at
// the deployment only; then the text lacks that part.
func text(v any) (s string, exact bool) {
	switch v := v.(type) {
	case string:
		if strings.Contains(v, "{{resolve:") {
			return "", false
		}
		return v, true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	case bool:
		return strconv.FormatBool(v), true
	case map[string]any:
		fn, arg := intrinsic(v)
		switch fn {
		case "Ref":
			name, _ := arg.(string)
			s, exact = pseudo[name]
			return s, exact
		case "Fn::Join":
			pair, _ := arg.([]any)
			if len(pair) != 2 {
				return "", false
			}
			separator, _ := pair[0].(string)
			exact = true
			var parts []string
			for _, part := range list(pair[1]) {
				s, known := text(part)
				exact = exact && known
				parts = append(parts, s)
			}
			return strings.Join(parts, separator), exact
		case "Fn::Sub":
			format, ok := arg.(string)
			if !ok {
				return "", false
			}
			for name, value := range pseudo {
				format = strings.ReplaceAll(format, "${"+name+"}", value)
			}
			return format, !strings.Contains(format, "${")
		}
	}
	return "", false
}

// intrinsic is the function that a value is made by, and its argument. It is empty
// for plain values.
func intrinsic(v any) (fn string, arg any) {
	m, ok := v.(map[string]any)
	if !ok || len(m) != 1 {
		return "", nil
	}
	for key, arg := range m {
		if key == "Ref" || strings.HasPrefix(key, "Fn::") {
			return key, arg
		}
	}
	return "", nil
}

// IsIntrinsic reports whether a value is made by an intrinsic function, and so known at
// the deployment only.
func IsIntrinsic(v any) bool {
	fn, _ := intrinsic(v)
	return fn != ""
}

// Attributes yields the attributes of its own resources that a template asks for.
func (t Template) Attributes() iter.Seq2[Resource, string] {
	return func(yield func(Resource, string) bool) {
		for _, part := range t.parts() {
			for id, attribute := range references(part) {
				if r, ok := t.Resources[id]; ok && attribute != "" && !yield(r, attribute) {
					return
				}
			}
		}
	}
}

// parts are the places of references: the properties of each resource, and each output.
func (t Template) parts() map[string]any {
	parts := map[string]any{}
	for id, r := range t.Resources {
		parts[id] = r.Properties
	}
	for name, output := range t.Outputs {
		parts["output "+name] = output
	}
	return parts
}

// references yields the logical ids that a value refers to, with the attribute where
// one is asked for.
func references(v any) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) { refer(v, yield) }
}

func refer(v any, yield func(string, string) bool) bool {
	fn, arg := intrinsic(v)
	switch fn {
	case "Ref":
		id, _ := arg.(string)
		return strings.HasPrefix(id, "AWS::") || yield(id, "")
	case "Fn::GetAtt":
		pair, _ := arg.([]any)
		if len(pair) != 2 {
			return yield(fmt.Sprint(arg), "")
		}
		attribute, _ := pair[1].(string)
		return yield(fmt.Sprint(pair[0]), attribute)
	case "Fn::Sub":
		format, _ := arg.(string)
		if pair := list(arg); len(pair) == 2 {
			format, _ = pair[0].(string)
		}
		for _, part := range strings.Split(format, "${")[1:] {
			name, _, _ := strings.Cut(part, "}")
			id, attribute, _ := strings.Cut(name, ".")
			if !strings.HasPrefix(id, "AWS::") && !strings.HasPrefix(id, "!") && !yield(id, attribute) {
				return false
			}
		}
	}
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if fn != "Ref" && fn != "Fn::GetAtt" && !refer(v[key], yield) {
				return false
			}
		}
	case []any:
		for _, item := range v {
			if !refer(item, yield) {
				return false
			}
		}
	}
	return true
}

// ref is the first logical id that a value refers to.
func ref(v any) string {
	for id := range references(v) {
		return id
	}
	return ""
}

// target is the resource of the same stack that a property refers to.
func (s Stage) target(r located, path string) located {
	id := ref(r.At(path))
	return located{r.stack, id, s[r.stack].Resources[id]}
}

// function is the function that a property refers to, by itself or by its alias.
func (s Stage) function(r located, path string) located {
	found := s.target(r, path)
	if found.Type == "AWS::Lambda::Alias" {
		return s.target(found, "FunctionName")
	}
	return found
}

// needs reports whether one resource of a stack is made after another: because it
// refers to it or depends on it, itself or through others.
func (t Template) needs(from, to string) bool {
	seen := map[string]bool{}
	var visit func(string) bool
	visit = func(id string) bool {
		if seen[id] {
			return false
		}
		seen[id] = true
		next := slices.Clone(t.Resources[id].DependsOn)
		for other := range references(t.Resources[id].Properties) {
			next = append(next, other)
		}
		return slices.Contains(next, to) || slices.ContainsFunc(next, visit)
	}
	return visit(from)
}
