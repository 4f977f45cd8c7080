package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// program is one binary and what was seen of it.
type program struct {
	name    string
	service string // empty for the bare function
	path    string
	size    int64
	starts  []time.Duration
}

// copyAll replaces each program's path by that of a plain copy in dir. A file as
// the linker leaves it (sparse, written out of order) starts slower than one that
// was written from end to end, by more than the differences looked for here; so
// this must be a real copy, neither a link nor a clone.
func copyAll(programs []*program, dir string) error {
	for i, p := range programs {
		binary, err := os.ReadFile(p.path)
		if err != nil {
			return err
		}
		p.size = int64(len(binary))
		p.path = filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(p.path, binary, 0o700); err != nil {
			return err
		}
	}
	return nil
}

// measure starts every program n times, each round in a new order, so that what
// disturbs the machine for a while disturbs them all alike.
func measure(programs []*program, n int) error {
	api, err := newRuntimeAPI()
	if err != nil {
		return err
	}
	defer api.Close()

	const warmups = 3 // until the binaries are in the page cache
	order := append([]*program(nil), programs...)
	for round := range warmups + n {
		rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, p := range order {
			took, err := api.start(p.path, environment(p.service, api.address))
			if err != nil {
				return fmt.Errorf("start %s: %w", p.name, err)
			}
			if round >= warmups {
				p.starts = append(p.starts, took)
			}
		}
	}
	return nil
}

// runtimeAPI is as much of the Lambda Runtime API as a function needs to start: it
// notes when an event is asked for, and never has one.
type runtimeAPI struct {
	address string
	server  *http.Server
	asked   chan time.Time
}

func newRuntimeAPI() (*runtimeAPI, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	api := &runtimeAPI{
		address: listener.Addr().String(),
		asked:   make(chan time.Time, 1),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", func(_ http.ResponseWriter, r *http.Request) {
		now := time.Now()
		select {
		case api.asked <- now:
		default:
		}
		<-r.Context().Done() // until the process is gone
	})
	// The environment points the AWS clients here too: a function that opens its
	// connections while it starts finds an answer, though a useless one.
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, `{"__type":"ValidationException"}`, http.StatusBadRequest)
	})
	api.server = &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = api.server.Serve(listener) }()
	return api, nil
}

func (api *runtimeAPI) Close() { _ = api.server.Close() }

// start runs a binary until it asks for its first event and returns how long that
// took. The process is gone when start returns.
func (api *runtimeAPI) start(path string, env []string) (time.Duration, error) {
	var output bytes.Buffer
	cmd := exec.Command(path)
	cmd.Env, cmd.Stdout, cmd.Stderr = env, &output, &output
	cmd.WaitDelay = time.Second

	began := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	defer func() { _ = cmd.Process.Kill(); <-exited }()

	select {
	case at := <-api.asked:
		return at.Sub(began), nil
	case <-exited:
		return 0, fmt.Errorf("it ended (%s) before asking for an event:\n%s", cmd.ProcessState, strings.TrimSpace(output.String()))
	case <-time.After(10 * time.Second):
		return 0, errors.New("it did not ask for an event within 10 s")
	}
}

// environment is what a function of service finds on Lambda: the runtime's own
// variables and all that the stacks set for any function, so that a service needs
// no entry here of its own.
func environment(service, address string) []string {
	endpoint := "http://" + address
	return []string{
		"AWS_LAMBDA_RUNTIME_API=" + address,
		"AWS_LAMBDA_FUNCTION_NAME=bench-" + service,
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256",
		"AWS_EXECUTION_ENV=AWS_Lambda_provided.al2023",
		"AWS_REGION=us-east-1",
		"AWS_ACCESS_KEY_ID=bench",
		"AWS_SECRET_ACCESS_KEY=bench",
		"AWS_ENDPOINT_URL=" + endpoint,
		"STAGE=bench",
		"SERVICE_NAME=" + service,
		"TABLE_NAME=bench",
		"CURSOR_KEY=0123456789abcdef0123456789abcdef",
		"BUS_NAME=bench",
		"DLQ_URL=" + endpoint + "/000000000000/bench",
		"USER_POOL_ID=us-east-1_bench",
		"USER_POOL_CLIENT_ID=bench",
		"TOKEN_ISSUER=https://cognito-idp.us-east-1.amazonaws.com/us-east-1_bench",
		"POOL_KEYS={}", // read when the first token comes
		"ALB_URL=" + endpoint,
		"PAYMENT_PROVIDER=sandbox",
		"PROVIDER_TIMEOUT=12s",
		"SERVICES=order-service,status-service",
	}
}
