package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tradewind/infra/awslimits"
)

// region is whose schemas are read. They differ between regions in values such as
// instance types, none of which are in use.
const region = "us-east-1"

// provider finds the schema of a resource type.
type provider struct {
	version string
	folder  string
	files   map[string]string // by type: the name of its schema's file
	read    map[string]*schema
}

func openSchemas(folder string) (*provider, error) {
	version, err := installed(folder, "cfn_lint")
	if err != nil {
		return nil, err
	}
	p := &provider{version: "cfn-lint " + version, folder: filepath.Join(folder, "cfnlint", "data", "schemas"), read: map[string]*schema{}}
	return p, readJSON(filepath.Join(p.folder, "providers", region+".json"), &p.files)
}

func readJSON(path string, v any) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// schema describes the properties of a resource type.
type schema struct {
	name string
	root node
}

type node map[string]any

func (p *provider) schema(name string) (*schema, error) {
	if s := p.read[name]; s != nil {
		return s, nil
	}
	file, ok := p.files[name]
	if !ok {
		return nil, fmt.Errorf("%s knows no type %s", p.version, name)
	}
	s := &schema{name: name}
	p.read[name] = s
	return s, readJSON(filepath.Join(p.folder, "resources", file+".json"), &s.root)
}

// settable are attributes that are properties as well, which the user guide lists under
// the return values of their type.
var settable = map[string]string{"AWS::SQS::Queue": "QueueName"}

// hasAttribute reports whether Fn::GetAtt may ask for an attribute: in general, a
// property that only AWS sets. A custom resource has those that its function returns.
func (s *schema) hasAttribute(name string) bool {
	only, _ := s.root["readOnlyProperties"].([]any)
	return s.name == "AWS::CloudFormation::CustomResource" || settable[s.name] == name ||
		slices.Contains(only, any("/properties/"+strings.ReplaceAll(name, ".", "/")))
}

// open says that a schema allows more properties than it names.
func (s *schema) open(n node) bool {
	_, named := n["properties"]
	return n["additionalProperties"] == true || !named && n["additionalProperties"] == nil && n["patternProperties"] == nil
}

// deref follows references within the schema.
func (s *schema) deref(n node) node {
	for {
		reference, ok := n["$ref"].(string)
		if !ok {
			return n
		}
		at := map[string]any(s.root)
		for step := range strings.SplitSeq(strings.TrimPrefix(reference, "#/"), "/") {
			at, _ = at[step].(map[string]any)
		}
		merged := maps.Clone(at)
		for key, value := range n {
			if key != "$ref" {
				merged[key] = value
			}
		}
		n = merged
	}
}

// describe adds the claims of every property that a resource sets.
func (s *schema) describe(d *description, properties map[string]any) error {
	return s.walk(d, "", s.root, properties)
}

func (s *schema) walk(d *description, path string, n node, v any) error {
	n = s.deref(n)
	if _, known := d.paths[path]; !known {
		made, err := s.claims(n)
		if err != nil {
			return fmt.Errorf("%s %s: %w", s.name, path, err)
		}
		d.paths[path] = []claims{made}
	}
	if awslimits.IsIntrinsic(v) {
		return nil
	}
	switch v := v.(type) {
	case map[string]any:
		if s.open(n) && n["properties"] == nil {
			d.paths[path][0]["free"] = true
			return nil
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			step, next := s.property(n, key)
			if next == nil {
				return fmt.Errorf("%s has no property %s", s.name, join(path, key))
			}
			if err := s.walk(d, join(path, step), next, v[key]); err != nil {
				return err
			}
		}
	case []any:
		items, ok := n["items"].(map[string]any)
		if !ok {
			d.paths[path][0]["free"] = true
			return nil
		}
		for _, item := range v {
			if err := s.walk(d, join(path, "*"), items, item); err != nil {
				return err
			}
		}
	}
	return nil
}

