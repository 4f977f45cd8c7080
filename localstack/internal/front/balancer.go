package front

import (
	"encoding/json"
	"net/http"
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
func (f *Front) balancer(w http.ResponseWriter, r *http.Request, p *platform, path string) {
	matched := p.rule(r.Host, path)
	if matched == nil {
		status, err := strconv.Atoi(p.nobody.Status)
		if err != nil {
			status = http.StatusServiceUnavailable
		}
		w.Header().Set("Content-Type", p.nobody.Type)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(p.nobody.Body))
		return
	}
	event := f.albEvent(r, matched, path)
	var whole bool
	var err error
	if event.Body, event.IsBase64Encoded, whole, err = body(r, balancerBody); err != nil {
		return // the client is gone
	}
	if !whole {
		page(w, http.StatusRequestEntityTooLarge)
		return
	}
	got, err := f.invoke(r.Context(), matched.target, event, traced(r, f.cfg.Now()))
	if err != nil || got.status != http.StatusOK || got.failed || !writeALB(w, got.payload, matched.multi) {
		f.cfg.Log.Printf("%s %s%s: %d %s %v", r.Method, r.Host, path, got.status, got.payload, err)
		page(w, http.StatusBadGateway)
	}
}

func (f *Front) albEvent(r *http.Request, matched *rule, path string) *albEvent {
	e := &albEvent{Method: r.Method, Path: path}
	e.Context.ELB.TargetGroupArn = "arn:aws:elasticloadbalancing:" + f.cfg.Region + ":" + f.cfg.Account + ":targetgroup/" + matched.group + "/0"
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
	if matched.multi {
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

// rule finds the first rule that fits.
func (p *platform) rule(host, path string) *rule {
	host, _, _ = strings.Cut(strings.ToLower(host), ":")
	for _, r := range p.rules {
		if fitsAny(r.hosts, host) && fitsAny(r.paths, path) {
			return r
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
