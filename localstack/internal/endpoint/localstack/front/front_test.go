package front_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tradewind/localstack/internal/endpoint/localstack/front"
)

// now is the time in these tests.
var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

const issuer = "https://cognito-idp.us-east-1.amazonaws.com/pool-1"

// shared is what the CDK makes of the platform's stack, shortened to what counts: an
// authorizer, whose issuer and audience are known by parameters.
const shared = `{
 "Resources": {
  "Authorizer": {"Type": "AWS::ApiGatewayV2::Authorizer", "Properties": {"AuthorizerType": "JWT",
    "IdentitySource": ["$request.header.Authorization"], "JwtConfiguration": {
      "Issuer": {"Fn::Join": ["", ["https://cognito-idp.", {"Ref": "AWS::Region"}, ".amazonaws.com/", {"Ref": "Pool"}]]},
      "Audience": [{"Ref": "Client"}]}}},
  "Pool": {"Type": "AWS::Cognito::UserPool"},
  "Client": {"Type": "AWS::Cognito::UserPoolClient"},
  "P1": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/stage/authorizer", "Value": {"Ref": "Authorizer"}}},
  "P2": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/stage/client", "Value": {"Ref": "Client"}}},
  "P3": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/stage/issuer", "Value":
      {"Fn::Join": ["", ["https://cognito-idp.", {"Ref":
        "AWS::Region"}, ".amazonaws.com/", {"Ref": "Pool"}]]}}}
 }
}`

// template is what the CDK makes of a service with two routes, one of them signed in,
// and a default route, shortened to what counts.
const template = `{
 "Parameters": {
  "Authorizer": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/stage/authorizer"}
 },
 "Resources": {
  "Api": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"ProtocolType": "HTTP", "CorsConfiguration": {
    "AllowOrigins": ["*"], "AllowMethods": ["GET", "POST"], "AllowHeaders": ["authorization"], "ExposeHeaders": ["etag"], "MaxAge": 60}}},
  "Fn": {"Type": "AWS::Lambda::Function", "Properties": {"FunctionName": "orders-api"}},
  "Live": {"Type": "AWS::Lambda::Alias", "Properties": {"FunctionName": {"Ref": "Fn"}, "Name": "live"}},
  "Integration": {"Type": "AWS::ApiGatewayV2::Integration", "Properties": {
    "IntegrationType": "AWS_PROXY", "PayloadFormatVersion": "2.0", "TimeoutInMillis": 300, "IntegrationUri": {"Ref": "Live"}}},
  "R1": {"Type": "AWS::ApiGatewayV2::Route", "Properties": {"RouteKey": "GET /api/orders/{id}", "AuthorizationType": "JWT",
    "AuthorizerId": {"Ref": "Authorizer"}, "Target": {"Fn::Join": ["/", ["integrations", {"Ref": "Integration"}]]}}},
  "R2": {"Type": "AWS::ApiGatewayV2::Route", "Properties": {"RouteKey": "ANY /api/orders/{proxy+}", "AuthorizationType": "NONE",
    "Target": {"Fn::Join": ["/", ["integrations", {"Ref": "Integration"}]]}}},
  "R3": {"Type": "AWS::ApiGatewayV2::Route", "Properties": {"RouteKey": "GET /api/orders/openapi.json", "AuthorizationType": "NONE",
    "Target": {"Fn::Join": ["/", ["integrations", {"Ref": "Integration"}]]}}},
  "R4": {"Type": "AWS::ApiGatewayV2::Route", "Properties": {"RouteKey": "POST /api/orders", "AuthorizationType": "JWT",
    "AuthorizationScopes": ["orders.write"],
    "AuthorizerId": {"Ref": "Authorizer"}, "Target": {"Fn::Join": ["/", ["integrations", {"Ref": "Integration"}]]}}},
  "Queue": {"Type": "AWS::SQS::Queue"}
 }
}`

