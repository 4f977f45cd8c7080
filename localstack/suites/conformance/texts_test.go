package conformance

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"tradewind/localstack/internal/shop"
	"tradewind/localstack/suites/conformance/apidoc"
)

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
