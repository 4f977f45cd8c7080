package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tradewind/functions/users"
	"tradewind/functions/users/internal/cognito/cognitotest"
	"tradewind/shared/httpkit"
	"tradewind/shared/id"
	"tradewind/shared/identity"
	"tradewind/shared/openapi/openapitest"
	"tradewind/shared/table"
)

var sorted = cmp.Options{cmpopts.SortSlices(strings.Compare), cmpopts.EquateEmpty()}

// call is a request, by a signed-in user unless user is empty.
type call struct {
	user, method, path, body string
	key, match, media        string
	admin                    bool
}

func send(h http.Handler, c call) *httptest.ResponseRecorder {
	r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
	if c.media == "" {
		c.media = "application/json"
	}
	r.Header.Set("Content-Type", c.media)
	if c.key != "" {
		r.Header.Set("Idempotency-Key", c.key)
	}
	if c.match != "" {
		r.Header.Set("If-Match", c.match)
	}
	if c.user != "" {
		claims := map[string]string{"token_use": "access", "username": c.user}
		if c.admin {
			claims["cognito:groups"] = "[admin]"
		}
		r = r.WithContext(identity.WithClaims(r.Context(), claims))
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func field(t *testing.T, w *httptest.ResponseRecorder, name string) string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &m); err != nil {
		t.Fatalf("%v in %d %s", err, w.Code, w.Body)
	}
	s, _ := m[name].(string)
	return s
}

