package httpkit_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tradewind/shared/apperr"
	"tradewind/shared/httpkit"
	"tradewind/shared/logs"
	"tradewind/shared/trace"
)

type thing struct {
	ID string `json:"id"`
}

// api is a router with routes of every kind; log is what it logs.
func api() (rt *httpkit.Router, log *bytes.Buffer) {
	log = &bytes.Buffer{}
	rt = httpkit.NewRouter(logs.New(log, func(string) string { return "" }))
	rt.Handle("GET /api/things", func(*http.Request) (httpkit.Answer, error) {
		return httpkit.JSON(http.StatusOK, httpkit.ListOf([]string{"1", "2"}, "more", func(id string) thing { return thing{id} })), nil
	})
	rt.Handle("POST /api/things", func(r *http.Request) (httpkit.Answer, error) {
		in, err := httpkit.Decode[thing](r)
		if err != nil {
			return httpkit.Answer{}, err
		}
		return httpkit.Created("/api/things/"+in.ID, 1, in), nil
	})
	rt.Handle("GET /api/things/{id}", func(r *http.Request) (httpkit.Answer, error) {
		return httpkit.Resource(http.StatusOK, 3, thing{r.PathValue("id")}), nil
	})
	rt.Handle("DELETE /api/things/{id}", func(*http.Request) (httpkit.Answer, error) { return httpkit.NoContent(), nil })
	rt.Handle("GET /api/things/document.json", httpkit.Document([]byte(`{"a": 1}`)))
	rt.Handle("GET /api/panic", func(*http.Request) (httpkit.Answer, error) { panic("secret of table tradewind-orders") })
	rt.Handle("GET /api/unencodable", func(*http.Request) (httpkit.Answer, error) { return httpkit.JSON(200, func() {}), nil })
	return rt, log
}

