// Package awslimitstest proves that each constraint and each rule of package awslimits
// works: it takes good templates, breaks one after the other, and wants the finding of
// just that.
//
// It exists because a check that finds nothing in good templates may be one that never
// finds anything.
package awslimitstest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tradewind/infra/awslimits"
)

// Run breaks the templates of the given stages, by name, which must be good. A constraint
// whose property none of them sets fails the test, as does a rule that nothing breaks.
func Run(t *testing.T, stages map[string]awslimits.Stage) {
	order := slices.Sorted(maps.Keys(stages))
	t.Run("constraints", func(t *testing.T) {
		constraints, refused := awslimits.Constraints(), 0
		for _, c := range constraints {
			if !slices.ContainsFunc(order, func(name string) bool {
				n, set := breakConstraint(t, stages[name], c)
				refused += n
				return set
			}) {
				t.Errorf("%s %s: no template sets it: run `make limits`", c.Type, c.Path)
			}
		}
		t.Logf("%d constraints, %d broken templates refused", len(constraints), refused)
	})
	t.Run("unknown properties", func(t *testing.T) {
		types := map[string]bool{}
		for _, name := range order {
			for stack, template := range stages[name] {
				for id, r := range template.Resources {
					if types[r.Type] || strings.HasPrefix(r.Type, "Custom::") {
						continue
					}
					types[r.Type] = true
					found := awslimits.CheckResource(stack, id, awslimits.Resource{Type: r.Type, Properties: with(r.Properties, "NoSuchProperty")})
					if len(found) != 1 || found[0].Property != "NoSuchProperty" {
						t.Errorf("%s/%s: %s with a property that there is not: %v", stack, id, r.Type, found)
					}
				}
			}
		}
		t.Logf("%d types", len(types))
	})
	t.Run("rules", func(t *testing.T) {
		refused, sources := 0, map[string]bool{}
		for _, rule := range awslimits.Rules {
			sources[rule.Source] = true
			if len(breaks[rule.Name]) == 0 {
				t.Errorf("nothing breaks the rule %s", rule.Name)
			}
			for i, damage := range breaks[rule.Name] {
				if breakRule(t, stages, order, rule, i, damage) {
					refused++
				}
			}
		}
		t.Logf("%d rules from %d pages, %d broken templates refused", len(awslimits.Rules), len(sources), refused)
	})
}

// breakConstraint breaks a constraint in the first resource that it concerns, in each
// way that there is, and returns how many were refused. It also says whether there is a
// resource that sets the property.
func breakConstraint(t *testing.T, stage awslimits.Stage, c awslimits.Constraint) (refused int, set bool) {
	for _, stack := range slices.Sorted(maps.Keys(stage)) {
		for _, id := range slices.Sorted(maps.Keys(stage[stack].Resources)) {
			r := stage[stack].Resources[id]
			if awslimits.TypeName(r.Type) != c.Type {
				continue
			}
			for _, path := range paths("", r.Properties, c.Path) {
				broken := violations(c, value(r.Properties, path))
				for _, v := range broken {
					changed := awslimits.Resource{Type: r.Type, Properties: replaced(r.Properties, path, v).(map[string]any)}
					if slices.ContainsFunc(awslimits.CheckResource(stack, id, changed), func(f awslimits.Finding) bool {
						return f.Stack == stack && f.Resource == id && f.Property == path && f.Rule == c.Kind && f.Source == c.Source && f.Message != ""
					}) {
						refused++
					} else {
						t.Errorf("%s/%s: %s %s %v, which breaks %s %v, was not refused", stack, id, c.Type, path, short(v), c.Kind, c.Limit)
					}
				}
				if len(broken) == 0 {
					t.Errorf("%s %s: no value is known that breaks %s %v: add one to violations", c.Type, path, c.Kind, c.Limit)
				}
				return refused, true
			}
		}
	}
	return 0, false
}

// paths are the paths in a value that a constraint's path means.
func paths(prefix string, v any, path string) []string {
	if path == "" {
		return []string{prefix}
	}
	step, rest, _ := strings.Cut(path, "/")
	var found []string
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if key == step || step == "*" {
				found = append(found, paths(strings.TrimPrefix(prefix+"/"+key, "/"), v[key], rest)...)
			}
		}
	case []any:
		for i, item := range v {
			if step == "*" {
				found = append(found, paths(strings.TrimPrefix(fmt.Sprint(prefix, "/", i), "/"), item, rest)...)
			}
		}
	}
	return found
}

