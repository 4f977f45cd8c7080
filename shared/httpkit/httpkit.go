// Package httpkit is what every HTTP handler of the platform needs above
// net/http: handlers that return an answer or an error, problem+json for every
// refusal, strict decoding, entity tags and paging.
//
// It exists so that a route is three steps (parse, call the domain, render) and
// every service refuses in the same words. It knows nothing of Lambda: a
// handler test is httptest, and the same handler runs on localhost.
//
// Callers must keep: routes are registered on a Router, which answers what no
// route takes; errors from the domain are returned as they are, for the kind of
// a package apperr error decides the status.
package httpkit

import (
	"cmp"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tradewind/shared/apperr"
	"tradewind/shared/function"
	"tradewind/shared/trace"
)

// Answer is a response that has not been written yet. Being a value, it can be
// stored and given again to whoever repeats the request.
type Answer struct {
	Status int
	Header http.Header
	// Body is the encoded body; nil for none.
	Body []byte
}

// JSON returns an answer with v as its body.
func JSON(status int, v any) Answer {
	body, err := json.Marshal(v)
	if err != nil {
		// Answers are our own types: one that does not encode is a defect that
		// the router's recovery turns into a 500.
		panic("httpkit: encode answer: " + err.Error())
	}
	return Answer{Status: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: body}
}

// Resource returns an answer with a versioned resource, its ETag included.
func Resource(status, version int, v any) Answer {
	a := JSON(status, v)
	a.Header["Etag"] = []string{`"` + strconv.Itoa(version) + `"`}
	return a
}

// Document returns a handler that answers with a JSON document that never
// changes while the process lives, such as an OpenAPI document.
func Document(body []byte) Handler {
	return func(*http.Request) (Answer, error) {
		return Answer{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: body}, nil
	}
}

// Created returns 201 with the resource and where it is.
func Created(location string, version int, v any) Answer {
	a := Resource(http.StatusCreated, version, v)
	a.Header["Location"] = []string{location}
	return a
}

// NoContent returns 204.
func NoContent() Answer { return Answer{Status: http.StatusNoContent, Header: http.Header{}} }

// With returns the answer with one more header. The answer itself stays as it
// is, so that one may be kept and given to many.
func (a Answer) With(name, value string) Answer {
	header := make(http.Header, len(a.Header)+1)
	maps.Copy(header, a.Header)
	header.Set(name, value)
	a.Header = header
	return a
}

func (a Answer) write(w http.ResponseWriter) {
	maps.Copy(w.Header(), a.Header)
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body) // the peer is gone: nobody is left to tell
}

// Handler handles one route.
type Handler func(r *http.Request) (Answer, error)

// Router serves routes and answers what none of them takes with problem+json.
type Router struct {
	mux      *http.ServeMux
	log      *slog.Logger
	patterns []string
	pages    map[string]string // media types of what is no JSON, by path
}

// NewRouter returns a router without routes. It logs one line per request.
func NewRouter(log *slog.Logger) *Router {
	rt := &Router{mux: http.NewServeMux(), log: log}
	rt.handle("/", rt.unrouted)
	return rt
}

// Handle registers a handler for a net/http pattern such as
// "GET /api/orders/{id}".
func (rt *Router) Handle(pattern string, h Handler) {
	rt.patterns = append(rt.patterns, pattern)
	rt.handle(pattern, h)
}

// Page serves what is fixed when the program is built and is for people or tools to
// read, of a media type of its own. Scripts and styles of an HTML page are its own too:
// it loads nothing, from nowhere. A page is no operation: Patterns does not name it.
func (rt *Router) Page(path, media, body string) {
	if rt.pages == nil {
		rt.pages = map[string]string{}
	}
	rt.pages[path] = media
	header := http.Header{
		"Content-Type":            {media + "; charset=utf-8"},
		"Cache-Control":           {"public, max-age=300"},
		"X-Content-Type-Options":  {"nosniff"},
		"Content-Security-Policy": {"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
	}
	rt.handle("GET "+path, func(*http.Request) (Answer, error) {
		// Not before somebody asks: to copy it is to read it from the program's file, which
		// no start should wait for.
		return Answer{Status: http.StatusOK, Header: header, Body: []byte(body)}, nil
	})
}

// Logger returns what the router logs to.
func (rt *Router) Logger() *slog.Logger { return rt.log }

// Patterns returns what routes were registered for.
func (rt *Router) Patterns() []string { return rt.patterns }

func (rt *Router) handle(pattern string, h Handler) {
	rt.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		res := w.(*response)
		res.answer, res.err = h(r)
		res.handled = true
	})
}