func send(h http.Handler, method, target string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/", nil)
	r.URL.Path, r.URL.RawQuery, _ = strings.Cut(target, "?")
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestRoutes(t *testing.T) {
	rt, _ := api()
	tests := map[string]struct {
		method, target string
		status         int
		body           string // all of it, or a problem's code
		header         map[string]string
	}{
		"list":                  {"GET", "/api/things", 200, `{"items":[{"id":"1"},{"id":"2"}],"nextCursor":"more"}`, map[string]string{"Content-Type": "application/json"}},
		"resource":              {"GET", "/api/things/7", 200, `{"id":"7"}`, map[string]string{"Etag": `"3"`}},
		"more exact wins":       {"GET", "/api/things/document.json", 200, `{"a": 1}`, map[string]string{"Content-Type": "application/json"}},
		"no content":            {"DELETE", "/api/things/7", 204, ``, map[string]string{"Content-Type": ""}},
		"GET serves HEAD":       {"HEAD", "/api/things/7", 200, `{"id":"7"}`, nil}, // who sends it drops the body
		"no route":              {"GET", "/api/other", 404, "not_found", nil},
		"below a resource":      {"GET", "/api/things/7/parts", 404, "not_found", nil},
		"slash at the end":      {"GET", "/api/things/", 404, "not_found", nil},
		"root":                  {"GET", "/", 404, "not_found", nil},
		"path that is dirty":    {"GET", "/api//things", 404, "not_found", nil},
		"path that goes up":     {"GET", "/api/x/../things", 404, "not_found", nil},
		"path that goes far":    {"GET", "/../../etc/passwd", 404, "not_found", nil},
		"no path":               {"GET", "", 404, "not_found", nil},
		"wrong method":          {"PUT", "/api/things/7", 405, "method_not_allowed", map[string]string{"Allow": "GET, HEAD, DELETE"}},
		"wrong for the list":    {"DELETE", "/api/things", 405, "method_not_allowed", map[string]string{"Allow": "GET, HEAD, POST"}},
		"options":               {"OPTIONS", "/api/things", 405, "method_not_allowed", map[string]string{"Allow": "GET, HEAD, POST"}},
		"method of no one":      {"BREW", "/api/things", 405, "method_not_allowed", map[string]string{"Allow": "GET, HEAD, POST"}},
		"wrong method, no path": {"PUT", "/api/other", 404, "not_found", nil},
		"connect":               {"CONNECT", "/api/things", 405, "method_not_allowed", nil},
		"panic":                 {"GET", "/api/panic", 500, "internal", nil},
		"answer of a defect":    {"GET", "/api/unencodable", 500, "internal", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := send(rt, tt.method, tt.target)
			if w.Code != tt.status {
				t.Fatalf("%d %s, want %d", w.Code, w.Body, tt.status)
			}
			if w.Code < 400 && w.Body.String() != tt.body {
				t.Errorf("body %s", w.Body)
			}
			if w.Code >= 400 {
				problemOf(t, w, tt.target, tt.body)
			}
			for name, want := range tt.header {
				if got := w.Header().Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
		})
	}
}

type problem struct {
	Type, Title, Detail, Instance, Code, CorrelationID string
	Status                                             int
	Errors                                             []apperr.Field
}

// problemOf checks what is true of every problem and returns it.
func problemOf(t *testing.T, w *httptest.ResponseRecorder, path, code string) problem {
	t.Helper()
	var p problem
	dec := json.NewDecoder(bytes.NewReader(w.Body.Bytes()))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	want := problem{
		Type: "urn:tradewind:problem:" + code, Title: http.StatusText(w.Code), Detail: p.Detail, Instance: path,
		Code: code, CorrelationID: w.Header().Get("X-Correlation-Id"), Status: w.Code, Errors: p.Errors,
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("problem (-want +got):\n%s", diff)
	}
	if w.Header().Get("Content-Type") != "application/problem+json" || p.Detail == "" || p.CorrelationID == "" {
		t.Errorf("%v %s", w.Header(), w.Body)
	}
	return p
}

func TestProblem(t *testing.T) {
	later := apperr.New(apperr.Unavailable, "down", "Try again.")
	later.RetryAfter = 1500 * time.Millisecond
	var check apperr.Check
	check.Fail("/a/0", "is wrong")
	tests := map[string]struct {
		err    error
		status int
		code   string
		detail string
		header map[string]string
	}{
		"no kind":         {errors.New("dial tcp 10.0.0.1: connection refused"), 500, "internal", "", nil},
		"internal":        {apperr.New(apperr.Internal, "broken_thing", "secret"), 500, "internal", "", nil},
		"wrapped cause":   {apperr.Wrap(errors.New("secret"), apperr.Conflict, "taken", "It is taken."), 409, "taken", "It is taken.", nil},
		"wrapped error":   {fmt.Errorf("secret: %w", apperr.New(apperr.Conflict, "taken", "It is taken.")), 409, "taken", "It is taken.", nil},
		"invalid":         {check.Err(), 422, "invalid", "The request is well-formed but not valid; see errors.", nil},
		"unauthenticated": {apperr.New(apperr.Unauthenticated, "unauthenticated", "Who?"), 401, "unauthenticated", "Who?", map[string]string{"Www-Authenticate": "Bearer"}},
		"forbidden":       {apperr.New(apperr.Forbidden, "forbidden", "No."), 403, "forbidden", "No.", nil},
		"not found":       {apperr.New(apperr.NotFound, "thing_not_found", "Where?"), 404, "thing_not_found", "Where?", nil},
		"stale":           {fmt.Errorf("save: %w", apperr.ErrStale), 412, "stale_version", apperr.ErrStale.Message, nil},
		"unavailable":     {apperr.New(apperr.Unavailable, "down", "Try again."), 503, "down", "Try again.", map[string]string{"Retry-After": "1"}},
		"and when again":  {later, 503, "down", "Try again.", map[string]string{"Retry-After": "2"}},
		"bad request":     {fmt.Errorf("secret: %w", httpkit.BadRequest("cursor_invalid", "It is not ours.")), 400, "cursor_invalid", "It is not ours.", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			rt := httpkit.NewRouter(logs.Discard())
			rt.Handle("GET /fail", func(*http.Request) (httpkit.Answer, error) { return httpkit.Answer{}, tt.err })
			w := send(rt, "GET", "/fail")
			if w.Code != tt.status {
				t.Fatalf("%d %s, want %d", w.Code, w.Body, tt.status)
			}
			p := problemOf(t, w, "/fail", tt.code)
			if tt.detail != "" && p.Detail != tt.detail || strings.Contains(w.Body.String(), "secret") || strings.Contains(w.Body.String(), "10.0.0.1") {
				t.Errorf("detail %q", p.Detail)
			}
			if tt.code == "invalid" && len(p.Errors) != 1 {
				t.Errorf("errors %v", p.Errors)
			}
			for _, name := range []string{"Www-Authenticate", "Retry-After", "Allow"} {
				if got := w.Header().Get(name); got != tt.header[name] {
					t.Errorf("%s: %q, want %q", name, got, tt.header[name])
				}
			}
		})
	}
}

