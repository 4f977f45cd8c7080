package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tradewind/shared/cmd/tradewind/internal/stage"
)

// project is a folder with the project's Makefile, in which every program that make would
// run to do something only writes down that it was called.
type project struct {
	t   *testing.T
	dir string
	env []string
}

// stub writes down how it was called. As the go command it makes what it was to build,
// which then does the same. infra fails as the CDK does, if SYNTH says so.
const stub = `#!/bin/bash
echo "$(basename "$0") $*" >>"$CALLS"
case "$(basename "$0") $*" in
  infra*)
    printf 'Runtime process exited abnormally: waitid: no child processes' >&2
    [ "$SYNTH" = fails ] || exit 0
    echo 'infra: stage "x": the reason' >&2
    exit 1
    ;;
  "go build -o "*) mkdir -p "$(dirname "$3")" && cp "$0" "$3" ;;
esac
`

// slow does what the program of its name does, later.
const slow = `#!/bin/sh
sleep 0.05
PATH=${PATH#*:}
exec $(basename "$0") "$@"
`

func newProject(t *testing.T, env ...string) project {
	t.Helper()
	p := project{t, t.TempDir(), nil}
	const root = "../../.."
	scripts, err := filepath.Glob(root + "/.ci/*")
	if err != nil || len(scripts) == 0 {
		t.Fatal("no scripts in .ci: ", err)
	}
	for _, path := range append(scripts, root+"/Makefile") {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		p.write(strings.TrimPrefix(path, root+"/"), string(text))
	}
	for _, name := range []string{"go.mod", "go.sum", "infra/package.json", "infra/package-lock.json", "functions/orders/cmd/README", "README.md", "infra/node_modules/.installed", "infra/stages/dev.yaml", "infra/stages/prod.yaml"} {
		p.write(name, "")
	}
	for _, name := range []string{"cc", "docker", "gcc", "git", "go", "java", "mvn", "node", "npm", "python3"} {
		p.write("stubs/"+name, stub)
	}
	p.write("infra/node_modules/.bin/cdk", stub)
	// Not in the environment: what the make that runs this test was told.
	p.env = append([]string{"PATH=" + p.dir + "/stubs:/usr/bin:/bin", "HOME=" + p.dir, "CALLS=" + p.dir + "/calls", "PREFLIGHT=done"}, env...)
	return p
}

func (p project) write(name, text string) {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil { // some are programs
		p.t.Fatal(err)
	}
}

