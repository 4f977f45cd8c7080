package httpkit_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tradewind/shared/apperr"
	"tradewind/shared/httpkit"
)

func TestDecodeRefuses(t *testing.T) {
	type line struct {
		ProductID string `json:"productId"`
		Quantity  int    `json:"quantity"`
	}
	type request struct {
		Items   []line         `json:"items"`
		Note    string         `json:"note"`
		Options map[string]int `json:"options"`
		Nested  struct {
			Deep struct {
				Flag bool `json:"flag"`
			} `json:"deep"`
		} `json:"nested"`
	}
	const anyType = ""
	tests := map[string]struct {
		body, contentType string
		status            int
		fault             apperr.Field
	}{
		"not JSON":               {body: `{"note":`, status: 400},
		"empty":                  {body: ``, status: 400},
		"white space":            {body: " \n", status: 400},
		"trailing bytes":         {body: `{} {}`, status: 400},
		"trailing bytes, wrong":  {body: `{"note":1} {}`, status: 400},
		"invalid UTF-8":          {body: "{\"note\":\"\xff\"}", status: 400},
		"not a space":            {body: "{}\u00a0", status: 400},
		"too large":              {body: `{"note":"` + strings.Repeat("x", httpkit.MaxBody) + `"}`, status: 413},
		"no type":                {body: `{}`, contentType: "-", status: 415},
		"text":                   {body: `{}`, contentType: "text/plain", status: 415},
		"other charset":          {body: `{}`, contentType: "application/json; charset=latin1", status: 415},
		"null inside":            {body: `{"items":[{"quantity":null}]}`, status: 422, fault: apperr.Field{Pointer: "/items/0/quantity", Message: "must not be null"}},
		"null":                   {body: ` null `, status: 422, fault: apperr.Field{Pointer: "", Message: "must not be null"}},
		"array":                  {body: `[]`, status: 422, fault: apperr.Field{Pointer: "", Message: "must not be a JSON array"}},
		"number for text":        {body: `{"note": 1}`, status: 422, fault: apperr.Field{Pointer: "/note", Message: "must not be a JSON number"}},
		"object for text":        {body: `{"note": {"a": 1}}`, status: 422, fault: apperr.Field{Pointer: "/note", Message: "must not be a JSON object"}},
		"array for text":         {body: `{"items": [], "note": [1]}`, status: 422, fault: apperr.Field{Pointer: "/note", Message: "must not be a JSON array"}},
		"text for array":         {body: `{"items": "x", "note": "y"}`, status: 422, fault: apperr.Field{Pointer: "/items", Message: "must not be a JSON string"}},
		"in an array":            {body: `{"items": [{"quantity": 1}, {"quantity": "2"}, {"quantity": "3"}]}`, status: 422, fault: apperr.Field{Pointer: "/items/1/quantity", Message: "must not be a JSON string"}},
		"an element":             {body: `{"items": [{"quantity": 1}, true]}`, status: 422, fault: apperr.Field{Pointer: "/items/1", Message: "must not be a JSON bool"}},
		"fraction":               {body: `{"items":[{"quantity":1.5}]}`, status: 422, fault: apperr.Field{Pointer: "/items/0/quantity", Message: "must not be a JSON number 1.5"}},
		"out of range":           {body: `{"items":[{"quantity":99999999999999999999}]}`, status: 422, fault: apperr.Field{Pointer: "/items/0/quantity", Message: "must not be a JSON number 99999999999999999999"}},
		"in a map":               {body: `{"options":{"a/b~c":"x"}}`, status: 422, fault: apperr.Field{Pointer: "/options", Message: "must not be a JSON string"}},
		"deep":                   {body: `{"nested":{"deep":{"flag":0}}}`, status: 422, fault: apperr.Field{Pointer: "/nested/deep/flag", Message: "must not be a JSON number"}},
		"unknown field":          {body: `{"color": "red"}`, status: 422, fault: apperr.Field{Pointer: "/color", Message: "is not a field of this request"}},
		"unknown field, deep":    {body: `{"items":[{"quantity":1},{"color":"red"}]}`, status: 422, fault: apperr.Field{Pointer: "/items/1/color", Message: "is not a field of this request"}},
		"unknown, known beside":  {body: `{"note":"x","items":[{"note":"y"}]}`, status: 422, fault: apperr.Field{Pointer: "/items/0/note", Message: "is not a field of this request"}},
		"unknown field, escaped": {body: `{"a/b~c":"red"}`, status: 422, fault: apperr.Field{Pointer: "/a~1b~0c", Message: "is not a field of this request"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/things", strings.NewReader(test.body))
			switch test.contentType {
			case anyType:
				r.Header.Set("Content-Type", "application/json")
			case "-":
			default:
				r.Header.Set("Content-Type", test.contentType)
			}
			got, err := httpkit.Decode[request](r)
			if err == nil {
				t.Fatalf("decoded %+v", got)
			}
			answer := httpkit.Problem(err, r)
			if answer.Status != test.status {
				t.Errorf("status %d, want %d: %s", answer.Status, test.status, answer.Body)
			}
			var problem struct{ Errors []apperr.Field }
			if err := json.Unmarshal(answer.Body, &problem); err != nil {
				t.Fatal(err)
			}
			var want []apperr.Field
			if test.status == http.StatusUnprocessableEntity {
				want = []apperr.Field{test.fault}
			}
			if diff := cmp.Diff(want, problem.Errors); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBodyIsReadTwice(t *testing.T) {
	for name, length := range map[string]int64{"announced": 4, "not announced": -1, "announced wrongly": 1} {
		r := httptest.NewRequest("POST", "/", strings.NewReader("body"))
		r.ContentLength = length
		for range 2 {
			if body, err := httpkit.Body(r); err != nil || string(body) != "body" {
				t.Errorf("%s: got %q, %v", name, body, err)
			}
		}
	}
}

// Decode tells a client what is wrong and where.
func ExampleDecode() {
	type request struct {
		Items []struct {
			Quantity int `json:"quantity"`
		} `json:"items"`
	}
	r := httptest.NewRequest("POST", "/orders", strings.NewReader(`{"items": [{"quantity": "two"}]}`))
	r.Header.Set("Content-Type", "application/json")
	_, err := httpkit.Decode[request](r)
	answer := httpkit.Problem(err, r)
	var problem struct {
		Code   string
		Errors []apperr.Field
	}
	_ = json.Unmarshal(answer.Body, &problem)
	fmt.Println(answer.Status, problem.Code, problem.Errors)

	// Output: 422 invalid [{/items/0/quantity must not be a JSON string}]
}

// A name in another case is no field: see what encoding/json does without this.
func TestDecodeSpelling(t *testing.T) {
	type line struct {
		Quantity int `json:"quantity"`
	}
	type request struct {
		Items []line `json:"items"`
		Note  string `json:"note"`
	}
	tests := map[string]string{ // body: pointer of the fault
		`{"note":"a","items":[{"quantity":1}]}`:     "",
		`{"note" : "Note\": 1", "items":[]}`:        "",
		`{"\u006eote":"escaped, and the same"}`:     "",
		`{"Note":"x"}`:                              "/Note",
		`{"items":[{"quantity":1},{"QUANTITY":2}]}`: "/items/1/QUANTITY",
		`{"note":"a","nOte":"b"}`:                   "/nOte",
		`{"items":[{"quantity":1}],"Items" :[]}`:    "/Items",
	}
	for body, want := range tests {
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		_, err := httpkit.Decode[request](r)
		got := ""
		if ae, ok := errors.AsType[*apperr.Error](err); ok {
			got = ae.Fields[0].Pointer
		}
		if got != want || (err != nil) != (want != "") {
			t.Errorf("%s: %v at %q, want %q", body, err, got, want)
		}
	}
}
