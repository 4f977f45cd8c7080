package lambdahttp_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tradewind/shared/httpkit"
	"tradewind/shared/identity"
	"tradewind/shared/lambdahttp"
	"tradewind/shared/logs"
)

// seen is what a handler sees of a request.
type seen struct {
	Method, URL, Host, RemoteAddr, Body string
	Header                              http.Header
	Path                                string
	Query                               map[string][]string
	Caller                              identity.Identity
	Length                              int64
}

// capture invokes a handler that notes its request and answers 204.
func capture(t *testing.T, payload []byte) seen {
	t.Helper()
	var got seen
	h := lambdahttp.New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		who, _ := identity.Caller(r.Context())
		got = seen{
			Method: r.Method, URL: r.URL.String(), Host: r.Host, RemoteAddr: r.RemoteAddr, Body: string(body),
			Header: r.Header, Path: r.URL.Path, Query: r.URL.Query(), Caller: who, Length: r.ContentLength,
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	if _, err := h.Invoke(t.Context(), payload); err != nil {
		t.Fatal(err)
	}
	return got
}

func testdata(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// without returns headers without those that no test looks at.
func without(h http.Header, names ...string) http.Header {
	h = h.Clone()
	for _, name := range append(names, "User-Agent", "X-Amzn-Trace-Id", "X-Forwarded-Port", "X-Forwarded-Proto", "Accept-Encoding", "Traceparent") {
		h.Del(name)
	}
	return h
}

func TestHTTPAPI(t *testing.T) {
	got := capture(t, testdata(t, "httpapi"))
	var ev struct{ Body string }
	if err := json.Unmarshal(testdata(t, "httpapi"), &ev); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(got.Header.Get("Authorization"), "Bearer ") {
		t.Errorf("authorization %q", got.Header.Get("Authorization"))
	}
	got.Header = without(got.Header, "Authorization")
	want := seen{
		Method: "POST", URL: "/api/orders", Path: "/api/orders", Query: map[string][]string{},
		Host: "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com", RemoteAddr: "203.0.113.7",
		Body: ev.Body, Length: int64(len(ev.Body)),
		Caller: identity.Identity{UserID: "usr_01K9ZX3V5T8Q2M4N6P7R8S9T01"},
		Header: http.Header{
			"Accept": {"application/json"}, "Content-Type": {"application/json"}, "Content-Length": {fmt.Sprint(len(ev.Body))},
			"Host":            {"a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com"},
			"Idempotency-Key": {"8e03978e-40d5-43dd-bc93-6894a57f9324"}, "X-Correlation-Id": {"3f6c1f0e9d8b4a7c8e5d2b1a0f9e8d7c"},
			"X-Forwarded-For": {"203.0.113.7"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
}

func TestHTTPAPIQueryAndCookies(t *testing.T) {
	got := capture(t, testdata(t, "httpapi-get"))
	if got.Method != "GET" || got.URL != "/api/products?limit=2&q=blue%20mug" || got.Header.Get("Cookie") != "a=1; b=2" || got.Length != 0 {
		t.Errorf("got %+v", got)
	}
	if diff := cmp.Diff(map[string][]string{"limit": {"2"}, "q": {"blue mug"}}, got.Query); diff != "" {
		t.Errorf("query (-want +got):\n%s", diff)
	}
}

func TestALB(t *testing.T) {
	got := capture(t, testdata(t, "alb"))
	got.Header = without(got.Header)
	want := seen{
		Method: "GET", URL: "/api/products/prd_01K9ZX3V5T8Q2M4N6P7R8S9T03?q=blue%20mug&limit=2",
		Path: "/api/products/prd_01K9ZX3V5T8Q2M4N6P7R8S9T03", Query: map[string][]string{"limit": {"2"}, "q": {"blue mug"}},
		Host: "catalog-service.dev.internal", RemoteAddr: "10.0.1.7",
		Header: http.Header{
			"Accept": {"application/json"}, "Host": {"catalog-service.dev.internal"},
			"X-Correlation-Id": {"3f6c1f0e9d8b4a7c8e5d2b1a0f9e8d7c"}, "X-Forwarded-For": {"10.0.1.7"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
}

func TestALBMultiValue(t *testing.T) {
	got := capture(t, testdata(t, "alb-multi"))
	if diff := cmp.Diff([]string{"application/json", "text/plain"}, got.Header["Accept"]); diff != "" {
		t.Errorf("accept (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string][]string{"limit": {"2"}, "q": {"blue mug", "tea"}}, got.Query); diff != "" {
		t.Errorf("query (-want +got):\n%s", diff)
	}
	if !strings.Contains(got.Body, "12 St James's Square") {
		t.Errorf("body %s", got.Body)
	}
}

// TestClaimsOfALoadBalancer: nothing verified them.
// TestALBModes sends one request as a balancer does in each of its modes: with the last
// value of what is repeated, or with all of them. Bodies that are no text, or that are
// compressed, come in base64 in both.
func TestALBModes(t *testing.T) {
	const frame = `{"requestContext":{"elb":{"targetGroupArn":"arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/orders/0123"}},"httpMethod":"POST","path":"/api/orders/a%2Fb",`
	single := frame + `"queryStringParameters":{"q":"tea%26cake"},"headers":{"authorization":"Bearer b","content-type":"application/json"},`
	multi := frame + `"multiValueQueryStringParameters":{"q":["mug","tea%26cake"]},"multiValueHeaders":{"authorization":["Bearer a","Bearer b"],"content-type":["application/json"]},`
	odd := "{\"name\":\"\xff\"}"
	bodies := map[string]string{
		`"body":"{\"name\":\"é\"}","isBase64Encoded":false}`:                                      `{"name":"é"}`,
		`"body":"` + base64.StdEncoding.EncodeToString([]byte(odd)) + `","isBase64Encoded":true}`: odd,
		`"body":"","isBase64Encoded":false}`:                                                      "",
		`"isBase64Encoded":false}`:                                                                "",
	}
	for rest, body := range bodies {
		for mode, want := range map[string]struct {
			query, tokens []string
		}{
			single: {[]string{"tea&cake"}, []string{"Bearer b"}},
			multi:  {[]string{"mug", "tea&cake"}, []string{"Bearer a", "Bearer b"}},
		} {
			got := capture(t, []byte(mode+rest))
			if got.Body != body || got.Length != int64(len(body)) || got.Path != "/api/orders/a/b" || got.Method != "POST" {
				t.Errorf("%s%s: %+v", mode, rest, got)
			}
			if diff := cmp.Diff(want.query, got.Query["q"]); diff != "" {
				t.Errorf("query (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want.tokens, got.Header["Authorization"]); diff != "" {
				t.Errorf("authorization (-want +got):\n%s", diff)
			}
		}
	}
}

// TestALBBoth has the fields of both modes, as the local endpoint sends them.
func TestALBBoth(t *testing.T) {
	multi := `"multiValueHeaders":{"host":["a"],"accept":["text/plain","application/json"],"Accept":["*/*"]},"multiValueQueryStringParameters":{"q":["1","2"]}`
	single := `"headers":{"host":"a","accept":"application/json","x-single":"1"},"queryStringParameters":{"q":"2"}`
	for _, fields := range []string{single + "," + multi, multi + "," + single} {
		got := capture(t, []byte(`{"requestContext":{"elb":{"targetGroupArn":"arn"}},"httpMethod":"GET","path":"/",`+fields+`,"body":"","isBase64Encoded":false}`))
		if diff := cmp.Diff(http.Header{"Host": {"a"}, "Accept": {"text/plain", "application/json", "*/*"}}, got.Header); diff != "" {
			t.Errorf("headers (-want +got):\n%s", diff)
		}
		if got.URL != "/?q=1&q=2" {
			t.Errorf("URL %s", got.URL)
		}
	}
}

func TestClaimsOfALoadBalancer(t *testing.T) {
	got := capture(t, []byte(`{"version":"2.0","httpMethod":"GET","path":"/","requestContext":{"elb":{},
		"authorizer":{"jwt":{"claims":{"token_use":"access","username":"usr_1"}}}}}`))
	if got.Caller != (identity.Identity{}) {
		t.Errorf("the caller is %+v, want nobody", got.Caller)
	}
}

func TestPaths(t *testing.T) {
	tests := map[string]struct{ raw, path, url string }{
		"escaped slash": {"/api/users/a%2Fb", "/api/users/a/b", "/api/users/a%2Fb"},
		"space":         {"/a%20b", "/a b", "/a%20b"},
		"not decodable": {"/a%zz", "/a%zz", "/a%25zz"},
		"no slash":      {"a", "/a", "/a"},
		"none":          {"", "/", "/"},
		"unicode":       {"/ü", "/ü", "/%C3%BC"},
	}
	for name, test := range tests {
		payload, _ := json.Marshal(map[string]any{"version": "2.0", "rawPath": test.raw})
		if got := capture(t, payload); got.Path != test.path || got.URL != test.url {
			t.Errorf("%s: got path %s of %s, want %s of %s", name, got.Path, got.URL, test.path, test.url)
		}
	}
}

// TestOddEvents has what no gateway sends: it must be taken for what it says, or
// refused, and never be a panic.
func TestOddEvents(t *testing.T) {
	for name, payload := range map[string]string{
		"nothing":           ``,
		"white space":       ` `,
		"null":              `null`,
		"array":             `[]`,
		"text":              `"hello"`,
		"schedule":          `{"version":"0","detail-type":"Scheduled Event","detail":{}}`,
		"REST API":          `{"version":"1.0","httpMethod":"GET","path":"/"}`,
		"cut off":           `{"version":"2.0","rawPath":"/`,
		"cut off in escape": `{"version":"2.0","rawPath":"/\`,
		"cut off in object": `{"version":"2.0","headers":{"a":"b"`,
		"two values":        `{"version":"2.0"}{}`,
		"no colon":          `{"version" "2.0"}`,
		"no comma":          `{"version":"2.0" "rawPath":"/"}`,
		"trailing comma":    `{"version":"2.0",}`,
		"number as name":    `{1:"2.0","version":"2.0"}`,
		"bad escape":        `{"version":"2.0","body":"\q"}`,
		"half a base64":     `{"version":"2.0","isBase64Encoded":true,"body":"=a"}`,
		"brackets crossed":  `{"version":"2.0","x":[}`,
	} {
		h := lambdahttp.New(http.NotFoundHandler())
		if answer, err := h.Invoke(t.Context(), []byte(payload)); err == nil {
			t.Errorf("%s: got %s, want an error", name, answer)
		}
	}
	// Absent, null and of another type are the same.
	for name, payload := range map[string]string{
		"bare":        `{"version":"2.0"}`,
		"nulls":       `{"version":"2.0","headers":null,"body":null,"cookies":null,"requestContext":null,"rawPath":null}`,
		"other types": `{"version":"2.0","headers":[1],"body":{"a":["}"]},"cookies":7,"requestContext":true,"rawPath":-1.5e3,"isBase64Encoded":"no"}`,
		"white space": " {\n\"version\" :\t\"2.0\" ,\r\n\"headers\" : { } , \"cookies\" : [ ] } ",
	} {
		got := capture(t, []byte(payload))
		if diff := cmp.Diff(seen{URL: "/", Path: "/", Header: http.Header{}, Query: map[string][]string{}}, got); diff != "" {
			t.Errorf("%s: request (-want +got):\n%s", name, diff)
		}
	}
}

// answer invokes a handler for a kind of event and decodes what it answered.
func answer(t *testing.T, payload string, handle http.HandlerFunc) map[string]any {
	t.Helper()
	raw, err := lambdahttp.New(handle).Invoke(t.Context(), []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatalf("answer %s: %v", raw, err)
	}
	return got
}

func TestAnswers(t *testing.T) {
	const httpAPI = `{"version":"2.0","requestContext":{"http":{"method":"GET"}}}`
	const alb = `{"httpMethod":"GET","path":"/","headers":{},"requestContext":{"elb":{}}}`
	const albMulti = `{"httpMethod":"GET","path":"/","multiValueHeaders":{},"requestContext":{"elb":{}}}`
	hello := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-One", "1")
		w.Header()["X-Two"] = []string{"a", "b"}
		w.Header()["Set-Cookie"] = []string{"a=1", "b=2"}
		w.WriteHeader(http.StatusCreated)
		w.WriteHeader(http.StatusTeapot) // too late
		_, _ = io.WriteString(w, "tab\t \"quoted\"\n")
		_, _ = io.WriteString(w, `back\slash ü <&>`+"\u2028\x00")
	}
	const text = "tab\t \"quoted\"\nback\\slash ü <&>\u2028\x00"
	binary := []byte{0xff, 0xfe, 0}
	tests := map[string]struct {
		event  string
		handle http.HandlerFunc
		want   map[string]any
	}{
		"HTTP API": {httpAPI, hello, map[string]any{
			"statusCode": 201.0, "cookies": []any{"a=1", "b=2"}, "headers": map[string]any{"X-One": "1", "X-Two": "a,b"},
			"body": text, "isBase64Encoded": false,
		}},
		"ALB": {alb, hello, map[string]any{
			"statusCode": 201.0, "statusDescription": "201 Created",
			"headers": map[string]any{"X-One": "1", "X-Two": "a,b", "Set-Cookie": "a=1,b=2"},
			"body":    text, "isBase64Encoded": false,
		}},
		"ALB, multi-value": {albMulti, hello, map[string]any{
			"statusCode": 201.0, "statusDescription": "201 Created",
			"multiValueHeaders": map[string]any{"X-One": []any{"1"}, "X-Two": []any{"a", "b"}, "Set-Cookie": []any{"a=1", "b=2"}},
			"body":              text, "isBase64Encoded": false,
		}},
		"nothing": {httpAPI, func(http.ResponseWriter, *http.Request) {}, map[string]any{
			"statusCode": 200.0, "headers": map[string]any{}, "body": "", "isBase64Encoded": false,
		}},
		"binary": {httpAPI, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(binary) }, map[string]any{
			"statusCode": 200.0, "headers": map[string]any{}, "body": base64.StdEncoding.EncodeToString(binary), "isBase64Encoded": true,
		}},
		"compressed": {httpAPI, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(w, "z")
		}, map[string]any{
			"statusCode": 200.0, "headers": map[string]any{"Content-Encoding": "gzip"}, "body": "eg==", "isBase64Encoded": true,
		}},
		"HEAD": {strings.Replace(httpAPI, "GET", "HEAD", 1), func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "body") }, map[string]any{
			"statusCode": 200.0, "headers": map[string]any{}, "body": "", "isBase64Encoded": false,
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, answer(t, test.event, test.handle)); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

// TestDeadline: a handler must learn that its time is up while it can still say
// so.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := lambdahttp.New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			w.WriteHeader(http.StatusServiceUnavailable)
		}))
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		start := time.Now()
		answer, err := h.Invoke(ctx, []byte(`{"version":"2.0"}`))
		if took := time.Since(start); err != nil || ctx.Err() != nil || took != 14500*time.Millisecond {
			t.Errorf("got %s, %v after %v; want an answer 500ms before the end", answer, err, took)
		}
	})
}

// fuzzed is an API with a route of each kind.
func fuzzed() http.Handler {
	rt := httpkit.NewRouter(logs.Discard())
	rt.Handle("GET /api/things/{id}", func(r *http.Request) (httpkit.Answer, error) {
		return httpkit.JSON(http.StatusOK, r.PathValue("id")).With("X-Echo", r.Header.Get("X-Echo")), nil
	})
	rt.Handle("POST /api/things", func(r *http.Request) (httpkit.Answer, error) {
		v, err := httpkit.Decode[map[string]any](r)
		return httpkit.JSON(http.StatusCreated, v), err
	})
	rt.Handle("GET /api/raw", func(r *http.Request) (httpkit.Answer, error) {
		body, err := httpkit.Body(r)
		return httpkit.Answer{Status: http.StatusOK, Body: body, Header: r.Header}, err
	})
	rt.Handle("GET /api/panic", func(*http.Request) (httpkit.Answer, error) { panic("handler") })
	return rt
}

// FuzzInvoke: whatever triggers the function, it answers with a response that
// the gateway takes, or with an error; it never panics.
func FuzzInvoke(f *testing.F) {
	for _, name := range []string{"httpapi", "httpapi-get", "alb", "alb-multi"} {
		f.Add(testdata(f, name))
	}
	for _, seed := range []string{
		`{"version":"2.0","rawPath":"/api/raw","body":"\u00e9\ud83d\ude00\udc00\"\\\/\b","requestContext":{"http":{"method":"GET"}}}`,
		`{"version":"2.0","rawPath":"/api/raw","body":"/w==","isBase64Encoded":true,"requestContext":{"http":{"method":"GET"}}}`,
		`{"version":"2.0","rawPath":"/api/panic","requestContext":{"http":{"method":"GET"}}}`,
		`{"version":"2.0","rawPath":"/api//things/../%2e%2e/a%zz","requestContext":{"http":{"method":"CONNECT"}}}`,
		`{"version":"2.0","rawPath":"*","requestContext":{"http":{"method":"OPTIONS"}}}`,
		`{"version":"2.0","headers":{"x\u0000":"\u0001"},"cookies":["a",1,null,[],{}]}`,
		`{"requestContext":{"elb":{}},"path":"/api/things/1","httpMethod":"GET","multiValueHeaders":{"x-echo":["\n"]}}`,
	} {
		f.Add([]byte(seed))
	}
	h := lambdahttp.New(fuzzed())
	f.Fuzz(func(t *testing.T, payload []byte) {
		raw, err := h.Invoke(t.Context(), payload)
		if err != nil {
			return
		}
		var got struct {
			StatusCode        int                 `json:"statusCode"`
			Headers           map[string]string   `json:"headers"`
			MultiValueHeaders map[string][]string `json:"multiValueHeaders"`
			Cookies           []string            `json:"cookies"`
			Body              string              `json:"body"`
			StatusDescription string              `json:"statusDescription"`
			IsBase64Encoded   bool                `json:"isBase64Encoded"`
		}
		d := json.NewDecoder(bytes.NewReader(raw))
		d.DisallowUnknownFields()
		if err := d.Decode(&got); err != nil {
			t.Fatalf("answer %q: %v", raw, err)
		}
		if http.StatusText(got.StatusCode) == "" {
			t.Errorf("status %d", got.StatusCode)
		}
		if _, err := base64.StdEncoding.DecodeString(got.Body); got.IsBase64Encoded && err != nil {
			t.Errorf("body %q: %v", got.Body, err)
		}
	})
}

// FuzzRoundTrip: texts come through the event and back as they are, whatever is
// in them.
func FuzzRoundTrip(f *testing.F) {
	f.Add("plain", "value")
	f.Add("\"\\\b\f\n\r\t/", "\x00\u2028\U0001f600")
	f.Add("\xff", "é")
	h := lambdahttp.New(fuzzed())
	f.Fuzz(func(t *testing.T, body, header string) {
		// What an event holds is UTF-8: encoding replaces what is not.
		body, header = strings.ToValidUTF8(body, "\ufffd"), strings.ToValidUTF8(header, "\ufffd")
		payload, err := json.Marshal(map[string]any{
			"version": "2.0", "rawPath": "/api/raw", "headers": map[string]string{"x-test": header}, "body": body,
			"requestContext": map[string]any{"http": map[string]string{"method": "GET"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		raw, err := h.Invoke(t.Context(), payload)
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			StatusCode int
			Headers    map[string]string
			Body       string
		}
		if err := json.Unmarshal(raw, &got); err != nil {
			t.Fatal(err)
		}
		if len(body) > httpkit.MaxBody {
			return
		}
		if got.StatusCode != http.StatusOK || got.Body != body || got.Headers["X-Test"] != header {
			t.Errorf("sent %q, %q; got %s", body, header, raw)
		}
	})
}

// The handler is plain net/http; the event tells whether a gateway or a load
// balancer sent it.
func ExampleNew() {
	h := lambdahttp.New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s from %s", r.Method, r.URL, r.Host)
	}))
	for _, event := range []string{
		`{"version": "2.0", "rawPath": "/api/products", "rawQueryString": "limit=2", "headers": {"host": "api.example.com"},
			"requestContext": {"http": {"method": "GET"}}}`,
		`{"httpMethod": "GET", "path": "/api/products", "queryStringParameters": {"limit": "2"},
			"headers": {"host": "catalog-service.dev.internal"}, "requestContext": {"elb": {}}}`,
	} {
		answer, err := h.Invoke(context.Background(), []byte(event))
		fmt.Println(string(answer), err)
	}

	// Output:
	// {"statusCode":200,"headers":{},"body":"GET /api/products?limit=2 from api.example.com","isBase64Encoded":false} <nil>
	// {"statusCode":200,"statusDescription":"200 OK","headers":{},"body":"GET /api/products?limit=2 from catalog-service.dev.internal","isBase64Encoded":false} <nil>
}
