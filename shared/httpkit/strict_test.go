package httpkit_test

import (
	"encoding/json"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"tradewind/shared/httpkit"
)

// What encoding/json lets pass in silence is refused, at its place.
func TestDecodeIsStrict(t *testing.T) {
	type request struct {
		Name  string `json:"name"`
		Items []struct {
			ID   string `json:"id"`
			Note string `json:"note"`
		} `json:"items"`
	}
	tests := map[string]struct {
		body    string
		pointer string
		status  int // 0: taken
	}{
		"as it should be":           {`{"name": "a\"}{:", "items": [{"id": "1", "note": "name"}, {"id": "1"}]}`, "", 0},
		"a name with escapes":       {`{"n\u0061me": "a"}`, "", 0},
		"a pair":                    {`{"name": "\ud83d\uded2 \\ud800"}`, "", 0},
		"twice":                     {`{"name": "a", "name": "a"}`, "/name", 422},
		"twice, once with escapes":  {`{"name": "a", "\u006eame": "a"}`, "/name", 422},
		"twice, with others within": {`{"items": [{"id": "1"}], "name": "a", "items": []}`, "/items", 422},
		"twice, deep":               {`{"items": [{"id": "1"}, {"id": "1", "note": "", "id": "2"}]}`, "/items/1/id", 422},
		"other letters":             {`{"Name": "a"}`, "/Name", 422},
		"other letters, deep":       {`{"items": [{"ID": "1"}]}`, "/items/0/ID", 422},
		"the first half":            {`{"name": "\ud83d"}`, "/name", 422},
		"the second half":           {`{"items": [{"id": "1"}, {"note": "a\uDED2b"}]}`, "/items/1/note", 422},
		"two first halves":          {`{"name": "\ud83d\ud83d"}`, "/name", 422},
		"halves in the wrong order": {`{"name": "\uded2\ud83d"}`, "/name", 422},
		"half a pair and an escape": {`{"name": "\ud83d\n"}`, "/name", 422},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/", strings.NewReader(tt.body))
			r.Header.Set("Content-Type", "application/json")
			_, err := httpkit.Decode[request](r)
			if tt.status == 0 {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil {
				t.Fatal("taken")
			}
			answer := httpkit.Problem(err, r)
			var problem struct {
				Errors []struct{ Pointer string }
			}
			if err := json.Unmarshal(answer.Body, &problem); err != nil {
				t.Fatal(err)
			}
			if answer.Status != tt.status || len(problem.Errors) != 1 || problem.Errors[0].Pointer != tt.pointer {
				t.Errorf("%d %s, want %d at %s", answer.Status, answer.Body, tt.status, tt.pointer)
			}
		})
	}
}

// The gateway hands on U+FFFD for what is no UTF-8. A client may send that
// character too, and then it is as long as it says.
func TestABodyThatWasMangledOnItsWayIsRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		body string
		sent int
		want bool
	}{
		"mangled":          {`"a` + "\ufffd" + `b"`, len("\"a\xffb\""), true},
		"sent like this":   {`"a` + "\ufffd" + `b"`, len(`"a` + "\ufffd" + `b"`), false},
		"nothing replaced": {`"ab"`, 1, false},
	} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(tt.body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Content-Length", strconv.Itoa(tt.sent))
		_, err := httpkit.Decode[string](r)
		if refused := err != nil && httpkit.Problem(err, r).Status == 400; refused != tt.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAQueryThatCannotBeReadIsRefused(t *testing.T) {
	for query, status := range map[string]int{
		"limit=5&x=%41": 0, "limit=%zz": 400, "limit=5;cursor=x": 400, "%": 400, "x=%f": 400, "limit=%2B5": 422, "limit=": 422,
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.RawQuery = query
		_, _, err := httpkit.Page(r)
		got := 0
		if err != nil {
			got = httpkit.Problem(err, r).Status
		}
		if got != status {
			t.Errorf("%s: %d %v, want %d", query, got, err, status)
		}
	}
}
