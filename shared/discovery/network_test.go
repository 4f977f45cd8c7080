package discovery_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tradewind/shared/awsclient"
	"tradewind/shared/discovery"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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
func endless(w io.Writer, text []byte) {
	block := bytes.Repeat(text, 1+4096/len(text))
	for said := 0; said < 1<<30; said += len(block) {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

// TestRegistryOverNetwork has what only a connection can do, between a registry and who
// asks it. Whatever it is, who knows nothing is told soon what is wrong, who has asked
// before goes on with what was said then, and neither takes much memory.
func TestRegistryOverNetwork(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer elsewhere.Close()
	var megabyte bytes.Buffer
	w := gzip.NewWriter(&megabyte)
	_, _ = w.Write(bytes.Repeat([]byte(" "), 1<<20))
	_ = w.Close()

	tests := map[string]struct {
		handle http.HandlerFunc
		want   string // part of the error
	}{
		"nothing": {func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // until then, nobody sees who has left
			<-r.Context().Done()
		}, "deadline exceeded"},
		"hangs up":  {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
		"not HTTP":  {raw(func(conn net.Conn) { _, _ = io.WriteString(conn, "220 mail ready\r\n\r\n") }), "malformed HTTP"},
		"a page":    {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, "invalid character"},
		"null":      {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "null") }, discovery.ErrNoInstance.Error()},
		"no places": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"Instances":[{}]}`) }, discovery.ErrNoInstance.Error()},
		"throttled": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"__type":"RequestLimitExceeded"}`)
		}, "RequestLimitExceeded"},
		"half": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"Instances":[`)
		}, "unexpected EOF"},
		"elsewhere": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}, "307"},
		"without an end": {func(w http.ResponseWriter, _ *http.Request) { endless(w, []byte(" ")) }, "larger than 1 MiB"},
		"without an end, 2": {raw(func(conn net.Conn) {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
			endless(conn, []byte("["))
		}), "larger than 1 MiB"},
		"a GiB": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(1<<30))
			endless(w, []byte(" "))
		}, "larger than 1 MiB"},
		"a compressed GiB": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			for range 1 << 10 {
				if _, err := w.Write(megabyte.Bytes()); err != nil {
					return
				}
			}
		}, "larger than 1 MiB"},
		"many instances": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"Instances":[{}`)
			endless(w, []byte(`,{"HealthStatus":"HEALTHY","Attributes":{"AWS_INSTANCE_IPV4":"10.0.0.9"}}`))
		}, "larger than 1 MiB"},
		"a header without an end": {raw(func(conn net.Conn) {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nX-Bomb: ")
			endless(conn, []byte("x"))
		}), "headers exceeded"},
		"headers without an end": {raw(func(conn net.Conn) {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n")
			endless(conn, []byte("X-Bomb: x\r\n"))
		}), "headers exceeded"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var bad atomic.Bool
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if bad.Load() {
					test.handle(w, r)
					return
				}
				_, _ = io.WriteString(w, `{"Instances":[{"HealthStatus":"HEALTHY","Attributes":{"AWS_INSTANCE_IPV4":"10.0.0.1"}}]}`)
			}))
			defer server.Close()
			cfg := awsclient.Config(awsEnv(server.URL), "SERVICEDISCOVERY")
			defer cfg.HTTPClient.(*http.Client).CloseIdleConnections()
			source := discovery.CloudMap(cfg, "tradewind-dev", "dev.internal")
			pool := func() *discovery.Pool {
				return discovery.NewPool(discovery.PoolConfig{Source: source, TTL: 20 * time.Millisecond, Timeout: 300 * time.Millisecond})
			}
			known, unknown := pool(), pool()
			if got := resolve(t, known); got != "10.0.0.1:80" {
				t.Fatalf("called %s", got)
			}
			bad.Store(true)
			time.Sleep(25 * time.Millisecond)

			start := time.Now()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := unknown.Resolve(t.Context(), service)
			if got := resolve(t, known); got != "10.0.0.1:80" {
				t.Errorf("called %s after the registry's failure", got)
			}
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), service) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
			if !errors.Is(err, discovery.ErrNoInstance) && !strings.Contains(err.Error(), "registry: DiscoverInstances") {
				t.Errorf("%v does not say who failed at what", err)
			}
			if took := time.Since(start); took > 3*time.Second {
				t.Errorf("took %v", took)
			}
			if grew := after.TotalAlloc - before.TotalAlloc; grew > 16<<20 {
				t.Errorf("%d MiB were allocated", grew>>20)
			}
			server.CloseClientConnections()
		})
	}
}
