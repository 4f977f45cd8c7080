// Package front is one address for everything that a client, a tool or a function of
// the platform calls, where no single endpoint has it all.
//
// LocalStack's open core has neither HTTP APIs nor load balancers, user pools, Cloud Map
// or today's API of mail. A second endpoint lends the APIs of the last four: calls of
// those services are passed on to it, every other one to LocalStack. What carries requests to functions is
// played here, for the functions are LocalStack's.
//
// The gateway is read from the synthesised templates, the ones that were deployed:
// routes, authorizers, integrations. The load balancer is read from the lender's API, to
// which the same templates were deployed, and which tests change. So what is played
// cannot differ from what AWS would be told; only how it is carried out can, and that
// follows AWS's documentation, linked where it is done.
//
// Callers must keep: templates are read at the first request that needs them and again
// when they have changed, so deploy before you call.
package front

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"tradewind/localstack/internal/endpoint"
)

// Where the front serves what it plays, below its own address. They are those of the
// other endpoint, so that addresses are made alike for both.
const (
	gatewayPath  = "/_aws/execute-api/"
	balancerPath = "/_alb/"

	// The mail that was sent by the lender. What else it tells of itself is not passed
	// on: this is another endpoint.
	mailPath = "/_ministack/ses/"

	// ReadyPath answers 200 once both endpoints do.
	ReadyPath = "/_tradewind/ready"
)

// Config says who is behind the front.
type Config struct {
	App       string   // folder of the synthesised templates
	Main      *url.URL // LocalStack
	MainReady string   // path that LocalStack answers when it is up
	Database  *url.URL // LocalStack's DynamoDB Local
	Lender    *url.URL // the endpoint for what LocalStack lacks
	LentReady string   // path that the lender answers when it is up
	Region    string
	Account   string
	Log       *log.Logger
	Now       func() time.Time
}

// Front is the handler of everything.
type Front struct {
	cfg          Config
	client       *http.Client
	main, lender http.Handler
	database     http.Handler

	elb *elb.Client

	mu       sync.Mutex // of what follows
	read     time.Time  // of the manifest, when the templates were read
	api      *httpAPI
	balanced *loadBalancer // nil when it may have changed
	changes  int           // of the load balancer
}

// New returns a front.
func New(cfg Config) *Front {
	transport := &http.Transport{
		MaxIdleConnsPerHost: 64,
		DisableCompression:  true,
		// LocalStack says "Connection: close" and means it; a connection kept for long
		// would be closed under a request.
		IdleConnTimeout: 2 * time.Second,
	}
	f := &Front{cfg: cfg, client: &http.Client{Transport: transport}}
	f.elb = elb.NewFromConfig(endpoint.AWS(cfg.Lender.String(), cfg.Region))
	f.main, f.lender, f.database = f.pass(cfg.Main, transport), f.pass(cfg.Lender, transport), f.pass(cfg.Database, transport)
	return f
}

// pass hands requests on as they came, the host they asked for included: buckets and
// queues are told apart by it.
//
// A request is read whole before. An endpoint may answer before the proxy has looked
// whether more of it comes; the server closes the request with the answer, the look then
// fails, and the connection is given up with the rest of the answer on it.
func (f *Front) pass(to *url.URL, transport http.RoundTripper) http.Handler {
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host
		},
		Transport:     transport,
		FlushInterval: -1,
		ErrorLog:      f.cfg.Log,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := whole(r)
		if err != nil {
			message(w, http.StatusBadRequest, err.Error())
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		proxy.ServeHTTP(w, r)
	})
}

// whole reads a request's body, and no further than it is said to go.
func whole(r *http.Request) ([]byte, error) {
	if r.ContentLength < 0 {
		return io.ReadAll(r.Body)
	}
	body := make([]byte, r.ContentLength)
	_, err := io.ReadFull(r.Body, body)
	return body, err
}

func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	switch {
	case path == ReadyPath:
		f.ready(w, r)
	case strings.HasPrefix(path, gatewayPath):
		// …/<api>/<stage>/path
		parts := strings.SplitN(strings.TrimPrefix(path, gatewayPath), "/", 3)
		rest := "/"
		if len(parts) == 3 {
			rest += parts[2]
		}
		api, err := f.httpAPI(r.Context())
		if err != nil {
			f.broken(w, r, err)
			return
		}
		f.gateway(w, r, api, rest)
	case strings.HasPrefix(path, balancerPath):
		name, rest, _ := strings.Cut(strings.TrimPrefix(path, balancerPath), "/")
		lb, err := f.loadBalancer(r.Context(), name)
		if err != nil {
			f.broken(w, r, err)
			return
		}
		f.balancer(w, r, lb, "/"+rest)
	case dataCalls[r.Header.Get("X-Amz-Target")]:
		// A table belongs to whom the signature names, and LocalStack names them so.
		f.sign(r, "dynamodb", strings.ReplaceAll(f.cfg.Account+f.cfg.Region, "-", ""))
		f.database.ServeHTTP(w, r)
	case lent(r), strings.HasPrefix(path, mailPath):
		f.lender.ServeHTTP(w, r)
		f.changed(r)
	default:
		f.main.ServeHTTP(w, r)
		f.changed(r)
	}
}

