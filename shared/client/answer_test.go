package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tradewind/shared/apperr"
	"tradewind/shared/apperr/apperrtest"
	"tradewind/shared/client"
	"tradewind/shared/discovery"
)

// stream is a body that a func makes.
type stream struct {
	read   func(p []byte) (int, error)
	closed bool
}

func (s *stream) Read(p []byte) (int, error) { return s.read(p) }
func (s *stream) Close() error               { s.closed = true; return nil }

// streams returns a service that answers 200 with a body of unknown length.
func streams(read func(r *http.Request, p []byte) (int, error)) *catalog {
	return &catalog{answer: func(r *http.Request) (*http.Response, error) {
		res := response(http.StatusOK, "")
		res.ContentLength = -1
		res.Body = &stream{read: func(p []byte) (int, error) { return read(r, p) }}
		return res, nil
	}}
}

// never returns a service whose bodies drip without an end.
func never() *catalog {
	return streams(func(r *http.Request, p []byte) (int, error) {
		select {
		case <-time.After(100 * time.Millisecond):
			p[0] = ' '
			return 1, nil
		case <-r.Context().Done():
			return 0, r.Context().Err()
		}
	})
}

// tooMuch returns a service whose bodies gush without an end.
func tooMuch() *catalog {
	return streams(func(_ *http.Request, p []byte) (int, error) { return len(p), nil })
}

func TestBody(t *testing.T) {
	const limit = 1000
	tests := map[string]struct {
		service *catalog
		want    int   // bytes
		err     error // nil: none
		code    string
		tries   int
	}{
		"of known length":     {bodies(limit, limit), limit, nil, "", 1},
		"of unknown length":   {bodies(limit, -1), limit, nil, "", 1},
		"none":                {bodies(0, 0), 0, nil, "", 1},
		"none, unknown":       {bodies(0, -1), 0, nil, "", 1},
		"announced too large": {bodies(limit+1, limit+1), 0, client.ErrTooLarge, "catalog_unavailable", 1},
		"too large":           {bodies(limit+1, -1), 0, client.ErrTooLarge, "catalog_unavailable", 1},
		"without an end":      {tooMuch(), 0, client.ErrTooLarge, "catalog_unavailable", 1},
		"cut off":             {bodies(10, 20), 0, io.ErrUnexpectedEOF, "catalog_unavailable", 2},
		"dripping":            {never(), 0, context.DeadlineExceeded, "catalog_timeout", 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, o := newClient(test.service, client.Config{MaxBody: limit})
				start := time.Now()
				res, err := c.Do(request(t.Context(), t, "GET", product, ""))
				if took := time.Since(start); took > 3*time.Second {
					t.Errorf("took %v", took)
				}
				if !errors.Is(err, test.err) || err != nil && apperrtest.Code(err) != test.code || o.last().Tries != test.tries {
					t.Errorf("got %v, record %+v", err, o.last())
				}
				if err != nil {
					return
				}
				body, err := io.ReadAll(res.Body)
				if err != nil || len(body) != test.want || res.ContentLength != int64(test.want) {
					t.Errorf("got %d bytes of %d, %v", len(body), res.ContentLength, err)
				}
				if err := res.Body.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// bodies returns a service that answers with n bytes and announces another number.
func bodies(n int, announced int64) *catalog {
	return &catalog{answer: func(*http.Request) (*http.Response, error) {
		res := response(http.StatusOK, strings.Repeat("x", n))
		res.ContentLength = announced
		return res, nil
	}}
}

// TestBodiesAreClosed: every answer's, also of tries that are repeated and of bodies
// that are too large to read.
func TestBodiesAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var made []*stream
		statuses := []int{503, 502, 200}
		service := &catalog{answer: func(*http.Request) (*http.Response, error) {
			b := &stream{read: strings.NewReader("{}").Read}
			made = append(made, b)
			res := response(statuses[len(made)-1], "")
			res.Body, res.ContentLength = b, 2
			return res, nil
		}}
		c, _ := newClient(service, client.Config{})
		earn(t, c, service, 20)
		if _, err := get(t.Context(), t, c); err != nil {
			t.Fatal(err)
		}
		statuses[0] = 200
		made = nil
		service.answer = func(*http.Request) (*http.Response, error) {
			b := &stream{read: func([]byte) (int, error) { t.Error("it is read"); return 0, io.EOF }}
			made = append(made, b)
			res := response(http.StatusOK, "")
			res.Body, res.ContentLength = b, 1<<40
			return res, nil
		}
		_, _ = get(t.Context(), t, c)
		for i, b := range made {
			if !b.closed {
				t.Errorf("body %d of %d is open", i+1, len(made))
			}
		}
	})
}

