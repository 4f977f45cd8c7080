package conformance

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"tradewind/localstack/internal/shop"
	"tradewind/localstack/suites/conformance/apidoc"
	"tradewind/localstack/suites/conformance/badinput"
)

// trials are all bad requests of an operation.
func (s *suite) trials(t *testing.T, w *world, op *apidoc.Operation) []trial {
	t.Helper()
	c, r := s.as(t, w, op), s.request(t, w, op)
	trials := slices.Concat(s.bodyTrials(t, c, op, r), s.headerTrials(c, op, r), s.pathTrials(c, op, r), s.methodTrials(c, op, r))
	if isList(s, op) {
		trials = append(trials, s.queryTrials(t, c, op)...)
	}
	return trials
}

func (s *suite) bodyTrials(t *testing.T, c *shop.Client, op *apidoc.Operation, r shop.Request) []trial {
	t.Helper()
	if op.Body() == nil {
		return nil
	}
	example := r.Body.([]byte)
	shapes, err := badinput.Shapes(op.Body(), example)
	if err != nil {
		t.Fatal(err)
	}
	broken, err := badinput.NotUTF8(op.Body(), example)
	if err != nil {
		t.Fatal(err)
	}
	var trials []trial
	add := func(kind string, cases []badinput.Case, located bool, want ...int) {
		for _, bad := range cases {
			request := withBody(r, bad.Body)
			if op.Parameter("header", "Idempotency-Key") != nil {
				request = with(request, "Idempotency-Key", unique())
			}
			trials = append(trials, trial{name: kind + bad.Name, client: c, request: request, want: want, pointer: bad.Pointer, located: located})
		}
	}
	add("the body: ", shapes, true, http.StatusUnprocessableEntity)
	add("no JSON: ", badinput.Texts(example), false, http.StatusBadRequest)
	add("no UTF-8: ", broken, false, http.StatusBadRequest)
	add("too large: ", []badinput.Case{
		{Name: "by a byte of white space", Body: padded(r, largest+1)},
		{Name: "one text", Body: fmt.Appendf(nil, `{"a": %q}`, strings.Repeat("x", largest))},
		{Name: "not even JSON", Body: bytes.Repeat([]byte("x"), largest+1)},
		{Name: "two megabytes", Body: bytes.Repeat([]byte(" "), 2<<20)},
	}, false, http.StatusRequestEntityTooLarge)
	return trials
}

func (s *suite) headerTrials(c *shop.Client, op *apidoc.Operation, r shop.Request) []trial {
	var trials []trial
	add := func(header, value string, want ...int) {
		request := with(r, header, value)
		if value == emptyValue {
			request.Header[http.CanonicalHeaderKey(header)] = []string{""}
		}
		trials = append(trials, trial{name: fmt.Sprintf("%s: %.60q", header, value), client: c, request: request, want: want})
	}
	for _, value := range []string{"text/html", "image/*", "application/xml, text/*", "application/json;q=0.0", "application/json ;q=0", "json", "application"} {
		add("Accept", value, http.StatusNotAcceptable)
	}
	if op.Parameter("header", "If-Match") != nil {
		for _, value := range []string{
			"*", `W/"1"`, "1", `"0"`, `"-1"`, `"+1"`, `"01"`, `"1.0"`, `" 1"`, `"1","2"`, `"1", "2"`, `"x"`, `""`, `"1`, `1"`, `'1'`, `"99999999999999999999"`,
			`"\u0661"`, `"1"x`, `""1""`, "null", strings.Repeat("9", 4000),
		} {
			add("If-Match", value, http.StatusBadRequest)
		}
		add("If-Match", emptyValue, http.StatusBadRequest, http.StatusPreconditionRequired)
		add("If-Match", `"123456789"`, http.StatusPreconditionFailed)
	}
	if op.Parameter("header", "Idempotency-Key") != nil {
		for _, value := range []string{"a b", "a\tb", "\u00e9", "\U0001f6d2", strings.Repeat("k", 256), strings.Repeat("k", 4000), emptyValue} {
			add("Idempotency-Key", value, http.StatusBadRequest)
		}
	}
	if op.Body() != nil {
		for _, value := range []string{
			"", emptyValue, "text/json", "application/json; charset=", "application/json; charset=us-ascii", "application/json;;", "application/octet-stream", "*/*", "application/ld+json",
		} {
			want := []int{http.StatusUnsupportedMediaType}
			if strings.HasSuffix(value, "charset=") || strings.HasSuffix(value, ";;") {
				want = append(want, http.StatusBadRequest)
			}
			add("Content-Type", value, want...)
		}
		trials = append(trials, trial{
			name: "compressed", client: c, request: with(withBody(r, compressed(r.Body.([]byte))), "Content-Encoding", "gzip"),
			want: []int{http.StatusBadRequest, http.StatusUnsupportedMediaType},
		})
	}
	return trials
}

