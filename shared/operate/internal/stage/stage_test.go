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
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	here := file("here.json", `{"endpoint":"http://127.0.0.1:4566","region":"us-east-1"}`)
	cloud := file("cloud.json", `{"endpoint":"","region":"eu-central-1"}`)
	odd := file("odd.json", `{`)
	account := map[string]string{"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"}

	tests := map[string]struct {
		env   map[string]string
		stage string // and endpoint
		key   string
		err   string
	}{
		"here":                {map[string]string{"TRADEWIND_OUTPUTS": here}, "local http://127.0.0.1:4566 us-east-1", "test", ""},
		"here, account set":   {with(account, "TRADEWIND_OUTPUTS", here), "local http://127.0.0.1:4566 us-east-1", "test", ""},
		"aws":                 {with(account, "TRADEWIND_STAGE", "dev"), "dev  eu-central-1", "id", ""},
		"aws, default region": {with(with(account, "TRADEWIND_STAGE", "dev"), "AWS_REGION", "", "AWS_DEFAULT_REGION", "eu-west-1"), "dev  eu-west-1", "id", ""},
		"no credentials":      {map[string]string{"TRADEWIND_STAGE": "dev", "AWS_REGION": "eu-west-1"}, "", "", "AWS_ACCESS_KEY_ID"},
		"nothing runs":        {map[string]string{"TRADEWIND_OUTPUTS": filepath.Join(dir, "none")}, "", "", "make run"},
		"outputs of aws":      {with(account, "TRADEWIND_OUTPUTS", cloud), "", "", "STAGE="},
		"unreadable":          {map[string]string{"TRADEWIND_OUTPUTS": odd}, "", "", odd},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s, err := Open(func(name string) string { return test.env[name] })
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

func TestParseWindow(t *testing.T) {
	now := time.Date(2026, 11, 12, 14, 0, 0, 0, time.UTC)
	tests := map[string]struct{ from, to, want string }{
		"times":         {"2026-11-11T10:00:00Z", "2026-11-11T12:00:00+01:00", "2026-11-11T10:00:00Z to 2026-11-11T11:00:00Z"},
		"until now":     {"90m", "", "2026-11-12T12:30:00Z to 2026-11-12T14:00:00Z"},
		"ago":           {"2h", "30m", "2026-11-12T12:00:00Z to 2026-11-12T13:30:00Z"},
		"no beginning":  {"", "", "error: FROM= is missing"},
		"backwards":     {"1h", "2h", "error: the window"},
		"to come":       {"-1h", "", "error: FROM=-1h"},
		"a day":         {"2026-11-11", "", "error: FROM=2026-11-11"},
		"nonsense":      {"1h", "soon", "error: TO=soon"},
		"nothing of it": {"0s", "0s", "error: the window"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w, err := ParseWindow(test.from, test.to, now)
			got := w.String()
			if err != nil {
				got = "error: " + err.Error()
			}
			if !strings.HasPrefix(got, test.want) {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}
