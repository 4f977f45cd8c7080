// Package openapitest holds a service to its OpenAPI document in tests: each
// route has an operation and each operation a route, each answer fits its
// schema, and what the document forbids the service refuses.
//
// It is for tests only: what it imports would triple a function's start.
package openapitest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// Handler wraps a service under test and checks every exchange that goes through
// it against the document. When the test ends, operations that no exchange
// answered with success are reported.
type Handler struct {
	t      testing.TB
	next   http.Handler
	doc    *openapi3.T
	router routers.Router
	mu     sync.Mutex
	served map[string]bool // operation ids answered with success
}

// healthReports lets the validator read them too. Its list of media types is global,
// and nobody may be reading it then.
var healthReports = sync.OnceFunc(func() {
	openapi3filter.RegisterBodyDecoder("application/health+json", openapi3filter.JSONBodyDecoder)
})

// New returns next held to the document, and checks that next's patterns (those
// of an httpkit.Router) and the document's operations are the same.
func New(t testing.TB, document []byte, next interface {
	http.Handler
	Patterns() []string
}) *Handler {
	t.Helper()
	healthReports()
	doc, err := openapi3.NewLoader().LoadFromData(document)
	if err != nil {
		t.Fatalf("the document cannot be read: %v", err)
	}
	if err := doc.Validate(context.Background(), openapi3.DisableExamplesValidation()); err != nil {
		t.Fatalf("the document is not valid: %v", err)
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	var operations []string
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			operations = append(operations, method+" "+path)
		}
	}
	for _, pattern := range next.Patterns() {
		if !slices.Contains(operations, pattern) {
			t.Errorf("route %q has no operation in the document", pattern)
		}
	}
	for _, op := range operations {
		if !slices.Contains(next.Patterns(), op) {
			t.Errorf("operation %q has no route", op)
		}
	}
	return &Handler{t: t, next: next, doc: doc, router: router, served: map[string]bool{}}
}

// DemandAll makes the test fail at its end if an operation was never answered
// with success.
func (h *Handler) DemandAll() *Handler {
	h.t.Cleanup(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		for path, item := range h.doc.Paths.Map() {
			for method, op := range item.Operations() {
				if !h.served[op.OperationID] {
					h.t.Errorf("no exchange of this test was a success of %s %s", method, path)
				}
			}
		}
	})
	return h
}

// ServeHTTP serves one request and checks the exchange.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	rec := httptest.NewRecorder()
	h.next.ServeHTTP(rec, r)
	h.check(r, body, rec)
	for name, values := range rec.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes())
}

func (h *Handler) check(r *http.Request, body []byte, rec *httptest.ResponseRecorder) {
	h.t.Helper()
	asked := r.Clone(r.Context())
	asked.Body = io.NopCloser(bytes.NewReader(body))
	asked.URL.Scheme, asked.URL.Host = "", ""
	route, params, err := h.router.FindRoute(asked)
	if err != nil {
		if rec.Code != http.StatusNotFound && rec.Code != http.StatusMethodNotAllowed {
			h.t.Errorf("%s %s is not in the document and was answered with %d", r.Method, r.URL.Path, rec.Code)
		}
		h.problem(r, rec)
		return
	}
	options := &openapi3filter.Options{
		AuthenticationFunc:    openapi3filter.NoopAuthenticationFunc,
		IncludeResponseStatus: true,
		MultiError:            true,
	}
	in := &openapi3filter.RequestValidationInput{Request: asked, PathParams: params, Route: route, Options: options}
	if err := openapi3filter.ValidateRequest(r.Context(), in); err != nil && rec.Code < 400 {
		h.t.Errorf("%s %s answered %d to a request that the document forbids: %v", r.Method, r.URL.Path, rec.Code, short(err))
	}
	switch {
	case rec.Code < 400:
		h.mu.Lock()
		h.served[route.Operation.OperationID] = true
		h.mu.Unlock()
	case rec.Header().Get("Content-Type") == "application/health+json": // no refusal: a report of a failure
	default:
		h.problem(r, rec)
	}
	out := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: rec.Code, Header: rec.Header(), Options: options,
		Body: io.NopCloser(bytes.NewReader(rec.Body.Bytes())),
	}
	if err := openapi3filter.ValidateResponse(r.Context(), out); err != nil {
		h.t.Errorf("%s %s: the answer %d %s does not fit the document: %v", r.Method, r.URL.Path, rec.Code, rec.Body, short(err))
	}
}

// problem checks what every refusal has to be, whatever the document says.
func (h *Handler) problem(r *http.Request, rec *httptest.ResponseRecorder) {
	h.t.Helper()
	var p struct {
		Status              int
		Code, CorrelationID string
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil && r.Method != http.MethodHead {
		h.t.Errorf("%s %s: %d with a body that is no problem document: %s", r.Method, r.URL.Path, rec.Code, rec.Body)
		return
	}
	if rec.Header().Get("Content-Type") != "application/problem+json" || p.Status != rec.Code || p.Code == "" || p.CorrelationID != rec.Header().Get("X-Correlation-Id") {
		h.t.Errorf("%s %s: %d is no proper problem: %v %s", r.Method, r.URL.Path, rec.Code, rec.Header(), rec.Body)
	}
	if rec.Code == http.StatusInternalServerError {
		h.t.Errorf("%s %s answered 500: %s", r.Method, r.URL.Path, rec.Body)
	}
}

// short cuts what kin-openapi says to its first lines: it appends the schema.
func short(err error) error {
	lines := strings.Split(err.Error(), "\n")
	return errors.New(strings.Join(lines[:min(3, len(lines))], " "))
}
