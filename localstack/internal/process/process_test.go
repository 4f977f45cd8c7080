package process_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"tradewind/localstack/internal/process"
)

// ownerVar makes this test binary the owner of a command started by this package, so that tests
// can end that owner in every way a process can end.
const ownerVar = "PROCESS_TEST_OWNER"

func TestMain(m *testing.M) {
	process.Main()
	if how, ok := os.LookupEnv(ownerVar); ok {
		own(how)
		return
	}
	os.Exit(m.Run())
}

// family is a shell that has a child in the background; both write their ids.
const family = `sleep 300 & echo $$ $!; wait`

// stubborn is a family that will not hear SIGTERM.
const stubborn = `trap '' TERM; sleep 300 & echo $$ $!; while :; do wait; done`

// own starts a family and ends in the way asked for.
func own(how string) {
	os.Unsetenv(ownerVar)
	if _, err := process.Start(process.Spec{Args: []string{"sh", "-c", family}, Stdout: os.Stdout}); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // the test has read the ids
	switch how {
	case "exit":
		os.Exit(0)
	case "panic":
		go panic("on purpose")
		select {}
	case "wait":
		select {}
	}
}

func TestNothingOutlivesItsOwner(t *testing.T) {
	for _, how := range []string{"exit", "panic", "SIGTERM", "SIGKILL"} {
		t.Run(how, func(t *testing.T) {
			owner := exec.Command(os.Args[0])
			mode := how
			if strings.HasPrefix(how, "SIG") {
				mode = "wait"
			}
			owner.Env = append(os.Environ(), ownerVar+"="+mode)
			stdin, err := owner.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			stdout, err := owner.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := owner.Start(); err != nil {
				t.Fatal(err)
			}
			line, err := bufio.NewReader(stdout).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			pids := parsePIDs(t, line)
			switch how {
			case "SIGTERM":
				_ = owner.Process.Signal(syscall.SIGTERM)
			case "SIGKILL":
				_ = owner.Process.Kill()
			}
			fmt.Fprintln(stdin)
			_ = owner.Wait()
			gone(t, pids, 5*time.Second)
		})
	}
}

func TestRunReportsHowTheCommandEnded(t *testing.T) {
	tests := map[string]struct {
		script string
		want   error
	}{
		"success": {"exit 0", nil},
		"failure": {"exit 7", &process.ExitError{Code: 7}},
		"signal":  {"kill -9 $$", &process.ExitError{Signal: syscall.SIGKILL}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := process.Run(t.Context(), process.Spec{Args: []string{"sh", "-c", tt.script}})
			if tt.want == nil {
				if err != nil {
					t.Fatalf("Run: %v", err)
				}
				return
			}
			got, ok := errors.AsType[*process.ExitError](err)
			if !ok || got.Error() != tt.want.Error() {
				t.Fatalf("Run: %v, want %v", err, tt.want)
			}
		})
	}
}

func TestACommandThatIsNotThere(t *testing.T) {
	if err := process.Run(t.Context(), process.Spec{Args: []string{"no-such-program"}}); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("Run: %v, want %v", err, exec.ErrNotFound)
	}
	err := process.Run(t.Context(), process.Spec{Args: []string{"sh"}, Dir: filepath.Join(t.TempDir(), "absent")})
	if err == nil {
		t.Error("Run in an absent folder succeeded")
	}
}

func TestARunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	time.AfterFunc(100*time.Millisecond, func() { cancel(cause) })
	start := time.Now()
	if err := process.Run(ctx, process.Spec{Args: []string{"sleep", "300"}}); !errors.Is(err, cause) {
		t.Errorf("Run: %v, want %v", err, cause)
	}
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("Run returned after %v", took)
	}
}

func TestWhatACommandLeavesBehindIsEnded(t *testing.T) {
	out := newFile(t)
	err := process.Run(t.Context(), process.Spec{Args: []string{"sh", "-c", `sleep 300 & echo $$ $!`}, Stdout: out})
	if err != nil {
		t.Fatal(err)
	}
	gone(t, readPIDs(t, out), time.Second)
}

