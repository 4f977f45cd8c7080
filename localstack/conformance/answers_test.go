package conformance

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"tradewind/localstack/internal/apidoc"
	"tradewind/localstack/internal/shop"
)

// The checks here look at what succeeds.

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
	if op.Method != http.MethodDelete && answer.Header.Get("Content-Type") != "application/json" {
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

// bodies checks what a body may be made of: the schema's members in their own letters,
// and any text, which is kept as it was sent.
func bodies(t *testing.T, s *suite, op *apidoc.Operation) {
	c, r := s.as(t, s.world, op), s.request(t, s.world, op)
	for _, name := range []string{"nonsense", "id", "version"} {
		p := s.refusal(t, op, c, changedBody(t, r, func(body map[string]any) { body[name] = 1 }), http.StatusUnprocessableEntity)
		if len(p.Errors) != 1 || p.Errors[0].Pointer != "/"+name {
			t.Errorf("an unknown member %s: %+v", name, p.Errors)
		}
	}
	s.texts(t, op, "  Zoë \U0001f6d2 \u6771\u4eac \u202e\u0000\ufffd <b>&amp;</b> \"\\\" \u2028 e\u0301  ")
}

// badBodies checks the rules of bad bodies by one example each; the part "bad input"
// has the rest.
func badBodies(t *testing.T, s *suite, op *apidoc.Operation) {
	c, r := s.as(t, s.world, op), s.request(t, s.world, op)
	good := r.Body.([]byte)
	for name, body := range map[string][]byte{
		"empty": {}, "not JSON": []byte("items=1"), "trailing bytes": append(bytes.Clone(good), "x"...), "two values": append(bytes.Clone(good), good...),
	} {
		if p := s.refusal(t, op, c, withBody(r, body), http.StatusBadRequest); len(p.Errors) > 0 {
			t.Errorf("%s: %+v", name, p)
		}
	}
	for _, body := range []string{"null", "[]", "7", `"text"`, "true"} {
		if p := s.refusal(t, op, c, withBody(r, []byte(body)), http.StatusUnprocessableEntity); len(p.Errors) == 0 {
			t.Errorf("%s: no pointer: %+v", body, p)
		}
	}
	s.texts(t, op, "")
	if op.ID == "placeOrder" {
		s.badOrders(t, op)
	}
}

// badOrders are refused for what only the catalog and the provider know.
func (s *suite) badOrders(t *testing.T, op *apidoc.Operation) {
	t.Helper()
	r := s.request(t, s.world, op)
	gone := *s.world
	gone.newProduct(t, s)
	answer := ask(t, s.Admin, shop.Request{Method: http.MethodDelete, Path: "/api/products/" + gone.product.ID, Header: shop.Header("If-Match", `"1"`)})
	if answer.Status != http.StatusNoContent {
		t.Fatalf("discontinue: %d %s", answer.Status, answer.Body)
	}
	for name, tt := range map[string]struct {
		pointer string
		change  func(map[string]any)
	}{
		"an unknown payment method": {"/paymentMethod", func(o map[string]any) { o["paymentMethod"] = "pm_cash" }},
		"an absent product":         {"/items/0/productId", func(o map[string]any) { o["items"] = line(absent("products")) }},
		"a discontinued product":    {"/items/0/productId", func(o map[string]any) { o["items"] = line(gone.product.ID) }},
		"no product's id":           {"/items/0/productId", func(o map[string]any) { o["items"] = line("openapi.json") }},
		"a product twice": {"/items/1/productId", func(o map[string]any) {
			o["items"] = append(line(s.world.ware.ID), line(s.world.ware.ID)...)
		}},
		"an absent product behind a good one": {"/items/1/productId", func(o map[string]any) {
			o["items"] = append(line(s.world.ware.ID), line(absent("products"))...)
		}},
	} {
		sent := changedBody(t, with(r, "Idempotency-Key", unique()), tt.change)
		p := refused(t, sent, ask(t, s.world.owner.Client, sent), http.StatusUnprocessableEntity)
		if len(p.Errors) != 1 || p.Errors[0].Pointer != tt.pointer {
			t.Errorf("%s: %+v, want %s", name, p.Errors, tt.pointer)
		}
	}
}

func line(productID string) []any {
	return []any{map[string]any{"productId": productID, "quantity": 1}}
}

// texts puts a text into every member that is free text, and checks that the answer
// has it unchanged. Without a text, each is as long as it may be, in characters of
// four bytes.
func (s *suite) texts(t *testing.T, op *apidoc.Operation, text string) {
	t.Helper()
	w := s.fresh(t, op)
	r := s.request(t, w, op)
	sent := map[string]string{}
	r = changedBody(t, r, func(body map[string]any) {
		fill(op.Body(), body, "", func(pointer string, most int) string {
			sent[pointer] = text
			if text == "" {
				sent[pointer] = strings.Repeat("\U0001f6d2", most)
			}
			return sent[pointer]
		})
	})
	if _, ok := sent["/sku"]; ok { // which must be nobody else's
		prefix := unique()
		r = changedBody(t, r, func(body map[string]any) {
			body["sku"] = prefix + string([]rune(sent["/sku"])[min(len(prefix), len([]rune(sent["/sku"]))):])
			sent["/sku"] = body["sku"].(string)
		})
	}
	answer := s.succeed(t, w, op, r)
	var got any
	if err := answer.Decode(&got); err != nil {
		t.Fatal(err)
	}
	shows := s.example(t, op).shows
	for pointer, want := range sent {
		where, named := shows[pointer]
		if !named {
			where = pointer
		}
		if where == "" {
			continue
		}
		if text, _ := lookup(got, where).(string); text != want {
			t.Errorf("%s was sent as %.60q and is answered as %.60q", pointer, want, text)
		}
	}
}

// fill replaces every member of free text: what has a length and no form.
func fill(schema *openapi3.Schema, value any, pointer string, text func(pointer string, most int) string) any {
	switch v := value.(type) {
	case map[string]any:
		for name := range v {
			if member := schema.Properties[name]; member != nil {
				v[name] = fill(member.Value, v[name], pointer+"/"+name, text)
			}
		}
	case []any:
		for i := range v {
			v[i] = fill(schema.Items.Value, v[i], pointer+"/"+string(rune('0'+i)), text)
		}
	case string:
		if schema.MaxLength != nil && schema.Format == "" && (schema.Pattern == "" || schema.Pattern == `\S`) && len(schema.Enum) == 0 {
			return text(pointer, int(*schema.MaxLength))
		}
	}
	return value
}

// lookup returns what a pointer points at; nil where there is nothing.
func lookup(v any, pointer string) any {
	for part := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		switch in := v.(type) {
		case map[string]any:
			v = in[part]
		case []any:
			if i := int(part[0] - '0'); i < len(in) {
				v = in[i]
			} else {
				return nil
			}
		default:
			return nil
		}
	}
	return v
}

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
			if err != nil || !timestamp.MatchString(text) || time.Since(at).Abs() > 24*time.Hour {
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
