// Package process runs commands that cannot outlive this process.
//
// The commands started here have children of their own: the endpoint runs every
// function as a process, make runs compilers, the CDK runs Node.js. An ordinary
// exec.Cmd leaves those children behind when its parent is killed or panics.
// Here each command gets its own process group and a keeper: this executable,
// started once more, which holds the reading end of a pipe whose writing end only
// the parent has. The kernel closes the pipe however the parent ends, and the
// keeper then ends the group: SIGTERM, a grace period, SIGKILL. The group is also
// emptied when the command itself returns. On Linux, daemons that left the group
// are found too, unless the keeper itself was killed.
//
// [RunLogged] runs a command and keeps its output in a log file, so that the
// screen stays readable and no output is lost.
//
// Callers must call [Main] first in main and in TestMain.
package process

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// DefaultGrace is how long a group may take to end by itself after SIGTERM.
const DefaultGrace = 5 * time.Second

// Spec is a command to run.
type Spec struct {
	Args   []string      // the program, looked up in PATH, and its arguments
	Dir    string        // working directory; empty means the current one
	Env    []string      // the whole environment; nil means this process's
	Stdout *os.File      // nil discards it
	Stderr *os.File      // nil discards it
	Grace  time.Duration // between SIGTERM and SIGKILL; zero means DefaultGrace
}

// ExitError says how a command ended that did not succeed.
type ExitError struct {
	Code   int            // the exit code, if Signal is 0
	Signal syscall.Signal // the signal that killed it
}

func (e *ExitError) Error() string {
	if e.Signal != 0 {
		return fmt.Sprintf("killed by signal %d (%v)", int(e.Signal), e.Signal)
	}
	return fmt.Sprintf("exit status %d", e.Code)
}

// Process is a running command.
type Process struct {
	pid    int
	keeper *exec.Cmd
	hold   *os.File // writing end; closing it ends the group
	done   chan struct{}
	err    error
}

// live holds what KillAll has to reach.
var (
	liveMu sync.Mutex
	live   = map[*Process]struct{}{}
)

// Start starts a command under a keeper. It returns once the command runs, or
// with the reason why it cannot.
func Start(spec Spec) (*Process, error) {
	if len(spec.Args) == 0 {
		return nil, errors.New("process: no command")
	}
	self, err := executable()
	if err != nil {
		return nil, fmt.Errorf("process: find this executable: %w", err)
	}
	path, err := exec.LookPath(spec.Args[0])
	if err != nil {
		return nil, err
	}
	holdR, holdW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer holdR.Close()
	reportR, reportW, err := os.Pipe()
	if err != nil {
		holdW.Close()
		return nil, err
	}
	defer reportW.Close()

	grace := spec.Grace
	if grace == 0 {
		grace = DefaultGrace
	}
	env := spec.Env
	if env == nil {
		env = os.Environ()
	}
	keeper := &exec.Cmd{
		Path:        self,
		Args:        append([]string{"tradewind-keeper", path}, spec.Args...),
		Dir:         spec.Dir,
		Env:         append(env[:len(env):len(env)], keeperVar+"="+grace.String()),
		ExtraFiles:  []*os.File{holdR, reportW},
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true}, // the terminal's Ctrl-C is ours to handle
	}
	if spec.Stdout != nil { // a nil *os.File in the interface would not be nil
		keeper.Stdout = spec.Stdout
	}
	if spec.Stderr != nil {
		keeper.Stderr = spec.Stderr
	}
	if err := keeper.Start(); err != nil {
		holdW.Close()
		reportR.Close()
		return nil, fmt.Errorf("process: start keeper: %w", err)
	}
	reportW.Close() // so that reportR ends with the keeper

	report := bufio.NewReader(reportR)
	pid, err := readPID(report)
	if err != nil {
		holdW.Close()
		reportR.Close()
		_ = keeper.Wait()
		return nil, fmt.Errorf("start %s: %w", spec.Args[0], err)
	}
	p := &Process{pid: pid, keeper: keeper, hold: holdW, done: make(chan struct{})}
	liveMu.Lock()
	live[p] = struct{}{}
	liveMu.Unlock()
	go func() {
		defer reportR.Close()
		p.wait(report)
	}()
	return p, nil
}

// Run runs a command to its end. When ctx is done it stops the command and
// returns the context's cause.
func Run(ctx context.Context, spec Spec) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	p, err := Start(spec)
	if err != nil {
		return err
	}
	select {
	case <-p.Done():
		return p.Err()
	case <-ctx.Done():
		p.Stop()
		return context.Cause(ctx)
	}
}

// KillAll ends every group at once, without grace. It is for the way out that
// cannot wait; it returns when the groups are gone.
func KillAll() {
	liveMu.Lock()
	all := make([]*Process, 0, len(live))
	for p := range live {
		all = append(all, p)
	}
	liveMu.Unlock()
	for _, p := range all {
		p.tell(killNow)
	}
	for _, p := range all {
		<-p.done
	}
}

// PID is the command's process id, which is its group's id as well.
func (p *Process) PID() int { return p.pid }

// Done is closed when the command and all of its group are gone.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err says how the command ended; it is to be asked after Done. It is nil on
// success, an *ExitError otherwise.
func (p *Process) Err() error { return p.err }

// Stop ends the group and waits until it is gone.
func (p *Process) Stop() {
	p.tell(stopSoon)
	<-p.done
}

// Kill ends the group without grace and waits until it is gone.
func (p *Process) Kill() {
	p.tell(killNow)
	<-p.done
}

// tell passes a word to the keeper. The pipe stays open, for a kill may follow a
// stop; an error only means that the keeper is gone already.
func (p *Process) tell(word string) { _, _ = io.WriteString(p.hold, word) }

func (p *Process) wait(report *bufio.Reader) {
	// The keeper's last word comes when the group is gone; its own end says nothing more.
	line, readErr := report.ReadString('\n')
	defer func() { _ = p.keeper.Wait() }()
	p.hold.Close()
	if readErr != nil {
		// The keeper was killed before it could clean up: do its work.
		_ = syscall.Kill(-p.pid, syscall.SIGKILL)
		p.err = &ExitError{Signal: syscall.SIGKILL}
	} else {
		p.err = parseExit(strings.TrimSpace(line))
	}
	liveMu.Lock()
	delete(live, p)
	liveMu.Unlock()
	close(p.done)
}

// executable names this program so that it can be started again even if its
// file was replaced or deleted since, as go run and a rebuild do.
func executable() (string, error) {
	if runtime.GOOS == "linux" {
		return "/proc/self/exe", nil
	}
	return os.Executable()
}

func readPID(r *bufio.Reader) (int, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return 0, errors.New("the keeper did not start; is process.Main called first in main?")
	}
	line = strings.TrimSpace(line)
	if pid, err := strconv.Atoi(line); err == nil {
		return pid, nil
	}
	return 0, errors.New(line)
}

// parseExit reads what the keeper reports last: "exit 1" or "signal 9".
func parseExit(line string) error {
	kind, text, _ := strings.Cut(line, " ")
	n, err := strconv.Atoi(text)
	switch {
	case err != nil:
		return fmt.Errorf("process: unreadable report %q", line)
	case kind == "signal":
		return &ExitError{Signal: syscall.Signal(n)}
	case n != 0:
		return &ExitError{Code: n}
	}
	return nil
}
