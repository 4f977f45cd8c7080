package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"tradewind/shared/discovery"
	"tradewind/shared/trace"
)

// fair is the least time that a try must have had for its end to say anything of
// the service. A caller with no time left is nobody's failure.
const fair = 50 * time.Millisecond

// transport is the http.RoundTripper that does all of it.
type transport struct {
	cfg Config

	mu      sync.Mutex
	targets map[string]*target
}

// call is a call under way.
type call struct {
	*transport
	s        *target
	r        *http.Request // as the caller made it
	body     io.ReadCloser // of the next try
	deadline time.Time
	record   Call
}

// outcome is what a try came to: an answer, whatever its status, or an error.
type outcome struct {
	res *http.Response
	err error
}

// failed reports whether the service did not do its work. A service that says no, or
// not so fast, does it.
func (o *outcome) failed() bool {
	return o.err != nil || o.res.StatusCode >= 500 && o.res.StatusCode != http.StatusNotImplemented
}

// RoundTrip makes a call.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	start := time.Now()
	s, err := t.platform(r.URL)
	if err != nil {
		closeBody(r.Body)
		return nil, err
	}
	c := call{
		transport: t, s: s, r: r, body: r.Body,
		deadline: start.Add(t.cfg.Timeout),
		record:   Call{Service: s.name, Method: r.Method},
	}
	if d, ok := r.Context().Deadline(); ok && d.Add(-t.cfg.Margin).Before(c.deadline) {
		c.deadline = d.Add(-t.cfg.Margin)
	}
	o := c.run(start)
	closeBody(c.body) // of a try that was not made
	if o.res != nil {
		o.res.Request = r
	}
	c.record.Took = time.Since(start)
	c.conclude(&o)
	return o.res, o.err
}

// platform returns the service that a URL names. Nothing else can be called: a token
// that goes along must not leave the platform.
func (t *transport) platform(u *url.URL) (*target, error) {
	if u.Scheme != "http" || u.User != nil {
		return nil, fmt.Errorf("services are called as http://<name>-service/…, not %s", u.Redacted())
	}
	return t.target(u.Host)
}

// run makes the tries.
func (c *call) run(now time.Time) outcome {
	ctx := c.r.Context()
	switch {
	case ctx.Err() != nil:
		return outcome{err: ctx.Err()}
	case !now.Before(c.deadline):
		return outcome{err: context.DeadlineExceeded}
	}
	if err := c.s.enter(ctx, c.deadline); err != nil {
		return outcome{err: err}
	}
	defer c.s.leave()
	c.s.budget.earn()
	may := repeatable(c.r)
	var before outcome
	for n := 1; ; n++ {
		o := c.attempt(ctx, now)
		if n > 1 && errors.Is(o.err, ErrOpen) {
			c.record.Stopped = "circuit"
			return before // it says more of what is wrong
		}
		if !o.passing() || ctx.Err() != nil {
			return o
		}
		failed := time.Now()
		wait := o.pause(n, failed)
		c.record.Stopped = c.stop(&o, may, n, failed.Add(wait))
		if c.record.Stopped != "" {
			return o
		}
		before = o
		c.record.Waited += wait
		if err := sleep(ctx, wait); err != nil {
			return outcome{err: err}
		}
		now = time.Now()
		if c.r.Body != nil && c.r.Body != http.NoBody {
			body, err := c.r.GetBody()
			if err != nil {
				return outcome{err: err}
			}
			c.body = body
		}
	}
}

// stop returns why there is no other try at a time, after n; or it pays for it. What was
// never sent may be sent whatever it is, and costs nothing: it goes elsewhere, where
// there is more than one instance.
func (c *call) stop(o *outcome, repeatable bool, n int, at time.Time) string {
	unsent := o.unsent() && resendable(c.r)
	switch {
	case !repeatable && !unsent:
		return "not repeatable"
	case n >= c.cfg.Tries:
		return "tries"
	case at.Add(fair).After(c.deadline):
		return "deadline"
	case c.s.breaker.opened():
		return "circuit"
	case !unsent && !c.s.budget.spend():
		return "budget"
	}
	return ""
}

// attempt makes a try, if the breaker allows one.
func (c *call) attempt(ctx context.Context, now time.Time) outcome {
	t, ok := c.next(now)
	if !ok {
		return outcome{err: ErrOpen}
	}
	return t.run(ctx)
}

// try is one exchange with a service.
type try struct {
	*transport
	s          *target
	turn       int // of the breaker
	began, end time.Time
	r          *http.Request // as the caller made it
	body       io.ReadCloser // nil once the transport has it
}

