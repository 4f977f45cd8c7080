package integration

import (
	"crypto/rand"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"tradewind/localstack/internal/cdk"
	"tradewind/localstack/internal/endpoint"
	"tradewind/localstack/internal/tier"
	"tradewind/localstack/suites/integration/redeploy"
)

// TestRedeployment gives two parameters of the platform's other values, as a deployment
// of the platform does, and deploys one service alone. Its callers get the values with
// that: of the parameter itself, and of the secret that the other one names.
func TestRedeployment(t *testing.T) {
	tier.Full(t, 15*time.Second)
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

	s.set(t, "user-pool-client-id", clientBefore)
	s.set(t, "cursor-key-arn", keyBefore)
	s.deploy(t, service)
	restored := live()
	for _, variable := range []string{"USER_POOL_CLIENT_ID", "CURSOR_KEY", "CONFIG_VERSION"} {
		if restored.Variables[variable] != before.Variables[variable] {
			t.Errorf("%s is %q, and was %q", variable, restored.Variables[variable], before.Variables[variable])
		}
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

// deploy deploys the stack of a service alone.
func (s stage) deploy(t *testing.T, service string) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "deploy.log")
	if err := s.tool.DeployOne(t.Context(), "cdk.out/local", "tradewind-local-"+service, log); err != nil {
		t.Fatal(err)
	}
}
