package integration

import (
	"crypto/rand"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/google/go-cmp/cmp"

	"tradewind/localstack/internal/cdk"
	"tradewind/localstack/internal/endpoint"
	"tradewind/localstack/internal/tier"
	"tradewind/localstack/suites/integration/redeploy"
)

// TestRedeployment gives two parameters of the platform's other values, as a deployment
// of the platform does, and deploys one service alone. Its callers get the values with
// that: of the parameter itself, and of the secret that the other one names. The versions
// of the deployment before are written down and still there, and a rollback to them lasts
// until the service is deployed with a change.
func TestRedeployment(t *testing.T) {
	tier.Full(t, 5*time.Second)
	p := connectAlone(t)
	if p.kind.Name != endpoint.MiniStack {
		t.Skip("MiniStack is the endpoint that resolves a stack's parameters and secrets as AWS does")
	}
	const service = "catalog" // no order is priced while it is redeployed
	s := newStage(t, p)
	callers := redeploy.New(s.aws, "tradewind-local-"+service+"-api")
	live := func() redeploy.Live {
		t.Helper()
		found, err := callers.Live(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	before := live()

	key := rand.Text() + rand.Text()
	secret, err := secretsmanager.NewFromConfig(s.aws).CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{
		Name: aws.String("CursorKey-" + rand.Text()), SecretString: &key,
	})
	if err != nil {
		t.Fatal(err)
	}
	client := rand.Text()
	clientBefore := s.set(t, "user-pool-client-id", client)
	keyBefore := s.set(t, "cursor-key-arn", aws.ToString(secret.ARN))
	s.deploy(t, service)
	after := live()
	if after.Version == before.Version || after.Variables["USER_POOL_CLIENT_ID"] != client || after.Variables["CURSOR_KEY"] != key {
		t.Errorf("callers of version %s get %q and %q in version %s, want %q and %q", before.Version,
			after.Variables["USER_POOL_CLIENT_ID"], after.Variables["CURSOR_KEY"], after.Version, client, key)
	}

	s.deploy(t, service)
	if again := live(); again.Version != after.Version {
		t.Errorf("nothing has changed, and callers of version %s get %s", after.Version, again.Version)
	}
	released := s.released(t, service)
	for i, version := range []string{before.Version, after.Version} {
		if n := len(released) - 2 + i; n < 0 || !strings.HasPrefix(released[n], "api="+version+" ") {
			t.Errorf("written down is %q, want version %s of the api function at place %d", released, version, n)
		}
	}

	if err := callers.MoveTo(t.Context(), before.Version); err != nil {
		t.Fatal(err)
	}
	s.deploy(t, service)
	if diff := cmp.Diff(before, live()); diff != "" {
		t.Errorf("after a rollback, and a deployment that changes nothing: %s", diff)
	}

	s.set(t, "user-pool-client-id", clientBefore)
	s.set(t, "cursor-key-arn", keyBefore)
	s.deploy(t, service)
	restored := live()
	if diff := cmp.Diff(before.Variables, restored.Variables); diff != "" || restored.Version == before.Version || restored.Version == after.Version {
		t.Errorf("version %s has other variables than %s had: %s", restored.Version, before.Version, diff)
	}
	if _, err := p.anyone.Product(t.Context(), p.outputs.Products[0]); err != nil {
		t.Error(err)
	}
}

// stage is the local stage as a deployment sees it.
type stage struct {
	aws  aws.Config
	ssm  *ssm.Client
	tool cdk.Tool
}

func newStage(t *testing.T, p *platform) stage {
	t.Helper()
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	cfg := endpoint.AWS(p.outputs.Endpoint, p.outputs.Region)
	return stage{cfg, ssm.NewFromConfig(cfg), cdk.Tool{Root: root, Endpoint: p.outputs.Endpoint, Region: p.outputs.Region}}
}

// set gives a parameter of the platform another value, and returns the one before.
func (s stage) set(t *testing.T, key, value string) (before string) {
	t.Helper()
	name := aws.String("/tradewind/local/platform/" + key)
	was, err := s.ssm.GetParameter(t.Context(), &ssm.GetParameterInput{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.ssm.PutParameter(t.Context(), &ssm.PutParameterInput{Name: name, Value: &value, Overwrite: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(was.Parameter.Value)
}

// released are the versions of a service's functions that belonged together, oldest
// first.
func (s stage) released(t *testing.T, service string) []string {
	t.Helper()
	found, err := s.ssm.GetParameterHistory(t.Context(), &ssm.GetParameterHistoryInput{
		Name: aws.String("/tradewind/local/" + service + "/versions"),
	})
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	for _, p := range found.Parameters {
		values = append(values, aws.ToString(p.Value))
	}
	return values
}

// deploy deploys the stack of a service alone.
func (s stage) deploy(t *testing.T, service string) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "deploy.log")
	if err := s.tool.DeployOne(t.Context(), "cdk.out/local", "tradewind-local-"+service, log); err != nil {
		t.Fatal(err)
	}
}
