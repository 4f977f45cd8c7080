package conformance

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"tradewind/localstack/internal/shop"
	"tradewind/localstack/suites/conformance/apidoc"
)

// answers checks what an operation that succeeds says, and that it is so.
func answers(t *testing.T, s *suite, op *apidoc.Operation) {
	w := s.fresh(t, op)
	r := s.request(t, w, op)
	answer := s.succeed(t, w, op, r)
	path, _, _ := strings.Cut(r.Path, "?")
	switch status, _ := op.Success(); {
	case status == http.StatusCreated:
		created(t, s, op, answer)
	case op.Method == http.MethodPatch || op.Method == http.MethodPut:
		changed(t, s, w, op, r, answer)
	case op.Method == http.MethodDelete:
		if status != http.StatusNoContent || len(answer.Body) > 0 {
			t.Errorf("%d with a body of %d bytes", answer.Status, len(answer.Body))
		}
	case status != http.StatusOK:
		t.Errorf("the document promises %d for %s", status, op.Name())
	}
	if op.Method != http.MethodDelete && !slices.Contains(op.Media(), answer.Header.Get("Content-Type")) {
		t.Errorf("Content-Type %q", answer.Header.Get("Content-Type"))
	}
	if op.Method == http.MethodGet && hasID(s, op) && op.Versioned() && !strings.HasSuffix(path, stringAt(t, answer.Body, "id")) {
		t.Errorf("%s answers %s", path, answer.Body)
	}
	if after := s.example(t, op).after; after != nil {
		after(t, s, w, r, answer)
	}
}

// created checks that what was made is where the answer says it is.
func created(t *testing.T, s *suite, op *apidoc.Operation, answer *shop.Response) {
	t.Helper()
	location, id := answer.Header.Get("Location"), stringAt(t, answer.Body, "id")
	if want := op.Path + "/" + id; location != want {
		t.Fatalf("Location %q, want %q", location, want)
	}
	there := read(t, s.Admin, location)
	var got, want map[string]any
	if json.Unmarshal(there.Body, &got) != nil || json.Unmarshal(answer.Body, &want) != nil {
		t.Fatalf("%s %s", there.Body, answer.Body)
	}
	for name, value := range want {
		switch name {
		case "status", "version", "updatedAt": // may have gone on
		default:
			if text, _ := json.Marshal(got[name]); !sameJSON(text, value) {
				t.Errorf("%s is %v in the answer and %s at its place", name, value, text)
			}
		}
	}
}

// changed checks that an answer is the resource as it is from then on, and as it was
// asked for.
func changed(t *testing.T, s *suite, w *world, op *apidoc.Operation, r shop.Request, answer *shop.Response) {
	t.Helper()
	there := read(t, s.as(t, w, op), r.Path)
	if !bytes.Equal(there.Body, answer.Body) || there.Header.Get("ETag") != answer.Header.Get("ETag") {
		t.Errorf("answered %s %s, and it is %s %s", answer.Header.Get("ETag"), answer.Body, there.Header.Get("ETag"), there.Body)
	}
	var asked, got map[string]any
	if json.Unmarshal(r.Body.([]byte), &asked) != nil || json.Unmarshal(answer.Body, &got) != nil {
		t.Fatalf("%s %s", r.Body, answer.Body)
	}
	for name, value := range asked {
		if text, _ := json.Marshal(got[name]); !sameJSON(text, value) {
			t.Errorf("%s was to be %v and is %s", name, value, text)
		}
	}
}

func sameJSON(text []byte, value any) bool {
	want, err := json.Marshal(value)
	return err == nil && bytes.Equal(text, want)
}

// documented checks that a success fits the document, without regard to what else was
// seen before.
func documented(t *testing.T, s *suite, op *apidoc.Operation) {
	w := s.fresh(t, op)
	r := s.request(t, w, op)
	answer := s.succeed(t, w, op, r)
	if isDocument(op) {
		docs, err := apidoc.Parse(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		if docs.Find(http.MethodGet, op.Path) == nil {
			t.Errorf("the document of %s lacks itself", op.Path)
		}
		for _, other := range docs.Operations {
			if collectionOf(other) != collectionOf(op) {
				t.Errorf("%s is in the document of %s", other.Name(), op.Path)
			}
		}
		return
	}
	if err := op.Judge(r, answer); err != nil {
		t.Error(err)
	}
}
