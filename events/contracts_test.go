package events_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"tradewind/events"
	"tradewind/events/contracts"
)

// TestDeclarations holds the contracts to one another: what is said of an event
// by its publisher must be true of the others.
func TestDeclarations(t *testing.T) {
	all := contracts.All()
	for _, fault := range faults(all) {
		t.Error(fault)
	}
	byName := map[string]int{}
	for _, c := range all {
		byName[c.Name()]++
	}
	for name, n := range byName {
		if n > 1 {
			t.Errorf("%s is declared %d times", name, n)
		}
	}
}

var (
	detailType = regexp.MustCompile(`^[a-z]+(\.[a-z]+)+$`)
	versioned  = regexp.MustCompile(`V([1-9]\d*)$`)
)

// faults returns what cannot be in a list of contracts.
func faults(all []events.Contract) []string {
	var found []string
	say := func(c events.Contract, format string, args ...any) {
		found = append(found, c.Name()+": "+fmt.Sprintf(format, args...))
	}
	publishers := map[string]string{} // by type
	consumed := map[string]bool{}     // "service type"
	for _, c := range all {
		publishers[c.Type()] = c.Publisher
		for service := range c.Consumers {
			consumed[service+" "+c.Type()] = true
		}
	}
	for _, c := range all {
		typ := reflect.TypeOf(c.Event)
		if !detailType.MatchString(c.Type()) {
			say(c, "a type is words in lower case with dots between")
		}
		if suffix := versioned.FindStringSubmatch(typ.Name()); suffix == nil || suffix[1] != fmt.Sprint(c.Version()) {
			say(c, "its Go type is %s: the name of a type of version %d ends with V%d", typ, c.Version(), c.Version())
		}
		if publishers[c.Type()] != c.Publisher {
			say(c, "%s and %s both publish it; rules need one source for a type", c.Publisher, publishers[c.Type()])
		}
		for _, cause := range c.Causes {
			switch publisher := publishers[cause]; {
			case cause == events.Request || cause == events.Clock:
			case publisher == "":
				say(c, "its cause %s is no event", cause)
			case !consumed[c.Publisher+" "+cause]:
				say(c, "%s publishes it upon %s, which it does not consume", c.Publisher, cause)
			}
		}
		for service, effect := range c.Consumers {
			if effect == "" {
				say(c, "what does %s do with it?", service)
			}
			for _, other := range all {
				if _, too := other.Consumers[service]; !too || other.Type() != c.Type() || other.Version() >= c.Version() {
					continue
				}
				say(c, "%s is a consumer of version %d too: it reads that as version %d, and moves at once", service, other.Version(), c.Version())
			}
		}
		if c.Version() > 1 {
			upcaster, ok := c.Event.(events.Upcaster)
			switch {
			case !ok:
				say(c, "it has no Upcast: its consumers would not read version %d", c.Version()-1)
			case upcaster.Upcast().Older().EventType() != c.Type() || upcaster.Upcast().Older().SchemaVersion() != c.Version()-1:
				say(c, "its Upcast is from %s v%d", upcaster.Upcast().Older().EventType(), upcaster.Upcast().Older().SchemaVersion())
			}
		}
		if len(c.Causes) == 0 {
			continue
		}
		for _, older := range all {
			if older.Type() == c.Type() && older.Version() < c.Version() && len(older.Consumers) > 0 {
				say(c, "it is published while %v still take version %d and cannot read it; move them first",
					older.Consumers.Services(), older.Version())
			}
		}
	}
	return found
}

// TestEveryContractIsListed reads the source: an event type that nobody added to
// its publisher's list, or a publisher that is not in All, would be published
// without a schema, and unnoticed when it breaks.
func TestEveryContractIsListed(t *testing.T) {
	var listed []string
	for _, c := range contracts.All() {
		listed = append(listed, fmt.Sprintf("%s %s %s", c.Publisher, c.Type(), reflect.TypeOf(c.Event).Name()))
	}
	var declared []string
	packages, err := filepath.Glob("*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for i, file := range packages {
		packages[i] = filepath.Dir(file)
	}
	for _, dir := range slices.Compact(packages) {
		if dir != "contracts" {
			declared = append(declared, declaredIn(t, dir)...)
		}
	}
	slices.Sort(declared)
	slices.Sort(listed)
	if diff := cmp.Diff(declared, listed); diff != "" {
		t.Errorf("event types (-declared +listed):\n%s", diff)
	}
}

// declaredIn returns the event types that a package declares: types with an
// EventType method that returns a constant.
func declaredIn(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	constants := map[string]string{}
	returned := map[string]string{} // by the method's receiver, a constant's name
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				if len(n.Values) == 1 {
					if value, ok := n.Values[0].(*ast.BasicLit); ok {
						constants[n.Names[0].Name] = strings.Trim(value.Value, `"`)
					}
				}
			case *ast.FuncDecl:
				if n.Name.Name == "EventType" {
					result := n.Body.List[0].(*ast.ReturnStmt).Results[0]
					returned[n.Recv.List[0].Type.(*ast.Ident).Name] = result.(*ast.Ident).Name
				}
			}
			return true
		})
	}
	if constants["Source"] != dir {
		t.Errorf("%s: Source is %q, want the package's name: rules and grants are made of it", dir, constants["Source"])
	}
	var declared []string
	for receiver, constant := range returned {
		declared = append(declared, fmt.Sprintf("%s %s %s", dir, constants[constant], receiver))
	}
	return declared
}

