package conformance

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"tradewind/localstack/internal/shop"
	"tradewind/localstack/suites/conformance/apidoc"
)

// successes returns answers of an operation that between them have all that it can
// answer.
func (s *suite) successes(t *testing.T, op *apidoc.Operation) []*shop.Response {
	t.Helper()
	w := s.fresh(t, op)
	all := []*shop.Response{s.succeed(t, w, op, s.request(t, w, op))}
	if op.Method == http.MethodGet && s.example(t, op).who == owner { // what was cancelled and refunded
		other := *w
		other.order, other.payment = w.cancelled, w.refunded
		all = append(all, s.succeed(t, &other, op, s.request(t, &other, op)))
	}
	return all
}

var (
	wholeNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)
	currency    = regexp.MustCompile(`^[A-Z]{3}$`)
	timestamp   = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$`)
	ulid        = `_[0-7][0-9A-HJKMNP-TV-Z]{25}$`
)

// money checks that amounts are whole minor units of a currency, in and out.
func money(t *testing.T, s *suite, op *apidoc.Operation) {
	found := 0
	for _, answer := range s.successes(t, op) {
		walk(t, answer.Body, func(name string, value any) {
			m, ok := value.(map[string]any)
			if !ok || m["currency"] == nil {
				return
			}
			found++
			amount, _ := m["amount"].(json.Number)
			code, _ := m["currency"].(string)
			if len(m) != 2 || !wholeNumber.MatchString(amount.String()) || !currency.MatchString(code) {
				t.Errorf("%s is %v", name, m)
			}
		})
	}
	if found == 0 {
		t.Error("no money in any answer")
	}
	if op.Body() == nil || op.Body().Properties["price"] == nil {
		return
	}
	c, r := s.as(t, s.world, op), s.request(t, s.world, op)
	for _, amount := range []string{"19.99", "1999.0", "1.999e3", `"1999"`} {
		sent := changedBody(t, r, func(body map[string]any) {
			body["price"] = map[string]any{"amount": json.RawMessage(amount), "currency": "EUR"}
		})
		if p := s.refusal(t, op, c, sent, http.StatusUnprocessableEntity); len(p.Errors) != 1 || p.Errors[0].Pointer != "/price/amount" {
			t.Errorf("an amount of %s: %+v", amount, p.Errors)
		}
	}
}

// times checks that moments are in UTC, to the millisecond, in members named …At.
func times(t *testing.T, s *suite, op *apidoc.Operation) {
	found := 0
	for _, answer := range s.successes(t, op) {
		walk(t, answer.Body, func(name string, value any) {
			if !strings.HasSuffix(name, "At") {
				return
			}
			found++
			text, _ := value.(string)
			at, err := time.Parse(time.RFC3339, text)
			if err != nil || !timestamp.MatchString(text) || longAgo[name] == "" && time.Since(at).Abs() > 24*time.Hour {
				t.Errorf("%s is %v", name, value)
			}
		})
	}
	if found == 0 {
		t.Error("no time in any answer")
	}
}

// kinds are the prefixes of the ids in members.
var kinds = map[string]string{"userId": "usr", "productId": "prd", "orderId": "ord", "refund": "ref"}

// ids checks that the server makes ids, and that they tell what they are of.
func ids(t *testing.T, s *suite, op *apidoc.Operation) {
	found := 0
	for _, answer := range s.successes(t, op) {
		walk(t, answer.Body, func(name string, value any) {
			text, _ := value.(string)
			prefix := kinds[name]
			switch refund, _ := value.(map[string]any); {
			case name == "id":
				prefix = prefixes[collectionOf(op)]
			case name == "refund" && refund != nil:
				text, _ = refund["id"].(string)
			case prefix == "":
				return
			}
			found++
			if !regexp.MustCompile("^" + prefix + ulid).MatchString(text) {
				t.Errorf("%s is %q", name, text)
			}
		})
	}
	if found == 0 {
		t.Error("no id in any answer")
	}
	if op.Method == http.MethodPost { // the server makes them
		r := changedBody(t, s.request(t, s.world, op), func(body map[string]any) { body["id"] = absent(collectionOf(op)) })
		s.refusal(t, op, s.as(t, s.world, op), r, http.StatusUnprocessableEntity)
	}
}

// walk calls see for every member of a JSON text. That of "refund" is seen whole only.
func walk(t *testing.T, text []byte, see func(name string, value any)) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var root any
	if err := dec.Decode(&root); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	var visit func(any)
	visit = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, value := range v {
				see(name, value)
				if name != "refund" {
					visit(value)
				} else if refund, ok := value.(map[string]any); ok {
					see("amount", refund["amount"])
					see("createdAt", refund["createdAt"])
				}
			}
		case []any:
			for _, value := range v {
				visit(value)
			}
		}
	}
	visit(root)
}

// stringAt returns a member of a JSON object.
func stringAt(t *testing.T, text []byte, name string) string {
	t.Helper()
	var members map[string]json.RawMessage
	var value string
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if err := json.Unmarshal(members[name], &value); err != nil {
		t.Fatalf("%s: %v: %s", name, err, text)
	}
	return value
}