func value(v any, path string) any {
	if path == "" {
		return v
	}
	step, rest, _ := strings.Cut(path, "/")
	switch v := v.(type) {
	case map[string]any:
		return value(v[step], rest)
	case []any:
		i, _ := strconv.Atoi(step)
		return value(v[i], rest)
	}
	return nil
}

// replaced returns a copy of a value with another value at a path.
func replaced(v any, path string, to any) any {
	if path == "" {
		return to
	}
	step, rest, _ := strings.Cut(path, "/")
	switch v := v.(type) {
	case map[string]any:
		made := maps.Clone(v)
		made[step] = replaced(v[step], rest, to)
		return made
	case []any:
		made := slices.Clone(v)
		i, _ := strconv.Atoi(step)
		made[i] = replaced(v[i], rest, to)
		return made
	}
	return map[string]any{step: replaced(nil, rest, to)}
}

// violations are values that break a constraint, made of one that keeps it.
func violations(c awslimits.Constraint, v any) []any {
	list, _ := v.([]any)
	object, _ := v.(map[string]any)
	n, _ := c.Limit.(float64)
	switch c.Kind {
	case "type":
		for _, wrong := range []any{map[string]any{"a": "b"}, []any{"a"}, "neither a number nor true"} {
			if c.Refuses(wrong) {
				return []any{wrong}
			}
		}
		return []any{nil}
	case "enum":
		return []any{"no such value"}
	case "pattern":
		for _, wrong := range []string{"", "\u0000", " ", "é", "~", ":", "%%", "999"} {
			if c.Refuses(wrong) {
				return []any{wrong}
			}
		}
	case "not":
		for _, wrong := range []string{"1", "a.", "arn:a", strings.Repeat("a", 128)} {
			if c.Refuses(wrong) {
				return []any{wrong}
			}
		}
	case "minLength":
		return []any{strings.Repeat("a", int(n)-1)}
	case "maxLength":
		return []any{strings.Repeat("a", int(n)+1)}
	case "minimum":
		return []any{n - 1}
	case "maximum":
		return []any{n + 1}
	case "minItems":
		return []any{list[:int(n)-1]}
	case "maxItems":
		return []any{slices.Repeat([]any{list[0]}, int(n)+1)}
	case "uniqueItems", "uniqueKeys":
		return []any{append(slices.Clone(list), list[0])}
	case "keyPattern":
		return []any{with(object, "no name")}
	case "keyLength":
		return []any{with(object, strings.Repeat("a", int(n)+1))}
	case "required":
		var all []any
		for _, name := range c.Limit.([]any) {
			all = append(all, without(object, name.(string)))
		}
		return all
	case "exactlyOne":
		none, both := object, object
		for _, name := range c.Limit.([]any) {
			if _, has := object[name.(string)]; has {
				none = without(none, name.(string))
			} else {
				both = with(both, name.(string))
			}
		}
		return []any{none, both}
	case "atLeastOne":
		none := object
		for _, name := range c.Limit.([]any) {
			none = without(none, name.(string))
		}
		return []any{none}
	case "excludes":
		var all []any
		for name, others := range c.Limit.(map[string]any) {
			if _, has := object[name]; has {
				for _, other := range others.([]any) {
					all = append(all, with(object, other.(string)))
				}
			}
		}
		return all
	case "needs":
		var all []any
		for name, others := range c.Limit.(map[string]any) {
			if _, has := object[name]; has {
				for _, other := range others.([]any) {
					all = append(all, without(object, other.(string)))
				}
			}
		}
		return all
	case "network":
		return []any{"10.0.0.1/8"}
	}
	return nil
}

// with adds a property, which is there but for nothing else.
func with(m map[string]any, name string) map[string]any {
	made := maps.Clone(m)
	if made == nil {
		made = map[string]any{}
	}
	made[name] = "a"
	return made
}

func without(m map[string]any, name string) map[string]any {
	made := maps.Clone(m)
	delete(made, name)
	return made
}

func short(v any) string {
	raw, _ := json.Marshal(v)
	return fmt.Sprintf("%.60s", raw)
}
