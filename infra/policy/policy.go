// Package policy evaluates IAM policies as AWS does, so that a test can tell what a
// template grants before it is deployed.
//
// It knows the part of the language that the platform uses, and never guesses. An
// element, an operator or a condition key that it cannot evaluate makes the outcome
// Unknown, unless the rest decides alone: an explicit deny that matches denies whatever
// else there is, and an allow that matches stands beside an allow that may match.
package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Document is one policy.
type Document struct {
	Version    string
	Statements []Statement
}

// Statement is one statement of a policy. Name says where it comes from, for messages.
type Statement struct {
	Name   string
	Effect string

	Action, NotAction     []string
	Resource, NotResource []string
	Principal             Principals
	Condition             []Condition

	// Unsupported are elements that this package cannot evaluate.
	Unsupported []string
}

// Principals are those of a resource policy's statement, by their kind (AWS, Service).
// A statement of an identity policy has none.
type Principals map[string][]string

// Condition is one operator with one key: all of a statement's must hold.
type Condition struct {
	Operator string
	Key      string
	Values   []string
}

// Parse reads a policy from its JSON form.
func Parse(name string, raw []byte) (Document, error) {
	var d struct {
		Version   string
		Statement json.RawMessage
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		return Document{}, fmt.Errorf("%s: %w", name, err)
	}
	var list []map[string]json.RawMessage
	if err := json.Unmarshal(d.Statement, &list); err != nil {
		list = make([]map[string]json.RawMessage, 1)
		if err := json.Unmarshal(d.Statement, &list[0]); err != nil {
			return Document{}, fmt.Errorf("%s: Statement: %w", name, err)
		}
	}
	doc := Document{Version: d.Version}
	for i, elements := range list {
		s, err := statement(elements)
		if err != nil {
			return Document{}, fmt.Errorf("%s: statement %d: %w", name, i, err)
		}
		s.Name = fmt.Sprintf("%s[%d]", name, i)
		s.variables(d.Version)
		doc.Statements = append(doc.Statements, s)
	}
	return doc, nil
}

func statement(elements map[string]json.RawMessage) (Statement, error) {
	var s Statement
	for element, raw := range elements {
		var err error
		switch element {
		case "Sid":
		case "Effect":
			err = json.Unmarshal(raw, &s.Effect)
		case "Action":
			s.Action, err = texts(raw)
		case "NotAction":
			s.NotAction, err = texts(raw)
		case "Resource":
			s.Resource, err = texts(raw)
		case "NotResource":
			s.NotResource, err = texts(raw)
		case "Principal":
			s.Principal, err = principals(raw)
		case "Condition":
			s.Condition, err = conditions(raw)
		default:
			s.Unsupported = append(s.Unsupported, element)
		}
		if err != nil {
			return s, fmt.Errorf("%s: %w", element, err)
		}
	}
	switch {
	case s.Effect != "Allow" && s.Effect != "Deny":
		return s, fmt.Errorf("Effect %q is neither Allow nor Deny", s.Effect)
	case (s.Action == nil) == (s.NotAction == nil):
		return s, fmt.Errorf("one of Action and NotAction is needed")
	case s.Resource != nil && s.NotResource != nil:
		return s, fmt.Errorf("Resource excludes NotResource")
	}
	slices.Sort(s.Unsupported)
	return s, nil
}

// variables marks policy variables: version 2012-10-17 replaces them by values of the
// request, earlier versions take them literally.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
func (s *Statement) variables(version string) {
	if version != "2012-10-17" {
		return
	}
	texts := slices.Concat(s.Resource, s.NotResource)
	for _, c := range s.Condition {
		texts = append(texts, c.Values...)
	}
	if slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, "${") }) {
		s.Unsupported = append(s.Unsupported, "policy variable")
	}
}

func principals(raw json.RawMessage) (Principals, error) {
	var all string
	if json.Unmarshal(raw, &all) == nil {
		if all != "*" {
			return nil, fmt.Errorf("%q is no principal", all)
		}
		return Principals{"AWS": {"*"}}, nil
	}
	var kinds map[string]json.RawMessage
	if err := json.Unmarshal(raw, &kinds); err != nil {
		return nil, err
	}
	p := Principals{}
	for kind, raw := range kinds {
		list, err := texts(raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kind, err)
		}
		p[kind] = list
	}
	return p, nil
}

func conditions(raw json.RawMessage) ([]Condition, error) {
	var operators map[string]map[string]json.RawMessage
	if err := json.Unmarshal(raw, &operators); err != nil {
		return nil, err
	}
	var list []Condition
	for operator, keys := range operators {
		for key, raw := range keys {
			values, err := texts(raw)
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", operator, key, err)
			}
			list = append(list, Condition{operator, key, values})
		}
	}
	slices.SortFunc(list, func(a, b Condition) int { return strings.Compare(a.Operator+a.Key, b.Operator+b.Key) })
	return list, nil
}

// texts reads a value or a list of values. Booleans and numbers may stand without quotes.
func texts(raw json.RawMessage) ([]string, error) {
	var list []any
	if err := json.Unmarshal(raw, &list); err != nil {
		list = make([]any, 1)
		if err := json.Unmarshal(raw, &list[0]); err != nil {
			return nil, err
		}
	}
	out := make([]string, len(list))
	for i, v := range list {
		switch v.(type) {
		case string, bool, float64:
			out[i] = fmt.Sprint(v)
		default:
			return nil, fmt.Errorf("%v is no text", v)
		}
	}
	return out, nil
}

// Split is the same policy with a statement for each action and resource of an allow, so
// that what no request needs can be told. Its names say which it is.
func (d Document) Split() Document {
	out := Document{Version: d.Version}
	for _, s := range d.Statements {
		if s.Effect == "Deny" || s.NotAction != nil || s.Resource == nil {
			out.Statements = append(out.Statements, s)
			continue
		}
		for _, action := range s.Action {
			for _, resource := range s.Resource {
				one := s
				one.Name += ": " + action + " on " + resource
				one.Action, one.Resource = []string{action}, []string{resource}
				out.Statements = append(out.Statements, one)
			}
		}
	}
	return out
}
