package client_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"tradewind/shared/apperr/apperrtest"
	"tradewind/shared/client"
	"tradewind/shared/discovery"
)

// overNetwork returns a client, with the transport that functions have, of a server
// on loopback.
func overNetwork(t *testing.T, cfg client.Config, handle http.HandlerFunc) *client.Client {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	address, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Resolver = discovery.LoadBalancer(address, "dev.internal")
	c := client.New(cfg)
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// raw returns a handler that says whatever it wants on the connection.
func raw(say func(conn net.Conn)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		say(conn)
	}
}

// endless says the same until nobody listens, or a GiB of it was heard.
func endless(w io.Writer, text string) {
	block := []byte(strings.Repeat(text, 1+4096/len(text)))
	for said := 0; said < 1<<30; said += len(block) {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

// TestOverNetwork has what only a connection can do to a client. Whatever it is, the
// caller is told soon, and in little memory: a service could say a GiB here.
func TestOverNetwork(t *testing.T) {
	bomb := compressed(64 << 20)
	tests := map[string]struct {
		handle http.HandlerFunc
		code   string // "" is an answer
		err    error  // nil is any
	}{
		"an answer": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }, "", nil},
		"no answer": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "catalog_timeout", nil},
		"half an answer": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, "catalog_timeout", nil},
		"cut off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "half")
		}, "catalog_unavailable", io.ErrUnexpectedEOF},
		"a header without an end": {raw(func(conn net.Conn) {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nX-Bomb: ")
			endless(conn, "x")
		}), "catalog_unavailable", nil},
		"headers without an end": {raw(func(conn net.Conn) {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n")
			endless(conn, "X-Bomb: x\r\n")
		}), "catalog_unavailable", nil},
		"promises without an end": {raw(func(conn net.Conn) {
			endless(conn, "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n")
		}), "catalog_unavailable", nil},
		"a body without an end":           {func(w http.ResponseWriter, _ *http.Request) { endless(w, " ") }, "catalog_unavailable", client.ErrTooLarge},
		"a body until the connection end": {raw(func(conn net.Conn) { _, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n"); endless(conn, " ") }), "catalog_unavailable", client.ErrTooLarge},
		"a GiB, as announced": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(1<<30))
			endless(w, " ")
		}, "catalog_unavailable", client.ErrTooLarge},
		"a trailer without an end": {raw(func(conn net.Conn) {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Bomb\r\n\r\n0\r\nX-Bomb: ")
			endless(conn, "x")
		}), "catalog_unavailable", nil},
		"a compressed bomb": {func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Accept-Encoding") != "" {
				t.Error("compression is asked for")
			}
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb)
		}, "", nil},
		"hangs up": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "catalog_unavailable", nil},
		"not HTTP": {raw(func(conn net.Conn) { _, _ = io.WriteString(conn, "SSH-2.0-OpenSSH_9.9\r\n\r\n") }), "catalog_unavailable", nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := overNetwork(t, client.Config{Timeout: 500 * time.Millisecond}, test.handle)
			start := time.Now()
			var err error
			grew := allocated(func() { _, err = get(t.Context(), t, c) })
			if code := apperrtest.Code(err); (err != nil || test.code != "") && code != test.code {
				t.Errorf("got %v, want code %q", err, test.code)
			}
			if test.err != nil && !errors.Is(err, test.err) {
				t.Errorf("got %v, want %v", err, test.err)
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
			if grew > 16<<20 {
				t.Errorf("%d MiB were allocated", grew>>20)
			}
		})
	}
}

// allocated returns how much memory was asked for meanwhile, kept or not, by servers in
// this process too.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// compressed returns n zeros, compressed.
func compressed(n int) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = io.CopyN(w, zeros{}, int64(n))
	_ = w.Close()
	return out.Bytes()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestRedirectElsewhere: a redirect is an answer. Following it would take the token
// wherever the answer says.
func TestRedirectElsewhere(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, method := range []string{"GET", "POST"} {
			asked := 0
			c := overNetwork(t, client.Config{}, func(w http.ResponseWriter, r *http.Request) {
				asked++
				http.Redirect(w, r, elsewhere.URL, status)
			})
			res, err := c.Do(request(client.WithToken(t.Context(), "Bearer abc"), t, method, product, ""))
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != status || asked != 1 {
				t.Errorf("%s got %d after %d exchanges, want %d after one", method, res.StatusCode, asked, status)
			}
		}
	}
}

// TestConnectionIsKept: what was read whole leaves the connection for the next call,
// whatever the caller does with the body.
func TestConnectionIsKept(t *testing.T) {
	peers := map[string]bool{}
	c := overNetwork(t, client.Config{}, func(w http.ResponseWriter, r *http.Request) {
		peers[r.RemoteAddr] = true
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, strings.Repeat("x", 100_000))
	})
	for range 10 {
		if _, err := c.Do(request(t.Context(), t, "GET", product, "")); err != nil { //nolint:bodyclose // forgotten, as callers do
			t.Fatal(err)
		}
	}
	if len(peers) != 1 {
		t.Errorf("%d connections for ten calls", len(peers))
	}
}