// broken answers for what cannot be played.
func (f *Front) broken(w http.ResponseWriter, r *http.Request, err error) {
	f.cfg.Log.Printf("%s %s: %v", r.Method, r.URL.Path, err)
	message(w, http.StatusServiceUnavailable, err.Error())
}

// httpAPI returns the gateway as it is deployed, read anew if it was synthesised anew.
func (f *Front) httpAPI(ctx context.Context) (*httpAPI, error) {
	info, err := os.Stat(filepath.Join(f.cfg.App, "manifest.json"))
	if err != nil {
		return nil, fmt.Errorf("nothing was synthesised: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.api != nil && f.read.Equal(info.ModTime()) {
		return f.api, nil
	}
	api, err := readHTTPAPI(f.cfg.App, func(name string) (string, error) { return f.parameter(ctx, name) })
	if err != nil {
		return nil, err
	}
	for _, r := range api.routes {
		if r.authorizer != nil {
			r.authorizer.keys = &keySet{fetch: f.poolKeys(r.authorizer.issuer), now: f.cfg.Now}
		}
	}
	f.api, f.read = api, info.ModTime()
	return api, nil
}

// ready says whether everybody is there.
func (f *Front) ready(w http.ResponseWriter, r *http.Request) {
	for _, at := range []*url.URL{f.cfg.Main.JoinPath(f.cfg.MainReady), f.cfg.Lender.JoinPath(f.cfg.LentReady)} {
		if _, err := f.get(r.Context(), at.String()); err != nil {
			message(w, http.StatusServiceUnavailable, err.Error())
			return
		}
	}
}

// dataCalls are the calls of DynamoDB that LocalStack passes on to its database as they
// are. They go there at once: its own part is most of what such a call costs, and its one
// Python is what everything else waits for.
var dataCalls = map[string]bool{
	"DynamoDB_20120810.GetItem": true, "DynamoDB_20120810.PutItem": true, "DynamoDB_20120810.UpdateItem": true,
	"DynamoDB_20120810.DeleteItem": true, "DynamoDB_20120810.Query": true, "DynamoDB_20120810.Scan": true,
	"DynamoDB_20120810.BatchGetItem": true, "DynamoDB_20120810.BatchWriteItem": true,
	"DynamoDB_20120810.TransactGetItems": true, "DynamoDB_20120810.TransactWriteItems": true,
}

// lentServices are those that the lender has, by what the signature's scope and the
// header X-Amz-Target call them.
var lentServices = map[string]string{
	"cognito-idp":          "AWSCognitoIdentityProviderService",
	"servicediscovery":     "Route53AutoNaming_v20170314",
	"elasticloadbalancing": "", // these have no such header
	"ses":                  "",
}

// lent says whether a request is one of the AWS API that the lender answers, or one
// for the public keys of a pool.
func lent(r *http.Request) bool {
	if strings.HasSuffix(r.URL.Path, jwksPath) {
		return true
	}
	target, _, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	for service, name := range lentServices {
		if target != "" && target == name || scoped(r, service) {
			return true
		}
	}
	return false
}

// scoped says whether a request is signed for a service.
func scoped(r *http.Request, service string) bool {
	return strings.Contains(r.Header.Get("Authorization"), "/"+service+"/aws4_request")
}

// parameter reads a parameter of the deployed platform.
func (f *Front) parameter(ctx context.Context, name string) (string, error) {
	body, err := json.Marshal(map[string]string{"Name": name})
	if err != nil {
		return "", err
	}
	text, err := f.call(ctx, "ssm", "AmazonSSM.GetParameter", body)
	if err != nil {
		return "", fmt.Errorf("read the parameter %s: %w", name, err)
	}
	var found struct{ Parameter struct{ Value string } }
	if err := json.Unmarshal(text, &found); err != nil {
		return "", fmt.Errorf("read the parameter %s: %w", name, err)
	}
	if found.Parameter.Value == "" {
		return "", fmt.Errorf("the parameter %s is empty", name)
	}
	return found.Parameter.Value, nil
}

var errNotOK = errors.New("not OK")

// get reads what is at an address.
func (f *Front) get(ctx context.Context, address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	return f.do(req)
}

// message answers as API Gateway does by itself.
func message(w http.ResponseWriter, status int, text string) {
	body, err := json.Marshal(map[string]string{"message": text})
	if err != nil {
		body = []byte(`{}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
