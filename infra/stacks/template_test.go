package stacks

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"tradewind/infra/service"
	"tradewind/infra/stages"
)

// A synthesis takes seconds, so every test reads the same ones. All have one stage
// and one architecture: what differs between them is what a test is about.
const stage = "test"

var dist = sync.OnceValue(func() string {
	dir := filepath.Join(scratch, "dist")
	for _, s := range services {
		for _, fn := range []string{"api", "relay", "consumer", "sweeper", "prober"} {
			writeBinary(dir, s.name, fn, "version 1")
		}
	}
	for _, fn := range []string{"poolkeys", "pretoken"} {
		writeBinary(dir, "users", fn, "version 1")
	}
	return dir
})

var (
	onAWS   = sync.OnceValue(func() map[string]template { return synth("aws", with(nil)) })
	locally = sync.OnceValue(func() map[string]template { return synth("local", local(service.LoadBalancer)) })
	// fully are those of a file that has every key, but those that exclude others.
	fully = sync.OnceValue(func() map[string]template {
		return synth("full", with(func(s *stages.Settings) {
			var err error
			if _, *s, err = stages.Load("../stages/testdata/full.yaml"); err != nil {
				panic(err)
			}
		}))
	})
)

// with is the configuration of a stage on AWS whose file says little, changed.
func with(change func(*stages.Settings)) Config {
	s := stages.Defaults()
	s.Payments.Provider, s.Mail.Provider = "sandbox", "none"
	if change != nil {
		change(&s)
	}
	return Config{Stage: stage, Settings: s, Arch: "arm64", Dist: dist()}
}

// local is the configuration of the local endpoint, under the name of the others.
func local(discovery string) Config {
	return Config{Stage: stage, Settings: localSettings(discovery), Local: true, Arch: "arm64", Dist: dist()}
}

// scratch holds fake binaries and templates for the life of the test process.
var scratch string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "synth")
	if err != nil {
		panic(err)
	}
	scratch = dir
	// The CDK's own validation takes ten seconds of each synthesis. It has its turn when
	// the templates for AWS are made.
	os.Setenv("CDK_VALIDATION", "false")
	code := m.Run()
	jsii.Close()
	os.RemoveAll(dir)
	os.Exit(code)
}

// writeBinary makes what stands in for a compiled function. Each has its own content,
// or the assets would be one.
func writeBinary(dist, service, fn, content string) {
	dir := filepath.Join(dist, "arm64", service, fn)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		panic(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bootstrap"), []byte(service+fn+content), 0o755); err != nil {
		panic(err)
	}
}

// synth writes a stage's templates and reads them back, by stack name without the
// stage's prefix.
func synth(name string, c Config) map[string]template {
	out := outdir(name)
	app := NewApp(awscdk.AppProps{Outdir: jsii.String(out)})
	if err := Build(app, c); err != nil {
		panic(err)
	}
	app.Synth(nil)
	files, err := filepath.Glob(filepath.Join(out, "*.template.json"))
	if err != nil || len(files) == 0 {
		panic(fmt.Sprint("no templates in ", out, err))
	}
	all := map[string]template{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			panic(err)
		}
		t := template{raw: string(raw)}
		if err := json.Unmarshal(raw, &t); err != nil {
			panic(err)
		}
		key := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "tradewind-"+stage+"-"), ".template.json")
		all[key] = t
	}
	return all
}

// outdir is where synth writes the templates of a name.
func outdir(name string) string { return filepath.Join(scratch, name) }

type template struct {
	Resources  map[string]resource
	Parameters map[string]struct{ Type, Default string }
	Outputs    map[string]struct{ Value, Export any }

	raw string
}

type resource struct {
	Type           string
	Properties     map[string]any
	DependsOn      []string
	DeletionPolicy string

	UpdateReplacePolicy string
	UpdatePolicy        map[string]any
}

// of walks the resources of a type, in the order of their logical ids.
func (t template) of(kind string) iter.Seq2[string, resource] {
	return func(yield func(string, resource) bool) {
		for _, id := range slices.Sorted(maps.Keys(t.Resources)) {
			if r := t.Resources[id]; r.Type == kind && !yield(id, r) {
				return
			}
		}
	}
}

// at follows keys and indices into a resource's properties; nil where there is nothing.
func (r resource) at(path ...any) any {
	var v any = r.Properties
	for _, step := range path {
		switch s := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[s]
		case int:
			list, _ := v.([]any)
			if s >= len(list) {
				return nil
			}
			v = list[s]
		}
	}
	return v
}

// ref is the logical id a value points to by Ref, Fn::GetAtt or a Fn::Join that
// begins with one of them.
func ref(v any) string {
	m, _ := v.(map[string]any)
	if id, ok := m["Ref"].(string); ok {
		return id
	}
	if att, ok := m["Fn::GetAtt"].([]any); ok {
		return att[0].(string)
	}
	if join, ok := m["Fn::Join"].([]any); ok {
		return ref(join[1].([]any)[0])
	}
	return ""
}

