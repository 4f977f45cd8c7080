package awsclient_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"tradewind/shared/awsclient"
)

// env is a function's environment.
type env map[string]string

func (e env) get(name string) string { return e[name] }

func TestEndpoint(t *testing.T) {
	tests := map[string]struct {
		env  env
		want string // "" is AWS itself
	}{
		"none":          {env{}, ""},
		"all services":  {env{"AWS_ENDPOINT_URL": "http://all"}, "http://all"},
		"this service":  {env{"AWS_ENDPOINT_URL_DYNAMODB": "http://own"}, "http://own"},
		"both":          {env{"AWS_ENDPOINT_URL": "http://all", "AWS_ENDPOINT_URL_DYNAMODB": "http://own"}, "http://own"},
		"other service": {env{"AWS_ENDPOINT_URL_SQS": "http://other"}, ""},
		"other and all": {env{"AWS_ENDPOINT_URL_SQS": "http://other", "AWS_ENDPOINT_URL": "http://all"}, "http://all"},
	}
	for name, test := range tests {
		for _, service := range []string{"DYNAMODB", "dynamodb"} {
			if got := aws.ToString(awsclient.Config(test.env.get, service).BaseEndpoint); got != test.want {
				t.Errorf("%s, %s: endpoint %q, want %q", name, service, got, test.want)
			}
		}
	}
}

func TestCredentials(t *testing.T) {
	e := env{"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token"}
	cfg := awsclient.Config(e.get, "DYNAMODB")
	got, err := cfg.Credentials.Retrieve(t.Context())
	if err != nil || got.AccessKeyID != "id" || got.SecretAccessKey != "secret" || got.SessionToken != "token" || got.CanExpire {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		e := env{"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"}
		delete(e, name)
		if got, err := awsclient.Config(e.get, "DYNAMODB").Credentials.Retrieve(t.Context()); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: got %+v, %v; want an error that names it", name, got, err)
		}
	}
}

// TestClient makes a real client and has it call: region, credentials and
// endpoint must meet in the signature.
func TestClient(t *testing.T) {
	var got *http.Request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		fmt.Fprint(w, `{"TableNames":[]}`)
	}))
	defer server.Close()
	e := env{
		"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token",
		"AWS_ENDPOINT_URL_DYNAMODB": server.URL,
	}
	client := dynamodb.NewFromConfig(awsclient.Config(e.get, "DYNAMODB"))
	if _, err := client.ListTables(t.Context(), &dynamodb.ListTablesInput{}); err != nil {
		t.Fatal(err)
	}
	if auth := got.Header.Get("Authorization"); !strings.Contains(auth, "Credential=AKID/") || !strings.Contains(auth, "/eu-west-1/dynamodb/") {
		t.Errorf("signed as %q", auth)
	}
	if token := got.Header.Get("X-Amz-Security-Token"); token != "token" {
		t.Errorf("session token %q", token)
	}
}

// A function makes each client once, from the environment that build was given.
func ExampleConfig() {
	getenv := env{"AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}.get
	client := dynamodb.NewFromConfig(awsclient.Config(getenv, "DYNAMODB"))
	fmt.Println(client.Options().Region, *client.Options().BaseEndpoint)
	_, err := client.Options().Credentials.Retrieve(context.Background())
	fmt.Println(err)

	// Output:
	// eu-west-1 http://127.0.0.1:4566
	// awsclient: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not both set
}
