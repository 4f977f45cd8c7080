// Package lambdahttp serves an http.Handler on Lambda, behind an API Gateway
// HTTP API (payload format 2.0) and behind an Application Load Balancer with
// single- or multi-value headers. One binary takes all three: the event tells
// which it is.
//
// It exists because handlers should be plain net/http, and because the general
// adapters decode every field of every event they know. This one picks what a
// request is made of, in a third of the time.
//
// Callers must keep: the handler answers everything itself, also its panics (an
// httpkit.Router does); the caller's identity is in the request's context, from
// the claims of the gateway's JWT authorizer and nowhere else. A balancer has no
// authorizer: behind it package auth finds out who asks.
package lambdahttp

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/lambda"

	"tradewind/shared/identity"
)

// New returns a Lambda handler that serves h.
func New(h http.Handler) lambda.Handler { return adapter{h} }

type adapter struct{ handler http.Handler }

// errNotHTTP is returned for an event that is no HTTP request: a wrong trigger,
// which no answer could tell anybody about.
var errNotHTTP = errors.New("lambdahttp: the event is neither an HTTP API 2.0 nor an ALB request; check what triggers this function")

// margin is kept of the function's time, so that a request that takes too long is
// answered as one and not cut off.
const margin = 500 * time.Millisecond

func (a adapter) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	ev, err := decode(payload)
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-margin))
		defer cancel()
	}
	if ev.alb {
		ctx = context.WithValue(ctx, balancer{}, true)
	} else {
		ctx = identity.WithClaims(ctx, ev.claims)
	}
	r := (&http.Request{
		Method:        ev.method,
		URL:           address(ev.path, ev.query),
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        ev.header,
		Body:          &body{*strings.NewReader(ev.body)},
		ContentLength: int64(len(ev.body)),
		Host:          ev.header.Get("Host"),
		RemoteAddr:    ev.remoteAddr,
	}).WithContext(ctx)
	r.RequestURI = r.URL.RequestURI()

	w := recorder{header: http.Header{}}
	a.handler.ServeHTTP(&w, r)
	return w.answer(r.Method, ev), nil
}

type balancer struct{}

// ViaBalancer reports whether a request came through a load balancer, where nobody
// has looked at its token yet.
func ViaBalancer(ctx context.Context) bool { return ctx.Value(balancer{}) != nil }

// body is a request's body.
type body struct{ strings.Reader }

func (*body) Close() error { return nil }

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

// answer encodes the response in the shape that both kinds of event take.
func (w *recorder) answer(method string, ev *event) []byte {
	w.WriteHeader(http.StatusOK)
	if method == http.MethodHead {
		w.body = nil
	}
	out := make([]byte, 0, len(w.body)+len(w.body)/4+512)
	out = strconv.AppendInt(append(out, `{"statusCode":`...), int64(w.status), 10)
	if ev.alb {
		out = appendText(append(out, `,"statusDescription":`...), strconv.Itoa(w.status)+" "+http.StatusText(w.status))
	} else if cookies := w.header["Set-Cookie"]; len(cookies) > 0 {
		out = appendList(append(out, `,"cookies":`...), cookies)
		delete(w.header, "Set-Cookie")
	}
	if ev.alb && ev.multiValue {
		out = append(out, `,"multiValueHeaders":{`...)
	} else {
		out = append(out, `,"headers":{`...)
	}
	first := true
	for name, values := range w.header {
		if !first {
			out = append(out, ',')
		}
		first = false
		out = append(appendText(out, name), ':')
		if ev.alb && ev.multiValue {
			out = appendList(out, values)
		} else {
			out = appendText(out, strings.Join(values, ","))
		}
	}
	if utf8.Valid(w.body) && len(w.header["Content-Encoding"]) == 0 {
		out = appendText(append(out, `},"body":`...), w.body)
		return append(out, `,"isBase64Encoded":false}`...)
	}
	out = append(out, `},"body":"`...)
	out = base64.StdEncoding.AppendEncode(out, w.body)
	return append(out, `","isBase64Encoded":true}`...)
}

func appendList(out []byte, texts []string) []byte {
	out = append(out, '[')
	for i, text := range texts {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendText(out, text)
	}
	return append(out, ']')
}

// appendText appends a text as a JSON string.
func appendText[T string | []byte](out []byte, text T) []byte {
	out = append(out, '"')
	done := 0
	for i := range len(text) {
		c := text[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		out = append(out, text[done:i]...)
		switch c {
		case '"', '\\':
			out = append(out, '\\', c)
		case '\n':
			out = append(out, '\\', 'n')
		default:
			out = fmt.Appendf(out, `\u%04x`, c)
		}
		done = i + 1
	}
	return append(append(out, text[done:]...), '"')
}
