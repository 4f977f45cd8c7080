package apidoc

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3filter"

	"tradewind/localstack/internal/shop"
)

// Judge returns what is wrong with an answer by the document of the operation that
// was asked for; nil where all is well. A success of what no document describes is
// wrong, and so is one to a request that the document forbids.
func (d *Documents) Judge(r shop.Request, answer *shop.Response) error {
	path, _, _ := strings.Cut(r.Path, "?")
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	op := d.Find(method, path)
	if op == nil {
		if answer.Status < http.StatusBadRequest && method != http.MethodOptions {
			return fmt.Errorf("%s %s is in no document and answers %d", r.Method, path, answer.Status)
		}
		return nil
	}
	if r.Method == http.MethodHead || !d.judged.first(op, r, answer) {
		return nil
	}
	return op.Judge(r, answer)
}

// Judge does the same for an operation that is known, of an answer that may have been
// judged before.
func (o *Operation) Judge(r shop.Request, answer *shop.Response) error {
	if err := o.judge(r, answer); err != nil {
		return fmt.Errorf("%s: %d to %s %.200s: %w", o.ID, answer.Status, r.Method, r.Path, err)
	}
	return nil
}

func (o *Operation) judge(r shop.Request, answer *shop.Response) error {
	ctx := context.Background()
	path, query, _ := strings.Cut(r.Path, "?")
	body, err := bodyOf(r)
	if err != nil {
		return err
	}
	asked, err := http.NewRequestWithContext(ctx, r.Method, "/", bytes.NewReader(body))
	if err != nil {
		return err
	}
	asked.URL = &url.URL{Path: path, RawQuery: query}
	asked.Header = plain(r.Header)
	options := &openapi3filter.Options{
		AuthenticationFunc:    openapi3filter.NoopAuthenticationFunc, // the gateway's answer shows whether that was well
		IncludeResponseStatus: true,
	}
	in := &openapi3filter.RequestValidationInput{
		Request: asked, PathParams: o.arguments(path), Route: o.route(), Options: options,
	}
	if answer.Status < http.StatusBadRequest {
		if err := openapi3filter.ValidateRequest(ctx, in); err != nil {
			return fmt.Errorf("the document forbids the request: %w", short(err))
		}
	}
	out := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: answer.Status, Header: answer.Header, Options: options,
		Body: io.NopCloser(bytes.NewReader(answer.Body)),
	}
	if err := openapi3filter.ValidateResponse(ctx, out); err != nil {
		return fmt.Errorf("the answer %.300s is not the document's: %w", answer.Body, short(err))
	}
	return nil
}

// plain returns a request's header as the validator understands it: it takes a header
// without a value for an empty one, and media types by the letter.
func plain(header http.Header) http.Header {
	h := http.Header{}
	for name, values := range header {
		if len(values) > 0 {
			h[name] = values
		}
	}
	if media, _, err := mime.ParseMediaType(h.Get("Content-Type")); err == nil {
		h.Set("Content-Type", media)
	}
	return h
}

func bodyOf(r shop.Request) ([]byte, error) {
	switch b := r.Body.(type) {
	case nil:
		return nil, nil
	case []byte:
		return b, nil
	default:
		return json.Marshal(b)
	}
}

// judged remembers answers, because the same one is given to thousands of repeats
// and a look at it takes a millisecond.
type judged struct {
	mu   sync.Mutex
	seen map[[sha256.Size]byte]bool
}

func (j *judged) first(op *Operation, r shop.Request, answer *shop.Response) bool {
	h := sha256.New()
	body, _ := bodyOf(r) // judge will say
	fmt.Fprintf(h, "%s\n%s\n%q\n%d\n", op.Name(), r.Path, body, answer.Status)
	for _, header := range []http.Header{r.Header, answer.Header} {
		for _, name := range []string{"Content-Type", "If-Match", "Idempotency-Key", "Location", "Etag", "Idempotency-Replayed"} {
			fmt.Fprintf(h, "%q\n", header[name])
		}
	}
	h.Write(answer.Body)
	key := [sha256.Size]byte(h.Sum(nil))
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.seen == nil {
		j.seen = map[[sha256.Size]byte]bool{}
	}
	first := !j.seen[key]
	j.seen[key] = true
	return first
}