func pointers(t *testing.T, w *httptest.ResponseRecorder) []string {
	t.Helper()
	var p struct {
		Errors []struct{ Pointer string }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	var list []string
	for _, e := range p.Errors {
		list = append(list, e.Pointer)
	}
	return list
}

const (
	ada   = `{"email":"Ada@Example.com","name":"Ada Lovelace ☂","password":"correct horse","addresses":[` + home + `]}`
	home  = `{"line1":"1 Quay","line2":"Shed ü","city":"Kiel","postalCode":"24103","country":"DE"}`
	admin = "usr_01K9ZZZZZZZZZZZZZZZZZZZZZZ"
)

// documented is a process without faults whose every exchange is held to the
// OpenAPI document.
func documented(t *testing.T) *process {
	t.Helper()
	p := newWorld().process(healthy)
	p.Handler = openapitest.New(t, users.OpenAPI, p.Handler.(*httpkit.Router))
	return p
}

// shop is a service with one registered user.
func shop(t *testing.T) (p *process, user string) {
	t.Helper()
	p = documented(t)
	w := send(p, call{method: "POST", path: "/api/users", body: ada})
	if w.Code != http.StatusCreated {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return p, field(t, w, "id")
}

func TestRegister(t *testing.T) {
	p := documented(t)
	w := send(p, call{method: "POST", path: "/api/users", body: ada})
	who := field(t, w, "id")
	if w.Code != http.StatusCreated || w.Header().Get("Location") != "/api/users/"+who || w.Header().Get("ETag") != `"1"` {
		t.Fatalf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	var got map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got["createdAt"] != got["updatedAt"] || len(fmt.Sprint(got["createdAt"])) != len("2026-01-02T12:00:00.000Z") {
		t.Errorf("times of %s", w.Body)
	}
	delete(got, "createdAt")
	delete(got, "updatedAt")
	want := map[string]any{
		"id": who, "version": 1.0, "email": "Ada@Example.com", "name": "Ada Lovelace ☂",
		"addresses": []any{map[string]any{"line1": "1 Quay", "line2": "Shed ü", "city": "Kiel", "postalCode": "24103", "country": "DE"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("user (-want +got):\n%s", diff)
	}
	if read := send(p, call{user: who, method: "GET", path: "/api/users/" + who}); read.Body.String() != w.Body.String() || read.Header().Get("ETag") != `"1"` {
		t.Errorf("read %d %s\nafter %s", read.Code, read.Body, w.Body)
	}
	if signedIn, ok := p.pool.SignIn("ada@example.com", "correct horse"); !ok || signedIn != who {
		t.Errorf("signed in as %q", signedIn)
	}
	p.atRest(t)
	for _, text := range p.texts(t) {
		if strings.Contains(text, "correct horse") {
			t.Errorf("a password is in the table: %s", text)
		}
	}
}

func TestRefusals(t *testing.T) {
	p, own := shop(t)
	other := field(t, p.register("grace@example.com", "correct horse", "used"), "id")
	erased := field(t, p.register("gone@example.com", "correct horse", ""), "id")
	send(p, call{user: erased, method: "DELETE", path: "/api/users/" + erased, match: `"1"`})
	path, absent := "/api/users/"+own, "/api/users/"+id.New("usr")
	with := func(oldnew ...string) string { return strings.NewReplacer(oldnew...).Replace(ada) }
	fresh := strings.Replace(ada, "Ada@Example.com", "new@example.com", 1)
	faulty := func(old, new string) string { return strings.Replace(fresh, old, new, 1) }
	tests := map[string]struct {
		call     call
		want     int
		code     string
		pointers []string
	}{
		"taken":                     {call{method: "POST", path: "/api/users", body: ada}, 409, "email_taken", nil},
		"taken in another case":     {call{method: "POST", path: "/api/users", body: with("Ada@", " aDA@")}, 409, "email_taken", nil},
		"nothing":                   {call{method: "POST", path: "/api/users"}, 400, "malformed_json", nil},
		"no JSON":                   {call{method: "POST", path: "/api/users", body: "{"}, 400, "malformed_json", nil},
		"two values":                {call{method: "POST", path: "/api/users", body: fresh + fresh}, 400, "malformed_json", nil},
		"a form":                    {call{method: "POST", path: "/api/users", body: "a=b", media: "application/x-www-form-urlencoded"}, 415, "unsupported_media_type", nil},
		"too much":                  {call{method: "POST", path: "/api/users", body: faulty("Ada", strings.Repeat("a", 256<<10))}, 413, "body_too_large", nil},
		"a list":                    {call{method: "POST", path: "/api/users", body: "[]"}, 422, "invalid", []string{""}},
		"an empty object":           {call{method: "POST", path: "/api/users", body: "{}"}, 422, "invalid", []string{"/email", "/name", "/password"}},
		"an unknown field":          {call{method: "POST", path: "/api/users", body: faulty(`"name"`, `"admin":true,"name"`)}, 422, "invalid", []string{"/admin"}},
		"an id from the client":     {call{method: "POST", path: "/api/users", body: faulty(`"name"`, `"id":"usr_1","name"`)}, 422, "invalid", []string{"/id"}},
		"a number for a name":       {call{method: "POST", path: "/api/users", body: faulty(`"Ada Lovelace ☂"`, `1`)}, 422, "invalid", []string{"/name"}},
		"a short password":          {call{method: "POST", path: "/api/users", body: faulty("correct horse", "short")}, 422, "invalid", []string{"/password"}},
		"a password the pool hates": {call{method: "POST", path: "/api/users", body: with("Ada@Example.com", "nul@example.com", "correct horse", `correct\u0000horse`)}, 422, "invalid", []string{"/password"}},
		"an address the pool hates": {call{method: "POST", path: "/api/users", body: with("Ada@Example.com", "x"+cognitotest.Refused+"example.com")}, 422, "invalid", []string{"/email"}},
		"an operator's address":     {call{method: "POST", path: "/api/users", body: with("Ada@Example.com", "root@example.com")}, 409, "email_taken", nil},
		"a country's name":          {call{method: "POST", path: "/api/users", body: faulty(`"DE"`, `"Germany"`)}, 422, "invalid", []string{"/addresses/0/country"}},
		"a key with a space":        {call{method: "POST", path: "/api/users", body: fresh, key: "a b"}, 400, "idempotency_key_malformed", nil},
		"a key of another request":  {call{method: "POST", path: "/api/users", body: fresh, key: "used"}, 422, "idempotency_key_reused", nil},

		"nobody reads":                  {call{method: "GET", path: path}, 401, "unauthenticated", nil},
		"nobody lists":                  {call{method: "GET", path: "/api/users"}, 401, "unauthenticated", nil},
		"nobody changes":                {call{method: "PATCH", path: path, match: `"1"`, body: `{}`}, 401, "unauthenticated", nil},
		"nobody erases":                 {call{method: "DELETE", path: path, match: `"1"`}, 401, "unauthenticated", nil},
		"a customer lists":              {call{user: own, method: "GET", path: "/api/users"}, 403, "forbidden", nil},
		"another reads":                 {call{user: other, method: "GET", path: path}, 404, "user_not_found", nil},
		"another changes":               {call{user: other, method: "PATCH", path: path, match: `"1"`, body: `{}`}, 404, "user_not_found", nil},
		"another erases":                {call{user: other, method: "DELETE", path: path, match: `"1"`}, 404, "user_not_found", nil},
		"absent to an admin":            {call{user: admin, admin: true, method: "GET", path: absent}, 404, "user_not_found", nil},
		"absent to change":              {call{user: admin, admin: true, method: "PATCH", path: absent, match: `"1"`, body: `{}`}, 404, "user_not_found", nil},
		"absent to erase":               {call{user: admin, admin: true, method: "DELETE", path: absent, match: `"1"`}, 404, "user_not_found", nil},
		"no id":                         {call{user: admin, admin: true, method: "GET", path: "/api/users/1"}, 404, "user_not_found", nil},
		"the erased reads":              {call{user: erased, method: "GET", path: "/api/users/" + erased}, 404, "user_not_found", nil},
		"the erased changes":            {call{user: erased, method: "PATCH", path: "/api/users/" + erased, match: `"2"`, body: `{}`}, 404, "user_not_found", nil},
		"an admin changes the erased":   {call{user: admin, admin: true, method: "PATCH", path: "/api/users/" + erased, match: `"2"`, body: `{}`}, 409, "user_erased", nil},
		"changes without a version":     {call{user: own, method: "PATCH", path: path, body: `{}`}, 428, "if_match_required", nil},
		"erases without a version":      {call{user: own, method: "DELETE", path: path}, 428, "if_match_required", nil},
		"changes a version to be":       {call{user: own, method: "PATCH", path: path, match: `"2"`, body: `{"name":"x"}`}, 412, "stale_version", nil},
		"erases a version to be":        {call{user: own, method: "DELETE", path: path, match: `"2"`}, 412, "stale_version", nil},
		"any version":                   {call{user: own, method: "DELETE", path: path, match: `*`}, 400, "if_match_malformed", nil},
		"changes to a taken address":    {call{user: own, method: "PATCH", path: path, match: `"1"`, body: `{"email":"GRACE@example.com"}`}, 409, "email_taken", nil},
		"changes to an operator's":      {call{user: own, method: "PATCH", path: path, match: `"1"`, body: `{"email":"root@example.com"}`}, 409, "email_taken", nil},
		"changes to what is refused":    {call{user: own, method: "PATCH", path: path, match: `"1"`, body: `{"email":"ada` + cognitotest.Refused + `example.com"}`}, 422, "invalid", []string{"/email"}},
		"changes to no address":         {call{user: own, method: "PATCH", path: path, match: `"1"`, body: `{"email":"x","name":"","addresses":[{}]}`}, 422, "invalid", []string{"/email", "/name", "/addresses/0/line1", "/addresses/0/city", "/addresses/0/postalCode", "/addresses/0/country"}},
		"changes the password":          {call{user: own, method: "PATCH", path: path, match: `"1"`, body: `{"password":"another horse"}`}, 422, "invalid", []string{"/password"}},
		"removes the name":              {call{user: own, method: "PATCH", path: path, match: `"1"`, body: `{"name":null}`}, 422, "invalid", []string{"/name"}},
		"a forged cursor":               {call{user: admin, admin: true, method: "GET", path: "/api/users?cursor=AAAA"}, 400, "cursor_invalid", nil},
		"a limit of zero":               {call{user: admin, admin: true, method: "GET", path: "/api/users?limit=0"}, 422, "invalid", []string{""}},
		"a limit of many":               {call{user: admin, admin: true, method: "GET", path: "/api/users?limit=101"}, 422, "invalid", []string{""}},
		"a method that is not there":    {call{user: own, method: "PUT", path: path, match: `"1"`, body: `{}`}, 405, "method_not_allowed", nil},
		"a collection cannot be erased": {call{user: own, method: "DELETE", path: "/api/users"}, 405, "method_not_allowed", nil},
		"a part that is not there":      {call{user: own, method: "GET", path: path + "/orders"}, 404, "not_found", nil},
	}
	p.operator(t, "root@example.com")
	before, signIns := len(p.mem.Items()), len(p.pool.List())
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := send(p, tt.call)
			if w.Code != tt.want || field(t, w, "code") != tt.code || w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("%d %s %s, want %d %s", w.Code, w.Header().Get("Content-Type"), w.Body, tt.want, tt.code)
			}
			if diff := cmp.Diff(tt.pointers, pointers(t, w)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
	if n := len(p.mem.Items()); n != before {
		t.Errorf("refused requests left %d items", n-before)
	}
	if n := len(p.pool.List()); n != signIns {
		t.Errorf("refused requests left %d sign-ins", n-signIns)
	}
	if signedIn, ok := p.pool.SignIn("ada@example.com", "correct horse"); !ok || signedIn != own {
		t.Errorf("after all that, signed in as %q", signedIn)
	}
	p.atRest(t)
}

func TestRegisterRepeated(t *testing.T) {
	p := documented(t)
	first := p.register("ada@example.com", "correct horse", "k")
	repeat := p.register("ada@example.com", "correct horse", "k")
	if repeat.Code != http.StatusCreated || repeat.Body.String() != first.Body.String() ||
		repeat.Header().Get("Location") != first.Header().Get("Location") || repeat.Header().Get("Idempotency-Replayed") != "true" {
		t.Errorf("%d %v %s", repeat.Code, repeat.Header(), repeat.Body)
	}
	if other := p.register("ada@example.com", "another horse", "k"); other.Code != http.StatusUnprocessableEntity || field(t, other, "code") != "idempotency_key_reused" {
		t.Errorf("another password under the same key: %d %s", other.Code, other.Body)
	}
	p.atRest(t)
}

// Many requests for the same address at once, half of them duplicates of one:
// those get one answer, the others are told that the address is taken.
func TestRegisterAtOnce(t *testing.T) {
	w := newWorld()
	const n = 20
	answers := make([]*httptest.ResponseRecorder, n)
	var wg sync.WaitGroup
	for i := range n {
		p := w.process(healthy)
		wg.Go(func() {
			if i%2 == 0 {
				answers[i] = p.register("ada@example.com", "correct horse", "same")
			} else {
				answers[i] = p.register("ada@example.com", fmt.Sprintf("password %d", i), "")
			}
		})
	}
	wg.Wait()
	created := map[string]int{}
	for i, a := range answers {
		switch {
		case a.Code == http.StatusCreated:
			created[a.Body.String()]++
		case a.Code != http.StatusConflict || field(t, a, "code") != "email_taken":
			t.Errorf("request %d: %d %s", i, a.Code, a.Body)
		}
	}
	if len(created) != 1 {
		t.Errorf("%d accounts: %v", len(created), created)
	}
	w.atRest(t)
}

func TestChange(t *testing.T) {
	p, who := shop(t)
	patch := func(version int, body string) *httptest.ResponseRecorder {
		return send(p, call{user: who, method: "PATCH", path: "/api/users/" + who, match: fmt.Sprintf("%q", fmt.Sprint(version)), body: body})
	}
	tests := []struct {
		name, body string
		version    int // after it
		check      func(w *httptest.ResponseRecorder) bool
	}{
		{"name", `{"name":"Ada King"}`, 2, func(w *httptest.ResponseRecorder) bool { return field(t, w, "name") == "Ada King" }},
		{"nothing", `{}`, 2, func(w *httptest.ResponseRecorder) bool { return field(t, w, "name") == "Ada King" }},
		{"the same", `{"name":"Ada King"}`, 2, func(*httptest.ResponseRecorder) bool { return true }},
		{"no addresses", `{"addresses":[]}`, 3, func(w *httptest.ResponseRecorder) bool { return strings.Contains(w.Body.String(), `"addresses":[]`) }},
		{"an address", `{"addresses":[` + home + `]}`, 4, func(w *httptest.ResponseRecorder) bool { return strings.Contains(w.Body.String(), home) }},
		{"case of the address", `{"email":"ADA@example.com"}`, 5, func(w *httptest.ResponseRecorder) bool { return field(t, w, "email") == "ADA@example.com" }},
		{"the e-mail address", `{"email":" Lovelace@example.com "}`, 6, func(w *httptest.ResponseRecorder) bool { return field(t, w, "email") == "Lovelace@example.com" }},
		{"and back", `{"email":"ada@example.com","name":"Ada"}`, 7, func(w *httptest.ResponseRecorder) bool { return field(t, w, "name") == "Ada" }},
	}
	version := 1
	for _, tt := range tests {
		w := patch(version, tt.body)
		version = tt.version
		if w.Code != http.StatusOK || w.Header().Get("ETag") != fmt.Sprintf("%q", fmt.Sprint(version)) || !tt.check(w) {
			t.Errorf("%s: %d %s %s", tt.name, w.Code, w.Header().Get("ETag"), w.Body)
		}
		if got := send(p, call{user: who, method: "GET", path: "/api/users/" + who}); got.Body.String() != w.Body.String() {
			t.Errorf("%s: read %s\nafter %s", tt.name, got.Body, w.Body)
		}
		p.atRest(t)
	}
	updates := 0
	for _, text := range p.texts(t) {
		if strings.Contains(text, "user.updated") {
			updates++
		}
	}
	if updates != version-1 {
		t.Errorf("%d events for %d changes", updates, version-1)
	}
	if signedIn, ok := p.pool.SignIn("ada@example.com", "correct horse"); !ok || signedIn != who {
		t.Errorf("signed in as %q", signedIn)
	}
}

// plain is everything that an item holds, as text.
func plain(item table.Item) string {
	var text strings.Builder
	for _, v := range item {
		switch v := v.(type) {
		case *types.AttributeValueMemberS:
			text.WriteString(v.Value + "\n")
		case *types.AttributeValueMemberB:
			text.Write(v.Value)
		case *types.AttributeValueMemberM:
			text.WriteString(plain(v.Value))
		case *types.AttributeValueMemberL:
			for _, element := range v.Value {
				text.WriteString(plain(table.Item{"": element}))
			}
		}
	}
	return text.String()
}

func TestErase(t *testing.T) {
	p := documented(t)
	who := field(t, send(p, call{method: "POST", path: "/api/users", body: ada, key: "k"}), "id")
	path := "/api/users/" + who
	for range 2 {
		w := send(p, call{user: who, method: "DELETE", path: path, match: `"1"`})
		if w.Code != http.StatusNoContent || w.Body.Len() != 0 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	if _, ok := p.pool.SignIn("ada@example.com", "correct horse"); ok {
		t.Error("the erased can sign in")
	}
	w := send(p, call{user: admin, admin: true, method: "GET", path: path})
	if w.Code != http.StatusOK || w.Header().Get("ETag") != `"2"` || field(t, w, "id") != who || field(t, w, "email") != "" || field(t, w, "name") != "" ||
		!strings.Contains(w.Body.String(), `"addresses":[]`) {
		t.Errorf("what an admin reads: %d %s", w.Code, w.Body)
	}
	for _, item := range p.mem.Items() {
		for _, personal := range []string{"ada@example.com", "lovelace"} {
			if text := strings.ToLower(plain(item)); strings.Contains(text, personal) {
				t.Errorf("left of the erased: %s", text)
			}
		}
	}
	again := send(p, call{method: "POST", path: "/api/users", body: ada})
	if again.Code != http.StatusCreated || field(t, again, "id") == who {
		t.Errorf("the same person again: %d %s", again.Code, again.Body)
	}
	p.atRest(t)
}

func TestList(t *testing.T) {
	p := documented(t)
	var want []string // newest first
	for i := range 5 {
		want = append([]string{field(t, p.register(fmt.Sprintf("u%d@example.com", i), "correct horse", ""), "id")}, want...)
	}
	var got []string
	path := "/api/users?limit=2"
	for pages := 1; ; pages++ {
		w := send(p, call{user: admin, admin: true, method: "GET", path: path})
		var list struct {
			Items      []struct{ ID, Email string }
			NextCursor *string
		}
		if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		for _, item := range list.Items {
			got = append(got, item.ID)
		}
		if list.NextCursor == nil {
			if pages != 3 {
				t.Errorf("%d pages of two", pages)
			}
			break
		}
		if other := send(p, call{user: want[0], admin: true, method: "GET", path: "/api/users?cursor=" + *list.NextCursor}); other.Code != http.StatusBadRequest {
			t.Errorf("another admin's cursor: %d", other.Code)
		}
		path = "/api/users?limit=2&cursor=" + *list.NextCursor
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ids (-want +got):\n%s", diff)
	}
}

// Each operation of the document, with success.
func TestDocument(t *testing.T) {
	p := newWorld().process(healthy)
	p.Handler = openapitest.New(t, users.OpenAPI, p.Handler.(*httpkit.Router)).DemandAll()
	if w := send(p, call{method: "GET", path: "/api/users/openapi.json"}); w.Code != http.StatusOK || w.Body.String() != string(users.OpenAPI) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	who := field(t, send(p, call{method: "POST", path: "/api/users", body: ada}), "id")
	path := "/api/users/" + who
	for _, c := range []call{
		{user: who, method: "GET", path: path},
		{user: who, method: "PATCH", path: path, match: `"1"`, body: `{"name":"Ada"}`},
		{user: who, method: "PATCH", path: path, match: `"2"`, body: `{"name":"Ada King"}`, media: "application/merge-patch+json"},
		{user: admin, admin: true, method: "GET", path: "/api/users"},
		{user: admin, admin: true, method: "DELETE", path: path, match: `"3"`},
	} {
		if w := send(p, c); w.Code >= 300 {
			t.Errorf("%s %s: %d %s", c.method, c.path, w.Code, w.Body)
		}
	}
}

func TestPoolOutage(t *testing.T) {
	w := newWorld()
	p := w.process(func(step int) fault {
		if step > 1 {
			return fails
		}
		return none
	})
	a := p.register("ada@example.com", "correct horse", "k")
	if a.Code != http.StatusServiceUnavailable || a.Header().Get("Retry-After") == "" || strings.Contains(a.Body.String(), "connection reset") {
		t.Errorf("%d %v %s", a.Code, a.Header(), a.Body)
	}
}
