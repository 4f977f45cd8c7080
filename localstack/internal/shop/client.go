// Package shop is a client of the platform's public contract: what a customer's
// or an operator's program would use, and what the tests judge the platform by.
//
// It knows addresses and shapes and nothing of how the platform is built. It does
// not retry: a test must see the first answer. An unexpected answer is a *Problem
// if it is a problem document, and otherwise an error that quotes it.
//
// [Outputs] is the file by which a run tells tests and tools what it made. It
// holds tokens, so only its owner may read it. [Pool] signs users in and makes
// them admins; users themselves are registered through the users service.
package shop

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// timeout is more than the gateway's own limit of 29 s, so that its answer is seen.
const timeout = 35 * time.Second

// Client calls the platform as somebody. Its methods may be called concurrently.
type Client struct {
	base  string
	token string
	http  *http.Client
	see   func(Request, *Response)
}

// New returns a client without a token for the platform at a base URL.
func New(base string) *Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil // what is called is this machine, or the API's public address
	transport.MaxIdleConnsPerHost = 64
	return &Client{base: base, http: &http.Client{Timeout: timeout, Transport: transport}}
}

// As returns a client with another token; connections are shared.
func (c *Client) As(token string) *Client {
	other := *c
	other.token = token
	return &other
}

// At returns a client of another way into the platform; connections are shared.
func (c *Client) At(base string) *Client {
	other := *c
	other.base = base
	return &other
}

// Watched returns a client that shows every call and its answer to see, which may
// be called concurrently and must not change them. The header shown is the one sent.
// Clients made from it with As are watched too.
func (c *Client) Watched(see func(Request, *Response)) *Client {
	other := *c
	other.see = see
	return &other
}

// Close closes idle connections, of every client made with As as well.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Request is one call. Body is sent as JSON unless it is []byte, which is sent as it is.
type Request struct {
	Method string
	Path   string // with query, below the base URL; sent as it is
	Header http.Header
	Body   any
}

// Response is an answer, read whole.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Problem is the contract's error document (RFC 9457).
type Problem struct {
	Type          string       `json:"type"`
	Title         string       `json:"title"`
	Status        int          `json:"status"`
	Detail        string       `json:"detail"`
	Instance      string       `json:"instance"`
	Code          string       `json:"code"`
	CorrelationID string       `json:"correlationId"`
	Errors        []FieldError `json:"errors,omitempty"`
}

// FieldError points at one bad part of a request.
type FieldError struct {
	Pointer string `json:"pointer"`
	Message string `json:"message"`
}

func (p *Problem) Error() string {
	text := fmt.Sprintf("%d %s: %s", p.Status, p.Code, p.Detail)
	for _, e := range p.Errors {
		text += fmt.Sprintf("; %s %s", e.Pointer, e.Message)
	}
	if p.CorrelationID != "" {
		text += " (correlation id " + p.CorrelationID + ")"
	}
	return text
}

// IsStatus says whether err is a problem document with a status.
func IsStatus(err error, status int) bool {
	p, ok := errors.AsType[*Problem](err)
	return ok && p.Status == status
}

// Do makes a call and returns the answer, whatever it is. An error means that
// there was none.
func (c *Client) Do(ctx context.Context, r Request) (*Response, error) {
	var body io.Reader
	switch b := r.Body.(type) {
	case nil:
	case []byte:
		body = bytes.NewReader(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			return nil, fmt.Errorf("%s %s: encode: %w", r.Method, r.Path, err)
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, c.base, body)
	if err != nil {
		return nil, err
	}
	if u, err := url.Parse(c.base + r.Path); err == nil {
		req.URL = u
	} else {
		req.URL.Opaque = req.URL.EscapedPath() + r.Path // no URL, which is what is to be tested
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	for name, values := range r.Header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err // says method and address itself
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: read the answer: %w", r.Method, r.Path, err)
	}
	answer := &Response{Status: resp.StatusCode, Header: resp.Header, Body: text}
	if c.see != nil {
		r.Header = req.Header
		c.see(r, answer)
	}
	return answer, nil
}

// Decode reads the answer's JSON.
func (r *Response) Decode(v any) error {
	if err := json.Unmarshal(r.Body, v); err != nil {
		return fmt.Errorf("decode %s: %w", clip(r.Body), err)
	}
	return nil
}

// Problem reads the answer as a problem document, and fails if it is not a
// complete one.
func (r *Response) Problem() (*Problem, error) {
	if got := r.Header.Get("Content-Type"); got != "application/problem+json" {
		return nil, fmt.Errorf("status %d with content type %q: %s", r.Status, got, clip(r.Body))
	}
	var p Problem
	if err := r.Decode(&p); err != nil {
		return nil, err
	}
	if p.Status != r.Status || p.Type == "" || p.Title == "" || p.Code == "" || p.CorrelationID == "" {
		return nil, fmt.Errorf("incomplete problem document for status %d: %s", r.Status, clip(r.Body))
	}
	return &p, nil
}

// call makes a call that is expected to be answered with a status and a T.
func call[T any](ctx context.Context, c *Client, want int, r Request) (T, error) {
	var v T
	resp, err := c.Do(ctx, r)
	if err != nil {
		return v, err
	}
	if resp.Status != want {
		return v, fmt.Errorf("%s %s: %w", r.Method, r.Path, refusal(resp, want))
	}
	if want == http.StatusNoContent {
		return v, nil
	}
	if err := resp.Decode(&v); err != nil {
		return v, fmt.Errorf("%s %s: %w", r.Method, r.Path, err)
	}
	return v, nil
}

func refusal(resp *Response, want int) error {
	if p, err := resp.Problem(); err == nil {
		return p
	}
	return fmt.Errorf("status %d, not %d: %s", resp.Status, want, clip(resp.Body))
}

// list reads a list to its end, page by page.
func list[T any](ctx context.Context, c *Client, path string, query url.Values) ([]T, error) {
	if query == nil {
		query = url.Values{}
	}
	query.Set("limit", "100")
	var all []T
	for {
		page, err := call[Page[T]](ctx, c, http.StatusOK, Request{Method: http.MethodGet, Path: path + "?" + query.Encode()})
		if err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if page.NextCursor == "" {
			return all, nil
		}
		query.Set("cursor", page.NextCursor)
	}
}

// Header makes a header from names and values in turn.
func Header(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i+1 < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

func ifMatch(version int) http.Header {
	return Header("If-Match", fmt.Sprintf("%q", fmt.Sprint(version)))
}

func clip(body []byte) string {
	const most = 300
	if len(body) > most {
		return string(body[:most]) + "…"
	}
	return string(body)
}
