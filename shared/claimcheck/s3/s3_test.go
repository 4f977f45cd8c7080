package s3_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"tradewind/shared/apperr"
	"tradewind/shared/awsclient"
	"tradewind/shared/claimcheck"
	"tradewind/shared/claimcheck/s3"
)

var _ claimcheck.Store = (*s3.Store)(nil)

func environment(endpoint string) func(string) string {
	return func(name string) string {
		return map[string]string{
			"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token",
			"AWS_ENDPOINT_URL_S3": endpoint,
		}[name]
	}
}

func bucket(t *testing.T, handle http.HandlerFunc) *s3.Store {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	return s3.New(awsclient.Config(environment(server.URL), "S3"), "shop-claims")
}

const key = "claims/evt_01K9ZX3V5W1A2B3C4D5E6F7G8H.json"

// TestRequests looks at what S3 would get, and checks the signature as S3 does: by
// making it again.
func TestRequests(t *testing.T) {
	body := []byte(`{"parcelId":"7"}`)
	digest := sha256.Sum256(body)
	var seen []string
	store := bucket(t, func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Method+" "+r.URL.Path)
		got, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		sum := sha256.Sum256(got)
		if r.Header.Get("X-Amz-Content-Sha256") != hex.EncodeToString(sum[:]) || r.Header.Get("X-Amz-Security-Token") != "token" {
			t.Errorf("headers %v", r.Header)
		}
		if !signedAsSent(t, r) {
			t.Errorf("the signature is not that of the request: %s", r.Header.Get("Authorization"))
		}
		if r.Method == http.MethodPut {
			if !bytes.Equal(got, body) || r.Header.Get("X-Amz-Checksum-Sha256") != base64.StdEncoding.EncodeToString(digest[:]) {
				t.Errorf("put %s, %v", got, r.Header)
			}
			return
		}
		_, _ = w.Write(body)
	})
	if err := store.Put(t.Context(), key, body); err != nil {
		t.Error(err)
	}
	if got, err := store.Get(t.Context(), key, len(body)); err != nil || !bytes.Equal(got, body) {
		t.Errorf("got %s, %v", got, err)
	}
	if want := "[PUT /shop-claims/" + key + " GET /shop-claims/" + key + "]"; fmt.Sprint(seen) != want {
		t.Errorf("requests %v, want %s", seen, want)
	}
}

// signedAsSent signs what arrived with the same secret and compares.
func signedAsSent(t *testing.T, r *http.Request) bool {
	t.Helper()
	authorization := r.Header.Get("Authorization")
	_, names, _ := strings.Cut(authorization, "SignedHeaders=")
	names, _, _ = strings.Cut(names, ",")
	again, err := http.NewRequest(r.Method, "http://"+r.Host+r.URL.Path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.SplitSeq(names, ";") {
		switch name {
		case "host", "x-amz-date", "x-amz-security-token":
		case "content-length":
			again.ContentLength = r.ContentLength
		default:
			again.Header.Set(name, r.Header.Get(name))
		}
	}
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil {
		t.Fatal(err)
	}
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	creds := aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "secret", SessionToken: "token"}
	if err := signer.SignHTTP(context.Background(), creds, again, r.Header.Get("X-Amz-Content-Sha256"), "s3", "eu-west-1", at); err != nil {
		t.Fatal(err)
	}
	return again.Header.Get("Authorization") == authorization
}

func TestOnAWS(t *testing.T) {
	cfg := awsclient.Config(environment(""), "S3")
	var asked string
	cfg.HTTPClient = client(func(r *http.Request) (*http.Response, error) {
		asked = r.URL.String()
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("{}"))}, nil
	})
	if _, err := s3.New(cfg, "shop-claims").Get(t.Context(), key, 10); err != nil || asked != "https://shop-claims.s3.eu-west-1.amazonaws.com/"+key {
		t.Errorf("asked %s, %v", asked, err)
	}
}

type client func(*http.Request) (*http.Response, error)

func (c client) Do(r *http.Request) (*http.Response, error) { return c(r) }

func TestRefusals(t *testing.T) {
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}
	fault := func(code string) string { return `<?xml version="1.0"?><Error><Code>` + code + `</Code></Error>` }
	tests := map[string]struct {
		handle http.HandlerFunc
		kind   apperr.Kind
		text   string
	}{
		"no object":     {answer(404, fault("NoSuchKey")), apperr.NotFound, "NoSuchKey"},
		"no bucket":     {answer(404, fault("NoSuchBucket")), apperr.Internal, "NoSuchBucket"},
		"no right":      {answer(403, fault("AccessDenied")), apperr.Internal, "AccessDenied"},
		"slow down":     {answer(503, fault("SlowDown")), apperr.Unavailable, "SlowDown"},
		"throttled":     {answer(429, ""), apperr.Unavailable, "429"},
		"an error":      {answer(500, "not XML"), apperr.Unavailable, "500"},
		"elsewhere":     {answer(301, fault("PermanentRedirect")), apperr.Internal, "PermanentRedirect"},
		"larger":        {answer(200, "12345678901"), apperr.Invalid, "larger than the 10 bytes"},
		"no end":        {endless, apperr.Invalid, "larger than the 10 bytes"},
		"broken off":    {brokenOff, apperr.Unavailable, "store_unavailable"},
		"never answers": {hangUp, apperr.Unavailable, "store_unavailable"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := bucket(t, test.handle).Get(t.Context(), key, 10)
			if err == nil || apperr.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v, of kind %v", err, apperr.KindOf(err))
			}
		})
	}
	if err := bucket(t, answer(400, fault("BadDigest"))).Put(t.Context(), key, []byte("{}")); err == nil || !strings.Contains(err.Error(), "BadDigest") {
		t.Errorf("a damaged object was put: %v", err)
	}
}

func endless(w http.ResponseWriter, r *http.Request) {
	for r.Context().Err() == nil {
		if _, err := w.Write(make([]byte, 1<<16)); err != nil {
			return
		}
	}
}

func brokenOff(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "10")
	fmt.Fprint(w, "12345")
}

func hangUp(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		conn.Close()
	}
}

// TestEndpoint goes there and back where an endpoint runs, which the test run names
// by the database's address.
func TestEndpoint(t *testing.T) {
	endpoint := os.Getenv("DYNAMODB_ENDPOINT")
	if endpoint == "" {
		t.Skip("no endpoint: make test starts one, and sets DYNAMODB_ENDPOINT")
	}
	name := fmt.Sprintf("claims-%d", time.Now().UnixNano())
	made, err := http.NewRequestWithContext(t.Context(), http.MethodPut, endpoint+"/"+name, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(made)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("make the bucket: %s", res.Status)
	}
	cfg := awsclient.Config(environment(endpoint), "S3")
	cfg.Region = "us-east-1" // where a bucket is made that names no place
	store := s3.New(cfg, name)
	data := bytes.Repeat([]byte("0123456789"), 100_000)
	if err := store.Put(t.Context(), key, data); err != nil {
		t.Fatal(err)
	}
	if got, err := store.Get(t.Context(), key, len(data)); err != nil || !bytes.Equal(got, data) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	if _, err := store.Get(t.Context(), key, len(data)-1); apperr.KindOf(err) != apperr.Invalid {
		t.Errorf("more than asked for: %v", err)
	}
	if _, err := store.Get(t.Context(), key+"x", 10); apperr.KindOf(err) != apperr.NotFound {
		t.Errorf("no object: %v", err)
	}
}