func TestAccept(t *testing.T) {
	rt, _ := api()
	tests := map[string]struct {
		accept []string
		status int
	}{
		"nothing":            {nil, 200},
		"empty":              {[]string{""}, 200},
		"anything":           {[]string{"*/*"}, 200},
		"JSON":               {[]string{"application/json"}, 200},
		"JSON, as a browser": {[]string{"text/html, application/json;q=0.9, */*;q=0.8"}, 200},
		"upper case":         {[]string{"APPLICATION/JSON"}, 200},
		"second header":      {[]string{"text/html", "application/*"}, 200},
		"HTML":               {[]string{"text/html"}, 406},
		"XML or text":        {[]string{"application/xml, text/plain;q=0.5"}, 406},
		"not JSON":           {[]string{"application/json;q=0"}, 406},
		"not JSON, precise":  {[]string{"application/json; q=0.000"}, 406},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var header []string
			for _, value := range tt.accept {
				header = append(header, "Accept", value)
			}
			w := send(rt, "GET", "/api/things/7", header...)
			if w.Code != tt.status {
				t.Fatalf("%d, want %d", w.Code, tt.status)
			}
			if w.Code != 200 {
				problemOf(t, w, "/api/things/7", "not_acceptable")
			}
		})
	}
}

func TestCorrelation(t *testing.T) {
	var seen trace.Trace
	rt := httpkit.NewRouter(logs.Discard())
	rt.Handle("GET /seen", func(r *http.Request) (httpkit.Answer, error) {
		seen = trace.From(r.Context())
		return httpkit.NoContent(), nil
	})
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	w := send(rt, "GET", "/seen", "X-Correlation-Id", "checkout-42", "Traceparent", parent)
	if got := w.Header().Get("X-Correlation-Id"); got != "checkout-42" || seen.CorrelationID != got || seen.Parent != parent {
		t.Errorf("answered with %q, handled with %+v", got, seen)
	}
	w = send(rt, "GET", "/seen", "X-Correlation-Id", "no good", "Traceparent", "banana")
	if got := w.Header().Get("X-Correlation-Id"); len(got) != 32 || seen.CorrelationID != got || seen.Parent != "" {
		t.Errorf("answered with %q, handled with %+v", got, seen)
	}
	for _, target := range []string{"/other", "/seen/", "//seen"} {
		if got := send(rt, "GET", target, "X-Correlation-Id", "checkout-42").Header().Get("X-Correlation-Id"); got != "checkout-42" {
			t.Errorf("%s answered with %q", target, got)
		}
	}
}

func TestLog(t *testing.T) {
	tests := map[string]struct {
		method, target string
		want           map[string]any
	}{
		"success": {"GET", "/api/things/7", map[string]any{"level": "INFO", "msg": "request", "route": "GET /api/things/{id}", "status": 200.0}},
		"refusal": {"PUT", "/api/things/7", map[string]any{"level": "INFO", "msg": "request", "route": "/", "status": 405.0, "error": "method_not_allowed: This resource does not take PUT; see Allow."}},
		"defect":  {"GET", "/api/panic", map[string]any{"level": "ERROR", "msg": "request", "route": "GET /api/panic", "status": 500.0, "error": "internal: panic"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			rt, log := api()
			send(rt, tt.method, tt.target, "X-Correlation-Id", "c-1")
			lines := strings.Split(strings.TrimSpace(log.String()), "\n")
			var got map[string]any
			if err := json.Unmarshal([]byte(lines[len(lines)-1]), &got); err != nil {
				t.Fatalf("%v in %s", err, log)
			}
			tt.want["correlationId"], tt.want["method"] = "c-1", tt.method
			tt.want["service"], tt.want["function"] = "", ""
			if took, ok := got["micros"].(float64); !ok || took < 0 {
				t.Errorf("took %v", got["micros"])
			}
			delete(got, "micros")
			delete(got, "time")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("line (-want +got):\n%s", diff)
			}
			if wantStack := name == "defect"; wantStack != strings.Contains(log.String(), "httpkit_test.go") {
				t.Errorf("log:\n%s", log)
			}
		})
	}
}

func TestDependencyFailureIsAWarning(t *testing.T) {
	var log bytes.Buffer
	rt := httpkit.NewRouter(slog.New(slog.NewTextHandler(&log, nil)))
	rt.Handle("GET /down", func(*http.Request) (httpkit.Answer, error) {
		return httpkit.Answer{}, apperr.Wrap(io.ErrUnexpectedEOF, apperr.Unavailable, "down", "Try again.")
	})
	send(rt, "GET", "/down")
	if got := log.String(); !strings.Contains(got, "level=WARN") || !strings.Contains(got, "unexpected EOF") {
		t.Errorf("log %s", got)
	}
}

