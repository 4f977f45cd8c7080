package httpkit_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"tradewind/shared/httpkit"
)

// FuzzDecode: every body is either taken as what encoding/json makes of it, or
// refused with 400 if it is no JSON, 413 if it is too large, and 422 with a
// place if it has another shape.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"items":[{"productId":"prd_1","quantity":2}],"note":"n"}`,
		`{"items":[{"productId":1}]}`, `{"items":[{"productId":"p","color":"red"}]}`,
		`{"unknown":1}`, `{"a/b~c":1}`, `{"items":1}`, `{"note":null}`, `[]`, `null`, ` null `, `"text"`, `1e999`,
		``, ` `, `{`, `{}{}`, `{} x`, "\ufeff{}", "\"\xff\"", `{"note":"\ud800"}`, `{"items":[{"quantity":1.5}]}`,
		`{"items":[{"quantity":99999999999999999999}]}`, `{"note":1}]`, `{}` + "\x00", "{}\u00a0",
	} {
		f.Add([]byte(seed), "application/json")
	}
	f.Add([]byte(`{}`), "application/json; charset=UTF-8")
	f.Add([]byte(`{}`), "text/plain")
	f.Add([]byte(`{}`), ";;;")
	type request struct {
		Items []struct {
			ProductID string `json:"productId"`
			Quantity  int    `json:"quantity"`
		} `json:"items"`
		Note *string `json:"note"`
	}
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		r := httptest.NewRequest("POST", "/", strings.NewReader(string(body)))
		r.Header.Set("Content-Type", contentType)
		got, err := httpkit.Decode[request](r)
		if err == nil {
			var want request
			if err := json.Unmarshal(body, &want); err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("%q: got %+v; encoding/json makes %+v, %v of it", body, got, want, err)
			}
			return
		}
		var problem struct {
			Code   string
			Errors []struct{ Pointer, Message string }
		}
		answer := httpkit.Problem(err, r)
		if err := json.Unmarshal(answer.Body, &problem); err != nil {
			t.Fatal(err)
		}
		switch answer.Status {
		case http.StatusBadRequest:
			if contentType == "application/json" && json.Valid(body) && strings.ToValidUTF8(string(body), "") == string(body) {
				t.Errorf("%q is JSON and was refused as none", body)
			}
		case http.StatusUnprocessableEntity:
			if len(problem.Errors) == 0 || !json.Valid(body) {
				t.Errorf("%q: 422 %s", body, answer.Body)
			}
			for _, e := range problem.Errors {
				if e.Pointer != "" && e.Pointer[0] != '/' {
					t.Errorf("%q: %q is no JSON pointer", body, e.Pointer)
				}
			}
		case http.StatusRequestEntityTooLarge:
			if len(body) <= httpkit.MaxBody {
				t.Errorf("%d bytes were refused as too many", len(body))
			}
		case http.StatusUnsupportedMediaType:
			if contentType == "application/json" {
				t.Error("application/json was refused")
			}
		default:
			t.Errorf("%q: status %d %s", body, answer.Status, answer.Body)
		}
	})
}
