package front_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const (
	balancer  = "/_alb/shop"
	changeELB = "AWS4-HMAC-SHA256 Credential=test/20261123/us-east-1/elasticloadbalancing/aws4_request, SignedHeaders=host, Signature=0"
)

func TestRules(t *testing.T) {
	w := newWorld(t)
	w.main.set(func(f *fakeMain) { f.answer = `{"statusCode":200,"multiValueHeaders":{"X-A":["1","2"]},"body":"ok"}` })
	for name, tt := range map[string]struct{ host, path, want string }{
		"by host":                  {"order-service.local.internal", "/anything", "ok"},
		"by host, with a port":     {"ORDER-service.local.internal:80", "/", "ok"},
		"by path":                  {"shop", "/api/orders/1/2", "ok"},
		"not by the path's parent": {"shop", "/api/orders", "nobody"},
		"by neither":               {"user-service.local.internal", "/api/users", "nobody"},
		"paths have cases":         {"shop", "/API/orders/1", "nobody"},
	} {
		t.Run(name, func(t *testing.T) {
			got := w.ask(t, "GET", balancer+tt.path, "", "Host", tt.host)
			if tt.want == "nobody" {
				got.is(t, 404, "nobody")
				return
			}
			got.is(t, 200, "ok")
			if v := strings.Join(got.Header.Values("X-A"), ","); v != "1,2" {
				t.Errorf("X-A %q", v)
			}
		})
	}
}

// A rule that AWS would not have made is not followed either.
func TestHostsThatAWSRefuses(t *testing.T) {
	for host, refused := range map[string]bool{
		"order-service.local.internal": false, "*.internal": false, "order-?.local.internal": false, "ORDER.Internal": false,
		strings.Repeat("x", 119) + ".internal": false, strings.Repeat("x", 120) + ".internal": true,
		"order-service": true, "internal": true, "order-service.*": true, "order-service.": true, "order.internal2": true,
		"order_service.internal": true, "order.internal:80": true, "10.0.0.1": true, "": true,
	} {
		t.Run(host, func(t *testing.T) {
			w := newWorld(t)
			w.lender.set(func(l *fakeLender) { l.host = host })
			got := w.ask(t, "GET", balancer+"/api/orders/1", "")
			if !refused {
				got.is(t, 200, "ok")
				return
			}
			if got.StatusCode != http.StatusServiceUnavailable || !strings.Contains(got.body, "AWS refuses the host condition") {
				t.Errorf("%d %s", got.StatusCode, got.body)
			}
		})
	}
}

func TestTheBalancersEvent(t *testing.T) {
	w := newWorld(t)
	w.main.set(func(f *fakeMain) {
		f.answer = `{"statusCode":200,"multiValueHeaders":{},"headers":{"X-Single":"1"},"body":"ok"}`
	})
	ask := func(want string, header ...string) any {
		t.Helper()
		got := w.ask(t, "POST", balancer+"/api/orders/a%20b?x=1&x=2&y=%26", "\xff", append([]string{"X-Many", "1", "X-Many", "2"}, header...)...)
		got.is(t, 200, "ok")
		if v := got.Header.Get("X-Single"); v != want {
			t.Errorf("X-Single %q, want %q", v, want)
		}
		return w.event(t)
	}
	check := func(ev any, want map[string]string) {
		t.Helper()
		for path, want := range want {
			if got := fmt.Sprint(at(ev, strings.Split(path, "/")...)); got != want {
				t.Errorf("%s: %s, want %s", path, got, want)
			}
		}
	}
	check(ask("", "Host", "order-service.x.internal"), map[string]string{ // with multi-value headers those count, and only those
		"path": "/api/orders/a%20b", "httpMethod": "POST", "requestContext/elb/targetGroupArn": "arn:group",
		"multiValueHeaders/x-many": "[1 2]", "multiValueHeaders/host": "[order-service.x.internal]", "multiValueQueryStringParameters": "map[x:[1 2] y:[%26]]",
		"headers": "<nil>", "queryStringParameters": "<nil>",
		"body": base64.StdEncoding.EncodeToString([]byte("\xff")), "isBase64Encoded": "true",
	})
	w.lender.set(func(l *fakeLender) { l.multi = false })
	w.ask(t, "POST", "/", "Action=ModifyTargetGroupAttributes", "Content-Type", "application/x-www-form-urlencoded", "Authorization", changeELB)
	check(ask("1", "Content-Type", "text/plain"), map[string]string{
		"headers/x-many": "2", "queryStringParameters": "map[x:2 y:%26]", "multiValueHeaders": "<nil>", "isBase64Encoded": "false",
	})
}

func TestTargetsThatFail(t *testing.T) {
	w := newWorld(t)
	for name, set := range map[string]func(*fakeMain){
		"a failed function": func(f *fakeMain) { f.failed = true },
		"no answer":         func(f *fakeMain) { f.answer = `"hello"` },
		"no status":         func(f *fakeMain) { f.answer = `{"body":"x"}` },
		"throttled":         func(f *fakeMain) { f.status = 429 },
		"too much":          func(f *fakeMain) { f.answer = `{"statusCode":200,"body":"` + strings.Repeat("x", 1<<20) + `"}` },
	} {
		t.Run(name, func(t *testing.T) {
			w.main.set(func(f *fakeMain) {
				f.answer, f.failed, f.status = `{"statusCode":200,"body":"ok"}`, false, 0
				set(f)
			})
			if got := w.ask(t, "GET", balancer+"/api/orders/1", ""); got.StatusCode != http.StatusBadGateway || !strings.Contains(got.body, "<h1>502 Bad Gateway</h1>") {
				t.Errorf("%d %.200s", got.StatusCode, got.body)
			}
		})
	}
	if got := w.ask(t, "POST", balancer+"/api/orders/1", strings.Repeat("x", 1<<20+1)); got.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a large request: %d", got.StatusCode)
	}
}

// What somebody changes by the API holds from the next request on, and not before.
func TestOtherTargets(t *testing.T) {
	w := newWorld(t)
	ask := func() answer { return w.ask(t, "GET", balancer+"/api/orders/a%2Fb?q=1", "", "Host", "shop.example") }
	change := func(kind, target string) {
		t.Helper()
		w.lender.set(func(l *fakeLender) { l.kind, l.target = kind, target })
		ask() // nobody has asked for a change yet
		w.ask(t, "POST", "/", "Action=RegisterTargets", "Content-Type", "application/x-www-form-urlencoded", "Authorization", changeELB)
	}
	ask().is(t, 200, "ok")
	before := len(w.lender.asked)
	ask().is(t, 200, "ok")
	if n := len(w.lender.asked); n > before {
		t.Errorf("the API was asked %d times for nothing", n-before)
	}

	change("lambda", function("orders-api:7"))
	ask().is(t, 200, "ok")
	if w.main.invoked != "/2015-03-31/functions/orders-api/invocations?Qualifier=7" {
		t.Errorf("invoked %s", w.main.invoked)
	}

	change("lambda", "")
	if got := ask(); got.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("without a target: %d", got.StatusCode)
	}

	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Host+" "+r.URL.RequestURI()+" "+r.Header.Get("X-Forwarded-For"))
	}))
	defer server.Close()
	host, port, err := net.SplitHostPort(strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	change("ip", "<member><Target><Id>"+host+"</Id><Port>"+port+"</Port></Target></member>")
	ask().is(t, 200, "shop.example /api/orders/a%2Fb?q=1 127.0.0.1")
	server.Close()
	if got := ask(); got.StatusCode != http.StatusBadGateway {
		t.Errorf("a server that is gone: %d", got.StatusCode)
	}
}
