// Package execenv runs a Lambda function as Lambda does: a process that asks the Runtime
// API for one event after the other. A tool that has several of them has what several
// execution environments are, each with a memory of its own, and says itself which of
// them works on what and under what conditions.
//
// It is https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html on loopback. The
// process ends with this one: call process.Main first in main.
package execenv

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"time"

	"tradewind/localstack/internal/process"
)

const (
	path = "/2018-06-01/runtime"

	// patience is how long a function may take to ask for its first event.
	patience = 10 * time.Second

	// maxLine is a log line's largest size in bytes, as CloudWatch has it.
	maxLine = 256 << 10
)

// Config is a function to run. All of it is required.
type Config struct {
	Program string        // the path of its bootstrap
	Env     []string      // as the function shall find it; where the Runtime API is, is added
	Timeout time.Duration // of an invocation
	// Log is called with each line that the function writes, one after the other.
	Log func(line []byte)
}

// Environment is an execution environment. It works on one event at a time.
type Environment struct {
	timeout time.Duration
	process *process.Process
	server  *http.Server
	output  chan struct{} // closed when the last line is read

	events  chan invocation // taken by the function when it is ready for one
	answers chan answer
	ready   chan struct{}
}

type invocation struct {
	id       string
	event    []byte
	deadline time.Time
}

type answer struct {
	id   string
	body []byte
	err  error
}

// Start starts a function and returns when it has asked for its first event.
func Start(ctx context.Context, c Config) (*Environment, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	e := &Environment{
		timeout: c.Timeout,
		output:  make(chan struct{}), events: make(chan invocation), answers: make(chan answer, 1), ready: make(chan struct{}, 1),
	}
	e.server = &http.Server{Handler: e.routes(), ReadHeaderTimeout: time.Minute}
	go func() { _ = e.server.Serve(listener) }()

	lines, stdout, err := os.Pipe()
	if err != nil {
		_ = e.server.Close()
		return nil, err
	}
	go func() {
		defer close(e.output)
		defer lines.Close()
		in := bufio.NewScanner(lines)
		in.Buffer(nil, maxLine)
		for in.Scan() {
			c.Log(in.Bytes())
		}
	}()
	env := slices.Concat(c.Env, []string{"AWS_LAMBDA_RUNTIME_API=" + listener.Addr().String()})
	e.process, err = process.Start(process.Spec{Args: []string{c.Program}, Env: env, Stdout: stdout, Stderr: stdout})
	_ = stdout.Close() // the process has its own
	if err != nil {
		_ = e.server.Close()
		return nil, fmt.Errorf("start %s: %w", c.Program, err)
	}
	select {
	case <-e.ready:
		return e, nil
	case <-e.process.Done():
		err = fmt.Errorf("%s ended before it asked for an event: %w", c.Program, e.process.Err())
	case <-time.After(patience):
		err = fmt.Errorf("%s did not ask for an event within %v", c.Program, patience)
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	e.Stop()
	return nil, err
}

// Invoke gives the function an event and returns its answer. An error that the function
// itself returns is one too. Only one Invoke may run at a time.
func (e *Environment) Invoke(ctx context.Context, id string, event []byte) ([]byte, error) {
	deadline := time.Now().Add(e.timeout)
	over := time.NewTimer(e.timeout)
	defer over.Stop()
	asked := e.events
	for {
		select {
		case asked <- invocation{id, event, deadline}:
			asked = nil
		case a := <-e.answers:
			if a.id == id { // else it is of one that was given up
				return a.body, a.err
			}
		case <-over.C:
			return nil, fmt.Errorf("no answer within the function's timeout of %v", e.timeout)
		case <-e.process.Done():
			return nil, errors.New("the function's process has ended")
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Stop ends the process and returns when its last line was logged.
func (e *Environment) Stop() {
	e.process.Kill()
	_ = e.server.Close()
	<-e.output
}

func (e *Environment) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+path+"/invocation/next", func(w http.ResponseWriter, r *http.Request) {
		select {
		case e.ready <- struct{}{}:
		default:
		}
		select {
		case i := <-e.events:
			h := w.Header()
			h.Set("Lambda-Runtime-Aws-Request-Id", i.id)
			h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(i.deadline.UnixMilli(), 10))
			h.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:000000000000:function:execenv")
			_, _ = w.Write(i.event)
		case <-r.Context().Done():
		}
	})
	said := func(failed bool) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			a := answer{id: r.PathValue("id")}
			var err error
			if a.body, err = io.ReadAll(r.Body); err != nil {
				return // the process is gone
			}
			if failed {
				a.err = fmt.Errorf("the function failed: %s", a.body)
			}
			w.WriteHeader(http.StatusAccepted)
			e.answers <- a
		}
	}
	mux.HandleFunc("POST "+path+"/invocation/{id}/response", said(false))
	mux.HandleFunc("POST "+path+"/invocation/{id}/error", said(true))
	return mux
}
