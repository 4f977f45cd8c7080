package up_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"tradewind/localstack/internal/process"
	"tradewind/localstack/internal/shop"
	"tradewind/localstack/internal/shop/shoptest"
	"tradewind/localstack/internal/up"
)

// A test runs the tool as a process of its own, for only that can be interrupted,
// in a project whose parts are fakes: make and the CDK are shell scripts, the
// endpoint is this test binary with a platform in memory. A part that finds its
// name in the file "hang" hangs; one that finds it in "fail" fails.
const (
	roleVar      = "UP_TEST_ROLE"
	roleTool     = "tool"
	roleEndpoint = "endpoint"
)

func TestMain(m *testing.M) {
	process.Main()
	switch os.Getenv(roleVar) {
	case roleTool:
		os.Unsetenv(roleVar)
		var o up.Options
		if err := json.Unmarshal([]byte(os.Args[1]), &o); err != nil {
			panic(err)
		}
		os.Exit(up.Run(up.Interruptible(context.Background()), o))
	case roleEndpoint:
		playEndpoint()
	default:
		os.Exit(m.Run())
	}
}

// playEndpoint serves a platform in memory, with a function's process beside it. It
// runs in <project>/<dir>/endpoint, with the project's root as its argument.
func playEndpoint() {
	root := os.Args[1]
	if asked(root, "hang") == "endpoint" {
		select {}
	}
	if asked(root, "fail") == "endpoint" {
		fmt.Println("ModuleNotFoundError: No module named 'ministack'")
		os.Exit(1)
	}
	function := exec.Command("sleep", "300")
	if err := function.Start(); err != nil {
		panic(err)
	}
	platform := shoptest.New()
	http.HandleFunc("/_ministack/ready", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("/_ministack/health", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"version": "0"}`) })
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/health/ready") && strings.HasPrefix(r.Host, "order-service.") {
			fmt.Fprintf(w, `{"status": "pass", "checks": {"orders": {"status": "pass", %s}}}`, asked(root, "backlog"))
			return
		}
		what := map[string]string{"PATCH": "fixups"}[r.Method]
		switch {
		case strings.HasSuffix(r.URL.Path, "/api/orders") && r.Method == http.MethodPost:
			what = "order"
		case strings.HasSuffix(r.URL.Path, "/api/users"):
			what = "seed"
		}
		if what != "" && asked(root, "hang") == what {
			<-r.Context().Done()
			return
		}
		if what != "" && asked(root, "fail") == what {
			http.Error(w, "broken on purpose", http.StatusBadGateway)
			return
		}
		platform.ServeHTTP(w, r)
	})
	panic(http.ListenAndServe(os.Getenv("BIND_HOST")+":"+os.Getenv("GATEWAY_PORT"), nil))
}

func asked(root, what string) string {
	text, _ := os.ReadFile(filepath.Join(root, what))
	return strings.TrimSpace(string(text))
}

const makefile = `
tools build synth-local:
	@echo making $@ $(DISCOVERY)
	@if [ "$$(cat hang 2>/dev/null)" = $@ ]; then sleep 300; fi
	@if [ "$$(cat fail 2>/dev/null)" = $@ ]; then echo "cannot make $@"; exit 1; fi
`

const cdklocal = `#!/bin/sh
echo "cdklocal $1"
if [ "$(cat hang 2>/dev/null)" = "$1" ]; then sleep 300; fi
if [ "$(cat fail 2>/dev/null)" = "$1" ]; then
  echo "tradewind-local-orders | 1/9 | 10:41:03 AM | CREATE_FAILED | AWS::WAFv2::WebACL | Firewall Unsupported resource type"
  exit 1
fi
while [ $# -gt 1 ]; do
  if [ "$1" = --outputs-file ]; then
    cat > "$2" <<'END'
{"tradewind-local-network": {"AlbName": "tradewind-local"},
 "tradewind-local-platform": {"ApiId": "api-1", "UserPoolId": "pool-1", "UserPoolClientId": "client-1"},
 "tradewind-local-orders": {"TableName": "t-orders", "ApiFunctionArn": "arn:f", "TargetGroupArn": "arn:g",
   "ConsumerQueueUrl": "http://q/1", "ConsumerDlqUrl": "http://q/2", "RelayDlqUrl": "http://q/3", "RuleDlqUrl": "http://q/4"}}
END
  fi
  shift
done
`

const template = `{"Resources": {"Api": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"CorsConfiguration": {"AllowOrigins": ["*"]}}}}}`

// project makes a project of fakes and returns its root.
func project(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	python := fmt.Sprintf("#!/bin/sh\n%s=%s exec %s %s\n", roleVar, roleEndpoint, os.Args[0], root)
	for path, text := range map[string]string{
		"go.mod":                           "module tradewind\n",
		"Makefile":                         makefile,
		"infra/node_modules/.bin/cdklocal": cdklocal,
		".local/tools/venv/bin/python":     python,
		"cdk.out/local/tradewind-local-platform.template.json": template,
	} {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func set(t *testing.T, root, what, part string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(root, what), []byte(part), 0o644); err != nil {
		t.Fatal(err)
	}
}

// tool is a running tool.
type tool struct {
	*exec.Cmd
	root string
	port int
	out  *output
	done chan int // the exit code
}

func start(t *testing.T, root string, o up.Options) *tool {
	t.Helper()
	if o.Port == 0 {
		o.Port = freePort(t)
	}
	if o.Dir == "" {
		o.Dir = ".local"
	}
	options, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	c := &tool{Cmd: exec.Command(os.Args[0], string(options)), root: root, port: o.Port, out: newOutput(t), done: make(chan int, 1)}
	c.Dir = root
	c.Env = append(os.Environ(), roleVar+"="+roleTool)
	c.Stdout, c.Stderr = c.out.file, c.out.file
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = c.Wait()
		c.done <- c.ProcessState.ExitCode()
	}()
	return c
}

// exits waits for the end, checks the exit code and that nothing is left, and
// returns what was printed.
func (c *tool) exits(t *testing.T, want int) string {
	t.Helper()
	select {
	case got := <-c.done:
		if got != want {
			t.Errorf("exit code %d, want %d, after:\n%s", got, want, c.out)
		}
	case <-time.After(20 * time.Second):
		_ = c.Process.Kill()
		t.Fatalf("it does not end, after:\n%s", c.out)
	}
	c.leavesNothing(t)
	return c.out.String()
}

// leavesNothing looks for processes that run in the project, which all of the
// fakes do, and tries the port.
func (c *tool) leavesNothing(t *testing.T) {
	t.Helper()
	var left []string
	for range 100 {
		if left = running(c.root); len(left) == 0 {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if len(left) > 0 {
		t.Errorf("left running: %q", left)
	}
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", c.port))
	if err != nil {
		t.Errorf("the port is still taken: %v", err)
		return
	}
	l.Close()
}

// running lists the processes whose working directory is below root.
func running(root string) []string {
	var found []string
	links, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, link := range links {
		if dir, err := os.Readlink(link); err == nil && strings.HasPrefix(dir, root) {
			name, _ := os.ReadFile(filepath.Join(filepath.Dir(link), "cmdline"))
			found = append(found, filepath.Base(filepath.Dir(link))+" "+string(bytes.ReplaceAll(name, []byte{0}, []byte{' '})))
		}
	}
	return found
}

func TestOneShot(t *testing.T) {
	root := project(t)
	for range 2 { // running again works
		text := start(t, root, up.Options{OneShot: true}).exits(t, 0)
		for _, step := range []string{"tools", "build", "synth", "endpoint", "bootstrap", "deploy", "fixups", "seed", "order"} {
			if !strings.Contains(text, "✓ "+step+" ") {
				t.Errorf("no step %q in:\n%s", step, text)
			}
		}
		for _, want := range []string{"confirmed after ", "ready in ", "paid      captured"} {
			if !strings.Contains(text, want) {
				t.Errorf("no %q in:\n%s", want, text)
			}
		}
	}
	o, err := shop.ReadOutputs(filepath.Join(root, ".local", "outputs.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(o.Products) != 20 || o.Queues["orders-consumer-dlq"] != "http://q/2" || o.Queues["orders-consumer"] != "http://q/1" ||
		len(o.Queues) != 4 || o.Tables["orders"] != "t-orders" || o.UserPoolID != "pool-1" || o.Admin.Token == "" {
		t.Errorf("outputs: %+v", o)
	}
}

func TestItStaysUntilItIsInterrupted(t *testing.T) {
	c := start(t, project(t), up.Options{})
	c.out.waitFor(t, "running until Ctrl-C")
	_ = c.Process.Signal(syscall.SIGINT)
	text := c.exits(t, 0)
	for _, want := range []string{"stopped; nothing is left running", "API ", "password ", "token token-of-usr_1", ".local/outputs.json", "curl "} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
}

func TestItTellsOfABacklog(t *testing.T) {
	t.Parallel()
	root := project(t)
	set(t, root, "backlog", `"waiting": 212, "observedValue": 41`)
	c := start(t, root, up.Options{})
	c.out.waitFor(t, "orders: 212 pending, the oldest for 41 s")
	set(t, root, "backlog", `"waiting": 0, "observedValue": 0`)
	c.out.waitFor(t, "orders: the backlog is gone")
	_ = c.Process.Signal(syscall.SIGINT)
	c.exits(t, 0)
}

// The synthesis is told the way of discovery, and where services are found by name,
// the zone is served until the end.
func TestDiscovery(t *testing.T) {
	root := project(t)
	for _, way := range []string{"registry", "dns"} {
		c := start(t, root, up.Options{Discovery: way})
		c.out.waitFor(t, "running until Ctrl-C")
		synth, err := os.ReadFile(filepath.Join(root, ".local", "logs", "synth.log"))
		if err != nil || !strings.Contains(string(synth), "making synth-local "+way+"\n") {
			t.Errorf("%s: synth was asked %q, %v", way, synth, err)
		}
		served := regexp.MustCompile(`zone served at (127\.0\.0\.1:\d+)`).FindStringSubmatch(c.out.String())
		if (served != nil) != (way == "dns") {
			t.Errorf("%s: served %q", way, served)
		}
		if served != nil {
			zone := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, "udp", served[1])
			}}
			if _, found, err := zone.LookupSRV(t.Context(), "", "", "catalog-service.local.internal"); err != nil || len(found) != 1 {
				t.Errorf("found %v, %v", found, err)
			}
		}
		_ = c.Process.Signal(syscall.SIGINT)
		c.exits(t, 0)
	}
}

func TestACommandDecidesTheExitCode(t *testing.T) {
	root := project(t)
	for _, code := range []int{0, 7} {
		script := `echo "outputs=$TRADEWIND_OUTPUTS endpoint=$DYNAMODB_ENDPOINT"; grep -q '"apiUrl"' "$TRADEWIND_OUTPUTS" && exit ` + strconv.Itoa(code)
		c := start(t, root, up.Options{Dir: ".local/test", Command: []string{"sh", "-c", script}})
		text := c.exits(t, code)
		want := fmt.Sprintf("outputs=%s/.local/test/outputs.json endpoint=http://127.0.0.1:%d", root, c.port)
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	text := start(t, root, up.Options{Command: []string{"no-such-command"}}).exits(t, 1)
	if !strings.Contains(text, "no-such-command") {
		t.Errorf("printed:\n%s", text)
	}
}

// Every part that can hang is interrupted there, in both ways, and after each the
// same project runs again.
func TestAnInterruptAtEveryStep(t *testing.T) {
	for part, step := range map[string]string{
		"tools": "tools", "build": "build", "synth-local": "synth", "endpoint": "endpoint", "bootstrap": "bootstrap",
		"deploy": "deploy", "fixups": "fixups", "seed": "seed", "order": "order", "command": "command",
	} {
		for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
			t.Run(fmt.Sprintf("%s/%v", part, sig), func(t *testing.T) {
				t.Parallel()
				root := project(t)
				set(t, root, "hang", part)
				var o up.Options
				if part == "command" {
					o.Command = []string{"sleep", "300"}
				}
				c := start(t, root, o)
				c.reaches(t, step)
				_ = c.Process.Signal(sig)
				text := c.exits(t, 128+int(sig))
				if !strings.Contains(text, "error: interrupted by ") {
					t.Errorf("printed:\n%s", text)
				}
				set(t, root, "hang", "")
				start(t, root, up.Options{OneShot: true}).exits(t, 0)
			})
		}
	}
}

func TestTheSecondInterruptDoesNotWait(t *testing.T) {
	root := project(t)
	stubborn := []string{"sh", "-c", `trap '' TERM; echo stubborn; while :; do sleep 1; done`}
	c := start(t, root, up.Options{Command: stubborn})
	c.out.waitFor(t, "stubborn")
	_ = c.Process.Signal(syscall.SIGINT)
	c.out.waitFor(t, "once more ends everything at once")
	begin := time.Now()
	_ = c.Process.Signal(syscall.SIGINT)
	c.exits(t, 130)
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestAKilledToolLeavesNothing(t *testing.T) {
	c := start(t, project(t), up.Options{})
	c.out.waitFor(t, "running until Ctrl-C")
	_ = c.Process.Kill()
	c.exits(t, -1)
}

// make and go run end without a word to what they started when they are ended by
// SIGTERM; a shell that is killed does the same.
func TestItEndsWithWhatStartedIt(t *testing.T) {
	root := project(t)
	port := freePort(t)
	options, err := json.Marshal(up.Options{Port: port, Dir: ".local"})
	if err != nil {
		t.Fatal(err)
	}
	out := newOutput(t)
	shell := exec.Command("sh", "-c", `"$0" "$1"; exit $?`, os.Args[0], string(options))
	shell.Dir, shell.Env = root, append(os.Environ(), roleVar+"="+roleTool)
	shell.Stdout, shell.Stderr = out.file, out.file
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	out.waitFor(t, "running until Ctrl-C")
	_ = shell.Process.Kill()
	_ = shell.Wait()
	out.waitFor(t, "stopped; nothing is left running")
	(&tool{root: root, port: port}).leavesNothing(t)
}

func TestAPartThatFails(t *testing.T) {
	tests := map[string]struct{ part, want, do string }{
		"tools":     {"tools", "error: make tools ENDPOINT=ministack failed (exit status 2)", "run again"},
		"build":     {"build", "error: make build failed (exit status 2)", "run again"},
		"synth":     {"synth-local", "cannot make synth-local", "run again"},
		"endpoint":  {"endpoint", "error: the local endpoint ended by itself (exit status 1)", "read its log"},
		"bootstrap": {"bootstrap", "error: stack tradewind-local-orders failed: Firewall Unsupported resource type", "fix the cause"},
		"deploy":    {"deploy", "error: stack tradewind-local-orders failed: Firewall Unsupported resource type", "fix the cause"},
		"fixups":    {"fixups", "error: step fixups failed: set cross-origin rules", "endpoint.log"},
		"seed":      {"seed", "error: step seed failed: register admin@tradewind.example: POST /api/users: status 502", "endpoint.log"},
		"order":     {"order", "error: step order failed: no confirmed order: POST /api/orders: status 502", "endpoint.log"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := project(t)
			set(t, root, "fail", tt.part)
			text := start(t, root, up.Options{}).exits(t, 1)
			for _, want := range []string{"✗ " + name, tt.want, tt.do} {
				if !strings.Contains(text, want) {
					t.Errorf("no %q in:\n%s", want, text)
				}
			}
		})
	}
}

func TestAnEndpointKilledUnderAStep(t *testing.T) {
	for part, step := range map[string]string{"deploy": "deploy", "order": "order", "": "stay"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			root := project(t)
			set(t, root, "hang", part)
			c := start(t, root, up.Options{})
			c.reaches(t, step)
			c.killEndpoint(t)
			text := c.exits(t, 1)
			if !strings.Contains(text, "error: the local endpoint ended by itself (killed by signal 9 (killed))") || strings.Contains(text, "refused") {
				t.Errorf("printed:\n%s", text)
			}
		})
	}
}

func TestATakenPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	c := start(t, project(t), up.Options{Port: port})
	<-c.done
	l.Close()
	want := fmt.Sprintf("error: port %d on 127.0.0.1 is taken by process %d", port, os.Getpid())
	if text := c.out.String(); !strings.Contains(text, want) || !strings.Contains(text, fmt.Sprintf("make run PORT=%d", port+1)) {
		t.Errorf("no %q in:\n%s", want, text)
	}
	c.leavesNothing(t)
}

func TestAFolderInUseOrUnusable(t *testing.T) {
	root := project(t)
	first := start(t, root, up.Options{})
	first.out.waitFor(t, "running until Ctrl-C")
	second := start(t, root, up.Options{})
	if code := <-second.done; code != 1 {
		t.Errorf("exit code %d", code)
	}
	want := fmt.Sprintf("error: another run (process %d) uses", first.Process.Pid)
	if !strings.Contains(second.out.String(), want) {
		t.Errorf("no %q in:\n%s", want, second.out)
	}
	_ = first.Process.Signal(syscall.SIGINT)
	first.exits(t, 0)

	set(t, root, "file", "")
	text := start(t, root, up.Options{Dir: "file"}).exits(t, 1)
	if !strings.Contains(text, "error: cannot use ") || !strings.Contains(text, "-dir") {
		t.Errorf("printed:\n%s", text)
	}
}

// reaches waits until a step is at work.
func (c *tool) reaches(t *testing.T, step string) {
	t.Helper()
	switch step {
	case "stay":
		c.out.waitFor(t, "running until Ctrl-C")
	case "command":
		c.out.waitFor(t, "ready in ")
		time.Sleep(100 * time.Millisecond)
	case "fixups", "seed", "order":
		c.out.waitFor(t, map[string]string{"fixups": "✓ deploy", "seed": "✓ fixups", "order": "✓ seed"}[step])
		time.Sleep(100 * time.Millisecond)
	case "endpoint":
		c.out.waitFor(t, "✓ synth")
		time.Sleep(100 * time.Millisecond)
	default: // has a log
		log := filepath.Join(c.root, ".local", "logs", step+".log")
		for range 500 {
			if text, _ := os.ReadFile(log); bytes.Contains(text, []byte("making ")) || bytes.Contains(text, []byte("cdklocal ")) {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		t.Fatalf("%s is not reached:\n%s", step, c.out)
	}
}

// killEndpoint kills the process that plays the endpoint: the one of this test's
// that runs in the endpoint's folder and is this binary.
func (c *tool) killEndpoint(t *testing.T) {
	t.Helper()
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	links, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, link := range links {
		process := filepath.Dir(link)
		dir, _ := os.Readlink(link)
		exe, _ := os.Readlink(filepath.Join(process, "exe"))
		cmdline, _ := os.ReadFile(filepath.Join(process, "cmdline"))
		if exe == self && dir == filepath.Join(c.root, ".local", "endpoint") && !bytes.HasPrefix(cmdline, []byte("tradewind-keeper")) {
			pid, err := strconv.Atoi(filepath.Base(process))
			if err != nil {
				t.Fatal(err)
			}
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("no endpoint found:\n%s", c.out)
}

// output is a file that a process writes and a test reads.
type output struct{ file *os.File }

func newOutput(t *testing.T) *output {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "output"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return &output{f}
}

func (o *output) String() string {
	text, err := os.ReadFile(o.file.Name())
	return string(text) + errText(err)
}

func (o *output) waitFor(t *testing.T, want string) {
	t.Helper()
	for range 1000 {
		if strings.Contains(o.String(), want) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("no %q in:\n%s", want, o)
}

func errText(err error) string {
	if err == nil || errors.Is(err, os.ErrNotExist) {
		return ""
	}
	return err.Error()
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