// property is the schema of a property, and the step that leads to it: its name, or *
// where any name is allowed.
func (s *schema) property(n node, name string) (string, node) {
	if named, ok := n["properties"].(map[string]any); ok {
		if next, ok := named[name].(map[string]any); ok {
			return name, next
		}
	}
	if patterns, ok := n["patternProperties"].(map[string]any); ok {
		for _, next := range patterns {
			return "*", next.(map[string]any)
		}
	}
	if next, ok := n["additionalProperties"].(map[string]any); ok {
		return "*", next
	}
	if s.open(n) {
		return name, node{}
	}
	return "", nil
}

func join(path, step string) string {
	if path == "" {
		return step
	}
	return path + "/" + step
}

// same are the words that mean the same in constraints.json.
var same = []string{
	"type", "enum", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "uniqueItems", "uniqueKeys", "required",
}

// renamed are those that have another name there.
var renamed = map[string]string{
	"requiredXor": "exactlyOne", "requiredOr": "atLeastOne", "maxUniqueItems": "maxItems",
	"dependentExcluded": "excludes", "dependentRequired": "needs", "dependencies": "needs",
}

// ignored are words that no value can break, or that are not supported here: the resource
// that an id belongs to, and conditions on properties that the templates do not set.
var ignored = []string{
	"$comment", "$id", "$schema", "additionalProperties", "allOf", "anyOf", "arrayType", "conditionalCreateOnlyProperties", "createOnlyProperties",
	"default", "definitions", "deprecatedProperties", "description", "documentationUrl", "examples", "handlers", "insertionOrder", "items",
	"nonPublicProperties", "nonPublicDefinitions", "oneOf", "patternProperties", "prefixItems", "primaryIdentifier", "additionalIdentifiers", "properties", "propertyTransform",
	"readOnlyProperties", "relationshipRef", "replacementStrategy", "required", "resourceLink", "sourceUrl", "tagging", "taggable", "title",
	"typeConfiguration", "typeName", "writeOnlyProperties", "$defs",
}

// formats that a value is held to. The others are names of kinds of ids.
var formats = map[string]string{"ipv4-network": "network"}

func (s *schema) claims(n node) (claims, error) {
	c := claims{}
	for word, limit := range n {
		switch {
		case slices.Contains(same, word):
			c[word] = limit
		case renamed[word] != "":
			c[renamed[word]] = limit
		case word == "const":
			c["enum"] = []any{limit}
		case word == "format":
			if kind := formats[limit.(string)]; kind != "" {
				c[kind] = true
			}
		case word == "pattern":
			if err := c.pattern(limit.(string), false); err != nil {
				return nil, err
			}
		case !slices.Contains(ignored, word):
			return nil, fmt.Errorf("the schema says %s, which is not known here: take it, or ignore it with a reason", word)
		}
	}
	if c["type"] == "array" { // a length is of texts
		delete(c, "minLength")
		delete(c, "maxLength")
	}
	if c["uniqueItems"] == false {
		delete(c, "uniqueItems")
	}
	for _, word := range []string{"minLength", "minItems"} {
		if c[word] == 0.0 {
			delete(c, word)
		}
	}
	c.sortEnum()
	for word, kind := range map[string]string{"oneOf": "exactlyOne", "anyOf": "atLeastOne"} {
		if names := required(n[word]); names != nil && c[kind] == nil {
			c[kind] = names
		}
	}
	return c, nil
}

// sortEnum makes sets comparable, which the descriptions list in different orders.
func (c claims) sortEnum() {
	if enum, ok := c["enum"].([]any); ok {
		c["enum"] = slices.SortedFunc(slices.Values(enum), func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	}
}

// required are the names where a list of alternatives only demands one each.
func required(alternatives any) []any {
	var names []any
	list, _ := alternatives.([]any)
	for _, one := range list {
		m, _ := one.(map[string]any)
		demanded, _ := m["required"].([]any)
		if len(m) != 1 || len(demanded) != 1 {
			return nil
		}
		names = append(names, demanded[0])
	}
	return names
}