func TestAStubbornGroupIsKilledAfterItsGrace(t *testing.T) {
	out := newFile(t)
	p, err := process.Start(process.Spec{Args: []string{"sh", "-c", stubborn}, Stdout: out, Grace: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	pids := readPIDs(t, out)
	start := time.Now()
	p.Stop()
	if took := time.Since(start); took < 200*time.Millisecond || took > 3*time.Second {
		t.Errorf("Stop took %v", took)
	}
	gone(t, pids, time.Second)
}

func TestKillDoesNotWaitForTheGrace(t *testing.T) {
	for name, kill := range map[string]func(*process.Process){
		"Kill":    (*process.Process).Kill,
		"KillAll": func(*process.Process) { process.KillAll() },
		"Kill after Stop": func(p *process.Process) {
			go p.Stop()
			time.Sleep(100 * time.Millisecond)
			p.Kill()
		},
	} {
		t.Run(name, func(t *testing.T) {
			out := newFile(t)
			p, err := process.Start(process.Spec{Args: []string{"sh", "-c", stubborn}, Stdout: out, Grace: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			pids := readPIDs(t, out)
			start := time.Now()
			kill(p)
			if took := time.Since(start); took > 3*time.Second {
				t.Errorf("took %v", took)
			}
			gone(t, pids, time.Second)
		})
	}
}

func TestAKilledKeeperIsNoticed(t *testing.T) {
	out := newFile(t)
	p, err := process.Start(process.Spec{Args: []string{"sh", "-c", `echo $$ $PPID; sleep 300`}, Stdout: out})
	if err != nil {
		t.Fatal(err)
	}
	pids := readPIDs(t, out)
	if pids[0] != p.PID() {
		t.Errorf("PID is %d, the command says %d", p.PID(), pids[0])
	}
	_ = syscall.Kill(pids[1], syscall.SIGKILL)
	select {
	case <-p.Done():
	case <-time.After(5 * time.Second):
		t.Fatal("not noticed")
	}
	if p.Err() == nil {
		t.Error("Err is nil")
	}
	gone(t, pids, time.Second)
}

func newFile(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// readPIDs waits for the line of ids a script writes first.
func readPIDs(t *testing.T, f *os.File) []int {
	t.Helper()
	for range 500 {
		text, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		if line, _, ok := strings.Cut(string(text), "\n"); ok {
			return parsePIDs(t, line)
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the script wrote nothing")
	return nil
}

func parsePIDs(t *testing.T, line string) []int {
	t.Helper()
	var pids []int
	for _, word := range strings.Fields(line) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			t.Fatalf("ids: %q", line)
		}
		pids = append(pids, pid)
	}
	return pids
}

// gone fails the test if a process still runs at the deadline. A zombie that
// nobody reaps does not run.
func gone(t *testing.T, pids []int, within time.Duration) {
	t.Helper()
	deadline := time.Now().Add(within)
	for _, pid := range pids {
		for runs(pid) {
			if time.Now().After(deadline) {
				t.Errorf("process %d still runs", pid)
				_ = syscall.Kill(pid, syscall.SIGKILL)
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

func runs(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return !errors.Is(err, os.ErrNotExist)
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(after, "Z")
}

// A daemon has a session of its own, and children there.
func TestWhatLeftTheGroupIsEnded(t *testing.T) {
	if _, err := exec.LookPath("setsid"); err != nil {
		t.Skip(err)
	}
	for name, script := range map[string]string{
		"behind a command that ended": `setsid sh -c '` + family + `' & sleep 0.3`,
		"behind one that is stopped":  `setsid sh -c '` + family + `' & sleep 300`,
	} {
		t.Run(name, func(t *testing.T) {
			out := newFile(t)
			p, err := process.Start(process.Spec{Args: []string{"sh", "-c", script}, Stdout: out})
			if err != nil {
				t.Fatal(err)
			}
			var line string
			for range 200 {
				text, err := os.ReadFile(out.Name())
				if err != nil {
					t.Fatal(err)
				}
				if line = string(text); strings.HasSuffix(line, "\n") {
					break
				}
				time.Sleep(10 * time.Millisecond)
			}
			if strings.HasSuffix(name, "stopped") {
				p.Stop()
			}
			<-p.Done()
			gone(t, parsePIDs(t, line), 2*time.Second)
		})
	}
}
