package conformance

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"

	"tradewind/localstack/internal/shop"
	"tradewind/localstack/suites/conformance/apidoc"
)

// The checks here ask for what is refused, so they may ask it of the suite's one
// world. That nothing changed is seen by the resource's version.

// refusal makes a request that must be refused with a status and change nothing.
func (s *suite) refusal(t *testing.T, op *apidoc.Operation, c *shop.Client, r shop.Request, status int) shop.Problem {
	t.Helper()
	before := s.version(t, s.world, op)
	p := refused(t, r, ask(t, c, r), status)
	if after := s.version(t, s.world, op); after != before {
		t.Errorf("%s %s was refused with %d and changed %s to %s", r.Method, r.Path, status, before, after)
	}
	return p
}

// version returns the ETag of what an operation names, to those who may see it.
func (s *suite) version(t *testing.T, w *world, op *apidoc.Operation) string {
	t.Helper()
	if len(op.PathParams()) == 0 {
		return ""
	}
	collection := collectionOf(op)
	return read(t, s.Admin, "/api/"+collection+"/"+w.id(collection)).Header.Get("ETag")
}

func wholeProblems(t *testing.T, s *suite, op *apidoc.Operation) {
	r := with(s.request(t, s.world, op), "Accept", "text/csv")
	p := s.refusal(t, op, s.as(t, s.world, op), r, http.StatusNotAcceptable)
	if p.Type == "" || p.Title != http.StatusText(http.StatusNotAcceptable) {
		t.Errorf("the problem is %+v", p)
	}
}

func status400(t *testing.T, s *suite, op *apidoc.Operation) {
	c, good := s.as(t, s.world, op), s.request(t, s.world, op)
	if op.Body() != nil {
		s.refusal(t, op, c, withBody(good, []byte("{not JSON")), http.StatusBadRequest)
	}
	if op.Parameter("header", "If-Match") != nil {
		s.refusal(t, op, c, with(good, "If-Match", "nonsense"), http.StatusBadRequest)
	}
	if op.Parameter("header", "Idempotency-Key") != nil {
		s.refusal(t, op, c, with(good, "Idempotency-Key", "not visible"), http.StatusBadRequest)
	}
	if isList(s, op) {
		r := good
		r.Path += "&cursor=nonsense"
		s.refusal(t, op, c, r, http.StatusBadRequest)
	}
}

func status401(t *testing.T, s *suite, op *apidoc.Operation) {
	r := s.request(t, s.world, op)
	token := s.world.owner.Tokens.Access
	for _, authorization := range []string{
		"", "Bearer", "Bearer nonsense", "Bearer a.b.c", "Basic YTpi", token + "x", "Bearer " + token + "x",
		"Bearer " + token[:len(token)-8], "Bearer " + strings.Join(strings.Split(token, ".")[:2], ".") + ".",
	} {
		sent := with(r, "Authorization", authorization)
		unauthorized(t, op, sent, ask(t, s.Anyone, sent))
	}
}

func status403(t *testing.T, s *suite, op *apidoc.Operation) {
	r := s.request(t, s.world, op)
	if s.example(t, op).who == admin {
		s.refusal(t, op, s.world.owner.Client, r, http.StatusForbidden)
	}
	if forbidden := s.example(t, op).forbidden; forbidden != nil {
		c, code := forbidden(t, s)
		if p := s.refusal(t, op, c, r, http.StatusForbidden); p.Code != code {
			t.Errorf("code %q, want %q", p.Code, code)
		}
	}
	if op.Parameter("query", "userId") != nil {
		r.Path = op.Path + "?userId=" + s.world.other.ID
		s.refusal(t, op, s.world.owner.Client, r, http.StatusForbidden)
		if answer := ask(t, s.Admin, r); answer.Status != http.StatusOK {
			t.Errorf("an admin's %s: %d %s", r.Path, answer.Status, answer.Body)
		}
		r.Path = op.Path + "?userId=" + s.world.owner.ID
		if answer := ask(t, s.world.owner.Client, r); answer.Status != http.StatusOK {
			t.Errorf("one's own %s: %d %s", r.Path, answer.Status, answer.Body)
		}
	}
}

