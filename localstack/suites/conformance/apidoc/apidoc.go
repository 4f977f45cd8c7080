// Package apidoc knows what the OpenAPI documents that a platform serves promise,
// and judges its answers by them.
//
// It exists so that a suite learns its routes from the platform itself: an operation
// that appears in a document is tested from then on, or is missed by name.
package apidoc

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// Documents are those of all services.
type Documents struct {
	Operations []*Operation // by path, then by method
	judged     judged
}

// healthReports lets the validator read them too. Its list of media types is global,
// and nobody may be reading it then.
var healthReports = sync.OnceFunc(func() {
	openapi3filter.RegisterBodyDecoder("application/health+json", openapi3filter.JSONBodyDecoder)
})

// Parse reads a document of each service. Two that describe the same operation are
// an error.
func Parse(texts ...[]byte) (*Documents, error) {
	healthReports()
	d := &Documents{}
	for _, text := range texts {
		spec, err := openapi3.NewLoader().LoadFromData(text)
		if err != nil {
			return nil, fmt.Errorf("read a document: %w", err)
		}
		title := "the document"
		if spec.Info != nil {
			title = spec.Info.Title
		}
		if err := spec.Validate(context.Background(), openapi3.DisableExamplesValidation()); err != nil {
			return nil, fmt.Errorf("%s is not valid: %w", title, err)
		}
		if !spec.IsOpenAPI31OrLater() {
			return nil, fmt.Errorf("%s is of OpenAPI %s", title, spec.OpenAPI)
		}
		for path, item := range spec.Paths.Map() {
			for method, op := range item.Operations() {
				if op.OperationID == "" {
					return nil, fmt.Errorf("%s %s has no operationId", method, path)
				}
				d.Operations = append(d.Operations, &Operation{
					Method: method, Path: path, ID: op.OperationID, operation: op, item: item, spec: spec,
				})
			}
		}
	}
	slices.SortFunc(d.Operations, func(a, b *Operation) int {
		return strings.Compare(a.Path+" "+a.Method, b.Path+" "+b.Method)
	})
	for i := 1; i < len(d.Operations); i++ {
		if d.Operations[i].Name() == d.Operations[i-1].Name() {
			return nil, fmt.Errorf("%s is in more than one document", d.Operations[i].Name())
		}
	}
	return d, nil
}

// Find returns the operation that a request is for, or nil. path is as it was sent,
// without its query.
func (d *Documents) Find(method, path string) *Operation {
	var best *Operation
	for _, op := range d.Operations {
		if op.Method != method || op.arguments(path) == nil {
			continue
		}
		if best == nil || len(op.PathParams()) < len(best.PathParams()) {
			best = op
		}
	}
	return best
}

// Methods returns what a path takes, over all operations that it fits.
func (d *Documents) Methods(path string) []string {
	methods := map[string]bool{}
	for _, op := range d.Operations {
		if op.arguments(path) != nil {
			methods[op.Method] = true
		}
	}
	return slices.Sorted(maps.Keys(methods))
}

// Operation is one method of one path.
type Operation struct {
	Method, Path string // Path is a template
	ID           string

	operation *openapi3.Operation
	item      *openapi3.PathItem
	spec      *openapi3.T
}

// Name returns how people call it: "GET /api/orders/{id}".
func (o *Operation) Name() string { return o.Method + " " + o.Path }

// Public says whether it is for people without a token.
func (o *Operation) Public() bool {
	security := o.spec.Security
	if o.operation.Security != nil {
		security = *o.operation.Security
	}
	return len(security) == 0
}

// Parameter returns the parameter with a name in "query", "header" or "path", or nil.
func (o *Operation) Parameter(in, name string) *openapi3.Parameter {
	for _, ref := range slices.Concat(o.operation.Parameters, o.item.Parameters) {
		if ref.Value.In == in && strings.EqualFold(ref.Value.Name, name) {
			return ref.Value
		}
	}
	return nil
}

// PathParams returns the names of the path's parameters, in order.
func (o *Operation) PathParams() []string {
	var names []string
	for part := range strings.SplitSeq(o.Path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			names = append(names, strings.TrimSuffix(name, "}"))
		}
	}
	return names
}

// Body returns what a request's JSON must be like; nil where it has no body.
func (o *Operation) Body() *openapi3.Schema {
	if o.operation.RequestBody == nil {
		return nil
	}
	media := o.operation.RequestBody.Value.Content["application/json"]
	if media == nil || media.Schema == nil {
		return nil
	}
	return media.Schema.Value
}

// BodyTypes returns the media types that a request may have.
func (o *Operation) BodyTypes() []string {
	if o.operation.RequestBody == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(o.operation.RequestBody.Value.Content))
}

// Success returns the status of success and what the answer's JSON is like; nil for
// an answer without a body.
func (o *Operation) Success() (int, *openapi3.Schema) {
	status, content := o.success()
	for _, media := range o.Media() {
		if schema := content[media].Schema; schema != nil {
			return status, schema.Value
		}
	}
	return status, nil
}

// Media returns the media types of success.
func (o *Operation) Media() []string {
	_, content := o.success()
	return slices.Sorted(maps.Keys(content))
}

func (o *Operation) success() (int, openapi3.Content) {
	for status := http.StatusOK; status < http.StatusMultipleChoices; status++ {
		if response := o.operation.Responses.Status(status); response != nil {
			return status, response.Value.Content
		}
	}
	return 0, nil
}

// Versioned says whether success answers with a resource, which has a version.
func (o *Operation) Versioned() bool {
	_, schema := o.Success()
	return schema != nil && schema.Properties["version"] != nil
}

// Answers returns the names of all members of a successful answer, at any depth.
func (o *Operation) Answers() map[string]bool {
	_, schema := o.Success()
	names := map[string]bool{}
	collect(schema, names)
	return names
}

// collect adds the names of a schema's members. Documents have no recursive schemas.
func collect(s *openapi3.Schema, names map[string]bool) {
	if s == nil {
		return
	}
	if s.Items != nil {
		collect(s.Items.Value, names)
	}
	for name, member := range s.Properties {
		names[name] = true
		collect(member.Value, names)
	}
}

// arguments returns the values of the path's parameters, or nil if the path is not
// the operation's.
func (o *Operation) arguments(path string) map[string]string {
	have, want := strings.Split(path, "/"), strings.Split(o.Path, "/")
	if len(have) != len(want) {
		return nil
	}
	values := map[string]string{}
	for i, part := range want {
		if name, ok := strings.CutPrefix(part, "{"); ok && have[i] != "" {
			values[strings.TrimSuffix(name, "}")] = have[i]
		} else if have[i] != part {
			return nil
		}
	}
	return values
}

func (o *Operation) route() *routers.Route {
	return &routers.Route{Spec: o.spec, Path: o.Path, PathItem: o.item, Method: o.Method, Operation: o.operation}
}

// short cuts what the validator says to its first lines: it appends the schema.
func short(err error) error {
	lines := strings.Split(err.Error(), "\n")
	return errors.New(strings.Join(lines[:min(3, len(lines))], " "))
}