// response is where a handler's result waits until the router writes it. What
// ServeMux writes by itself goes nowhere.
type response struct {
	answer  Answer
	err     error
	handled bool
}

func (*response) Header() http.Header         { return http.Header{} }
func (*response) WriteHeader(int)             {}
func (*response) Write(p []byte) (int, error) { return len(p), nil }

// ServeHTTP handles one request: it takes up the trace, unless something around the
// router has done so, routes, recovers a panic, writes the answer or the problem, and
// logs the outcome.
func (rt *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	t := trace.From(r.Context())
	if t.CorrelationID == "" {
		t = trace.New(r.Header.Get(trace.CorrelationHeader), r.Header.Get(trace.ParentHeader))
		r = r.WithContext(trace.With(r.Context(), t))
	}
	res := &response{}
	rt.route(res, r)
	answer := res.answer
	if res.err != nil {
		answer = Problem(res.err, r)
	}
	w.Header().Set(trace.CorrelationHeader, t.CorrelationID)
	answer.write(w)
	rt.logRequest(r, answer.Status, res.err, time.Since(start))
}

func (rt *Router) route(res *response, r *http.Request) {
	defer func() {
		if p := recover(); p != nil {
			function.LogPanic(r.Context(), rt.log, p)
			res.err = apperr.New(apperr.Internal, "internal", "panic")
		}
	}()
	if page := rt.pages[r.URL.Path]; !accepts(r, page) {
		res.err = status(http.StatusNotAcceptable, "not_acceptable", "This resource is answered with "+cmp.Or(page, "application/json")+".")
		return
	}
	rt.mux.ServeHTTP(res, r)
	if !res.handled {
		// ServeMux would have redirected to a path without "//" or ".."; no client
		// of an API asks for those by intention.
		res.err = notFound()
	}
}

// unrouted answers 405 where another method would be served, else 404.
func (rt *Router) unrouted(r *http.Request) (Answer, error) {
	var allow []string
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
		other := *r
		other.Method = method
		if _, pattern := rt.mux.Handler(&other); pattern != "/" {
			allow = append(allow, method)
		}
	}
	if len(allow) == 0 {
		return Answer{}, notFound()
	}
	err := status(http.StatusMethodNotAllowed, "method_not_allowed", "This resource does not take "+r.Method+"; see Allow.")
	err.header = http.Header{"Allow": {strings.Join(allow, ", ")}}
	return Answer{}, err
}

func (rt *Router) logRequest(r *http.Request, status int, err error, took time.Duration) {
	level := slog.LevelInfo
	switch {
	case status == http.StatusInternalServerError:
		level = slog.LevelError
	case status > http.StatusInternalServerError:
		level = slog.LevelWarn
	}
	attrs := []slog.Attr{
		slog.String("method", r.Method),
		slog.String("route", r.Pattern),
		slog.Int("status", status),
		slog.Int64("micros", took.Microseconds()),
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	rt.log.LogAttrs(r.Context(), level, "request", attrs...)
}

// accepts reports whether the client takes what we send: JSON, or a page's media type.
// A missing header takes anything (RFC 9110, 12.5.1).
func accepts(r *http.Request, page string) bool {
	accept := r.Header.Values("Accept")
	if len(accept) == 0 {
		return true
	}
	for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		media, params, _ := strings.Cut(part, ";")
		if !covers(strings.ToLower(strings.TrimSpace(media)), page) {
			continue
		}
		if q, ok := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=0"); !ok || strings.Trim(q, ".0") != "" {
			return true
		}
	}
	return false
}

// covers reports whether what we send is in a range of media types.
func covers(media, page string) bool {
	if media == "*/*" || media == "" {
		return true
	}
	if page != "" {
		kind, any := strings.CutSuffix(media, "*")
		return media == page || any && strings.HasPrefix(page, kind)
	}
	switch media {
	case "application/*", "application/json", "application/problem+json", "application/health+json", "application/yaml":
		return true
	}
	return false
}
