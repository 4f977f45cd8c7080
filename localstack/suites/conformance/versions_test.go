package conformance

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"

	"tradewind/localstack/internal/shop"
	"tradewind/localstack/suites/conformance/apidoc"
)

// concurrency checks that an entity tag tells the version, that a change makes the
// next one, and that whoever has seen an older one cannot change anything.
func concurrency(t *testing.T, s *suite, op *apidoc.Operation) {
	w := s.fresh(t, op)
	r := s.request(t, w, op)
	before := versionOf(t, r.Header.Get("If-Match"))
	answer := s.succeed(t, w, op, r)
	if op.Versioned() {
		version := int(numberAt(t, answer.Body, "version"))
		if got := versionOf(t, answer.Header.Get("ETag")); version < 1 || got != version {
			t.Errorf("version %d with ETag %s", version, answer.Header.Get("ETag"))
		}
		if before > 0 && version != before+1 {
			t.Errorf("version %d after version %d", version, before)
		}
	}
	if before == 0 {
		return
	}
	// Whoever has seen the version before has lost.
	c := s.as(t, w, op)
	if op.Method == http.MethodDelete {
		w = s.fresh(t, op)
		c, r = s.as(t, w, op), s.request(t, w, op)
		old := with(r, "If-Match", `"77"`)
		refused(t, old, ask(t, c, old), http.StatusPreconditionFailed)
		s.succeed(t, w, op, r)
		return
	}
	was := read(t, c, r.Path)
	refused(t, r, ask(t, c, r), http.StatusPreconditionFailed)
	none := with(r, "If-Match", "")
	refused(t, none, ask(t, c, none), http.StatusPreconditionRequired)
	if now := read(t, c, r.Path); !bytes.Equal(now.Body, was.Body) {
		t.Errorf("a stale %s changed %s to %s", op.Method, was.Body, now.Body)
	}
	s.succeed(t, w, op, s.request(t, w, op))
}

func versionOf(t *testing.T, tag string) int {
	t.Helper()
	if tag == "" {
		return 0
	}
	var version int
	if _, err := fmt.Sscanf(tag, `"%d"`, &version); err != nil || fmt.Sprintf(`"%d"`, version) != tag {
		t.Errorf("the entity tag %s", tag)
	}
	return version
}

func numberAt(t *testing.T, text []byte, name string) float64 {
	t.Helper()
	members := decoded[map[string]any](t, &shop.Response{Body: text})
	n, ok := members[name].(float64)
	if !ok {
		t.Fatalf("no number %s: %s", name, text)
	}
	return n
}

// steadyVersion returns the version of what an operation names, if only requests
// change it: an order that was just placed goes its own way.
func (s *suite) steadyVersion(t *testing.T, w *world, op *apidoc.Operation) string {
	t.Helper()
	if collectionOf(op) == "orders" {
		return ""
	}
	return s.version(t, w, op)
}
