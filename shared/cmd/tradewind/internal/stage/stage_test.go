package stage

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

func TestStages(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	account := map[string]string{"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"}
	here := func(path string) func() (*Stage, error) { return func() (*Stage, error) { return Here(path) } }
	onAWS := func(env map[string]string) func() (*Stage, error) {
		return func() (*Stage, error) { return OnAWS("dev", func(name string) string { return env[name] }) }
	}

	tests := map[string]struct {
		open  func() (*Stage, error)
		stage string // and endpoint
		key   string
		err   string
	}{
		"here":                {here(file("here.json", `{"endpoint":"http://127.0.0.1:4566","region":"us-east-1"}`)), "local http://127.0.0.1:4566 us-east-1", "test", ""},
		"aws":                 {onAWS(account), "dev  eu-central-1", "id", ""},
		"aws, default region": {onAWS(with(account, "AWS_REGION", "", "AWS_DEFAULT_REGION", "eu-west-1")), "dev  eu-west-1", "id", ""},
		"no credentials":      {onAWS(map[string]string{"AWS_REGION": "eu-west-1"}), "", "", "AWS_ACCESS_KEY_ID"},
		"nothing runs":        {here(filepath.Join(dir, "none")), "", "", "make run"},
		"outputs of aws":      {here(file("cloud.json", `{"endpoint":"","region":"eu-central-1"}`)), "", "", "--stage"},
		"unreadable":          {here(file("odd.json", `{`)), "", "", "odd.json"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s, err := test.open()
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("got %v, want an error with %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			endpoint := ""
			if s.Config.BaseEndpoint != nil {
				endpoint = *s.Config.BaseEndpoint
			}
			if got := s.Name + " " + endpoint + " " + s.Config.Region; got != test.stage || s.Local() != (endpoint != "") {
				t.Errorf("got %s, local %v", got, s.Local())
			}
			creds, err := s.Config.Credentials.Retrieve(t.Context())
			if err != nil || creds.AccessKeyID != test.key {
				t.Errorf("credentials of %s, %v", creds.AccessKeyID, err)
			}
		})
	}
}

func with(env map[string]string, pairs ...string) map[string]string {
	all := map[string]string{}
	for name, value := range env {
		all[name] = value
	}
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = pairs[i+1]
	}
	return all
}

func TestNames(t *testing.T) {
	s := Stage{Name: "dev"}
	if got := s.Bus() + " " + s.Resource("orders", RelayDLQ); got != "tradewind-dev tradewind-dev-orders-relay-dlq" {
		t.Error(got)
	}
}

// TestQueues: the tools know a queue by its part of a service. Its name has an end that
// is another one after its stack was deployed again.
func TestQueues(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if target := r.Header.Get("X-Amz-Target"); target != "AmazonSQS.ListQueues" {
			t.Errorf("asked for %s", target)
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		_, _ = io.WriteString(w, `{"QueueUrls": [
			"http://sqs/1/tradewind-dev-orders-consumer-51af3dc0", "http://sqs/1/tradewind-dev-orders-consumer-dlq-51af3dc0",
			"http://sqs/1/tradewind-dev-orders-relay-dlq-51af3dc0"]}`)
	}))
	defer server.Close()
	s := &Stage{"dev", aws.Config{Region: "eu-central-1", BaseEndpoint: &server.URL, Credentials: fixed("test", "test", "")}}
	for part, want := range map[string]string{
		Consumer:    "http://sqs/1/tradewind-dev-orders-consumer-51af3dc0",
		ConsumerDLQ: "http://sqs/1/tradewind-dev-orders-consumer-dlq-51af3dc0",
	} {
		if url, err := s.QueueURL(t.Context(), "orders", part); url != want || err != nil {
			t.Errorf("%s: %s, %v", part, url, err)
		}
	}
	if services, err := s.Services(t.Context()); !slices.Equal(services, []string{"orders"}) || err != nil {
		t.Errorf("services %v, %v", services, err)
	}
	_, err := s.QueueURL(t.Context(), "users", RelayDLQ)
	want := "stage dev has no queue tradewind-dev-users-relay-dlq; it has " +
		"tradewind-dev-orders-consumer, tradewind-dev-orders-consumer-dlq, tradewind-dev-orders-relay-dlq"
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
