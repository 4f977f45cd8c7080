package apidoc_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"tradewind/localstack/internal/shop"
	"tradewind/localstack/suites/conformance/apidoc"
)

const document = `{
  "openapi": "3.1.0", "info": {"title": "Things", "version": "1"}, "servers": [{"url": "/"}], "security": [{"token": []}],
  "paths": {
    "/api/things": {
      "post": {"operationId": "make",
        "parameters": [{"name": "If-Match", "in": "header", "schema": {"type": "string", "pattern": "^\"[0-9]+\"$"}}],
        "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}},
        "responses": {
          "201": {"description": "made", "headers": {"ETag": {"schema": {"type": "string", "pattern": "^\"[0-9]+\"$"}}},
            "content": {"application/json": {"schema": {"type": "object", "required": ["items"], "additionalProperties": false,
              "properties": {"items": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}}}}}}},
          "default": {"description": "not", "content": {"application/problem+json": {"schema": {"type": "object", "required": ["code"]}}}}}}},
    "/api/things/{id}": {
      "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}],
      "get": {"operationId": "read", "responses": {"204": {"description": "nothing"}}}},
    "/api/things/openapi.json": {
      "get": {"operationId": "document", "security": [], "responses": {"200": {"description": "this"}}}}
  },
  "components": {
    "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
    "schemas": {
      "Thing": {"type": "object", "required": ["price"], "additionalProperties": false, "properties": {"price": {"$ref": "#/components/schemas/Price"}}},
      "Price": {"type": "object", "required": ["amount"], "additionalProperties": false,
        "properties": {"amount": {"type": "integer", "not": {"const": 0}}, "currency": {"type": "string"}}}}}
}`