// run runs a program and returns what it had said by the time it ended.
func (p project) run(name string, args ...string) (string, error) {
	p.t.Helper()
	said, err := os.CreateTemp(p.t.TempDir(), "")
	if err != nil {
		p.t.Fatal(err)
	}
	defer said.Close()
	cmd := exec.CommandContext(p.t.Context(), name, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = p.dir, p.env, said, said // a pipe would wait for those who come late
	err = cmd.Run()
	text, readErr := os.ReadFile(said.Name())
	if readErr != nil {
		p.t.Fatal(readErr)
	}
	return string(text), err
}

func (p project) make(args ...string) (string, error) { return p.run("make", args...) }

// calls are the programs that were called since the last time, but for questions of make
// about the machine.
func (p project) calls() []string {
	p.t.Helper()
	path := filepath.Join(p.dir, "calls")
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	if err := os.Remove(path); err != nil {
		p.t.Fatal(err)
	}
	return slices.DeleteFunc(strings.Split(strings.TrimSpace(string(text)), "\n"), func(call string) bool {
		return strings.HasPrefix(call, "go env ") || strings.HasPrefix(call, "go version") || strings.HasPrefix(call, "go list ")
	})
}

// files are all files there are.
func (p project) files() []string {
	p.t.Helper()
	var found []string
	err := filepath.WalkDir(p.dir, func(path string, _ fs.DirEntry, err error) error {
		found = append(found, path)
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return found
}

var helpLine = regexp.MustCompile(`(?m)^  ([a-z-]+) +\S.*\n(?: {17}(\S.*=)\n)?`)

// documented are the commands that make lists, with the variables that each takes.
func documented(t *testing.T) map[string][]string {
	t.Helper()
	text, err := newProject(t).make()
	if err != nil {
		t.Fatal(err, text)
	}
	commands := map[string][]string{}
	for _, m := range helpLine.FindAllStringSubmatch(text, -1) {
		commands[m[1]] = strings.FieldsFunc(m[2], func(r rune) bool { return r == '=' || r == ' ' })
	}
	return commands
}

// TestWrongVariables gives every command what it cannot take: it is told why, and nothing
// is done.
func TestWrongVariables(t *testing.T) {
	stageRule := "; it must be a lower-case letter, then at most 7 lower-case letters or digits; not local"
	wrong := []struct{ given, taken, other string }{ // what is said by a command that takes the variable, and by one that does not
		{"FOO=1", "", "has no FOO"},
		{"DRYRUN=1", "", "has no DRYRUN; did you mean DRY_RUN? it takes "},
		{"dry_run=1", "", "has no dry_run; did you mean DRY_RUN? it takes "},
		{"STAG=dev", "", "has no STAG; did you mean STAGE? it takes "},
		{"FORM=2h", "", "has no FORM; did you mean FROM? it takes "},
		{"STAGE=local", `STAGE is "local"` + stageRule, "has no STAGE"},
		{"STAGE=ec2", `STAGE is "ec2"` + stageRule, "has no STAGE"},
		{"STAGE=x y", `STAGE is "x y"` + stageRule, "has no STAGE"},
		{"STAGE=Prod", `STAGE is "Prod"` + stageRule, "has no STAGE"},
		{"STAGE=averyveryverylong", `STAGE is "averyveryverylong"` + stageRule, "has no STAGE"},
		{"DRY_RUN=yes", `DRY_RUN is "yes"; it must be 1 or 0`, "has no DRY_RUN"},
		{"DISCARD=true", `DISCARD is "true"; it must be 1 or 0`, "has no DISCARD"},
		{"PORT=abc", `PORT is "abc"; it must be a number from 1 to 65535`, "has no PORT"},
		{"PORT=65536", `PORT is "65536"; it must be a number from 1 to 65535`, "has no PORT"},
		{"TEST_PORT=0", `TEST_PORT is "0"; it must be a number from 1 to 65535`, "has no TEST_PORT"},
		{"ENDPOINT=minstack", `ENDPOINT is "minstack"; it must be ministack, localstack, or localstack-image`, "has no ENDPOINT"},
		{"DISCOVERY=foo", `DISCOVERY is "foo"; it must be loadbalancer, registry or dns`, "DISCOVERY"},
		{"APPROVE=always", `APPROVE is "always"; it must be broadening, any-change, or never`, "has no APPROVE"},
		{"ARCH=x86", `ARCH is "x86"; it must be amd64 or arm64`, "has no ARCH"},
		{"ONESHOT=yes", `ONESHOT is "yes"; it must be 1 or 0`, "has no ONESHOT"},
		{"STACK=ordrs", `STACK is "ordrs"; it must be one of network, platform, orders`, "has no STACK"},
		{"CLIENTS=0", `CLIENTS is "0"; it must be a number from 1 to 999`, "has no CLIENTS"},
		{"DURATION=30s", `DURATION is "30s"; it must be a number from 1 to 9999`, "has no DURATION"},
		{"STARTS=49", `STARTS is "49"; it must be a number from 50 to 99999`, "has no STARTS"},
		{"README=none.md", `README is "none.md"; it must be a file that exists`, "has no README"},
		{"CONSUMER=", "CONSUMER is empty: leave it out, or give names, with commas", "has no CONSUMER"},
		{"EDIT=sed s/x$/y/", "EDIT has a $, which make takes for its own: write $$", "has no EDIT"},
		{"DRY_RUN", "", "make has no command DRY_RUN; did you mean the variable DRY_RUN? it is written DRY_RUN=value"},
		{"inventory", "", "make has no command inventory"},
	}
	for command, takes := range documented(t) {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			p := newProject(t)
			before := p.files()
			for _, test := range wrong {
				name, _, _ := strings.Cut(test.given, "=")
				want := test.other
				suggested, rest, hints := strings.Cut(want, "; did you mean ")
				hint, _, _ := strings.Cut(rest, "?")
				switch {
				case slices.Contains(takes, name) && test.taken != "":
					want = test.taken
				case hints && strings.Contains(test.given, "=") && !slices.Contains(takes, hint):
					want = suggested
				}
				said, err := p.make(command, test.given)
				if err == nil || !strings.Contains(said, want) || !strings.Contains(said, "nothing was done") {
					t.Errorf("make %s '%s' ends with %v and says\n%s, not %s", command, test.given, err, said, want)
				}
				if testing.Verbose() {
					t.Logf("make %s '%s': %s", command, test.given, strings.SplitN(said, "\n", 2)[0])
				}
			}
			if calls := p.calls(); calls != nil {
				t.Errorf("called %q", calls)
			}
			if after := p.files(); !slices.Equal(before, after) {
				t.Errorf("before there was %q, now %q", before, after)
			}
		})
	}
}

// TestRightVariables gives every command all it takes, right.
func TestRightVariables(t *testing.T) {
	values := map[string]string{
		"APPROVE": "never", "ARCH": "arm64", "CLIENTS": "20", "CONSUMER": "orders,inventory", "DISCARD": "1", "DISCOVERY": "dns",
		"DRY_RUN": "1", "DURATION": "30", "EDIT": `sed 's/"x"$$/y/'`, "ENDPOINT": "localstack", "EVENT": "order.created", "FILTER": "cause=x,type=order.*",
		"FROM": "2026-11-12T14:00:00Z", "JSON": "0", "ONESHOT": "1", "PORT": "65535", "QUEUE": "orders/consumer",
		"RATE": "10", "README": "README.md", "SERVICE": "all", "STACK": "tradewind-dev-orders", "STAGE": "d3v", "STARTS": "50",
		"TEST_PORT": "4590", "TO": "30m",
	}
	p := newProject(t)
	for command, takes := range documented(t) {
		args := []string{"check"}
		for _, name := range takes {
			if values[name] == "" {
				t.Errorf("%s is not in the table of this test", name)
			}
			args = append(args, name+"="+values[name])
		}
		if said, err := p.run(".ci/variables", append(args, "--", command)...); err != nil || said != "ok\n" {
			t.Errorf("make %s %v: %v, %s", command, args[1:], err, said)
		}
	}
}

// TestSeveralCommands: make would do what it can before it comes to what it cannot, and a
// dry run is one of all commands or of none.
func TestSeveralCommands(t *testing.T) {
	tests := map[string]string{
		"replay synth FROM=2h DRY_RUN=1": "make synth has no DRY_RUN, and would really be done",
		"synth replay FROM=2h DRY_RUN=1": "make synth has no DRY_RUN, and would really be done",
		"replay FROM=2h repaly":          "make has no command repaly; did you mean replay?",
		"replay FROM=2h .*":              "make has no command .*",
		"clean synth STACK=orders":       "make clean synth has no STACK; it takes STAGE ",
		"clean synth STAGE=dev":          "",
		"replay FOO=1":                   "make replay has no FOO; it takes FROM ", // and is nothing like it
		"replay EVNET=order.created":     "make replay has no EVNET; did you mean EVENT? it takes FROM ",
		"test-unit build/amd64/x ARCH=x": `ARCH is "x"`,
	}
	p := newProject(t)
	for args, want := range tests {
		goals := strings.Fields(args)
		said, err := p.make(append(goals, "-n")...)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(said, want)) {
			t.Errorf("make %s: %v, %s", args, err, said)
		}
	}
}

