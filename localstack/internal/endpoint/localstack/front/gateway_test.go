package front_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// gateway is the API as outputs name it.
const gateway = "/_aws/execute-api/api-1/$default"

func TestRoutes(t *testing.T) {
	w := newWorld(t)
	for name, tt := range map[string]struct {
		method, path string
		key          string // "" means none
		parameters   string
	}{
		"a literal before a variable":       {"GET", "/api/orders/openapi.json", "GET /api/orders/openapi.json", "<nil>"},
		"any method":                        {"DELETE", "/api/orders/ord_1", "ANY /api/orders/{proxy+}", "map[proxy:ord_1]"},
		"a method after a literal's":        {"PUT", "/api/orders/openapi.json", "ANY /api/orders/{proxy+}", "map[proxy:openapi.json]"},
		"the rest":                          {"GET", "/api/orders/ord_1/a/b", "ANY /api/orders/{proxy+}", "map[proxy:ord_1/a/b]"},
		"escapes":                           {"PUT", "/api/orders/a%20b%2Fc%2541", "ANY /api/orders/{proxy+}", "map[proxy:a b/c%2541]"},
		"a greedy variable is not empty":    {"PUT", "/api/orders/", "", ""},
		"no method of a path":               {"GET", "/api/orders", "", ""},
		"no such path":                      {"GET", "/api/nothing", "", ""},
		"no path at all":                    {"GET", "", "", ""},
		"a prefix of a segment is not one":  {"GET", "/api/ordersxyz/1", "", ""},
		"double slashes are empty segments": {"GET", "/api//orders/1", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := w.ask(t, tt.method, gateway+tt.path, "")
			if tt.key == "" {
				got.is(t, 404, `{"message":"Not Found"}`)
				return
			}
			got.is(t, 200, "ok")
			ev := w.event(t)
			if at(ev, "routeKey") != tt.key || at(ev, "requestContext", "routeKey") != tt.key {
				t.Errorf("route %v", at(ev, "routeKey"))
			}
			if p := fmt.Sprint(at(ev, "pathParameters")); p != tt.parameters {
				t.Errorf("parameters %s, want %s", p, tt.parameters)
			}
			if w.main.invoked != "/2015-03-31/functions/orders-api/invocations?Qualifier=live" {
				t.Errorf("invoked %s", w.main.invoked)
			}
		})
	}
}

func TestTheDefaultRoute(t *testing.T) {
	w := newWorld(t)
	w.synthesise(t, strings.Replace(template, "GET /api/orders/openapi.json", "$default", 1))
	w.ask(t, "PATCH", gateway+"/anything", "").is(t, 200, "ok")
	if ev := w.event(t); at(ev, "routeKey") != "$default" || at(ev, "rawPath") != "/anything" {
		t.Errorf("event %v", ev)
	}
}

func TestTheEvent(t *testing.T) {
	w := newWorld(t)
	w.ask(t, "POST", gateway+"/api/orders/x%20y?a=1&a=2&b=%C3%A9", `{"é":1}`, "Content-Type", "application/problem+json; charset=utf-8",
		"X-Many", "1", "X-Many", "2", "Cookie", "a=b; c=d", "User-Agent", "test/1", "X-Amzn-Trace-Id", "Root=1-2-3", "Host", "shop.example").is(t, 200, "ok")
	ev := w.event(t)
	for want, got := range map[string]any{
		"2.0":                        at(ev, "version"),
		"/api/orders/x y":            at(ev, "rawPath"),
		"a=1&a=2&b=%C3%A9":           at(ev, "rawQueryString"),
		"1,2":                        at(ev, "headers", "x-many"),
		"map[a:1,2 b:é]":             at(ev, "queryStringParameters"),
		"[a=b c=d]":                  at(ev, "cookies"),
		`{"é":1}`:                    at(ev, "body"),
		"false":                      at(ev, "isBase64Encoded"),
		"POST":                       at(ev, "requestContext", "http", "method"),
		"127.0.0.1":                  at(ev, "requestContext", "http", "sourceIp"),
		"test/1":                     at(ev, "requestContext", "http", "userAgent"),
		"shop.example":               at(ev, "requestContext", "domainName"),
		"$default":                   at(ev, "requestContext", "stage"),
		"000000000000":               at(ev, "requestContext", "accountId"),
		"Root=1-2-3":                 at(ev, "headers", "x-amzn-trace-id"),
		"23/Nov/2026:12:00:00 +0000": at(ev, "requestContext", "time"),
		"1.7954352e+12":              at(ev, "requestContext", "timeEpoch"),
	} {
		if fmt.Sprint(got) != want {
			t.Errorf("%v, want %s", got, want)
		}
	}
	if at(ev, "requestContext", "authorizer") != nil || at(ev, "headers", "cookie") != nil {
		t.Errorf("event %v", ev)
	}
	w.ask(t, "POST", gateway+"/api/orders/x", "\xff\xfe", "Content-Type", "image/png").is(t, 200, "ok")
	if ev := w.event(t); at(ev, "body") != base64.StdEncoding.EncodeToString([]byte("\xff\xfe")) || at(ev, "isBase64Encoded") != true {
		t.Errorf("event %v", ev)
	}
}

