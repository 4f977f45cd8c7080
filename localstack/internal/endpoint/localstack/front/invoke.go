package front

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Lambda's own limit of a synchronous answer; ours is looser, the function's judges.
const maxAnswer = 16 << 20

// target is the function behind a route or a rule.
type target struct{ function, qualifier string }

// outcome is what an invocation brought.
type outcome struct {
	status  int    // of the API call
	failed  bool   // the function did
	payload []byte // its answer, or its error
}

// invoke runs a function and waits for its answer.
func (f *Front) invoke(ctx context.Context, t target, event any, trace string) (outcome, error) {
	body, err := json.Marshal(event)
	if err != nil {
		return outcome{}, fmt.Errorf("encode the event: %w", err)
	}
	at := f.cfg.Main.JoinPath("/2015-03-31/functions/", t.function, "/invocations")
	if t.qualifier != "" {
		at.RawQuery = url.Values{"Qualifier": {t.qualifier}}.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at.String(), bytes.NewReader(body))
	if err != nil {
		return outcome{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Amzn-Trace-Id", trace)
	f.sign(req, "lambda", f.cfg.Account)
	resp, err := f.client.Do(req)
	if err != nil {
		return outcome{}, fmt.Errorf("invoke %s: %w", t.function, err)
	}
	defer resp.Body.Close()
	payload, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return outcome{}, fmt.Errorf("invoke %s: %w", t.function, err)
	}
	return outcome{status: resp.StatusCode, failed: resp.Header.Get("X-Amz-Function-Error") != "", payload: payload}, nil
}

// call calls an operation of a service that speaks JSON.
func (f *Front) call(ctx context.Context, service, operation string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.cfg.Main.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", operation)
	f.sign(req, service, f.cfg.Account)
	return f.do(req)
}

func (f *Front) do(req *http.Request) ([]byte, error) {
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: %s %s", errNotOK, resp.Status, text)
	}
	return text, nil
}

// sign adds what tells an endpoint which service is meant, and whose account. None checks
// the signature.
func (f *Front) sign(req *http.Request, service, account string) {
	day := f.cfg.Now().UTC().Format("20060102")
	req.Header.Set("X-Amz-Date", day+"T000000Z")
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+account+"/"+day+"/"+f.cfg.Region+"/"+service+
		"/aws4_request, SignedHeaders=host;x-amz-date, Signature=0")
}

// traced returns the request's trace header, a new one if it has none.
func traced(r *http.Request, now time.Time) string {
	if trace := r.Header.Get("X-Amzn-Trace-Id"); trace != "" {
		return trace
	}
	return fmt.Sprintf("Root=1-%08x-%s", now.Unix(), random(12))
}

func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails
	return hex.EncodeToString(b)
}

// body reads a request's body and writes it as events have it: text as it is, the
// rest in base64. It reads no more than the limit, and says whether that was enough.
func body(r *http.Request, limit int64) (text string, encoded, whole bool, err error) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil || int64(len(raw)) > limit {
		return "", false, false, err
	}
	if len(raw) == 0 || isText(r.Header) {
		return string(raw), false, true, nil
	}
	return base64.StdEncoding.EncodeToString(raw), true, true, nil
}

// isText follows https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
// for both: what is not named there is binary.
func isText(h http.Header) bool {
	if h.Get("Content-Encoding") != "" {
		return false
	}
	kind, _, _ := strings.Cut(strings.ToLower(h.Get("Content-Type")), ";")
	switch kind = strings.TrimSpace(kind); kind {
	case "application/json", "application/javascript", "application/xml":
		return true
	}
	return strings.HasPrefix(kind, "text/") || strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json")
}

// reply is what a function answers for a request of either kind.
type reply struct {
	StatusCode        json.Number         `json:"statusCode"`
	Headers           map[string]any      `json:"headers"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders"`
	Cookies           []string            `json:"cookies"`
	Body              string              `json:"body"`
	IsBase64Encoded   bool                `json:"isBase64Encoded"`
}

// content is the body, decoded.
func (a *reply) content() ([]byte, error) {
	if a.IsBase64Encoded {
		return base64.StdEncoding.DecodeString(a.Body)
	}
	return []byte(a.Body), nil
}

// status is the status, if it is one.
func (a *reply) status() (int, bool) {
	n, err := a.StatusCode.Int64()
	return int(n), err == nil && n >= 100 && n <= 599
}
