package cdk_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tradewind/localstack/internal/cdk"
	"tradewind/localstack/internal/process"
	"tradewind/localstack/internal/usererr"
)

func TestMain(m *testing.M) {
	process.Main()
	os.Exit(m.Run())
}

// project is a project whose cdklocal is a shell script.
func project(t *testing.T, script string) cdk.Tool {
	t.Helper()
	root := t.TempDir()
	bin := filepath.Join(root, "infra", "node_modules", ".bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if script != "" {
		if err := os.WriteFile(filepath.Join(bin, "cdklocal"), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return cdk.Tool{Root: root, Endpoint: "http://127.0.0.1:4566", Region: "us-east-1"}
}

func TestBootstrap(t *testing.T) {
	t.Setenv("AWS_PROFILE", "production")
	tool := project(t, `echo "$@"; env`)
	log := filepath.Join(tool.Root, "log")
	if err := tool.Bootstrap(t.Context(), log); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"bootstrap aws://000000000000/us-east-1", "AWS_ENDPOINT_URL=http://127.0.0.1:4566", "AWS_ACCESS_KEY_ID=test"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the log lacks %q", want)
		}
	}
	if strings.Contains(string(text), "production") {
		t.Error("the user's profile is passed on")
	}
}

func TestDeployOne(t *testing.T) {
	tool := project(t, `echo "$@"`)
	log := filepath.Join(tool.Root, "log")
	if err := tool.DeployOne(t.Context(), "cdk.out/local", "tradewind-local-orders", log); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "--exclusively tradewind-local-orders") || strings.Contains(string(text), "--all") {
		t.Errorf("ran %s", text)
	}
}

func TestDeployReturnsTheOutputs(t *testing.T) {
	tool := project(t, `while [ "$1" != --outputs-file ]; do shift; done; echo '{"tradewind-local-orders": {"TableName": "t"}}' > "$2"`)
	got, err := tool.Deploy(t.Context(), "cdk.out/local", filepath.Join(tool.Root, "stacks.json"), filepath.Join(tool.Root, "log"))
	if err != nil {
		t.Fatal(err)
	}
	if got["tradewind-local-orders"]["TableName"] != "t" {
		t.Errorf("outputs: %v", got)
	}
}

func TestAFailureNamesTheStackAndTheReason(t *testing.T) {
	tests := map[string]struct{ log, want string }{
		"a resource": {`
tradewind-local-network |  3/30 | 10:41:02 AM | CREATE_COMPLETE      | AWS::EC2::VPC | Vpc
tradewind-local-orders |  2/30 | 10:41:03 AM | CREATE_FAILED        | AWS::Lambda::Function | Service/Api (ServiceApi1) Resource creation cancelled
tradewind-local-orders |  2/30 | 10:41:03 AM | CREATE_FAILED        | AWS::WAFv2::WebACL | Firewall (Firewall) Unsupported resource type
❌  tradewind-local-orders failed to deploy
‣ DeploymentError: Resource updates failed`,
			"stack tradewind-local-orders failed: Firewall (Firewall) Unsupported resource type"},
		"a stack": {`
tradewind-local-users: success: Published Service/Api/Code
❌  tradewind-local-orders failed to deploy
‣ ValidationError: Template format error: Unrecognized resource types: [AWS::EC2::NatGateway]`,
			"stack tradewind-local-orders failed: ValidationError: Template format error: Unrecognized resource types: [AWS::EC2::NatGateway]"},
		"neither": {`
Error: Cannot find module 'aws-cdk'`, "the deployment failed: Cannot find module 'aws-cdk'"},
		"silence": {"", "the deployment failed"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tool := project(t, fmt.Sprintf("cat <<'END'\n%s\nEND\nexit 1", tt.log))
			_, err := tool.Deploy(t.Context(), "cdk.out/local", filepath.Join(tool.Root, "stacks.json"), filepath.Join(tool.Root, "log"))
			if err == nil {
				t.Fatal("no error")
			}
			if got := usererr.From(err); got.What != tt.want || got.Log == "" || got.Do == "" {
				t.Errorf("got %q, want %q (%+v)", got.What, tt.want, got)
			}
		})
	}
}

func TestACommandLineThatIsNotInstalled(t *testing.T) {
	tool := project(t, "")
	err := tool.Bootstrap(t.Context(), filepath.Join(tool.Root, "log"))
	if err == nil || usererr.From(err).Do == "" {
		t.Errorf("Bootstrap: %v", err)
	}
}