// TestEnvironment: what is exported for other programs is nothing to make; what a command
// uses of it is checked.
func TestEnvironment(t *testing.T) {
	p := newProject(t, "FOO=1", "DRYRUN=1", "PORT=abc", "STAGE=x y", "ENDPOINT=", "README=none")
	for _, command := range []string{"clean", "build", "test-unit"} {
		if said, err := p.make("-n", command); err != nil {
			t.Errorf("make %s: %v, %s", command, err, said)
		}
	}
	for command, want := range map[string]string{"run": `PORT is "abc" in the environment; it must be`, "redrive": `STAGE is "x y" in the environment; it must be`} {
		if said, err := p.make(command); err == nil || !strings.Contains(said, want) {
			t.Errorf("make %s: %v, %s", command, err, said)
		}
	}
	if said, err := p.make("-n", "run", "PORT=4600"); err != nil || !strings.Contains(said, "-port 4600") {
		t.Errorf("the command line does not win: %v, %s", err, said)
	}
	if calls := p.calls(); len(calls) > 0 {
		t.Errorf("called %q", calls)
	}
}

// TestHandsOver: the tool gets make's variables as its flags.
func TestHandsOver(t *testing.T) {
	p := newProject(t, "STAGE=prod", "EVENT=")
	tests := map[string][]string{
		"tradewind redrive --queue=orders --edit=sed 's/\"a b\"$/c/' --dry-run=1 --stage=prod": {"redrive", "QUEUE=orders", "DRY_RUN=1", `EDIT=sed 's/"a b"$$/c/'`},
		"tradewind replay --from=2h --stage=dev":                                               {"replay", "FROM=2h", "STAGE=dev", "-j4"},
	}
	for want, args := range tests {
		said, err := p.make(args...)
		if calls := p.calls(); err != nil || len(calls) == 0 || calls[len(calls)-1] != want {
			t.Errorf("make %s: %v, %s: called %q", args, err, said, calls)
		}
	}
	commands := documented(t)
	for _, c := range model(t) {
		var flags []string
		for _, f := range c.Flags {
			if f.Name != "help" && f.Name != "outputs" {
				flags = append(flags, strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_")))
			}
		}
		takes := slices.Sorted(slices.Values(commands[c.Name]))
		if slices.Sort(flags); !slices.Equal(flags, takes) {
			t.Errorf("tradewind %s takes %v, make %[1]s takes %[3]v", c.Name, flags, takes)
		}
	}
}

// TestDeploymentsDryRun: with DRY_RUN=1 the CDK only compares and lists.
func TestDeploymentsDryRun(t *testing.T) {
	tests := []struct {
		args         string
		begins, ends string // of what the CDK is called with; empty: it is not
		says         string
	}{
		{"deploy", "cdk deploy ", " --all", ""},
		{"deploy DRY_RUN=0 STACK=orders", "cdk deploy ", " --exclusively tradewind-dev-orders", ""},
		{"deploy DRY_RUN=1", "cdk diff --method=template ", " --app cdk.out/aws", ""},
		{"deploy DRY_RUN=1 STACK=orders", "cdk diff --method=template ", " --exclusively tradewind-dev-orders", ""},
		{"destroy STAGE=prod", "cdk destroy ", " --all", ""},
		{"destroy DRY_RUN=1 STAGE=prod", "cdk list ", " --app cdk.out/aws", "would destroy\n"},
		{"destroy DRY_RUN=1 STAGE=prod STACK=orders", "", "", "would destroy\ntradewind-prod-orders\n"}, // cdk list names what it depends on, too
	}
	p := newProject(t)
	for _, test := range tests {
		said, err := p.make(strings.Fields(test.args)...)
		calls := slices.DeleteFunc(p.calls(), func(call string) bool { return !strings.HasPrefix(call, "cdk ") })
		call := strings.Join(calls, "; ")
		if err != nil || (test.begins == "") != (call == "") || !strings.HasPrefix(call, test.begins) || !strings.HasSuffix(call, test.ends) || !strings.Contains(said, test.says) {
			t.Errorf("make %s: %v, %s: called %q", test.args, err, said, call)
		}
	}
}

// TestSynthSaysWhy: the reason of a failed synthesis is there when make ends, each time,
// also on the line of what the CDK's runtime says that is left out.
func TestSynthSaysWhy(t *testing.T) {
	p := newProject(t, "SYNTH=fails")
	for _, name := range []string{"grep", "sed"} {
		p.write("stubs/"+name, slow)
	}
	const times = 20
	told := 0
	for range times {
		said, err := p.make("cdk.out/local/manifest.json")
		if err == nil || strings.Contains(said, "waitid") {
			t.Errorf("ends with %v and says %s", err, said)
		}
		if strings.Contains(said, "\n"+`infra: stage "x": the reason`+"\n") {
			told++
		}
	}
	if told != times {
		t.Errorf("the reason was told %d times of %d", told, times)
	}
	p = newProject(t)
	if said, err := p.make("cdk.out/local/manifest.json"); err != nil || !strings.HasSuffix(said, "synth cdk.out/local\n") {
		t.Errorf("all is well, and it ends with %v and says %s", err, said)
	}
}

// TestStageRules: make and the tool have one rule for the name of a stage.
func TestStageRules(t *testing.T) {
	p := newProject(t)
	for _, name := range []string{"dev", "d", "prod2026", "local", "locals", "ec2", "compute", "Dev", "2dev", "prod20261", "d-v", "dév", "x y", "dev\n"} {
		_, err := p.run(".ci/variables", "check", "STAGE="+name, "--", "synth")
		if ours := stage.CheckName(name); (ours == nil) != (err == nil) {
			t.Errorf("stage %q: make says %v, the tool %v", name, err, ours)
		}
	}
}