// next returns the next try, if the breaker allows one.
func (c *call) next(now time.Time) (try, bool) {
	turn, ok := c.s.breaker.allow(now)
	if !ok {
		return try{}, false
	}
	c.record.Tries++
	end := now.Add(c.cfg.TryTimeout)
	if c.deadline.Before(end) {
		end = c.deadline
	}
	body := c.body
	c.body = nil
	return try{c.transport, c.s, turn, now, end, c.r, body}, true
}

// run finds the service, asks it, and tells breaker and instance what came of it.
func (t *try) run(ctx context.Context) outcome {
	limited, cancel := context.WithDeadline(ctx, t.end)
	defer cancel()
	address, err := t.cfg.Resolver.Resolve(limited, t.s.name)
	if err != nil {
		closeBody(t.body)
		t.s.breaker.done(t.turn, nothing) // it was not even asked
		return outcome{err: err}
	}
	o := t.send(limited, address)
	switch {
	case !o.failed():
		address.Done(true)
		t.s.breaker.done(t.turn, good)
	case errors.Is(ctx.Err(), context.Canceled), t.end.Sub(t.began) < fair && timedOut(o.err):
		address.Done(true)
		t.s.breaker.done(t.turn, nothing)
	default:
		address.Done(false)
		t.s.breaker.done(t.turn, bad)
	}
	return o
}

// send sends the request to an address and reads the answer whole.
func (t *try) send(ctx context.Context, address discovery.Address) outcome {
	tr := trace.From(ctx)
	authorization, _ := ctx.Value(token{}).(string)
	x := &exchange{
		Request: *t.r.WithContext(ctx),
		url:     join(address.Base, t.r.URL),
		values:  [...]string{authorization, tr.CorrelationID, tr.Parent},
	}
	x.URL, x.Host, x.Body = &x.url, address.Host, t.body
	x.addHeaders()
	res, err := t.cfg.Transport.RoundTrip(&x.Request)
	if err == nil {
		err = x.readWhole(res, t.cfg.MaxBody)
	}
	if err != nil {
		// The network tells of the end of the time in words of its own.
		if cause := ctx.Err(); cause != nil && !errors.Is(err, cause) {
			err = fmt.Errorf("%w: %w", cause, err)
		}
		return outcome{err: err}
	}
	return outcome{res: res}
}

// exchange is what a try sends and what it gets, in one piece of memory: to ask for
// five would cost more than all that is decided here.
type exchange struct {
	http.Request
	url    url.URL
	values [3]string // of the headers that are added
	answer whole
}

// addHeaders adds what the context knows to the caller's headers, which stay as they
// are: what they name already is sent as they have it.
func (x *exchange) addHeaders() {
	own := x.Header
	x.Header = make(http.Header, len(own)+len(x.values))
	for i, name := range [...]string{"Authorization", trace.CorrelationHeader, trace.ParentHeader} {
		if x.values[i] != "" {
			x.Header[name] = x.values[i : i+1 : i+1]
		}
	}
	maps.Copy(x.Header, own)
}

// join puts what a URL names behind a base address, to the letter: what is escaped
// stays so.
func join(base, u *url.URL) url.URL {
	out := url.URL{Scheme: base.Scheme, Host: base.Host, RawQuery: u.RawQuery}
	out.Path = strings.TrimSuffix(base.Path, "/") + rooted(u.Path)
	if u.RawPath != "" || base.RawPath != "" {
		out.RawPath = strings.TrimSuffix(base.EscapedPath(), "/") + rooted(u.EscapedPath())
	}
	return out
}

func rooted(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

// whole is an answer's body that has been read.
type whole struct{ bytes.Reader }

func (*whole) Close() error { return nil }

// readWhole reads the body of an answer and puts what it read in its place.
func (x *exchange) readWhole(res *http.Response, limit int64) error {
	if res.Body == nil {
		res.Body = http.NoBody
	}
	defer res.Body.Close()
	var data []byte
	var err error
	switch n := res.ContentLength; {
	case x.Method == http.MethodHead || n == 0:
	case n > limit:
		return fmt.Errorf("%w: %d bytes", ErrTooLarge, n)
	case n > 0:
		data = make([]byte, n)
		_, err = io.ReadFull(res.Body, data)
	default:
		data, err = io.ReadAll(io.LimitReader(res.Body, limit+1))
		if int64(len(data)) > limit {
			return fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
		}
		res.ContentLength = int64(len(data))
	}
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	x.answer.Reset(data)
	res.Body = &x.answer
	return nil
}

func closeBody(body io.Closer) {
	if body != nil {
		_ = body.Close()
	}
}