func status404(t *testing.T, s *suite, op *apidoc.Operation) {
	c, r := s.as(t, s.world, op), s.request(t, s.world, op)
	collection := collectionOf(op)
	if s.example(t, op).who == subject {
		c = s.Admin // to whom an account is absent only if it is
	}
	own := s.world.id(collection)
	bad := []string{absent(collection), "nonsense", strings.ToLower(own), own + "0", own[:len(own)-1], own[4:], "%20" + own}
	for other := range prefixes {
		if prefixes[other] != prefixes[collection] {
			bad = append(bad, s.world.id(other), prefixes[other]+own[3:])
		}
	}
	for _, id := range bad {
		sent := r
		sent.Path = withID(op, id)
		s.refusal(t, op, c, sent, http.StatusNotFound)
	}
	below := r
	below.Path += "/nothing/here"
	s.refusal(t, op, c, below, http.StatusNotFound)
	if who := s.example(t, op).who; who == owner || who == subject {
		p := s.refusal(t, op, s.world.other.Client, r, http.StatusNotFound)
		sent := r
		sent.Path = withID(op, absent(collection))
		if q := refused(t, sent, ask(t, s.world.other.Client, sent), http.StatusNotFound); q.Code != p.Code || q.Detail != p.Detail {
			t.Errorf("another's is told from an absent one: %+v, %+v", p, q)
		}
	}
}

func status405(t *testing.T, s *suite, op *apidoc.Operation) {
	path := s.world.path(op)
	allowed := s.docs.Methods(path)
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		if slices.Contains(allowed, method) {
			continue
		}
		r := shop.Request{Method: method, Path: path, Header: shop.Header("If-Match", `"1"`)}
		answer := ask(t, s.as(t, s.world, op), r)
		refused(t, r, answer, http.StatusMethodNotAllowed)
		var got []string
		for name := range strings.SplitSeq(answer.Header.Get("Allow"), ",") {
			if name = strings.TrimSpace(name); name != "HEAD" || !slices.Contains(allowed, "GET") {
				got = append(got, name)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, allowed) {
			t.Errorf("%s %s: Allow is %q, the documents say %v", method, path, answer.Header.Get("Allow"), allowed)
		}
	}
}

// head checks what Allow promises beside GET: the same answer to the same caller, but
// for its body.
func head(t *testing.T, s *suite, op *apidoc.Operation) {
	r := s.request(t, s.world, op)
	asked := r
	asked.Method = http.MethodHead
	clients := map[string]*shop.Client{"anyone": s.Anyone, "its owner": s.as(t, s.world, op), "another": s.world.other.Client}
	for who, c := range clients {
		whole, answer := ask(t, c, r), ask(t, c, asked)
		if answer.Status != whole.Status || len(answer.Body) > 0 {
			t.Errorf("%s: HEAD %s: %d with %d bytes, GET %d", who, r.Path, answer.Status, len(answer.Body), whole.Status)
		}
		for _, name := range []string{"Content-Type", "Etag"} {
			if got, want := answer.Header.Get(name), whole.Header.Get(name); got != want && !gatewaysOwn(op, r, whole) {
				t.Errorf("%s: HEAD %s: %s %q, GET %q", who, r.Path, name, got, want)
			}
		}
	}
}

func status406(t *testing.T, s *suite, op *apidoc.Operation) {
	c, r := s.as(t, s.world, op), s.request(t, s.world, op)
	for _, accept := range []string{"text/csv", "text/*, image/png;q=0.9", "application/json;q=0", "application/json; q=0.000", "application/vnd.api+json"} {
		s.refusal(t, op, c, with(r, "Accept", accept), http.StatusNotAcceptable)
	}
	if op.Method != http.MethodGet {
		return
	}
	for _, accept := range []string{"*/*", "application/*", "application/json", "text/html, application/json;q=0.1", "APPLICATION/JSON", "application/json; charset=utf-8"} {
		if answer := ask(t, c, with(r, "Accept", accept)); answer.Status != http.StatusOK {
			t.Errorf("Accept: %s: %d %s", accept, answer.Status, answer.Body)
		}
	}
}