func compressed(body []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(body) // into memory
	_ = z.Close()
	return b.Bytes()
}

// emptyValue stands for a header that is sent with nothing in it; "" for none.
const emptyValue = "(empty)"

func (s *suite) pathTrials(c *shop.Client, op *apidoc.Operation, r shop.Request) []trial {
	var trials []trial
	add := func(path string, want ...int) {
		request := r
		request.Path = path
		trials = append(trials, trial{name: fmt.Sprintf("%.100q", path), client: c, request: request, want: want})
	}
	path, _, _ := strings.Cut(r.Path, "?")
	if collection := collectionOf(op); len(op.PathParams()) > 0 {
		own := s.world.id(collection)
		for _, id := range []string{
			"%00", own + "%00", own + "%0a", "%20", "%2e", "%2e%2e", "..", ".", "%2f", own + "%2f", own + "%2F..", "%zz", "%", "%f", own + "%", "%ff%fe", "%c0%af",
			"%e2%80%8b" + own, own + ";v=1", own + ",", own + "*", own + "'--", "$where", "{id}", "null", "undefined", "0", "-1",
			"%25", "%2525", "%25" + own, strings.ReplaceAll(own, "_", "%255f"), strings.Replace(own, "_", "__", 1), strings.ToUpper(own),
			prefixes[collection] + "_" + strings.Repeat("0", 26) + "x", prefixes[collection] + "_" + strings.Repeat("U", 26), prefixes[collection] + "_" + strings.Repeat("Z", 26),
			prefixes[collection] + "_", own + own, strings.Repeat("a", 2000), strings.Repeat("%41", 2000), "\u6771\u4eac", strings.Repeat("a/", 500),
			"../" + collection, "..%2f" + collection,
		} {
			add(withID(op, id), http.StatusNotFound, http.StatusRequestURITooLong)
		}
		add(path+"/", http.StatusNotFound)
		add(path+"//", http.StatusNotFound)
	}
	return trials
}

func (s *suite) methodTrials(c *shop.Client, op *apidoc.Operation, r shop.Request) []trial {
	var trials []trial
	path, _, _ := strings.Cut(r.Path, "?")
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "LOCK", "PURGE", "NONSENSE"} {
		if slices.Contains(s.docs.Methods(path), method) {
			continue
		}
		for name, body := range map[string]any{"without a body": nil, "with a body": []byte(`{"a": 1}`)} {
			if method == http.MethodTrace && body != nil {
				continue // which a client may not send
			}
			trials = append(trials, trial{
				name: method + " " + name, client: c, want: []int{http.StatusMethodNotAllowed},
				request: shop.Request{Method: method, Path: path, Header: shop.Header("If-Match", `"1"`, "Idempotency-Key", unique()), Body: body},
			})
		}
	}
	return trials
}