// world is a front with fakes behind it.
type world struct {
	*httptest.Server
	main   *fakeMain
	lender *fakeLender
	data   http.Header // of the database's last request
	app    string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{main: &fakeMain{answer: `{"statusCode":200,"body":"ok"}`}, lender: newLender(t), app: t.TempDir()}
	w.synthesise(t, template)
	main, lender := httptest.NewServer(w.main), httptest.NewServer(w.lender)
	database := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { w.data = r.Header }))
	t.Cleanup(database.Close)
	t.Cleanup(main.Close)
	t.Cleanup(lender.Close)
	w.Server = httptest.NewServer(front.New(front.Config{
		App: w.app, Main: parse(t, main.URL), MainReady: "/health", Database: parse(t, database.URL), Lender: parse(t, lender.URL), LentReady: "/ready",
		Region: "us-east-1", Account: "000000000000", Log: log.New(io.Discard, "", 0), Now: func() time.Time { return now },
	}))
	t.Cleanup(w.Close)
	return w
}

func (w *world) synthesise(t *testing.T, text string) {
	t.Helper()
	for name, text := range map[string]string{"shared.template.json": shared, "stack.template.json": text, "manifest.json": "{}"} {
		if err := os.WriteFile(filepath.Join(w.app, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func parse(t *testing.T, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// fakeMain plays LocalStack: it answers invocations, and parameters.
type fakeMain struct {
	mu       sync.Mutex
	answer   string
	failed   bool
	status   int
	hangs    bool
	invoked  string // path and query
	event    []byte
	asked    *http.Request // what was passed on
	body     []byte
	unwell   bool
	unlisted bool // the parameters are not there
}

func (f *fakeMain) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case r.URL.Path == "/health":
		if f.unwell {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	case r.Header.Get("X-Amz-Target") == "AmazonSSM.GetParameter" && !f.unlisted:
		var in struct{ Name string }
		_ = json.Unmarshal(body, &in)
		value := map[string]string{"/stage/issuer": issuer, "/stage/client": "client-1"}[in.Name]
		fmt.Fprintf(w, `{"Parameter":{"Value":%q}}`, value)
	case strings.HasPrefix(r.URL.Path, "/2015-03-31/functions/"):
		f.invoked, f.event = r.URL.RequestURI(), body
		if f.hangs {
			f.mu.Unlock()
			<-r.Context().Done()
			f.mu.Lock()
			return
		}
		if f.failed {
			w.Header().Set("X-Amz-Function-Error", "Unhandled")
		}
		if f.status != 0 {
			w.WriteHeader(f.status)
		}
		_, _ = io.WriteString(w, f.answer)
	default:
		f.asked, f.body = r, body
		w.WriteHeader(http.StatusTeapot)
	}
}

func (f *fakeMain) set(change func(*fakeMain)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// fakeLender plays the second endpoint: a pool's keys, and a load balancer's API.
type fakeLender struct {
	mu      sync.Mutex
	key     *rsa.PrivateKey
	fetched int
	asked   []string // actions of its API, and paths
	target  string   // the target's members in XML
	kind    string   // of the target
	host    string   // condition of a rule
	multi   bool
}

func newLender(t *testing.T) *fakeLender {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return &fakeLender{key: key, kind: "lambda", target: function("orders-api:live"), host: "order-service.*.internal", multi: true}
}

func function(name string) string {
	return "<member><Target><Id>arn:aws:lambda:us-east-1:000000000000:function:" + name + "</Id></Target></member>"
}

func (l *fakeLender) set(change func(*fakeLender)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(l)
}

func (l *fakeLender) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.URL.Path == "/ready" {
		return
	}
	if r.URL.Path == "/pool-1/.well-known/jwks.json" {
		l.fetched++
		n := base64.RawURLEncoding.EncodeToString(l.key.N.Bytes())
		e := base64.RawURLEncoding.EncodeToString(big.NewInt(int64(l.key.E)).Bytes())
		fmt.Fprintf(w, `{"keys":[{"kid":"k1","kty":"RSA","alg":"RS256","n":%q,"e":%q}]}`, n, e)
		return
	}
	_ = r.ParseForm()
	action := r.PostForm.Get("Action")
	if action == "" {
		action = r.URL.Path
	}
	l.asked = append(l.asked, action)
	members := map[string]string{
		"DescribeLoadBalancers": `<LoadBalancers><member><LoadBalancerArn>arn:lb</LoadBalancerArn></member></LoadBalancers>`,
		"DescribeListeners": `<Listeners><member><ListenerArn>arn:listener</ListenerArn><DefaultActions><member><Type>fixed-response</Type>` +
			`<FixedResponseConfig><StatusCode>404</StatusCode><ContentType>application/json</ContentType><MessageBody>nobody</MessageBody></FixedResponseConfig>` +
			`</member></DefaultActions></member></Listeners>`,
		"DescribeTargetGroups": `<TargetGroups><member><TargetGroupArn>arn:group</TargetGroupArn><TargetGroupName>g</TargetGroupName><TargetType>` + l.kind +
			`</TargetType></member></TargetGroups>`,
		"DescribeTargetGroupAttributes": fmt.Sprintf(`<Attributes><member><Key>lambda.multi_value_headers.enabled</Key><Value>%t</Value></member></Attributes>`, l.multi),
		"DescribeTargetHealth":          `<TargetHealthDescriptions>` + l.target + `</TargetHealthDescriptions>`,
		"DescribeRules": `<Rules>` +
			`<member><Priority>default</Priority><IsDefault>true</IsDefault></member>` +
			`<member><Priority>20</Priority><Conditions><member><Field>path-pattern</Field><PathPatternConfig><Values><member>/api/orders/*</member></Values></PathPatternConfig></member></Conditions>` +
			`<Actions><member><Type>forward</Type><TargetGroupArn>arn:group</TargetGroupArn></member></Actions></member>` +
			`<member><Priority>3</Priority><Conditions><member><Field>host-header</Field><HostHeaderConfig><Values><member>` + l.host + `</member></Values></HostHeaderConfig></member></Conditions>` +
			`<Actions><member><Type>forward</Type><TargetGroupArn>arn:group</TargetGroupArn></member></Actions></member></Rules>`,
	}[action]
	fmt.Fprintf(w, "<%sResponse><%sResult>%s</%sResult></%sResponse>", action, action, members, action, action)
}

// token is signed by the pool; change changes its claims.
func (l *fakeLender) token(t *testing.T, change func(map[string]any)) string {
	t.Helper()
	claims := map[string]any{
		"iss": issuer, "client_id": "client-1", "sub": "usr_1", "token_use": "access", "scope": "a orders.write", "exp": now.Add(time.Hour).Unix(),
		"cognito:groups": []string{"admin", "staff"}, "email_verified": true,
	}
	if change != nil {
		change(claims)
	}
	return signed(t, l.key, map[string]any{"alg": "RS256", "kid": "k1"}, claims)
}

func signed(t *testing.T, key *rsa.PrivateKey, header, claims map[string]any) string {
	t.Helper()
	part := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	text := part(header) + "." + part(claims)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// answer is what came back.
type answer struct {
	*http.Response
	body string
}

// ask makes a request; header is name, value, name, value…
func (w *world) ask(t *testing.T, method, path, body string, header ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, w.URL+path, bytes.NewBufferString(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
			continue
		}
		r.Header.Add(header[i], header[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp, string(text)}
}

func (a answer) is(t *testing.T, status int, body string) {
	t.Helper()
	if a.StatusCode != status || a.body != body {
		t.Errorf("%d %q, want %d %q", a.StatusCode, a.body, status, body)
	}
}

// event is the last one that a function got.
func (w *world) event(t *testing.T) map[string]any {
	t.Helper()
	w.main.mu.Lock()
	defer w.main.mu.Unlock()
	var ev map[string]any
	if err := json.Unmarshal(w.main.event, &ev); err != nil {
		t.Fatalf("event %q: %v", w.main.event, err)
	}
	return ev
}

// at finds a value in an event by the names on the way to it.
func at(ev any, names ...string) any {
	for _, name := range names {
		m, _ := ev.(map[string]any)
		ev = m[name]
	}
	return ev
}

// closing is a request's body that the server closes when it has been read, as it does
// when the answer begins.
type closing struct{ left *strings.Reader }

func (c closing) Read(b []byte) (int, error) {
	if c.left.Len() == 0 {
		return 0, http.ErrBodyReadAfterClose
	}
	return c.left.Read(b)
}

func (closing) Close() error { return nil }

// TestAnswersEarly has the answer begin before anybody has looked whether more of the
// request comes.
func TestAnswersEarly(t *testing.T) {
	w := newWorld(t)
	r := httptest.NewRequest("POST", "/", closing{strings.NewReader("body")})
	r.ContentLength = int64(len("body"))
	r.Header.Set("X-Amz-Target", "AmazonSQS.SendMessage")
	answer := httptest.NewRecorder()
	w.Config.Handler.ServeHTTP(answer, r)
	if answer.Code != http.StatusTeapot { // LocalStack's
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
	w.main.mu.Lock()
	defer w.main.mu.Unlock()
	if string(w.main.body) != "body" {
		t.Errorf("passed on: %q", w.main.body)
	}
}

func TestWhoIsAsked(t *testing.T) {
	w := newWorld(t)
	scope := func(service string) string {
		return "AWS4-HMAC-SHA256 Credential=test/20261123/us-east-1/" + service + "/aws4_request, SignedHeaders=host, Signature=0"
	}
	for name, tt := range map[string]struct {
		method, path string
		header       []string
		lent         bool
	}{
		"a bucket, by host":       {"PUT", "/key", []string{"Host", "bucket.s3.localhost", "Authorization", scope("s3")}, false},
		"a queue":                 {"POST", "/", []string{"X-Amz-Target", "AmazonSQS.SendMessage"}, false},
		"a pool":                  {"POST", "/", []string{"X-Amz-Target", "AWSCognitoIdentityProviderService.InitiateAuth"}, true},
		"the registry":            {"POST", "/", []string{"Authorization", scope("servicediscovery")}, true},
		"the balancer's API":      {"POST", "/", []string{"Authorization", scope("elasticloadbalancing")}, true},
		"a mail":                  {"POST", "/v2/email/outbound-emails", []string{"Authorization", scope("ses")}, true},
		"the mail that was sent":  {"GET", "/_ministack/ses/messages", nil, true},
		"which endpoint it is":    {"GET", "/_ministack/health", []string{"Accept", "*/*"}, false},
		"a table":                 {"POST", "/", []string{"X-Amz-Target", "DynamoDB_20120810.CreateTable"}, false},
		"a look-alike":            {"POST", "/", []string{"X-Amz-Target", "NotCognito.InitiateAuth", "Authorization", scope("sqs")}, false},
		"a function of no target": {"GET", "/2015-03-31/event-source-mappings", []string{"Authorization", scope("lambda")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w.main.set(func(f *fakeMain) { f.asked = nil })
			w.lender.set(func(l *fakeLender) { l.asked = nil })
			w.ask(t, tt.method, tt.path, "body", tt.header...)
			w.main.mu.Lock()
			asked, body := w.main.asked, w.main.body
			w.main.mu.Unlock()
			if tt.lent != (asked == nil) || tt.lent != (len(w.lender.asked) > 0) {
				t.Fatalf("LocalStack got %v, the lender %v", asked, w.lender.asked)
			}
			if tt.lent {
				return
			}
			if string(body) != "body" || asked.URL.Path != tt.path || tt.header[0] == "Host" && asked.Host != tt.header[1] {
				t.Errorf("passed on: %s %s %q", asked.Host, asked.URL, body)
			}
		})
	}
	w.ask(t, "POST", "/", "{}", "X-Amz-Target", "DynamoDB_20120810.GetItem", "Authorization", scope("dynamodb"))
	if !strings.Contains(w.data.Get("Authorization"), "Credential=000000000000useast1/20261123/us-east-1/dynamodb/") {
		t.Errorf("the database got %v", w.data)
	}
	w.ask(t, "GET", "/pool-1/.well-known/jwks.json", "")
	if w.lender.fetched != 1 {
		t.Error("the keys of a pool are not the lender's")
	}
}

func TestReadyWhenBothAre(t *testing.T) {
	w := newWorld(t)
	w.main.set(func(f *fakeMain) { f.unwell = true })
	if got := w.ask(t, "GET", front.ReadyPath, ""); got.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
	w.main.set(func(f *fakeMain) { f.unwell = false })
	w.ask(t, "GET", front.ReadyPath, "").is(t, 200, "")
}
