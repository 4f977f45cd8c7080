package fixups_test

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

	"tradewind/localstack/internal/cdk"
	"tradewind/localstack/internal/endpoint"
	"tradewind/localstack/internal/endpoint/fixups"
)

// record is an endpoint that agrees to everything and remembers it.
func record(t *testing.T, answer string) (aws.Config, *[]string) {
	t.Helper()
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = append(asked, r.Method+" "+r.URL.Path+" "+string(body))
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	return endpoint.AWS(server.URL, "us-east-1"), &asked
}

func TestBalancerAddress(t *testing.T) {
	cfg, asked := record(t, `{"Version": 1}`)
	address := fixups.BalancerURL("http://127.0.0.1:4566", "tradewind-local")
	if address != "http://127.0.0.1:4566/_alb/tradewind-local" {
		t.Errorf("address: %s", address)
	}
	if err := fixups.BalancerAddress(t.Context(), cfg, "/tradewind/local/network/alb-url", address); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"Name":"/tradewind/local/network/alb-url"`, `"Value":"` + address + `"`, `"Overwrite":true`} {
		if len(*asked) != 1 || !strings.Contains((*asked)[0], want) {
			t.Errorf("asked %q, want %q", *asked, want)
		}
	}
}

func TestNameServer(t *testing.T) {
	cfg, asked := record(t, `{"Version": 1}`)
	if err := fixups.NameServer(t.Context(), cfg, "/tradewind/local/network/dns-server", "127.0.0.1:5353"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"Name":"/tradewind/local/network/dns-server"`, `"Value":"127.0.0.1:5353"`, `"Overwrite":true`} {
		if len(*asked) != 1 || !strings.Contains((*asked)[0], want) {
			t.Errorf("asked %q, want %q", *asked, want)
		}
	}
}

func TestTargets(t *testing.T) {
	cfg, asked := record(t, `<RegisterTargetsResponse><RegisterTargetsResult/></RegisterTargetsResponse>`)
	n, err := fixups.Targets(t.Context(), cfg, cdk.Outputs{
		"network": {"AlbName": "tradewind-local"},
		"orders":  {"TargetGroupArn": "group-orders", "ApiFunctionArn": "function-orders"},
		"users":   {"TargetGroupArn": "group-users", "ApiFunctionArn": "function-users"},
	})
	if err != nil || n != 2 {
		t.Fatalf("Targets = %d, %v", n, err)
	}
	slices.Sort(*asked)
	for i, service := range []string{"orders", "users"} {
		for _, want := range []string{"TargetGroupArn=group-" + service, "Targets.member.1.Id=function-" + service} {
			if !strings.Contains((*asked)[i], want) {
				t.Errorf("asked %q, want %q", (*asked)[i], want)
			}
		}
	}
}

func TestCORS(t *testing.T) {
	app := t.TempDir()
	write := func(stack, template string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(app, stack+".template.json"), []byte(template), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("platform", `{"Resources": {
		"Bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": "tradewind-local"}},
		"Api": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"CorsConfiguration": {"AllowOrigins": ["*"], "MaxAge": 3600}}}}}`)
	write("plain", `{"Resources": {"Api": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {}}}}`)
	write("broken", `{`)

	cfg, asked := record(t, `{}`)
	if err := fixups.CORS(t.Context(), cfg, app, "platform", "a1"); err != nil {
		t.Fatal(err)
	}
	if want := `PATCH /v2/apis/a1 {"corsConfiguration":{"allowOrigins":["*"],"maxAge":3600}}`; len(*asked) != 1 || (*asked)[0] != want {
		t.Errorf("asked %q, want %q", *asked, want)
	}
	if err := fixups.CORS(t.Context(), cfg, app, "plain", "a1"); err != nil || len(*asked) != 1 {
		t.Errorf("no rules: %v, asked %q", err, *asked)
	}
	for _, stack := range []string{"broken", "absent"} {
		if err := fixups.CORS(t.Context(), cfg, app, stack, "a1"); err == nil {
			t.Errorf("%s: no error", stack)
		}
	}
}

func TestArchive(t *testing.T) {
	cfg, asked := record(t, `{"Arn": "arn:aws:events:us-east-1:000000000000:event-bus/tradewind-local"}`)
	if err := fixups.Archive(t.Context(), cfg, ""); err != nil || len(*asked) > 0 {
		t.Errorf("without a bus: %v, asked %q", err, *asked)
	}
	if err := fixups.Archive(t.Context(), cfg, "tradewind-local"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"ArchiveName":"tradewind-local"`, `"EventSourceArn":"arn:aws:events:us-east-1:000000000000:event-bus/tradewind-local"`, `"RetentionDays":14`} {
		if len(*asked) != 2 || !strings.Contains((*asked)[1], want) {
			t.Errorf("asked %q, want %q", *asked, want)
		}
	}
}
