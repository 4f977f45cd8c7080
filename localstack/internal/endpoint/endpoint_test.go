package endpoint_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"tradewind/localstack/internal/endpoint"
	"tradewind/localstack/internal/process"
	"tradewind/localstack/internal/usererr"
)

// fakeArg makes this test binary play the endpoint; the argument after it says how.
const fakeArg = "fake-endpoint"

func TestMain(m *testing.M) {
	process.Main()
	if len(os.Args) == 3 && os.Args[1] == fakeArg {
		play(os.Args[2])
		return
	}
	os.Exit(m.Run())
}

// play starts a function process, as the endpoint does, and serves.
func play(how string) {
	function := exec.Command("sleep", "300")
	if err := function.Start(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("environment:", strings.Join(os.Environ(), " "))
	port := os.Getenv("FAKE_PORT")
	var asked atomic.Int32
	http.HandleFunc("/ready", func(w http.ResponseWriter, _ *http.Request) {
		if how == "never ready" || asked.Add(1) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	http.HandleFunc("/function", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, function.Process.Pid) })
	if how == "fails" {
		fmt.Println("no module named ministack")
		os.Exit(1)
	}
	fmt.Println(http.ListenAndServe("127.0.0.1:"+port, nil))
}

func config(t *testing.T, how string) endpoint.Config {
	t.Helper()
	dir, port := t.TempDir(), freePort(t)
	env, err := endpoint.Environment(dir, map[string]string{"TMPDIR": "tmp"})
	if err != nil {
		t.Fatal(err)
	}
	return endpoint.Config{
		Command:  []string{os.Args[0], fakeArg, how},
		Env:      append(env, fmt.Sprintf("FAKE_PORT=%d", port)),
		Dir:      dir,
		Log:      filepath.Join(dir, "endpoint.log"),
		Port:     port,
		Ready:    "/ready",
		Patience: 10 * time.Second,
	}
}

func TestAnEndpointServesUntilItIsStopped(t *testing.T) {
	t.Setenv("AWS_PROFILE", "production")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "of-the-user")
	cfg := config(t, "well")
	e, err := endpoint.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	function := functionPID(t, e)
	select {
	case <-e.Done():
		t.Fatal("ended by itself:", e.Err())
	default:
	}
	e.Stop()
	e.Stop() // twice is once
	if e.Err() != nil {
		t.Errorf("Err after Stop: %v", e.Err())
	}
	gone(t, e.PID())
	gone(t, function)

	log, err := os.ReadFile(cfg.Log)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(log), "production") || strings.Contains(string(log), "of-the-user") {
		t.Error("the endpoint sees the user's credentials")
	}
	if want := "TMPDIR=" + filepath.Join(cfg.Dir, "tmp"); !strings.Contains(string(log), want) {
		t.Errorf("the environment lacks %s", want)
	}
	again, err := endpoint.Start(t.Context(), cfg)
	if err != nil {
		t.Fatalf("start again: %v", err)
	}
	again.Stop()
}

func TestAKilledEndpointIsNoticedAndLeavesNothing(t *testing.T) {
	e, err := endpoint.Start(t.Context(), config(t, "well"))
	if err != nil {
		t.Fatal(err)
	}
	function := functionPID(t, e)
	time.Sleep(1500 * time.Millisecond) // its size is looked at each second
	if err := syscall.Kill(e.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case <-e.Done():
	case <-time.After(5 * time.Second):
		t.Fatal("not noticed")
	}
	if !errors.Is(e.Err(), endpoint.ErrDied) || !strings.Contains(e.Err().Error(), "killed by signal 9") {
		t.Errorf("Err: %v", e.Err())
	}
	if runtime.GOOS == "linux" && !strings.Contains(e.Err().Error(), "; function processes: 1, memory: 0.0 GB") {
		t.Errorf("Err: %v", e.Err())
	}
	gone(t, function)
	e.Stop()
}

func TestATakenPort(t *testing.T) {
	cfg := config(t, "well")
	other, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", cfg.Port))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	_, err = endpoint.Start(t.Context(), cfg)
	if err == nil {
		t.Fatal("started on a port that is taken")
	}
	advice := usererr.From(err)
	if want := fmt.Sprintf("port %d on 127.0.0.1 is taken", cfg.Port); !strings.HasPrefix(advice.What, want) {
		t.Errorf("what: %q, want %q", advice.What, want)
	}
	if want := fmt.Sprintf("PORT=%d", cfg.Port+1); !strings.Contains(advice.Do, want) {
		t.Errorf("advice: %q, want %q", advice.Do, want)
	}
	if runtime.GOOS == "linux" && !strings.Contains(advice.What, fmt.Sprintf("by process %d ", os.Getpid())) {
		t.Errorf("what: %q does not name this process", advice.What)
	}
}

func TestAnEndpointThatDoesNotStart(t *testing.T) {
	tests := map[string]struct {
		change func(*endpoint.Config)
		want   string
	}{
		"fails":       {func(c *endpoint.Config) { c.Command[2] = "fails" }, "ended by itself (exit status 1)"},
		"never ready": {func(c *endpoint.Config) { c.Command[2], c.Patience = "never ready", 300*time.Millisecond }, "not ready within 300ms"},
		"absent":      {func(c *endpoint.Config) { c.Command = []string{"/absent/python"} }, "cannot start the endpoint"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := config(t, "well")
			tt.change(&cfg)
			_, err := endpoint.Start(t.Context(), cfg)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Start: %v, want %q", err, tt.want)
			}
			if name == "fails" && !strings.Contains(strings.Join(usererr.From(err).Tail, "\n"), "no module named ministack") {
				t.Errorf("tail: %q", usererr.From(err).Tail)
			}
		})
	}
}

func TestAnInterruptedStart(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("interrupted")
	time.AfterFunc(200*time.Millisecond, func() { cancel(cause) })
	cfg := config(t, "never ready")
	if _, err := endpoint.Start(ctx, cfg); !errors.Is(err, cause) {
		t.Errorf("Start: %v, want %v", err, cause)
	}
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", cfg.Port))
	if err != nil {
		t.Fatalf("something still runs: %v", err)
	}
	l.Close()
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

func functionPID(t *testing.T, e *endpoint.Endpoint) int {
	t.Helper()
	resp, err := http.Get(e.URL() + "/function")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var pid int
	if _, err := fmt.Fscan(resp.Body, &pid); err != nil {
		t.Fatal(err)
	}
	return pid
}

// gone fails the test if a process still runs; it may be a zombie for a moment.
func gone(t *testing.T, pid int) {
	t.Helper()
	for range 200 {
		if syscall.Kill(pid, 0) != nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("process %d still runs", pid)
	_ = syscall.Kill(pid, syscall.SIGKILL)
}