func TestTokens(t *testing.T) {
	w := newWorld(t)
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	claims := map[string]any{"iss": issuer, "client_id": "client-1", "exp": now.Add(time.Hour).Unix()}
	without := func(name string) func(map[string]any) { return func(c map[string]any) { delete(c, name) } }
	with := func(name string, value any) func(map[string]any) { return func(c map[string]any) { c[name] = value } }
	for name, tt := range map[string]struct {
		token string
		want  int
	}{
		"good":              {w.lender.token(t, nil), 200},
		"by aud":            {w.lender.token(t, func(c map[string]any) { delete(c, "client_id"); c["aud"] = "client-1" }), 200},
		"none":              {"", 401},
		"garbage":           {"garbage", 401},
		"expired":           {w.lender.token(t, with("exp", now.Add(-time.Second).Unix())), 401},
		"for ever":          {w.lender.token(t, without("exp")), 401},
		"twice":             {w.lender.token(t, nil) + ",Bearer " + w.lender.token(t, nil), 401},
		"of tomorrow":       {w.lender.token(t, with("iat", now.Add(time.Hour).Unix())), 401},
		"not yet":           {w.lender.token(t, with("nbf", now.Add(time.Hour).Unix())), 401},
		"another issuer":    {w.lender.token(t, with("iss", issuer+"x")), 401},
		"another client":    {w.lender.token(t, with("client_id", "client-2")), 401},
		"another audience":  {w.lender.token(t, with("aud", "client-2")), 401},
		"a stranger's key":  {signed(t, stranger, map[string]any{"alg": "RS256", "kid": "k1"}, claims), 401},
		"an unknown key":    {signed(t, w.lender.key, map[string]any{"alg": "RS256", "kid": "k2"}, claims), 401},
		"another algorithm": {signed(t, w.lender.key, map[string]any{"alg": "none", "kid": "k1"}, claims), 401},
	} {
		t.Run(name, func(t *testing.T) {
			header := []string{"Authorization", "Bearer " + tt.token}
			if tt.token == "" {
				header = nil
			}
			got := w.ask(t, "GET", gateway+"/api/orders/ord_1", "", header...)
			if tt.want == 200 {
				got.is(t, 200, "ok")
				return
			}
			got.is(t, 401, `{"message":"Unauthorized"}`)
		})
	}
	if w.lender.fetched > 2 {
		t.Errorf("the keys were fetched %d times", w.lender.fetched)
	}

	t.Run("claims are texts", func(t *testing.T) {
		w.ask(t, "GET", gateway+"/api/orders/ord_1", "", "Authorization", w.lender.token(t, nil)).is(t, 200, "ok")
		got := at(w.event(t), "requestContext", "authorizer", "jwt", "claims")
		for name, want := range map[string]string{
			"cognito:groups": "[admin staff]", "exp": fmt.Sprint(now.Add(time.Hour).Unix()), "sub": "usr_1", "email_verified": "true",
		} {
			if v := at(got, name); v != want {
				t.Errorf("%s: %#v, want %q", name, v, want)
			}
		}
	})
	t.Run("two headers", func(t *testing.T) {
		good := "Bearer " + w.lender.token(t, nil)
		w.ask(t, "GET", gateway+"/api/orders/ord_1", "", "Authorization", good, "Authorization", good).is(t, 401, `{"message":"Unauthorized"}`)
		w.ask(t, "GET", gateway+"/api/orders/ord_1", "", "Authorization", "Basic "+good[7:]).is(t, 401, `{"message":"Unauthorized"}`)
	})
	t.Run("scopes", func(t *testing.T) {
		w.ask(t, "POST", gateway+"/api/orders", "", "Authorization", w.lender.token(t, nil)).is(t, 200, "ok")
		w.ask(t, "POST", gateway+"/api/orders", "", "Authorization", w.lender.token(t, with("scope", "a"))).is(t, 403, `{"message":"Forbidden"}`)
	})
}

