// Package endpoint starts, watches and ends a local AWS endpoint. Packages
// ministack and localstack, below it, hold how each one is started.
//
// An endpoint is a program that runs Lambda functions as processes, which can
// outlive it, so it is started by package process. The functions inherit its
// environment, so its configuration is the whole of that environment, without the
// user's credentials.
//
// No state is kept between runs: starting from nothing is quicker than finding out
// what an interrupted run left.
package endpoint

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"tradewind/localstack/internal/fnproc"
	"tradewind/localstack/internal/process"
	"tradewind/localstack/internal/usererr"
)

// Region is the region the endpoint plays.
const Region = "us-east-1"

const (
	host  = "127.0.0.1"
	grace = 2 * time.Second // to end by itself; it has nothing to save
)

// ErrDied is in the error of an endpoint that ended without being asked to.
var ErrDied = errors.New("the endpoint ended by itself")

// Config says how to start an endpoint.
type Config struct {
	Command  []string      // the program and its arguments
	Env      []string      // its whole environment, and that of its functions
	Dir      string        // its working directory, for state and temporary files
	Log      string        // the file for what it says
	Port     int           // on 127.0.0.1
	Ready    string        // path that answers 200 once it is ready
	Patience time.Duration // until it is ready; zero means 60 s
}

// Endpoint is a running endpoint.
type Endpoint struct {
	port    int
	log     string
	process *process.Process
	stop    sync.Once
	stopped chan struct{} // closed by Stop
	done    chan struct{}
	err     error
}

// Start starts an endpoint and waits until it is ready.
func Start(ctx context.Context, cfg Config) (*Endpoint, error) {
	if err := Free(cfg.Port); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(cfg.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	defer log.Close()
	process, err := process.Start(process.Spec{Args: cfg.Command, Dir: cfg.Dir, Env: cfg.Env, Stdout: log, Stderr: log, Grace: grace})
	if err != nil {
		return nil, usererr.New(err, "run make tools", "cannot start the endpoint: %v", err)
	}
	e := &Endpoint{
		port: cfg.Port, log: cfg.Log, process: process,
		stopped: make(chan struct{}), done: make(chan struct{}),
	}
	go e.watch()
	if err := e.ready(ctx, cfg.Ready, cfg.Patience); err != nil {
		e.Stop()
		return nil, err
	}
	return e, nil
}

// URL is the address of the AWS API.
func (e *Endpoint) URL() string { return URL(e.port) }

// PID is the endpoint's process id and that of its group, in which its functions run.
func (e *Endpoint) PID() int { return e.process.PID() }

// Done is closed when the endpoint and its functions are gone.
func (e *Endpoint) Done() <-chan struct{} { return e.done }

// Err, asked after Done, is nil after a Stop and says otherwise how it ended.
func (e *Endpoint) Err() error { return e.err }

// Stop ends the endpoint and its functions and waits until they are gone.
func (e *Endpoint) Stop() {
	e.stop.Do(func() { close(e.stopped) })
	e.process.Stop()
	<-e.done
}

// watch waits for the end. How large the endpoint was can be seen only while it runs.
func (e *Endpoint) watch() {
	killed := outOfMemoryKills()
	var last death
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for running := true; running; {
		select {
		case <-tick.C:
			if syscall.Kill(e.PID(), 0) == nil { // else its functions are being ended
				processes, resident := fnproc.Group(e.PID())
				last.functions, last.resident = max(processes-1, 0), resident
			}
		case <-e.process.Done():
			running = false
		}
	}
	last.how, last.killed = e.process.Err(), outOfMemoryKills()-killed
	select {
	case <-e.stopped:
	default:
		e.err = &usererr.Error{
			What:  last.String(),
			Do:    "nothing is left running; run again, and if it comes back, read its log",
			Log:   e.log,
			Tail:  process.Tail(e.log),
			Cause: ErrDied,
		}
	}
	close(e.done)
}

// ready waits until the endpoint says that it is.
func (e *Endpoint) ready(ctx context.Context, path string, patience time.Duration) error {
	if patience == 0 {
		patience = time.Minute
	}
	late := time.After(patience)
	client := &http.Client{Timeout: 2 * time.Second}
	defer client.CloseIdleConnections()
	for {
		if e.answers(ctx, client, path) {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-e.done:
			return e.err
		case <-late:
			return &usererr.Error{
				What: fmt.Sprintf("the local endpoint was not ready within %s", patience),
				Do:   "see what it waits for in its log, and run again",
				Log:  e.log,
				Tail: process.Tail(e.log),
			}
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (e *Endpoint) answers(ctx context.Context, client *http.Client, path string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.URL()+path, nil)
	if err != nil {
		return false
	}
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// URL is the address of an endpoint on a port.
func URL(port int) string { return "http://" + net.JoinHostPort(host, strconv.Itoa(port)) }

// Environment is what an endpoint of any kind needs of this process's environment,
// with homes for its files below dir, by the variables that name them.
func Environment(dir string, homes map[string]string) ([]string, error) {
	env := []string{
		"PATH=" + os.Getenv("PATH"),
		"LANG=C.UTF-8",
		"PYTHONUNBUFFERED=1",
		"PYTHONDONTWRITEBYTECODE=1",
		"AWS_DEFAULT_REGION=" + Region,
		"AWS_ACCESS_KEY_ID=test",
		"AWS_SECRET_ACCESS_KEY=test",
	}
	for name, home := range homes {
		path := filepath.Join(dir, home)
		if err := os.MkdirAll(path, 0o700); err != nil {
			return nil, fmt.Errorf("prepare the endpoint's folder: %w", err)
		}
		env = append(env, name+"="+path)
	}
	return env, nil
}

// Free makes sure that a port is nobody's. Start asks too, but only after whatever
// came before it. Somebody may still take the port before the endpoint does; then the
// endpoint ends and its log says why.
func Free(port int) error {
	listener, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err == nil {
		return listener.Close()
	}
	if !errors.Is(err, syscall.EADDRINUSE) {
		return usererr.New(err, "choose another port: make run PORT=4567", "cannot listen on port %d: %v", port, err)
	}
	return usererr.New(err, fmt.Sprintf("stop it, or choose another port: make run PORT=%d", port+1),
		"port %d on %s is taken%s", port, host, by(port))
}
