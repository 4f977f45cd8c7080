package front

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// What an HTTP API takes: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
const (
	gatewayBody   = 10 << 20
	gatewayHeader = 10 << 10
	gatewayStage  = "$default"
	defaultRoute  = "$default" // for what no other fits
)

// httpEvent is what a function gets from an HTTP API, payload 2.0:
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
type httpEvent struct {
	Version         string            `json:"version"`
	RouteKey        string            `json:"routeKey"`
	RawPath         string            `json:"rawPath"`
	RawQueryString  string            `json:"rawQueryString"`
	Cookies         []string          `json:"cookies,omitempty"`
	Headers         map[string]string `json:"headers"`
	Query           map[string]string `json:"queryStringParameters,omitempty"`
	Context         httpContext       `json:"requestContext"`
	PathParameters  map[string]string `json:"pathParameters,omitempty"`
	Body            string            `json:"body,omitempty"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
}

type httpContext struct {
	AccountID    string          `json:"accountId"`
	APIID        string          `json:"apiId"`
	Authorizer   *httpAuthorizer `json:"authorizer,omitempty"`
	DomainName   string          `json:"domainName"`
	DomainPrefix string          `json:"domainPrefix"`
	HTTP         httpRequest     `json:"http"`
	RequestID    string          `json:"requestId"`
	RouteKey     string          `json:"routeKey"`
	Stage        string          `json:"stage"`
	Time         string          `json:"time"`
	TimeEpoch    int64           `json:"timeEpoch"`
}

type httpAuthorizer struct {
	JWT struct {
		Claims map[string]string `json:"claims"`
		Scopes []string          `json:"scopes"`
	} `json:"jwt"`
}

type httpRequest struct {
	Method    string `json:"method"`
	Path      string `json:"path"`
	Protocol  string `json:"protocol"`
	SourceIP  string `json:"sourceIp"`
	UserAgent string `json:"userAgent"`
}

// gateway answers as the HTTP API does. path is escaped, as it was sent.
func (f *Front) gateway(w http.ResponseWriter, r *http.Request, api *httpAPI, path string) {
	if api.cors.preflight(w, r) {
		return
	}
	id := random(8)
	w.Header().Set("Apigw-Requestid", id)
	if headerSize(r) > gatewayHeader {
		message(w, http.StatusRequestHeaderFieldsTooLarge, "Request Header Fields Too Large")
		return
	}
	path = decoded(path)
	matched, parameters := api.route(r.Method, path)
	if matched == nil {
		message(w, http.StatusNotFound, "Not Found")
		return
	}
	event := f.httpEvent(r, api, matched, path, id)
	event.PathParameters = parameters
	if matched.authorizer != nil {
		claims, err := matched.authorizer.authorize(r.Context(), event.Headers["authorization"], matched.scopes, f.cfg.Now())
		if errors.Is(err, errForbidden) {
			message(w, http.StatusForbidden, "Forbidden")
			return
		}
		if err != nil {
			w.Header().Set("Www-Authenticate", "Bearer")
			message(w, http.StatusUnauthorized, "Unauthorized")
			return
		}
		event.Context.Authorizer = &httpAuthorizer{}
		event.Context.Authorizer.JWT.Claims = claimTexts(claims)
		event.Context.Authorizer.JWT.Scopes = matched.scopes
	}
	var whole bool
	var err error
	if event.Body, event.IsBase64Encoded, whole, err = body(r, gatewayBody); err != nil {
		return // the client is gone
	}
	if !whole {
		message(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), matched.timeout)
	defer cancel()
	got, err := f.invoke(ctx, matched.target, event, event.Headers["x-amzn-trace-id"])
	if err != nil || got.status != http.StatusOK {
		f.cfg.Log.Printf("%s %s: %d %s %v", r.Method, path, got.status, got.payload, err)
		message(w, http.StatusServiceUnavailable, "Service Unavailable")
		return
	}
	if got.failed || !writeHTTP(w, got.payload, func() { api.cors.expose(w, r) }) {
		f.cfg.Log.Printf("%s %s: %s", r.Method, path, got.payload)
		message(w, http.StatusInternalServerError, "Internal Server Error")
	}
}

func (f *Front) httpEvent(r *http.Request, api *httpAPI, matched *route, path, id string) *httpEvent {
	now := f.cfg.Now().UTC()
	e := &httpEvent{
		Version:        "2.0",
		RouteKey:       matched.key,
		RawPath:        path,
		RawQueryString: r.URL.RawQuery,
		Headers:        make(map[string]string, len(r.Header)+5),
		Context: httpContext{
			AccountID:    f.cfg.Account,
			APIID:        api.id,
			DomainName:   r.Host,
			DomainPrefix: api.id,
			HTTP: httpRequest{
				Method: r.Method, Path: path, Protocol: r.Proto, SourceIP: source(r), UserAgent: r.UserAgent(),
			},
			RequestID: id,
			RouteKey:  matched.key,
			Stage:     gatewayStage,
			Time:      now.Format("02/Jan/2006:15:04:05 -0700"),
			TimeEpoch: now.UnixMilli(),
		},
	}
	for name, values := range r.Header {
		if name == "Cookie" {
			for _, v := range values {
				for cookie := range strings.SplitSeq(v, ";") {
					e.Cookies = append(e.Cookies, strings.TrimSpace(cookie))
				}
			}
			continue
		}
		e.Headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	e.Headers["host"] = r.Host
	if r.ContentLength > 0 {
		e.Headers["content-length"] = strconv.FormatInt(r.ContentLength, 10)
	}
	e.Headers["x-amzn-trace-id"] = traced(r, now)
	e.Headers["x-forwarded-for"] = strings.TrimPrefix(e.Headers["x-forwarded-for"]+", "+source(r), ", ")
	e.Headers["x-forwarded-proto"] = "http"
	for name, values := range r.URL.Query() {
		if e.Query == nil {
			e.Query = map[string]string{}
		}
		e.Query[name] = strings.Join(values, ",")
	}
	return e
}

// writeHTTP writes a function's answer; false means that it is none. An answer
// without a status is a body: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
func writeHTTP(w http.ResponseWriter, payload []byte, expose func()) bool {
	var a reply
	var fields map[string]json.RawMessage
	if json.Unmarshal(payload, &fields) != nil || fields["statusCode"] == nil {
		if !json.Valid(payload) {
			return false
		}
		expose()
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(payload)
		return true
	}
	if json.Unmarshal(payload, &a) != nil {
		return false
	}
	status, ok := a.status()
	content, err := a.content()
	if !ok || err != nil {
		return false
	}
	for name, v := range a.Headers {
		w.Header().Set(name, fmt.Sprint(v))
	}
	for _, c := range a.Cookies {
		w.Header().Add("Set-Cookie", c)
	}
	w.Header().Del("Content-Length") // the content's own
	if w.Header().Get("Content-Type") == "" && len(content) > 0 {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	expose()
	w.WriteHeader(status)
	_, _ = w.Write(content)
	return true
}

// route finds the route for a request, and what its variables stand for. The routes are
// ordered; the first that fits is the most specific one:
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
func (a *httpAPI) route(method, path string) (*route, map[string]string) {
	asked := segments(path)
	for _, r := range a.routes {
		if r.method != "ANY" && r.method != method {
			continue
		}
		if parameters, ok := r.fits(asked); ok {
			return r, parameters
		}
	}
	return nil, nil
}

func (r *route) fits(asked []string) (map[string]string, bool) {
	if r.key == defaultRoute {
		return nil, true
	}
	var parameters map[string]string
	set := func(name, v string) {
		if parameters == nil {
			parameters = map[string]string{}
		}
		parameters[name] = v
	}
	for i, s := range r.path {
		name, kind := variable(s)
		switch {
		case kind == greedy:
			if len(asked) <= i || asked[i] == "" {
				return nil, false
			}
			set(name, strings.Join(asked[i:], "/"))
			return parameters, true
		case len(asked) <= i:
			return nil, false
		case kind == single && asked[i] != "":
			set(name, asked[i])
		case s != asked[i]:
			return nil, false
		}
	}
	return parameters, len(asked) == len(r.path)
}

// The kinds of a path's segment, the most specific first.
const (
	literal = iota
	single
	greedy
)

func variable(segment string) (name string, kind int) {
	inner, ok := strings.CutPrefix(segment, "{")
	if !ok || !strings.HasSuffix(inner, "}") {
		return "", literal
	}
	inner = strings.TrimSuffix(inner, "}")
	if name, ok := strings.CutSuffix(inner, "+"); ok {
		return name, greedy
	}
	return inner, single
}

// moreSpecific orders routes: a full match before a greedy one, a literal segment
// before a variable, a method before ANY.
func moreSpecific(a, b *route) int {
	for i := range min(len(a.path), len(b.path)) {
		_, ka := variable(a.path[i])
		_, kb := variable(b.path[i])
		if ka != kb {
			return ka - kb
		}
	}
	if len(a.path) != len(b.path) {
		return len(b.path) - len(a.path)
	}
	anyA, anyB := a.method == "ANY", b.method == "ANY"
	if anyA != anyB {
		if anyA {
			return 1
		}
		return -1
	}
	return strings.Compare(a.key, b.key)
}

func segments(path string) []string { return strings.Split(strings.TrimPrefix(path, "/"), "/") }

// decoded decodes a path as an HTTP API does, all but an escaped percent sign.
func decoded(path string) string {
	plain, err := url.PathUnescape(strings.ReplaceAll(path, "%25", "%2525"))
	if err != nil {
		return path
	}
	return plain
}

// preflight answers a browser's question before its request, if the API has rules for
// other origins: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html
func (c *cors) preflight(w http.ResponseWriter, r *http.Request) bool {
	if c == nil || r.Method != http.MethodOptions || r.Header.Get("Origin") == "" || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	if origin := c.origin(r); origin != "" {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Methods", strings.Join(c.AllowMethods, ","))
		h.Set("Access-Control-Allow-Headers", strings.Join(c.AllowHeaders, ","))
		h.Set("Access-Control-Max-Age", strconv.Itoa(c.MaxAge))
		if c.AllowCredentials {
			h.Set("Access-Control-Allow-Credentials", "true")
		}
	}
	w.WriteHeader(http.StatusNoContent)
	return true
}

// expose tells a browser what of an answer a foreign page may read. What the function
// says of it does not count.
func (c *cors) expose(w http.ResponseWriter, r *http.Request) {
	if c == nil {
		return
	}
	for name := range w.Header() {
		if strings.HasPrefix(name, "Access-Control-") {
			w.Header().Del(name)
		}
	}
	origin := c.origin(r)
	if r.Header.Get("Origin") == "" || origin == "" {
		return
	}
	w.Header().Set("Access-Control-Allow-Origin", origin)
	if len(c.ExposeHeaders) > 0 {
		w.Header().Set("Access-Control-Expose-Headers", strings.Join(c.ExposeHeaders, ","))
	}
}

func (c *cors) origin(r *http.Request) string {
	if slices.Contains(c.AllowOrigins, "*") {
		return "*"
	}
	if origin := r.Header.Get("Origin"); slices.Contains(c.AllowOrigins, origin) {
		return origin
	}
	return ""
}

// headerSize counts the request line and the headers.
func headerSize(r *http.Request) int {
	n := len(r.Method) + len(r.URL.RequestURI()) + len(r.Host)
	for name, values := range r.Header {
		for _, v := range values {
			n += len(name) + len(v)
		}
	}
	return n
}

func source(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
