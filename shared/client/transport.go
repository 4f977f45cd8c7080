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
	"sync/atomic"
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
	header   http.Header   // with what goes along
	body     io.ReadCloser // of the next try
	deadline time.Time
	tries    atomic.Int32
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
		transport: t, s: s, r: r, header: withContext(r.Context(), r.Header), body: r.Body,
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
	c.record.Tries, c.record.Took = int(c.tries.Load()), time.Since(start)
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

// withContext returns headers with what a context adds to them. The caller's stay as
// they are, and where they name a token, it is that one.
func withContext(ctx context.Context, header http.Header) http.Header {
	tr := trace.From(ctx)
	authorization, _ := ctx.Value(token{}).(string)
	out := make(http.Header, len(header)+3)
	values := []string{authorization, tr.CorrelationID, tr.Parent} // one array for all
	if authorization != "" {
		out["Authorization"] = values[0:1:1]
	}
	maps.Copy(out, header)
	if tr.CorrelationID != "" {
		out[trace.CorrelationHeader] = values[1:2:2]
	}
	if tr.Parent != "" {
		out[trace.ParentHeader] = values[2:3:3]
	}
	return out
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

// attempt makes a try, with a second one beside it where that is wished for and the
// first takes long.
func (c *call) attempt(ctx context.Context, now time.Time) outcome {
	reads := c.r.Method == http.MethodGet || c.r.Method == http.MethodHead
	if c.cfg.HedgeAfter <= 0 || !reads || c.body != nil {
		return c.try(ctx, now)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // whichever is still under way has lost
	outcomes := make(chan outcome, 2)
	running := 0
	begin := func(now time.Time) {
		running++
		go func() { outcomes <- c.try(ctx, now) }()
	}
	begin(now)
	var last outcome
	timer := time.NewTimer(c.cfg.HedgeAfter)
	defer timer.Stop()
	for {
		select {
		case now := <-timer.C:
			if c.deadline.Sub(now) > fair && c.s.budget.spend() {
				c.record.Hedges++
				begin(now)
			}
		case o := <-outcomes:
			running--
			if last == (outcome{}) || !errors.Is(o.err, ErrOpen) {
				last = o
			}
			if running == 0 || !o.failed() {
				return last
			}
		}
	}
}

// try makes one exchange, if the breaker allows, and tells breaker and instance what
// came of it.
func (c *call) try(ctx context.Context, began time.Time) outcome {
	turn, ok := c.s.breaker.allow(began)
	if !ok {
		return outcome{err: ErrOpen}
	}
	c.tries.Add(1)
	end := began.Add(c.cfg.TryTimeout)
	if c.deadline.Before(end) {
		end = c.deadline
	}
	limited, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	address, err := c.cfg.Resolver.Resolve(limited, c.s.name)
	if err != nil {
		c.s.breaker.done(turn, nothing) // it was not even asked
		return outcome{err: err}
	}
	o := c.exchange(limited, address)
	switch {
	case !o.failed():
		address.Done(true)
		c.s.breaker.done(turn, good)
	case errors.Is(ctx.Err(), context.Canceled), end.Sub(began) < fair && timedOut(o.err):
		address.Done(true)
		c.s.breaker.done(turn, nothing)
	default:
		address.Done(false)
		c.s.breaker.done(turn, bad)
	}
	return o
}

// exchange sends the request to an address and reads the answer whole.
func (c *call) exchange(ctx context.Context, address discovery.Address) outcome {
	out := c.r.WithContext(ctx)
	out.URL, out.Host, out.Header = join(address.Base, c.r.URL), address.Host, c.header
	if c.body != nil {
		out.Body, c.body = c.body, nil // the transport closes it
	}
	res, err := c.cfg.Transport.RoundTrip(out)
	if err == nil {
		err = readWhole(res, c.r.Method, c.cfg.MaxBody)
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

// join puts what a URL names behind a base address, to the letter: what is escaped
// stays so.
func join(base, u *url.URL) *url.URL {
	out := &url.URL{Scheme: base.Scheme, Host: base.Host, RawQuery: u.RawQuery}
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
func readWhole(res *http.Response, method string, limit int64) error {
	if res.Body == nil {
		res.Body = http.NoBody
	}
	defer res.Body.Close()
	var data []byte
	var err error
	switch n := res.ContentLength; {
	case method == http.MethodHead || n == 0:
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
	body := &whole{}
	body.Reset(data)
	res.Body = body
	return nil
}

func closeBody(body io.Closer) {
	if body != nil {
		_ = body.Close()
	}
}
