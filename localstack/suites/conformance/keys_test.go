package conformance

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"tradewind/localstack/internal/shop"
	"tradewind/localstack/suites/conformance/apidoc"
)

// idempotency checks repeats one after the other; concurrent ones have a part of
// their own.
func idempotency(t *testing.T, s *suite, op *apidoc.Operation) {
	w := s.fresh(t, op)
	c, r := s.as(t, w, op), s.request(t, w, op)
	for _, key := range []string{"a b", "tab\tbed", strings.Repeat("k", 256), "schl\u00fcssel"} {
		bad := with(r, "Idempotency-Key", key)
		refused(t, bad, ask(t, c, bad), http.StatusBadRequest)
	}
	// What was refused is not remembered.
	key := unique()
	r = with(r, "Idempotency-Key", key+strings.Repeat("~", 255-len(key))) // as long as it may be
	bad := changedBody(t, r, func(body map[string]any) { body["nonsense"] = 1 })
	refused(t, bad, ask(t, c, bad), http.StatusUnprocessableEntity)

	first := s.succeed(t, w, op, r)
	if flag, ok := first.Header["Idempotency-Replayed"]; ok {
		t.Errorf("the first answer is a replay: %q", flag)
	}
	for range 2 {
		again := s.succeed(t, w, op, r)
		if err := alike(first, again); err != nil {
			t.Error(err)
		}
	}
	spaced := withBody(r, bytes.ReplaceAll(r.Body.([]byte), []byte(`":`), []byte(`" : `)))
	if again := s.succeed(t, w, op, spaced); alike(first, again) != nil {
		t.Errorf("white space makes another payload: %v", alike(first, again))
	}

	// Another payload under the key is refused and changes nothing.
	change := s.example(t, op).other
	if change == nil {
		t.Fatal("the example has no other payload")
	}
	was := s.steadyVersion(t, w, op)
	other := changedBody(t, r, change)
	if p := refused(t, other, ask(t, c, other), http.StatusUnprocessableEntity); p.Code != "idempotency_key_reused" {
		t.Errorf("code %q", p.Code)
	}
	if now := s.steadyVersion(t, w, op); now != was {
		t.Errorf("another payload changed %s to %s", was, now)
	}
	if again := s.succeed(t, w, op, r); alike(first, again) != nil {
		t.Error(alike(first, again))
	}

	none := with(r, "Idempotency-Key", "")
	switch parameter := op.Parameter("header", "Idempotency-Key"); {
	case parameter.Required:
		refused(t, none, ask(t, c, none), http.StatusBadRequest)
	default:
		fresh := s.fresh(t, op)
		free := with(s.request(t, fresh, op), "Idempotency-Key", "")
		if flag, ok := s.succeed(t, fresh, op, free).Header["Idempotency-Replayed"]; ok {
			t.Errorf("an answer without a key is a replay: %q", flag)
		}
	}
	// A key is its route's, down to what the path names.
	if hasID(s, op) {
		another := s.fresh(t, op)
		same := with(s.request(t, another, op), "Idempotency-Key", r.Header.Get("Idempotency-Key"))
		if flag, ok := s.succeed(t, another, op, same).Header["Idempotency-Replayed"]; ok {
			t.Errorf("the same key for another resource is a replay: %q", flag)
		}
	}
	// A key is its caller's.
	if s.example(t, op).who == owner && !hasID(s, op) {
		answer := ask(t, s.world.other.Client, r)
		if _, replayed := answer.Header["Idempotency-Replayed"]; replayed || answer.Status != first.Status || bytes.Equal(answer.Body, first.Body) {
			t.Errorf("another caller's request under the same key: %d %s", answer.Status, answer.Body)
		}
	}
}

// alike compares an answer with the first one of its key.
func alike(first, again *shop.Response) error {
	if again.Status != first.Status || !bytes.Equal(again.Body, first.Body) {
		return fmt.Errorf("first %d %s, then %d %s", first.Status, first.Body, again.Status, again.Body)
	}
	for _, name := range []string{"Location", "Etag", "Content-Type"} {
		if got, want := again.Header.Get(name), first.Header.Get(name); got != want {
			return fmt.Errorf("%s was %q, then %q", name, want, got)
		}
	}
	if got := again.Header.Get("Idempotency-Replayed"); got != "true" {
		return fmt.Errorf("a repeat has Idempotency-Replayed %q", got)
	}
	return nil
}