func TestIfMatch(t *testing.T) {
	tests := map[string]struct {
		sent    []string
		version int
		status  int // of the refusal
	}{
		"a version":      {[]string{`"3"`}, 3, 0},
		"space around":   {[]string{` "12" `}, 12, 0},
		"none":           {nil, 0, 428},
		"empty":          {[]string{""}, 0, 428},
		"without quotes": {[]string{`3`}, 0, 400},
		"half a quote":   {[]string{`"3`}, 0, 400},
		"weak":           {[]string{`W/"3"`}, 0, 400},
		"any":            {[]string{`*`}, 0, 400},
		"a list":         {[]string{`"3", "4"`}, 0, 400},
		"two headers":    {[]string{`"3"`, `"4"`}, 0, 400},
		"zero":           {[]string{`"0"`}, 0, 400},
		"negative":       {[]string{`"-1"`}, 0, 400},
		"a plus":         {[]string{`"+3"`}, 0, 400},
		"leading zero":   {[]string{`"03"`}, 0, 400},
		"a word":         {[]string{`"abc"`}, 0, 400},
		"too large":      {[]string{`"99999999999999999999"`}, 0, 400},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("PATCH", "/", nil)
			for _, value := range tt.sent {
				r.Header.Add("If-Match", value)
			}
			version, err := httpkit.IfMatch(r)
			if version != tt.version || (err == nil) != (tt.status == 0) {
				t.Fatalf("%d, %v", version, err)
			}
			if err != nil && httpkit.Problem(err, r).Status != tt.status {
				t.Errorf("%v is no %d", err, tt.status)
			}
		})
	}
}

func TestPage(t *testing.T) {
	tests := map[string]struct {
		query  string
		limit  int
		cursor string
		ok     bool
	}{
		"nothing":      {"", 20, "", true},
		"least":        {"limit=1", 1, "", true},
		"most":         {"limit=100&cursor=abc", 100, "abc", true},
		"none":         {"limit=0", 0, "", false},
		"too many":     {"limit=101", 0, "", false},
		"negative":     {"limit=-1", 0, "", false},
		"empty":        {"limit=", 0, "", false},
		"a word":       {"limit=all", 0, "", false},
		"a fraction":   {"limit=1.5", 0, "", false},
		"out of range": {"limit=99999999999999999999", 0, "", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/?"+tt.query, nil)
			limit, cursor, err := httpkit.Page(r)
			if limit != tt.limit || cursor != tt.cursor || (err == nil) != tt.ok {
				t.Errorf("%d, %q, %v", limit, cursor, err)
			}
			if err != nil && httpkit.Problem(err, r).Status != http.StatusUnprocessableEntity {
				t.Errorf("%v is no 422", err)
			}
		})
	}
}

func TestListOf(t *testing.T) {
	last := httpkit.JSON(200, httpkit.ListOf(nil, "", func(string) thing { return thing{} }))
	if got := string(last.Body); got != `{"items":[]}` {
		t.Errorf("an empty last page is %s", got)
	}
}

func TestAnswersAreValues(t *testing.T) {
	stored := httpkit.Created("/api/things/1", 1, thing{"1"})
	given := stored.With("Idempotency-Replayed", "true")
	if stored.Header.Get("Idempotency-Replayed") != "" || given.Header.Get("Etag") != `"1"` || given.Header.Get("Location") != "/api/things/1" {
		t.Errorf("stored %v, given %v", stored.Header, given.Header)
	}
	if got := (httpkit.Answer{}).With("A", "b").Header.Get("A"); got != "b" {
		t.Errorf("header of nothing: %q", got)
	}
}

func TestPatterns(t *testing.T) {
	rt := httpkit.NewRouter(logs.Discard())
	rt.Handle("GET /a", httpkit.Document(nil))
	rt.Handle("POST /a", httpkit.Document(nil))
	if diff := cmp.Diff([]string{"GET /a", "POST /a"}, rt.Patterns()); diff != "" {
		t.Errorf("patterns (-want +got):\n%s", diff)
	}
}

// A handler returns an answer or an error; what the error means for HTTP is the
// router's business.
func ExampleRouter() {
	rt := httpkit.NewRouter(logs.Discard())
	rt.Handle("GET /api/things/{id}", func(r *http.Request) (httpkit.Answer, error) {
		if r.PathValue("id") != "1" {
			return httpkit.Answer{}, apperr.New(apperr.NotFound, "thing_not_found", "There is no such thing.")
		}
		return httpkit.Resource(http.StatusOK, 3, map[string]string{"id": "1"}), nil
	})
	for _, path := range []string{"/api/things/1", "/api/things/2"} {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("X-Correlation-Id", "checkout-42")
		w := httptest.NewRecorder()
		rt.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Header().Get("ETag"), w.Body)
	}

	// Output:
	// 200 "3" {"id":"1"}
	// 404  {"type":"urn:tradewind:problem:thing_not_found","title":"Not Found","status":404,"detail":"There is no such thing.","instance":"/api/things/2","code":"thing_not_found","correlationId":"checkout-42"}
}