// function is a function with what hangs on it.
type function struct {
	id, stack, kind string // kind: api, relay, consumer or a schedule's
	resource
}

func (f function) String() string { return f.stack + "/" + f.kind }

func functions(all map[string]template) []function {
	var found []function
	for stack, t := range all {
		for id, r := range t.of("AWS::Lambda::Function") {
			name := r.at("FunctionName").(string)
			found = append(found, function{id: id, stack: stack, kind: name[strings.LastIndex(name, "-")+1:], resource: r})
		}
	}
	slices.SortFunc(found, func(a, b function) int { return strings.Compare(a.String(), b.String()) })
	return found
}

// behind is the logical id of the function that a reference to an alias leads to.
func (t template) behind(alias any) string {
	found := t.Resources[ref(alias)]
	if found.Type != "AWS::Lambda::Alias" {
		return ""
	}
	return ref(found.at("FunctionName"))
}

// grants lists what a function's role may do, each as "action on resource". What it is
// denied begins with "not ".
func (f function) grants(t template) []string {
	var list []string
	for _, statement := range f.statements(t) {
		denied := ""
		if statement["Effect"] == "Deny" {
			denied = "not "
		}
		for _, action := range oneOrMany(statement["Action"]) {
			for _, res := range oneOrMany(statement["Resource"]) {
				list = append(list, fmt.Sprint(denied, action, " on ", t.describe(res)))
			}
		}
	}
	slices.Sort(list)
	return list
}

// statements are those of a function's role.
func (f function) statements(t template) []map[string]any {
	role := ref(f.at("Role"))
	var list []map[string]any
	for _, p := range t.of("AWS::IAM::Policy") {
		if ref(p.at("Roles", 0)) != role {
			continue
		}
		for _, s := range p.at("PolicyDocument", "Statement").([]any) {
			list = append(list, s.(map[string]any))
		}
	}
	return list
}

// describe names a policy's resource for people: the type it refers to and what
// follows, or the parameter it comes from.
func (t template) describe(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case map[string]any:
		if join, ok := v["Fn::Join"].([]any); ok {
			var b strings.Builder
			for _, part := range join[1].([]any) {
				b.WriteString(t.describe(part))
			}
			return b.String()
		}
		id := ref(v)
		if r, ok := t.Resources[id]; ok {
			if r.Type == "AWS::SQS::Queue" {
				return strings.TrimPrefix(r.queue(), "tradewind-"+stage+"-")
			}
			short := r.Type[strings.LastIndex(r.Type, ":")+1:]
			if att, ok := v["Fn::GetAtt"].([]any); ok && att[1] == "StreamArn" {
				short += ".StreamArn"
			}
			return short
		}
		if p, ok := t.Parameters[id]; ok {
			return "{" + strings.TrimPrefix(p.Default, "/tradewind/"+stage+"/") + "}"
		}
		return "{" + id + "}"
	}
	return fmt.Sprint(v)
}

// queue is the name of a queue without the part that its stack's id decides.
func (r resource) queue() string { return r.at("QueueName", "Fn::Join", 1, 0).(string) }

// expand is a value of a template as CloudFormation would make it, where lookup knows
// what is referred to: parameters by their key, and the rest as "<logical id>" or
// "<logical id>.<attribute>".
func (t template) expand(v any, lookup func(name string) string) string {
	switch v := v.(type) {
	case string:
		return v
	case map[string]any:
		if list, ok := v["Fn::Select"].([]any); ok {
			split := list[1].(map[string]any)["Fn::Split"].([]any)
			return strings.Split(t.expand(split[1], lookup), split[0].(string))[int(list[0].(float64))]
		}
		if join, ok := v["Fn::Join"].([]any); ok {
			var parts []string
			for _, part := range join[1].([]any) {
				parts = append(parts, t.expand(part, lookup))
			}
			return strings.Join(parts, join[0].(string))
		}
		if attribute, ok := v["Fn::GetAtt"].([]any); ok {
			return lookup(attribute[0].(string) + "." + attribute[1].(string))
		}
		if id, ok := v["Ref"].(string); ok {
			if p, ok := t.Parameters[id]; ok {
				id = strings.TrimPrefix(p.Default, "/tradewind/"+stage+"/")
			}
			return lookup(id)
		}
	}
	panic(fmt.Sprint("no such function is known: ", v))
}

func oneOrMany(v any) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	return []any{v}
}

// targets runs an assertion for both kinds of templates.
func targets(t *testing.T, check func(t *testing.T, all map[string]template)) {
	t.Helper()
	t.Run("aws", func(t *testing.T) { check(t, onAWS()) })
	t.Run("local", func(t *testing.T) { check(t, locally()) })
}
