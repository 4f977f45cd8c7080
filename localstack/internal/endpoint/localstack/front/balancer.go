package front

import (
	"encoding/json"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path"
	"strconv"
	"strings"
)

// balancerBody is the most that a load balancer passes to a function, and back:
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
const balancerBody = 1 << 20

// albEvent is what a function gets from a load balancer. Parameters and paths are as
// they were sent: it decodes nothing.
type albEvent struct {
	Context struct {
		ELB struct {
			TargetGroupArn string `json:"targetGroupArn"`
		} `json:"elb"`
	} `json:"requestContext"`
	Method          string              `json:"httpMethod"`
	Path            string              `json:"path"`
	Query           map[string]string   `json:"queryStringParameters,omitempty"`
	MultiQuery      map[string][]string `json:"multiValueQueryStringParameters,omitempty"`
	Headers         map[string]string   `json:"headers,omitempty"`
	MultiHeaders    map[string][]string `json:"multiValueHeaders,omitempty"`
	Body            string              `json:"body"`
	IsBase64Encoded bool                `json:"isBase64Encoded"`
}

// balancer answers as the load balancer does. path is escaped, as it was sent.
func (f *Front) balancer(w http.ResponseWriter, r *http.Request, lb *loadBalancer, path string) {
	group := lb.group(r.Host, path)
	switch {
	case group == nil:
		w.Header().Set("Content-Type", lb.nobody.contentType)
		w.WriteHeader(lb.nobody.status)
		_, _ = w.Write([]byte(lb.nobody.body))
	case group.function != nil:
		f.balanceFunction(w, r, group, path)
	case group.address != nil:
		f.balanceAddress(w, r, group, path)
	default: // it has no target
		page(w, http.StatusServiceUnavailable)
	}
}

// balanceFunction hands a request to a function.
func (f *Front) balanceFunction(w http.ResponseWriter, r *http.Request, group *targetGroup, path string) {
	event := f.albEvent(r, group, path)
	var whole bool
	var err error
	if event.Body, event.IsBase64Encoded, whole, err = body(r, balancerBody); err != nil {
		return // the client is gone
	}
	if !whole {
		page(w, http.StatusRequestEntityTooLarge)
		return
	}
	got, err := f.invoke(r.Context(), *group.function, event, traced(r, f.cfg.Now()))
	if err != nil || got.status != http.StatusOK || got.failed || !writeALB(w, got.payload, group.multi) {
		f.cfg.Log.Printf("%s %s%s: %d %s %v", r.Method, r.Host, path, got.status, got.payload, err)
		page(w, http.StatusBadGateway)
	}
}

// balanceAddress hands a request to a server.
func (f *Front) balanceAddress(w http.ResponseWriter, r *http.Request, group *targetGroup, path string) {
	proxy := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(group.address)
			p.Out.URL.Path, p.Out.URL.RawPath = r.URL.Path, path
			if plain, err := url.PathUnescape(path); err == nil {
				p.Out.URL.Path = plain
			}
			p.Out.Host = p.In.Host
			p.SetXForwarded()
		},
		Transport: f.client.Transport,
		ErrorLog:  f.cfg.Log,
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			f.cfg.Log.Printf("%s %s%s: %v", r.Method, r.Host, path, err)
			page(w, http.StatusBadGateway)
		},
	}
	proxy.ServeHTTP(w, r)
}

func (f *Front) albEvent(r *http.Request, group *targetGroup, path string) *albEvent {
	e := &albEvent{Method: r.Method, Path: path}
	e.Context.ELB.TargetGroupArn = group.arn
	headers := map[string][]string{}
	for name, values := range r.Header {
		headers[strings.ToLower(name)] = values
	}
	headers["host"] = []string{r.Host}
	headers["x-amzn-trace-id"] = []string{traced(r, f.cfg.Now())}
	headers["x-forwarded-for"] = []string{strings.TrimPrefix(strings.Join(headers["x-forwarded-for"], ", ")+", "+source(r), ", ")}
	headers["x-forwarded-port"] = []string{"80"}
	headers["x-forwarded-proto"] = []string{"http"}
	query := map[string][]string{}
	for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
		if pair != "" {
			name, v, _ := strings.Cut(pair, "=")
			query[name] = append(query[name], v)
		}
	}
	if group.multi {
		e.MultiHeaders, e.MultiQuery = headers, query
		return e
	}
	e.Headers, e.Query = lasts(headers), lasts(query)
	return e
}

// lasts keeps the last of several values, which is what a load balancer passes on
// without multi-value headers.
func lasts(all map[string][]string) map[string]string {
	last := make(map[string]string, len(all))
	for name, values := range all {
		last[name] = values[len(values)-1]
	}
	return last
}

// writeALB writes a function's answer; false means that it is none.
func writeALB(w http.ResponseWriter, payload []byte, multi bool) bool {
	var a reply
	if json.Unmarshal(payload, &a) != nil {
		return false
	}
	status, ok := a.status()
	content, err := a.content()
	if !ok || err != nil || len(payload) > balancerBody {
		return false
	}
	if multi { // and then only these count
		for name, values := range a.MultiValueHeaders {
			for _, v := range values {
				w.Header().Add(name, v)
			}
		}
	} else {
		for name, v := range a.Headers {
			if text, ok := v.(string); ok {
				w.Header().Set(name, text)
			}
		}
	}
	w.Header().Del("Content-Length")
	w.WriteHeader(status)
	_, _ = w.Write(content)
	return true
}

// group finds the target group of the first rule that fits.
func (b *loadBalancer) group(host, path string) *targetGroup {
	host, _, _ = strings.Cut(strings.ToLower(host), ":")
	for _, r := range b.rules {
		if fitsAny(r.hosts, host) && fitsAny(r.paths, path) {
			return r.group
		}
	}
	return nil
}

// fitsAny says whether a text fits one of the patterns, in which * is any text and ?
// any character; no patterns, no condition.
func fitsAny(patterns []string, text string) bool {
	for _, pattern := range patterns {
		// path.Match has the same signs but stops at a slash, so slashes are hidden from it.
		hidden := func(s string) string { return strings.ReplaceAll(s, "/", "\x00") }
		escaped := strings.NewReplacer(`\`, `\\`, `[`, `\[`).Replace(hidden(pattern))
		if ok, err := path.Match(escaped, hidden(text)); ok && err == nil {
			return true
		}
	}
	return len(patterns) == 0
}

// page is what a load balancer answers by itself.
func page(w http.ResponseWriter, status int) {
	title := strconv.Itoa(status) + " " + http.StatusText(status)
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(status)
	_, _ = w.Write([]byte("<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + title + "</h1></center>\r\n</body>\r\n</html>\r\n"))
}