func parse(t *testing.T) *apidoc.Documents {
	t.Helper()
	d, err := apidoc.Parse([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestOperationsAreFound(t *testing.T) {
	d := parse(t)
	for _, tt := range []struct{ method, path, want string }{
		{"POST", "/api/things", "make"},
		{"GET", "/api/things/a%2Fb", "read"},
		{"GET", "/api/things/openapi.json", "document"}, // though {id} fits too
		{"GET", "/api/things", ""},
		{"GET", "/api/things/", ""},
		{"GET", "/api/things/a/b", ""},
		{"DELETE", "/api/things/a", ""},
	} {
		got := ""
		if op := d.Find(tt.method, tt.path); op != nil {
			got = op.ID
		}
		if got != tt.want {
			t.Errorf("%s %s is %q, want %q", tt.method, tt.path, got, tt.want)
		}
	}
	if got := d.Methods("/api/things"); !slices.Equal(got, []string{"POST"}) {
		t.Errorf("methods: %v", got)
	}
}

func TestAnOperationIsDescribed(t *testing.T) {
	d := parse(t)
	make, read, doc := d.Find("POST", "/api/things"), d.Find("GET", "/api/things/x"), d.Find("GET", "/api/things/openapi.json")
	if make.Public() || !doc.Public() {
		t.Error("who may call it is lost")
	}
	if make.Body() == nil || read.Body() != nil || make.Parameter("header", "if-match") == nil || !slices.Equal(read.PathParams(), []string{"id"}) {
		t.Error("what it takes is lost")
	}
	status, schema := make.Success()
	if status != http.StatusCreated || schema == nil || !make.Answers()["currency"] || make.Answers()["version"] || make.Versioned() {
		t.Error("what it answers is lost")
	}
	if status, schema := read.Success(); status != http.StatusNoContent || schema != nil {
		t.Errorf("success of read: %d %v", status, schema)
	}
}

func TestAnswersAreJudged(t *testing.T) {
	const good = `{"items": [{"price": {"amount": 5}}]}`
	request := func(change func(*shop.Request)) shop.Request {
		r := shop.Request{
			Method: "POST", Path: "/api/things?x=1", Header: shop.Header("Content-Type", "application/json"),
			Body: map[string]any{"price": map[string]any{"amount": 1}},
		}
		if change != nil {
			change(&r)
		}
		return r
	}
	tests := map[string]struct {
		request            shop.Request
		status             int
		contentType, etag  string
		body, wrongBecause string
	}{
		"as described": {request(nil), 201, "application/json", `"1"`, good, ""},
		"any spelling of a media type": {
			request(func(r *shop.Request) {
				r.Header.Set("Content-Type", `APPLICATION/JSON; charset="UTF-8"`)
				r.Header["If-Match"] = nil
			}), 201, "application/json", `"1"`, good, "",
		},
		"nested wrong type": {request(nil), 201, "application/json", "", `{"items": [{"price": {"amount": "5"}}]}`, "integer"},
		"not const":         {request(nil), 201, "application/json", "", `{"items": [{"price": {"amount": 0}}]}`, "not"},
		"extra, deep":       {request(nil), 201, "application/json", "", `{"items": [{"price": {"amount": 5, "tax": 1}}]}`, "tax"},
		"missing, deep":     {request(nil), 201, "application/json", "", `{"items": [{"price": {}}]}`, "amount"},
		"not JSON":          {request(nil), 201, "application/json", "", `{"items"`, "decode"},
		"wrong media type":  {request(nil), 201, "text/plain", "", good, "Content-Type"},
		"wrong header":      {request(nil), 201, "application/json", "1", good, "ETag"},
		"another status":    {request(nil), 200, "application/json", "", good, "application/json"},
		"a refusal":         {request(func(r *shop.Request) { r.Body = []byte("{") }), 400, "application/problem+json", "", `{"code": "x"}`, ""},
		"half a refusal":    {request(nil), 400, "application/problem+json", "", `{"status": 400}`, "code"},
		"a bad body taken": {
			request(func(r *shop.Request) { r.Body = []byte(`{"price": {"amount": 1, "tax": 2}}`) }), 201, "application/json", "", good, "forbids",
		},
		"a bad header taken": {
			request(func(r *shop.Request) { r.Header.Set("If-Match", "1") }), 201, "application/json", "", good, "forbids",
		},
		"no such route":             {shop.Request{Method: "GET", Path: "/api/nothing"}, 404, "text/plain", "", "no", ""},
		"no such route, and served": {shop.Request{Method: "GET", Path: "/api/nothing"}, 200, "text/plain", "", "yes", "in no document"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			answer := &shop.Response{Status: tt.status, Header: shop.Header("Content-Type", tt.contentType), Body: []byte(tt.body)}
			if tt.etag != "" {
				answer.Header.Set("ETag", tt.etag)
			}
			err := parse(t).Judge(tt.request, answer)
			switch {
			case tt.wrongBecause == "" && err != nil:
				t.Error(err)
			case tt.wrongBecause != "" && (err == nil || !strings.Contains(err.Error(), tt.wrongBecause)):
				t.Errorf("%v, want %q", err, tt.wrongBecause)
			}
		})
	}
}

func TestRepeatsAreJudgedOnce(t *testing.T) {
	d := parse(t)
	r := shop.Request{Method: "POST", Path: "/api/things", Header: shop.Header("Content-Type", "application/json"), Body: []byte(`{"price": {"amount": 1}}`)}
	bad := &shop.Response{Status: 201, Header: shop.Header("Content-Type", "application/json"), Body: []byte(`{}`)}
	if d.Judge(r, bad) == nil || d.Judge(r, bad) != nil {
		t.Error("not once")
	}
	bad.Body = []byte(`{"items": 1}`)
	if d.Judge(r, bad) == nil {
		t.Error("another answer was taken for the same")
	}
}

func TestBadDocuments(t *testing.T) {
	for name, texts := range map[string][]string{
		"not JSON":  {"{"},
		"not valid": {`{"openapi": "3.1.0"}`},
		"of 3.0":    {strings.Replace(document, "3.1.0", "3.0.3", 1)},
		"twice":     {document, document},
		"anonymous": {strings.Replace(document, `"operationId": "read", `, "", 1)},
	} {
		var all [][]byte
		for _, text := range texts {
			all = append(all, []byte(text))
		}
		if _, err := apidoc.Parse(all...); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
