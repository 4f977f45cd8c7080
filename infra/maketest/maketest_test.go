// Package maketest looks at the commands that make would run, without running them. It
// exists for those that no test runs: they need an AWS account.
package maketest

import (
	"bytes"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// commands returns what `make -n` prints for targets and variables, and what it says of
// an error.
func commands(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	// The cache of test results sees the files that a test opens, and not those of make.
	if _, err := os.ReadFile("../../Makefile"); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("make", append([]string{"-n"}, args...)...)
	cmd.Dir = "../.."
	// This test may itself be run by make, with variables of its own.
	cmd.Env = slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains([]string{"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "APPROVE", "STAGE", "STACK", "DISCOVERY"}, name)
	})
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// What asks before it changes an account can be told not to, for a terminal may be
// missing. A deployment takes over the tables that an earlier stack has left.
func TestApproval(t *testing.T) {
	tests := map[string]struct {
		args []string
		want string // the command of the CDK, without --app
	}{
		"deploy":              {[]string{"deploy"}, "deploy --require-approval broadening --import-existing-resources --all"},
		"deploy, any change":  {[]string{"deploy", "APPROVE=any-change"}, "deploy --require-approval any-change --import-existing-resources --all"},
		"deploy, unattended":  {[]string{"deploy", "APPROVE=never"}, "deploy --require-approval never --import-existing-resources --all"},
		"one stack":           {[]string{"deploy", "APPROVE=never", "STACK=orders"}, "deploy --require-approval never --import-existing-resources --exclusively tradewind-dev-orders"},
		"destroy":             {[]string{"destroy"}, "destroy --all"},
		"destroy, any change": {[]string{"destroy", "APPROVE=any-change"}, "destroy --all"},
		"destroy, unattended": {[]string{"destroy", "APPROVE=never"}, "destroy --force --all"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, err := commands(t, test.args...)
			if err != nil {
				t.Fatalf("%v: %s", err, stderr)
			}
			lines := strings.Split(strings.TrimSpace(stdout), "\n")
			last := strings.Join(strings.Fields(lines[len(lines)-1]), " ")
			if want := "infra/node_modules/.bin/cdk " + strings.Replace(test.want, " ", " --app cdk.out/aws ", 1); last != want {
				t.Errorf("runs %s, want %s", last, want)
			}
		})
	}
}

func TestApprovalRefused(t *testing.T) {
	for _, target := range []string{"deploy", "destroy"} {
		for _, value := range []string{"", "maybe", "Never", "never broadening", "never never", "%"} {
			stdout, stderr, err := commands(t, target, "APPROVE="+value)
			if err == nil || stdout != "" || !strings.Contains(stderr, "APPROVE is ") || !strings.Contains(stderr, "broadening, any-change, or never") {
				t.Errorf("%s: APPROVE=%s: %v: %s%s", target, value, err, stdout, stderr)
			}
		}
	}
}

// A setting of a stage is in its file. On a command line it would hold for one deployment,
// so it is refused there rather than ignored.
func TestSettingsAreNotVariables(t *testing.T) {
	for _, args := range [][]string{
		{"deploy", "STRIPE_SECRET_ARN=arn:aws:secretsmanager:eu-central-1:111122223333:secret:stripe-AbCdEf"},
		{"deploy", "MAIL_FROM="},
		{"synth", "ADMIN_EMAIL=admin@example.com"},
		{"deploy", "DISCOVERY=dns"},
		{"destroy", "DISCOVERY=dns"},
	} {
		name, _, _ := strings.Cut(args[1], "=")
		stdout, stderr, err := commands(t, append(args, "STAGE=prod")...)
		if err == nil || stdout != "" || !strings.Contains(stderr, name+" is a setting of the stage: write it into infra/stages/prod.yaml") {
			t.Errorf("%v: %v: %s%s", args, err, stdout, stderr)
		}
	}
	if _, stderr, err := commands(t, "run", "DISCOVERY=dns"); err != nil {
		t.Errorf("run: %v: %s", err, stderr)
	}
}

// A stage's file is read before anything is made of it.
func TestStageIsReadFirst(t *testing.T) {
	for _, target := range []string{"synth", "deploy", "destroy"} {
		stdout, stderr, err := commands(t, target, "STAGE=shop")
		if err != nil {
			t.Fatalf("%s: %v: %s", target, err, stderr)
		}
		read, made := strings.Index(stdout, "go run ./infra/stages/check infra/stages/shop.yaml\n"), strings.Index(stdout, "cdk.out/aws")
		if read < 0 || made < read {
			t.Errorf("%s: %s", target, stdout)
		}
	}
}