func (s *suite) queryTrials(t *testing.T, c *shop.Client, op *apidoc.Operation) []trial {
	t.Helper()
	filter := ""
	if query := s.example(t, op).query; query != nil && !strings.HasPrefix(query(s.world), "limit") {
		filter = query(s.world) + "&"
	}
	var trials []trial
	add := func(query string, want ...int) {
		trials = append(trials, trial{
			name: fmt.Sprintf("%.100q", query), client: c, want: want,
			request: shop.Request{Method: op.Method, Path: op.Path + "?" + filter + query},
		})
	}
	for _, limit := range []string{
		"0", "-1", "101", "1000", "2147483648", "9223372036854775808", "99999999999999999999999", "1.0", "1.5", "1e1", "0x10", "", "%20", "+5", "%2B5", "5%20", "%205", "5,6", "five",
		"null", "true", "[]", "NaN", "Infinity", "%EF%BC%95", "%00", "5%00", "%D9%A5",
	} {
		add("limit="+limit, http.StatusUnprocessableEntity, http.StatusBadRequest)
	}
	for _, query := range []string{"limit=%zz", "limit=5;cursor=x", "limit=%", "%zz=1"} {
		add(query, http.StatusBadRequest, http.StatusUnprocessableEntity)
	}
	for _, cursor := range append(s.strangers(t, op), forgeries(strings.Repeat("AbCd-_09", 16))...) {
		add("cursor="+url.QueryEscape(cursor), http.StatusBadRequest)
	}
	for _, parameter := range []string{"category", "q"} {
		if op.Parameter("query", parameter) != nil {
			add(parameter+"="+strings.Repeat("x", 201), http.StatusUnprocessableEntity)
			add(parameter+"="+strings.Repeat("%F0%9F%9B%92", 201), http.StatusUnprocessableEntity)
		}
	}
	// What names nobody and nothing is asked for in vain, however it looks.
	for _, parameter := range []string{"userId", "orderId"} {
		if op.Parameter("query", parameter) == nil {
			continue
		}
		for _, value := range []string{"%00", "%ff", "nonsense", strings.Repeat("x", 4000), "..%2f..", "usr_%20", "%F0%9F%9B%92"} {
			trials = append(trials, trial{
				name: fmt.Sprintf("an admin asks for %s=%.60s", parameter, value), client: s.Admin,
				want:    []int{http.StatusOK, http.StatusBadRequest, http.StatusUnprocessableEntity},
				request: shop.Request{Method: op.Method, Path: op.Path + "?" + parameter + "=" + value},
			})
		}
	}
	return trials
}

// strangers are cursors that are good for another list, another caller, or another
// filter.
func (s *suite) strangers(t *testing.T, op *apidoc.Operation) []string {
	t.Helper()
	var cursors []string
	for _, from := range []struct {
		client *shop.Client
		path   string
	}{
		{s.Admin, "/api/users?limit=1"},
		{s.Anyone, "/api/products?limit=1"},
		{s.Anyone, "/api/products?limit=1&category=kitchen"},
		{s.Anyone, "/api/products?limit=1&q=t"},
		{s.world.owner.Client, "/api/orders?limit=1"},
		{s.Admin, "/api/orders?limit=1&userId=" + s.world.owner.ID},
		{s.world.owner.Client, "/api/notifications?limit=1"},
		{s.Admin, "/api/notifications?limit=1&userId=" + s.world.owner.ID},
	} {
		own := s.as(t, s.world, op) == from.client && strings.HasPrefix(from.path, op.Path+"?limit=1") && !strings.Contains(from.path, "&")
		if own {
			continue
		}
		p := decoded[page](t, read(t, from.client, from.path))
		if p.NextCursor == nil {
			t.Fatalf("%s has no second page", from.path)
		}
		cursors = append(cursors, *p.NextCursor)
	}
	return cursors
}

// elsewhere are requests for what is no operation at all.
func (s *suite) elsewhere() []trial {
	var trials []trial
	for _, path := range []string{
		"/", "/api", "/api/", "/api/nothing", "/api/order", "/API/orders", "/api/orders/", "/api//orders", "//api/orders", "/api/orders%2f", "/api/orders;x=1",
		"/api/%6frders/x/y", "/api/orders/x/../../users", "/openapi.json", "/api/openapi.json", "/api/orders/openapi.yaml", "/api/orders/openapi.json/x", "/api/orders/OPENAPI.JSON",
		"/.env", "/api/.git/config", "/admin", "/metrics", "/debug/pprof/", "/api/orders/" + strings.Repeat("a", 7000), "/" + strings.Repeat("a/", 3000), "/api/stock", "/api/stock/x/y/z",
		"/health/live", "/health/ready",
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			trials = append(trials, trial{
				name: fmt.Sprintf("%s %.60q", method, path), client: s.world.owner.Client,
				want:    []int{http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusRequestURITooLong},
				request: shop.Request{Method: method, Path: path},
			})
		}
	}
	return trials
}