func TestAnswers(t *testing.T) {
	w := newWorld(t)
	for name, tt := range map[string]struct {
		set    func(*fakeMain)
		status int
		body   string
		header string
	}{
		"whole": {func(f *fakeMain) {
			f.answer = `{"statusCode":201,"headers":{"Location":"/x","Content-Type":"application/json"},"cookies":["a=1","b=2"],"body":"e30=","isBase64Encoded":true}`
		}, 201, "{}", "Location: /x; Content-Type: application/json; Set-Cookie: a=1,b=2"},
		"without a status":  {func(f *fakeMain) { f.answer = `{"hello":"world"}` }, 200, `{"hello":"world"}`, "Content-Type: application/json"},
		"without a type":    {func(f *fakeMain) {}, 200, "ok", "Content-Type: text/plain; charset=utf-8"},
		"not JSON":          {func(f *fakeMain) { f.answer = "oops" }, 500, `{"message":"Internal Server Error"}`, ""},
		"an odd status":     {func(f *fakeMain) { f.answer = `{"statusCode":"x"}` }, 500, `{"message":"Internal Server Error"}`, ""},
		"no base64":         {func(f *fakeMain) { f.answer = `{"statusCode":200,"body":"!","isBase64Encoded":true}` }, 500, `{"message":"Internal Server Error"}`, ""},
		"a failed function": {func(f *fakeMain) { f.answer, f.failed = `{"errorMessage":"secret"}`, true }, 500, `{"message":"Internal Server Error"}`, ""},
		"throttled":         {func(f *fakeMain) { f.status, f.answer = 429, "{}" }, 503, `{"message":"Service Unavailable"}`, ""},
		"too late":          {func(f *fakeMain) { f.hangs = true }, 503, `{"message":"Service Unavailable"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w.main.set(func(f *fakeMain) {
				f.answer, f.failed, f.status, f.hangs = `{"statusCode":200,"body":"ok"}`, false, 0, false
				tt.set(f)
			})
			got := w.ask(t, "GET", gateway+"/api/orders/openapi.json", "")
			got.is(t, tt.status, tt.body)
			for field := range strings.SplitSeq(tt.header, "; ") {
				if name, want, ok := strings.Cut(field, ": "); ok {
					if all := strings.Join(got.Header.Values(name), ","); !strings.HasPrefix(all, want) {
						t.Errorf("%s: %q, want %q", name, all, want)
					}
				}
			}
		})
	}
}

func TestTheGatewaysLimits(t *testing.T) {
	w := newWorld(t)
	w.ask(t, "POST", gateway+"/api/orders/x", strings.Repeat("x", 10<<20+1)).is(t, 413, `{"message":"Request Entity Too Large"}`)
	w.ask(t, "GET", gateway+"/api/orders/x/y", "", "X-Long", strings.Repeat("x", 10<<10)).is(t, 431, `{"message":"Request Header Fields Too Large"}`)
}

func TestOtherOrigins(t *testing.T) {
	w := newWorld(t)
	got := w.ask(t, "OPTIONS", gateway+"/api/orders", "", "Origin", "https://shop.example", "Access-Control-Request-Method", "POST")
	got.is(t, 204, "")
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "GET,POST", "Access-Control-Allow-Headers": "authorization", "Access-Control-Max-Age": "60",
	} {
		if v := got.Header.Get(name); v != want {
			t.Errorf("%s: %q, want %q", name, v, want)
		}
	}
	w.main.set(func(f *fakeMain) {
		f.answer = `{"statusCode":200,"headers":{"access-control-allow-origin":"https://of.the.function"},"body":"ok"}`
	})
	got = w.ask(t, "GET", gateway+"/api/orders/openapi.json", "", "Origin", "https://shop.example")
	if got.Header.Get("Access-Control-Allow-Origin") != "*" || got.Header.Get("Access-Control-Expose-Headers") != "etag" {
		t.Errorf("headers %v", got.Header)
	}
	if got = w.ask(t, "GET", gateway+"/api/orders/openapi.json", ""); got.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("without an origin: %v", got.Header)
	}
}

// What the front does not know how to play must not be played wrong.
func TestTemplatesThatAreNotPlayed(t *testing.T) {
	for name, change := range map[string][2]string{
		"a protocol":     {`"ProtocolType": "HTTP"`, `"ProtocolType": "WEBSOCKET"`},
		"an integration": {`"AWS_PROXY"`, `"HTTP_PROXY"`},
		"a payload":      {`"PayloadFormatVersion": "2.0"`, `"PayloadFormatVersion": "1.0"`},
		"an authorizer":  {`"AuthorizationType": "JWT"`, `"AuthorizationType": "AWS_IAM"`},
		"a lost one":     {`"/stage/authorizer"`, `"/stage/other"`},
		"a target":       {`"IntegrationUri": {"Ref": "Live"}`, `"IntegrationUri": {"Ref": "Queue"}`},
		"a nameless one": {`"FunctionName": "orders-api"`, `"MemorySize": 1`},
		"a function":     {`{"Fn::Join": ["/", ["integrations", {"Ref": "Integration"}]]}`, `{"Fn::Sub": "integrations/${Integration}"}`},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.synthesise(t, strings.Replace(template, change[0], change[1], 1))
			if got := w.ask(t, "GET", gateway+"/api/orders/openapi.json", ""); got.StatusCode != http.StatusServiceUnavailable || !strings.Contains(got.body, "stack.template.json") {
				t.Errorf("%d %s", got.StatusCode, got.body)
			}
		})
	}
}

func TestAnIdentitySourceThatIsNotPlayed(t *testing.T) {
	w := newWorld(t)
	text := strings.Replace(shared, "$request.header.Authorization", "$request.querystring.token", 1)
	if err := os.WriteFile(filepath.Join(w.app, "shared.template.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := w.ask(t, "GET", gateway+"/api/orders/openapi.json", ""); got.StatusCode != http.StatusServiceUnavailable || !strings.Contains(got.body, "querystring.token") {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
}

func TestANewSynthesisIsReadAnew(t *testing.T) {
	w := newWorld(t)
	w.main.set(func(f *fakeMain) { f.unlisted = true })
	if got := w.ask(t, "GET", gateway+"/api/orders/openapi.json", ""); got.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("before the deployment: %d %s", got.StatusCode, got.body)
	}
	w.main.set(func(f *fakeMain) { f.unlisted = false })
	w.ask(t, "GET", gateway+"/api/orders/openapi.json", "").is(t, 200, "ok")
	w.synthesise(t, strings.ReplaceAll(template, "openapi.json", "document.json"))
	if err := os.Chtimes(filepath.Join(w.app, "manifest.json"), now, now); err != nil {
		t.Fatal(err)
	}
	w.ask(t, "GET", gateway+"/api/orders/document.json", "").is(t, 200, "ok")
	w.ask(t, "GET", gateway+"/api/orders/openapi.json", "").is(t, 401, `{"message":"Unauthorized"}`)
}