// TestExamples reads each example strictly into the contract's type, writes it,
// and compares: a field that is renamed, removed, or of another type shows. It
// must be valid, too, and the examples of a contract together show every field.
func TestExamples(t *testing.T) {
	ids := map[string]string{} // of the examples' events, to their types
	for _, c := range contracts.All() {
		for _, path := range examples(t, c) {
			ids[readEnvelope(t, path).Metadata.EventID] = c.Type()
		}
	}
	var files []string
	envelope := compile(t, filepath.Join("published", "event.v1.json"))
	for _, c := range contracts.All() {
		t.Run(c.Name(), func(t *testing.T) {
			schema := compile(t, published(c))
			var hidden map[string]bool
			for _, path := range examples(t, c) {
				files = append(files, path)
				text, example := decodeFile(t, path)
				if err := envelope.Validate(example); err != nil {
					t.Errorf("%s is no event: %v", path, err)
				}
				if err := schema.Validate(example["data"]); err != nil {
					t.Errorf("%s is not valid: %v", path, err)
				}
				detail := readEnvelope(t, path)
				ev := decode(t, c, detail.Data)
				if m := detail.Metadata; m.SchemaVersion != c.Version() || m.Subject != ev.Subject() || ev.Subject() == "" {
					t.Errorf("%s: metadata say version %d, subject %q; the event's subject is %q", path, m.SchemaVersion, m.Subject, ev.Subject())
				}
				cause := ids[detail.Metadata.CausationID]
				byItself := cause == "" && (slices.Contains(c.Causes, events.Request) || slices.Contains(c.Causes, events.Clock))
				if !byItself && !slices.Contains(c.Causes, cause) {
					t.Errorf("%s: it is caused by %q, an example of %q, and published upon %v", path, detail.Metadata.CausationID, cause, c.Causes)
				}
				if diff := cmp.Diff(text, rewrite(t, detail, ev)); diff != "" {
					t.Errorf("%s, written again (-example +written):\n%s", path, diff)
				}
				hidden = both(hidden, zeroFields(reflect.ValueOf(ev), "data"))
			}
			for field := range hidden {
				t.Errorf("no example shows %s", field)
			}
		})
	}
	found, err := filepath.Glob("*/examples/*")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	if diff := cmp.Diff(found, files); diff != "" {
		t.Errorf("files of examples (-there +used):\n%s", diff)
	}
}

// TestRequired leaves out each required field of an example: none may be missed
// in silence.
func TestRequired(t *testing.T) {
	for _, c := range contracts.All() {
		schema := compile(t, published(c))
		_, example := decodeFile(t, examples(t, c)[0])
		data := example["data"].(map[string]any)
		for _, name := range schema.Required {
			value := data[name]
			delete(data, name)
			if schema.Validate(data) == nil {
				t.Errorf("%s without %s is valid", c.Name(), name)
			}
			data[name] = value
		}
	}
}

// published is where the schema of a contract's data is.
func published(c events.Contract) string {
	return filepath.Join("published", c.Publisher, c.File()+".json")
}

// examples returns where the examples of a contract are: one of its name, and more
// with a word behind it.
func examples(t *testing.T, c events.Contract) []string {
	t.Helper()
	folder := filepath.Join(c.Publisher, "examples")
	more, err := filepath.Glob(filepath.Join(folder, c.File()+".*.json"))
	if err != nil {
		t.Fatal(err)
	}
	return append([]string{filepath.Join(folder, c.File()+".json")}, more...)
}

func readEnvelope(t *testing.T, path string) events.Envelope {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var envelope events.Envelope
	if err := strict(text).Decode(&envelope); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return envelope
}

func decode(t *testing.T, c events.Contract, data []byte) events.Event {
	t.Helper()
	v := reflect.New(reflect.TypeOf(c.Event))
	if err := strict(data).Decode(v.Interface()); err != nil {
		t.Fatalf("%s: %v", c.Name(), err)
	}
	return v.Elem().Interface().(events.Event)
}

func strict(data []byte) *json.Decoder {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	return d
}

func rewrite(t *testing.T, envelope events.Envelope, ev events.Event) string {
	t.Helper()
	var err error
	if envelope.Data, err = json.Marshal(ev); err != nil {
		t.Fatal(err)
	}
	written, err := json.MarshalIndent(envelope, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(written) + "\n"
}

// zeroFields names the fields of a value that hold nothing.
func zeroFields(v reflect.Value, path string) []string {
	switch {
	case v.Kind() == reflect.Slice && v.Len() > 0:
		return zeroFields(v.Index(0), path+"[0]")
	case v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[events.Timestamp]():
		var zero []string
		for i := range v.NumField() {
			zero = append(zero, zeroFields(v.Field(i), path+"."+v.Type().Field(i).Name)...)
		}
		return zero
	case v.IsZero():
		return []string{path}
	}
	return nil
}

// both keeps of the names so far those that are also in more; at first there are
// none so far.
func both(sofar map[string]bool, more []string) map[string]bool {
	kept := map[string]bool{}
	for _, name := range more {
		if sofar == nil || sofar[name] {
			kept[name] = true
		}
	}
	return kept
}

func compile(t *testing.T, path string) *jsonschema.Schema {
	t.Helper()
	_, doc := decodeFile(t, path)
	c := jsonschema.NewCompiler()
	if err := c.AddResource(path, doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(path)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func decodeFile(t *testing.T, path string) (string, map[string]any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return string(text), v.(map[string]any)
}