func status409(t *testing.T, s *suite, op *apidoc.Operation) {
	conflict := s.example(t, op).conflict
	if conflict == nil {
		t.Fatal("no example of a conflict; give it one, or a reason why it has none, in exceptions_test.go")
	}
	w := *s.world
	r := s.request(t, &w, op)
	code := conflict(t, s, &w, &r)
	if op.Parameter("header", "If-Match") != nil { // the conflict may have a resource of its own
		r.Path = w.path(op)
		r.Header.Set("If-Match", s.version(t, &w, op))
	}
	before := s.version(t, &w, op)
	p := refused(t, r, ask(t, s.as(t, &w, op), r), http.StatusConflict)
	if p.Code != code {
		t.Errorf("code %q, want %q", p.Code, code)
	}
	if after := s.version(t, &w, op); after != before {
		t.Errorf("it changed %s to %s", before, after)
	}
}

func status412(t *testing.T, s *suite, op *apidoc.Operation) {
	c, r := s.as(t, s.world, op), s.request(t, s.world, op)
	for _, tag := range []string{`"999"`, `"2147483648"`} {
		s.refusal(t, op, c, with(r, "If-Match", tag), http.StatusPreconditionFailed)
	}
}

// largest is the most bytes that a body may have.
const largest = 256 << 10

func status413(t *testing.T, s *suite, op *apidoc.Operation) {
	r := s.request(t, s.world, op)
	for _, size := range []int{largest + 1, 2 * largest} {
		s.refusal(t, op, s.as(t, s.world, op), withBody(r, padded(r, size)), http.StatusRequestEntityTooLarge)
	}
	w := s.fresh(t, op)
	r = s.request(t, w, op)
	s.succeed(t, w, op, withBody(r, padded(r, largest)))
}

// padded returns a request's body with white space behind it.
func padded(r shop.Request, size int) []byte {
	body := r.Body.([]byte)
	return append(bytes.Clone(body), bytes.Repeat([]byte(" "), size-len(body))...)
}

func status415(t *testing.T, s *suite, op *apidoc.Operation) {
	c, r := s.as(t, s.world, op), s.request(t, s.world, op)
	for _, kind := range []string{
		"", "text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonx",
		"application/json; charset=utf-16", "application/json;charset=iso-8859-1", "application/*", "json", "application/json, text/plain",
	} {
		s.refusal(t, op, c, with(r, "Content-Type", kind), http.StatusUnsupportedMediaType)
	}
	w := s.fresh(t, op)
	for _, kind := range append(op.BodyTypes(), "application/json; charset=utf-8", `APPLICATION/JSON;charset="UTF-8"`) {
		s.succeed(t, w, op, with(s.request(t, w, op), "Content-Type", kind))
	}
}

func status422(t *testing.T, s *suite, op *apidoc.Operation) {
	c, r := s.as(t, s.world, op), s.request(t, s.world, op)
	if op.Body() != nil {
		p := s.refusal(t, op, c, withBody(r, []byte(`{"nonsense": 1}`)), http.StatusUnprocessableEntity)
		if len(p.Errors) == 0 {
			t.Errorf("no pointer: %+v", p)
		}
	}
	if !isList(s, op) {
		return
	}
	for _, limit := range []string{"0", "101", "-1", "all"} {
		sent := r
		sent.Path = op.Path + "?limit=" + limit
		if query := s.example(t, op).query; query != nil && !strings.Contains(query(s.world), "limit") {
			sent.Path += "&" + query(s.world)
		}
		s.refusal(t, op, c, sent, http.StatusUnprocessableEntity)
	}
}

func status428(t *testing.T, s *suite, op *apidoc.Operation) {
	r := s.request(t, s.world, op)
	s.refusal(t, op, s.as(t, s.world, op), with(r, "If-Match", ""), http.StatusPreconditionRequired)
}
