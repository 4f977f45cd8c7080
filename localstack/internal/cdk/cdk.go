// Package cdk deploys a synthesised app to the local endpoint with the CDK's own
// command line, wrapped so that it talks to the endpoint (aws-cdk-local).
//
// It does not use the CDK's Go API because there is none for deploying; and what
// is deployed here must be what the same command line deploys to AWS.
package cdk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"tradewind/localstack/internal/process"
	"tradewind/localstack/internal/usererr"
)

// Account is the account the endpoint plays.
const Account = "000000000000"

// concurrency is how many stacks are deployed at a time.
const concurrency = "4"

// Tool is the command line, installed in the project, against one endpoint.
type Tool struct {
	Root     string // of the project
	Endpoint string // its URL
	Region   string
}

// Outputs are the outputs of stacks: stack name, output name, value.
type Outputs map[string]map[string]string

// Bootstrap makes the buckets and roles that deployments use.
func (t Tool) Bootstrap(ctx context.Context, log string) error {
	return t.run(ctx, log, "the endpoint could not be prepared for deployments",
		"bootstrap", "aws://"+Account+"/"+t.Region)
}

// Deploy deploys every stack of an app and returns their outputs, which it also
// leaves in outputsFile.
func (t Tool) Deploy(ctx context.Context, app, outputsFile, log string) (Outputs, error) {
	err := t.deploy(ctx, app, log, "--all", "--concurrency", concurrency, "--outputs-file", outputsFile)
	if err != nil {
		return nil, err
	}
	return ReadOutputs(outputsFile)
}

// DeployOne deploys one stack of an app, and none that it depends on.
func (t Tool) DeployOne(ctx context.Context, app, stack, log string) error {
	return t.deploy(ctx, app, log, "--exclusively", stack)
}

func (t Tool) deploy(ctx context.Context, app, log string, args ...string) error {
	// "direct" skips change sets: nobody reviews them here, and they take half the time.
	return t.run(ctx, log, "the deployment failed",
		append([]string{"deploy", "--app", app, "--require-approval", "never", "--method=direct"}, args...)...)
}

// ReadOutputs reads what a deployment left.
func ReadOutputs(file string) (Outputs, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read stack outputs: %w", err)
	}
	var o Outputs
	if err := json.Unmarshal(text, &o); err != nil {
		return nil, fmt.Errorf("read stack outputs %s: %w", file, err)
	}
	return o, nil
}

func (t Tool) run(ctx context.Context, log, what string, args ...string) error {
	bin := filepath.Join(t.Root, "infra", "node_modules", ".bin", "cdklocal")
	err := process.RunLogged(ctx, process.Logged{
		Args: append(append([]string{bin}, args...), "--no-notices", "--no-color", "--ci", "--progress", "events"),
		Dir:  t.Root,
		Env:  t.env(os.Getenv),
		Log:  log,
	})
	if err == nil || context.Cause(ctx) != nil {
		return err
	}
	failure, ok := errors.AsType[*usererr.Error](err)
	if !ok {
		return usererr.New(err, "run make tools", "cannot run the CDK: %v", err)
	}
	failure.What = what
	if stack, reason := firstFailure(log); stack != "" {
		failure.What, failure.Tail = fmt.Sprintf("stack %s failed: %s", stack, reason), nil
	} else if reason != "" {
		failure.What += ": " + reason
	}
	failure.Do = "fix the cause and run again; the log has the details"
	return failure
}

// env is a clean environment: the user's AWS profile must not decide where a local
// deployment goes.
func (t Tool) env(getenv func(string) string) []string {
	return []string{
		"PATH=" + getenv("PATH"),
		"HOME=" + getenv("HOME"),
		"TMPDIR=" + getenv("TMPDIR"),
		"AWS_ENDPOINT_URL=" + t.Endpoint,
		"AWS_ENDPOINT_URL_S3=" + t.Endpoint,
		"AWS_REGION=" + t.Region,
		"AWS_DEFAULT_REGION=" + t.Region,
		"AWS_ACCESS_KEY_ID=test",
		"AWS_SECRET_ACCESS_KEY=test",
		"AWS_EC2_METADATA_DISABLED=true",
		"CDK_DISABLE_CLI_TELEMETRY=true",
		"CDK_DISABLE_VERSION_CHECK=1",
	}
}

// How the command line says what went wrong: a resource's event; the end of a stack,
// with the reason on the line after it; or neither.
var (
	resourceFailed = regexp.MustCompile(`^(\S+) \|.*\| (?:CREATE|UPDATE|DELETE)_FAILED +\| \S+ +\| (.+)$`)
	stackFailed    = regexp.MustCompile(`^❌ +(\S+) failed to deploy$`)
	stackReason    = regexp.MustCompile(`^‣ (.+)$`)
	plainError     = regexp.MustCompile(`^\[?\w*Error\]?:? (.+)$`)
)

// firstFailure finds in a log the stack that failed first, and why. Resources
// cancelled in its wake are not the cause.
func firstFailure(log string) (stack, reason string) {
	text, err := os.ReadFile(log)
	if err != nil {
		return "", ""
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if m := resourceFailed.FindStringSubmatch(line); m != nil && !strings.Contains(m[2], "cancelled") {
			return m[1], m[2]
		}
		if m := stackFailed.FindStringSubmatch(line); m != nil {
			stack = m[1]
		}
		if m := stackReason.FindStringSubmatch(line); m != nil && stack != "" {
			return stack, m[1]
		}
		if m := plainError.FindStringSubmatch(line); m != nil && reason == "" {
			reason = m[1]
		}
	}
	return stack, reason
}
