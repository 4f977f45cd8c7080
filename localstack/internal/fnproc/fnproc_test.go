package fnproc_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"tradewind/localstack/internal/fnproc"
)

func TestKillFindsTheFunctionOfTheEndpoint(t *testing.T) {
	if !fnproc.Supported() {
		t.Skip("there is no /proc here")
	}
	const url, name = "http://127.0.0.1:1", "fnproc-test"
	start := func(url, name string) *exec.Cmd {
		t.Helper()
		cmd := exec.Command("sleep", "60")
		cmd.Env = []string{"AWS_ENDPOINT_URL=" + url, "AWS_LAMBDA_FUNCTION_NAME=" + name}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill() })
		return cmd
	}
	wanted := start(url, name)
	start(url, name+"-other")
	start(url+"2", name)

	for range 100 { // until the command runs, its environment is ours
		if len(fnproc.Find(url, name)) == 1 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	pid := fnproc.Find(url, name)[0]
	if env, err := fnproc.Environ(pid); err != nil || !slices.Equal(env, wanted.Env) {
		t.Errorf("environment %q, %v", env, err)
	}
	program, err := filepath.EvalSymlinks(wanted.Path)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.Readlink(fnproc.Program(pid)); err != nil || got != program {
		t.Errorf("program %s, %v; want %s", got, err, program)
	}
	if n := fnproc.Kill(url, name); n != 1 {
		t.Fatalf("Kill = %d", n)
	}
	_ = wanted.Wait()
	if status := wanted.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGKILL {
		t.Errorf("ended by %v", status)
	}
	if n := fnproc.Kill(url, name); n != 0 {
		t.Errorf("a second Kill = %d", n)
	}
}

func TestGroup(t *testing.T) {
	if !fnproc.Supported() {
		t.Skip("there is no /proc here")
	}
	// A shell and its child, in a group of their own; and one outside it.
	cmd := exec.Command("sh", "-c", "sleep 60 & wait")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); _ = cmd.Wait() })
	var processes int
	var resident int64
	for range 100 { // until both run
		if processes, resident = fnproc.Group(cmd.Process.Pid); processes == 2 && resident > 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if processes != 2 || resident < 100<<10 || resident > 100<<20 {
		t.Errorf("%d processes with %d bytes", processes, resident)
	}
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	_ = cmd.Wait()
	for range 100 {
		if processes, _ = fnproc.Group(cmd.Process.Pid); processes == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d processes after the end", processes)
}
