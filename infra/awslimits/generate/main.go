// Command generate writes constraints.json of package awslimits: the limits of each
// property that the templates set, from the public descriptions of AWS.
//
// There are two. The resource schemas of CloudFormation, as cfn-lint carries them, name
// the properties. The API models, as botocore carries them, describe the same values
// where they arrive, often more strictly. Only facts are taken, such as a length or a
// set of values, of the types and properties in use, so that a change of either is a
// small difference in a file that people read.
//
//	go run ./infra/awslimits/generate -schemas DIR -models DIR templates...          write it
//	go run ./infra/awslimits/generate -check -schemas DIR -models DIR templates...   fail if it is out of date
//
// The folders are the site-packages in which cfn-lint and botocore are installed. Run it
// in the project's top folder, or by make limits.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tradewind/infra/awslimits"
)

const target = "infra/awslimits/constraints.json"

func main() {
	check := flag.Bool("check", false, "write nothing; fail if the file is out of date")
	schemas := flag.String("schemas", "", "`folder` in which cfn-lint is installed")
	models := flag.String("models", "", "`folder` in which botocore is installed")
	flag.Parse()
	if err := run(*check, *schemas, *models, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "awslimits:", err)
		os.Exit(1)
	}
}

func run(check bool, schemas, models string, files []string) error {
	if len(files) == 0 {
		return errors.New("no templates named; use `make limits`")
	}
	var templates []awslimits.Template
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		t, err := awslimits.Parse(raw)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		templates = append(templates, t)
	}
	want, err := generate(schemas, models, templates)
	if err != nil {
		return err
	}
	have, err := os.ReadFile(target)
	if err == nil && bytes.Equal(have, want) {
		return nil
	}
	if check {
		return fmt.Errorf("%s is out of date, run `make limits`", target)
	}
	if err := os.WriteFile(target, want, 0o644); err != nil { //nolint:gosec // a source file
		return err
	}
	fmt.Println("wrote", target)
	return nil
}

// claims are the constraints of one property in one description: kinds with their limits.
// Those of an API model say in "from" which member they are of.
type claims map[string]any

// description collects the claims of one resource type.
type description struct {
	attributes map[string]bool
	paths      map[string][]claims
}

func generate(schemas, models string, templates []awslimits.Template) ([]byte, error) {
	provider, err := openSchemas(schemas)
	if err != nil {
		return nil, err
	}
	apis, err := openModels(models)
	if err != nil {
		return nil, err
	}
	all := map[string]*description{}
	var faults []error
	for _, t := range templates {
		for id, r := range t.Resources {
			schema, err := provider.schema(awslimits.TypeName(r.Type))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", id, err)
			}
			d := all[schema.name]
			if d == nil {
				d = &description{map[string]bool{}, map[string][]claims{}}
				all[schema.name] = d
			}
			if err := schema.describe(d, r.Properties); err != nil {
				faults = append(faults, err)
			}
		}
		for target, attribute := range t.Attributes() {
			schema, err := provider.schema(awslimits.TypeName(target.Type))
			if err != nil {
				return nil, err
			}
			if !schema.hasAttribute(attribute) {
				faults = append(faults, fmt.Errorf("%s has no attribute %s", target.Type, attribute))
			} else if d := all[schema.name]; d != nil {
				d.attributes[attribute] = true
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if err := apis.describe(name, all[name]); err != nil {
			faults = append(faults, err)
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(once(faults)...)
	}
	return render(provider.version, apis.version, all)
}

// once drops repeated faults, which come from resources of one kind.
func once(faults []error) []error {
	slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return slices.CompactFunc(faults, func(a, b error) bool { return a.Error() == b.Error() })
}

// render writes a line a property, so that a change is easy to see.
func render(schemas, models string, all map[string]*description) ([]byte, error) {
	var b bytes.Buffer
	line := func(v any) string {
		var raw bytes.Buffer
		e := json.NewEncoder(&raw)
		e.SetEscapeHTML(false)
		if err := e.Encode(v); err != nil {
			panic(err) // of maps, lists and texts
		}
		return strings.TrimSpace(raw.String())
	}
	fmt.Fprintf(&b, "{\n\"Comment\": %s,\n\"Schemas\": %s,\n\"Models\": %s,\n\"Types\": {", line(
		"Made by make limits. Facts about the properties in use, out of CloudFormation's resource schemas (carried by cfn-lint, MIT-0) and AWS's API models (carried by botocore, Apache-2.0)."),
		line(schemas), line(models))
	for i, name := range slices.Sorted(maps.Keys(all)) {
		d := all[name]
		fmt.Fprintf(&b, "%s\n%s: {\"Attributes\": %s, \"Paths\": {", comma(i), line(name), line(append([]string{}, slices.Sorted(maps.Keys(d.attributes))...)))
		for i, path := range slices.Sorted(maps.Keys(d.paths)) {
			fmt.Fprintf(&b, "%s\n  %s: %s", comma(i), line(path), line(d.used(path)))
		}
		b.WriteString("}}")
	}
	b.WriteString("\n}\n}\n")
	var valid any
	if err := json.Unmarshal(b.Bytes(), &valid); err != nil {
		return nil, fmt.Errorf("made invalid JSON: %w", err)
	}
	return b.Bytes(), nil
}

func comma(i int) string {
	if i == 0 {
		return ""
	}
	return ","
}

// used are the claims of a path without those about properties that are not in use, and
// without lengths that no template reaches.
func (d *description) used(path string) []claims {
	kept := []claims{}
	for _, c := range d.paths[path] {
		for _, word := range []string{"excludes", "needs"} {
			pairs, _ := c[word].(map[string]any)
			maps.DeleteFunc(pairs, func(name string, _ any) bool { return d.paths[join(path, name)] == nil })
			if len(pairs) == 0 {
				delete(c, word)
			}
		}
		if most, ok := c["maxLength"].(float64); ok && most > awslimits.MaxTemplate {
			delete(c, "maxLength")
		}
		if len(c) > 1 || len(c) == 1 && c["from"] == nil {
			kept = append(kept, c)
		}
	}
	return kept
}

// installed is the version of a Python distribution in a folder of site-packages.
func installed(folder, distribution string) (string, error) {
	found, err := filepath.Glob(filepath.Join(folder, distribution+"-*.dist-info"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("%s is not installed in %q: run `make limits`", distribution, folder)
	}
	name := strings.TrimSuffix(filepath.Base(found[0]), ".dist-info")
	return strings.TrimPrefix(name, distribution+"-"), nil
}
