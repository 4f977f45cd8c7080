// Package lambdahttp serves an http.Handler on Lambda, behind an API Gateway
// HTTP API (payload format 2.0) and behind an Application Load Balancer with
// single- or multi-value headers. One binary takes all three: the event tells
// which it is.
//
// It exists because handlers should be plain net/http, and because the general
// adapters decode every field of every event they know. This one decodes what a
// request is made of.
//
// Callers must keep: the handler answers everything itself, also its panics (an
// httpkit.Router does); the caller's identity is in the request's context, from
// the claims of the gateway's JWT authorizer and nowhere else.
package lambdahttp

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/lambda"

	"tradewind/shared/identity"
)

// New returns a Lambda handler that serves h.
func New(h http.Handler) lambda.Handler { return adapter{h} }

type adapter struct{ handler http.Handler }

// event holds what the two kinds of event have that makes up a request.
//
//	HTTP API 2.0  https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
//	ALB           https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
type event struct {
	Version string `json:"version"` // HTTP API: "2.0"

	RawPath        string   `json:"rawPath"`        // HTTP API
	RawQueryString string   `json:"rawQueryString"` // HTTP API
	Cookies        []string `json:"cookies"`        // HTTP API

	HTTPMethod        string              `json:"httpMethod"`                      // ALB
	Path              string              `json:"path"`                            // ALB
	Query             map[string]string   `json:"queryStringParameters"`           // ALB, as sent: not decoded
	MultiValueQuery   map[string][]string `json:"multiValueQueryStringParameters"` // ALB, multi-value mode
	MultiValueHeaders map[string][]string `json:"multiValueHeaders"`               // ALB, multi-value mode

	Headers         map[string]string `json:"headers"`
	Body            string            `json:"body"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`

	RequestContext struct {
		ELB  *struct{} `json:"elb"` // present on ALB events only
		HTTP struct {
			Method   string `json:"method"`
			SourceIP string `json:"sourceIp"`
		} `json:"http"`
		Authorizer struct {
			JWT struct {
				Claims map[string]string `json:"claims"`
			} `json:"jwt"`
		} `json:"authorizer"`
	} `json:"requestContext"`
}

// answer is the response in the shape that both kinds take.
type answer struct {
	StatusCode        int                 `json:"statusCode"`
	StatusDescription string              `json:"statusDescription,omitempty"` // ALB
	Headers           map[string]string   `json:"headers,omitempty"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders,omitempty"` // ALB, multi-value mode
	Cookies           []string            `json:"cookies,omitempty"`           // HTTP API
	Body              string              `json:"body"`
	IsBase64Encoded   bool                `json:"isBase64Encoded"`
}

// errNotHTTP is returned for an event that is no HTTP request: a wrong trigger,
// which no answer could tell anybody about.
var errNotHTTP = errors.New("lambdahttp: the event is neither an HTTP API 2.0 nor an ALB request; check what triggers this function")

func (a adapter) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	var ev event
	if err := json.Unmarshal(payload, &ev); err != nil {
		return nil, fmt.Errorf("%w: %w", errNotHTTP, err)
	}
	alb := ev.RequestContext.ELB != nil
	if !alb && ev.Version != "2.0" {
		return nil, errNotHTTP
	}
	body, err := ev.body()
	if err != nil {
		return nil, err
	}
	var r *http.Request
	if alb {
		r = ev.fromALB()
	} else {
		r = ev.fromHTTPAPI()
		ctx = identity.WithClaims(ctx, ev.RequestContext.Authorizer.JWT.Claims)
	}
	r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.1", 1, 1
	r.Host = r.Header.Get("Host")
	r.Body = io.NopCloser(strings.NewReader(body))
	r.ContentLength = int64(len(body))
	r.RequestURI = r.URL.RequestURI()

	w := recorder{header: http.Header{}}
	a.handler.ServeHTTP(&w, r.WithContext(ctx))
	return json.Marshal(w.answer(r.Method, alb, ev.MultiValueHeaders != nil))
}

func (ev *event) body() (string, error) {
	if !ev.IsBase64Encoded {
		return ev.Body, nil
	}
	raw, err := base64.StdEncoding.DecodeString(ev.Body)
	if err != nil {
		return "", fmt.Errorf("lambdahttp: body says it is base64 and is not: %w", err)
	}
	return string(raw), nil
}

func (ev *event) fromHTTPAPI() *http.Request {
	header := make(http.Header, len(ev.Headers)+1)
	for name, value := range ev.Headers {
		header.Set(name, value)
	}
	if len(ev.Cookies) > 0 {
		header.Set("Cookie", strings.Join(ev.Cookies, "; "))
	}
	return &http.Request{
		Method:     ev.RequestContext.HTTP.Method,
		URL:        address(ev.RawPath, ev.RawQueryString),
		Header:     header,
		RemoteAddr: ev.RequestContext.HTTP.SourceIP,
	}
}

func (ev *event) fromALB() *http.Request {
	header := make(http.Header, len(ev.Headers)+len(ev.MultiValueHeaders))
	for name, value := range ev.Headers {
		header.Set(name, value)
	}
	for name, values := range ev.MultiValueHeaders {
		for _, value := range values {
			header.Add(name, value)
		}
	}
	var query []string
	for name, value := range ev.Query {
		query = append(query, name+"="+value)
	}
	for name, values := range ev.MultiValueQuery {
		for _, value := range values {
			query = append(query, name+"="+value)
		}
	}
	return &http.Request{
		Method:     ev.HTTPMethod,
		URL:        address(ev.Path, strings.Join(query, "&")),
		Header:     header,
		RemoteAddr: header.Get("X-Forwarded-For"),
	}
}

// address makes a URL of a path as it was sent. A path that does not decode is
// taken by the letter: it will match no route.
func address(raw, query string) *url.URL {
	if !strings.HasPrefix(raw, "/") {
		raw = "/" + raw
	}
	path, err := url.PathUnescape(raw)
	if err != nil {
		return &url.URL{Path: raw, RawQuery: query}
	}
	return &url.URL{Path: path, RawPath: raw, RawQuery: query}
}

// recorder is the http.ResponseWriter that keeps the response in memory.
type recorder struct {
	header http.Header
	status int
	body   []byte
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *recorder) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	w.body = append(w.body, p...)
	return len(p), nil
}

func (w *recorder) answer(method string, alb, multiValue bool) answer {
	w.WriteHeader(http.StatusOK)
	if method == http.MethodHead {
		w.body = nil
	}
	out := answer{StatusCode: w.status}
	if utf8.Valid(w.body) && w.header.Get("Content-Encoding") == "" {
		out.Body = string(w.body)
	} else {
		out.Body, out.IsBase64Encoded = base64.StdEncoding.EncodeToString(w.body), true
	}
	if alb {
		out.StatusDescription = fmt.Sprintf("%d %s", w.status, http.StatusText(w.status))
	} else if cookies := w.header.Values("Set-Cookie"); len(cookies) > 0 {
		out.Cookies = cookies
		w.header.Del("Set-Cookie")
	}
	if alb && multiValue {
		out.MultiValueHeaders = w.header
		return out
	}
	out.Headers = make(map[string]string, len(w.header))
	for name, values := range w.header {
		out.Headers[name] = strings.Join(values, ",")
	}
	return out
}
