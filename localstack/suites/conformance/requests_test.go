package conformance

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"tradewind/localstack/internal/shop"
	"tradewind/localstack/suites/conformance/apidoc"
)

// example returns that of an operation, without which it cannot be checked.
func (s *suite) example(t *testing.T, op *apidoc.Operation) example {
	t.Helper()
	if isDocument(op) {
		return example{}
	}
	e, ok := examples[op.Name()]
	if !ok {
		t.Fatalf("%s has no example; give it one in operations_test.go", op.Name())
	}
	return e
}

// isDocument says whether an operation serves its service's document.
func isDocument(op *apidoc.Operation) bool { return strings.HasSuffix(op.Path, "/openapi.json") }

// as returns the client that an operation's example is for.
func (s *suite) as(t *testing.T, w *world, op *apidoc.Operation) *shop.Client {
	t.Helper()
	switch s.example(t, op).who {
	case owner:
		return w.owner.Client
	case subject:
		return w.subject.Client
	case admin:
		return s.Admin
	default:
		return s.Anyone
	}
}

// fresh returns a world in which an operation may succeed without harm to others.
func (s *suite) fresh(t *testing.T, op *apidoc.Operation) *world {
	t.Helper()
	w := *s.world
	if fresh := s.example(t, op).fresh; fresh != nil {
		fresh(t, s, &w)
	}
	return &w
}

// request returns the example as a request in a world.
func (s *suite) request(t *testing.T, w *world, op *apidoc.Operation) shop.Request {
	t.Helper()
	e := s.example(t, op)
	r := shop.Request{Method: op.Method, Path: w.path(op), Header: http.Header{}}
	if op.Parameter("header", "If-Match") != nil {
		r.Header.Set("If-Match", read(t, s.as(t, w, op), r.Path).Header.Get("ETag"))
	}
	if op.Parameter("header", "Idempotency-Key") != nil {
		r.Header.Set("Idempotency-Key", unique())
	}
	if e.query != nil {
		r.Path += "?" + e.query(w)
	}
	if op.Body() != nil {
		if e.body == nil {
			t.Fatalf("the example of %s has no body", op.Name())
		}
		text, err := json.Marshal(e.body(w))
		if err != nil {
			t.Fatal(err)
		}
		r.Body = text
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

// succeed makes a request and checks that its answer is the operation's success.
func (s *suite) succeed(t *testing.T, w *world, op *apidoc.Operation, r shop.Request) *shop.Response {
	t.Helper()
	answer := ask(t, s.as(t, w, op), r)
	if status, _ := op.Success(); answer.Status != status {
		t.Fatalf("%s %s: %d %s, want %d", r.Method, r.Path, answer.Status, answer.Body, status)
	}
	return answer
}

// with returns a request with headers changed; an empty value takes one away.
func with(r shop.Request, pairs ...string) shop.Request {
	r.Header = r.Header.Clone()
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			r.Header[http.CanonicalHeaderKey(pairs[i])] = nil
		} else {
			r.Header.Set(pairs[i], pairs[i+1])
		}
	}
	return r
}

// withBody returns a request with another body.
func withBody(r shop.Request, body []byte) shop.Request {
	r.Body = body
	return r
}

// changedBody returns a request with members of its body changed.
func changedBody(t *testing.T, r shop.Request, change func(map[string]any)) shop.Request {
	t.Helper()
	var body map[string]any
	dec := json.NewDecoder(bytes.NewReader(r.Body.([]byte)))
	dec.UseNumber()
	if err := dec.Decode(&body); err != nil {
		t.Fatal(err)
	}
	change(body)
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return withBody(r, text)
}

func decoded[T any](t *testing.T, answer *shop.Response) T {
	t.Helper()
	var v T
	if err := answer.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func asMap(v any) map[string]any {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	var m map[string]any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&m); err != nil {
		panic(err)
	}
	return m
}

func address() map[string]any {
	return map[string]any{"line1": "1 Harbour Road", "line2": "2nd floor", "city": "Lisbon", "postalCode": "1100-001", "country": "PT"}
}

func unique() string { return "conformance-" + rand.Text() }

func uniqueEmail() string { return strings.ToLower(rand.Text()) + "@example.com" }