func TestHead(t *testing.T) {
	service := &catalog{answer: func(*http.Request) (*http.Response, error) {
		res := response(http.StatusOK, "")
		res.ContentLength = 1 << 40 // of what a GET would get
		return res, nil
	}}
	c, _ := newClient(service, client.Config{})
	res, err := c.Do(request(t.Context(), t, "HEAD", product, ""))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); len(body) > 0 || err != nil || res.ContentLength != 1<<40 {
		t.Errorf("got %q of %d, %v", body, res.ContentLength, err)
	}
}

func TestJSON(t *testing.T) {
	const problem = "application/problem+json"
	document := `{"code":"product_gone","detail":"There is no such product.","status":404}`
	tests := map[string]struct {
		service *catalog
		want    string
		kind    apperr.Kind
		code    string
		after   time.Duration
	}{
		"an answer":           {says(200, "application/json", `{"name":"Rope","new":1}`), "Rope", 0, "", 0},
		"created":             {says(201, "application/json", `{"name":"Rope"}`), "Rope", 0, "", 0},
		"no content":          {says(204, "", ""), "", 0, "", 0},
		"not JSON":            {says(200, "text/html", `<html>`), "", apperr.Unavailable, "catalog_unavailable", 2 * time.Second},
		"empty":               {says(200, "application/json", ``), "", apperr.Unavailable, "catalog_unavailable", 2 * time.Second},
		"another shape":       {says(200, "application/json", `{"name":{}}`), "", apperr.Unavailable, "catalog_unavailable", 2 * time.Second},
		"absent":              {says(404, problem+"; charset=utf-8", document), "", apperr.NotFound, "product_gone", 0},
		"absent, no document": {says(404, problem, `<`), "", apperr.NotFound, "catalog_refused", 0},
		"no such service":     {says(404, "application/json", document), "", apperr.Unavailable, "catalog_unavailable", 2 * time.Second},
		"conflict":            {says(409, problem, `{"code":"taken"}`), "", apperr.Conflict, "taken", 0},
		"stale":               {says(412, problem, `{"code":"stale_version"}`), "", apperr.Conflict, "stale_version", 0},
		"who":                 {says(401, problem, `{"code":"unauthenticated"}`), "", apperr.Unauthenticated, "unauthenticated", 0},
		"not you":             {says(403, problem, `{"code":"forbidden"}`), "", apperr.Forbidden, "forbidden", 0},
		"a defect of ours":    {says(422, problem, `{"code":"invalid"}`), "", apperr.Internal, "invalid", 0},
		"a defect of theirs":  {says(500, problem, `{"code":"internal"}`), "", apperr.Unavailable, "catalog_unavailable", 2 * time.Second},
		"unavailable":         {answers(503, "Retry-After", "60"), "", apperr.Unavailable, "catalog_unavailable", time.Minute},
		"throttled":           {answers(429, "Retry-After", "60"), "", apperr.Unavailable, "catalog_unavailable", time.Minute},
		"a redirect":          {answers(302, "Location", "/"), "", apperr.Unavailable, "catalog_unavailable", 2 * time.Second},
		"nobody":              {refuses(), "", apperr.Unavailable, "catalog_unavailable", 2 * time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _ := newClient(test.service, client.Config{})
				got, err := client.JSON[struct{ Name string }](c, request(t.Context(), t, "GET", product, ""))
				if test.code == "" {
					if err != nil || got.Name != test.want {
						t.Errorf("got %+v, %v", got, err)
					}
					return
				}
				e, ok := errors.AsType[*apperr.Error](err)
				if !ok || e.Kind != test.kind || e.Code != test.code || e.RetryAfter != test.after || e.Err == nil {
					t.Errorf("got %v (%+v)", err, e)
				}
				if s, ok := errors.AsType[*client.StatusError](err); ok && (s.Service != "catalog-service" || s.Status < 300) {
					t.Errorf("cause %+v", s)
				}
			})
		})
	}
}

// says returns a service that gives one answer.
func says(status int, media, body string) *catalog {
	return &catalog{answer: func(*http.Request) (*http.Response, error) { return response(status, body, "Content-Type", media), nil }}
}

func ExampleJSON() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/products/prd_1" {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"code":"product_not_found","detail":"There is no such product."}`)
			return
		}
		fmt.Fprint(w, `{"name":"Rope"}`)
	}))
	defer server.Close()
	balancer, _ := url.Parse(server.URL)
	c := client.New(client.Config{Resolver: discovery.LoadBalancer(balancer, "dev.internal")})
	defer c.CloseIdleConnections()

	type product struct{ Name string }
	for _, id := range []string{"prd_1", "prd_2"} {
		r, _ := http.NewRequest("GET", "http://catalog-service/api/products/"+id, nil)
		p, err := client.JSON[product](c, r)
		switch {
		case apperr.KindOf(err) == apperr.NotFound:
			fmt.Println("none:", apperrtest.Code(err))
		case err != nil:
			fmt.Println(err)
		default:
			fmt.Println(p.Name)
		}
	}

	// Output:
	// Rope
	// none: product_not_found
}
