// Package ministack holds how MiniStack, the default local endpoint, is started.
//
// MiniStack is a Python program that listens on all interfaces in several ways
// unless each is configured. start/start.py starts it, and corrects what it has no
// setting for.
package ministack

import (
	"os"
	"path/filepath"
	"strconv"

	"tradewind/localstack/internal/endpoint"
)

// Ready is the path that it answers once it is ready.
const Ready = "/_ministack/ready"

// Command is the program as it is installed in a project.
func Command(root string) []string {
	return []string{filepath.Join(root, ".local/tools/venv/bin/python"), filepath.Join(root, "localstack/internal/endpoint/ministack/start/start.py")}
}

// Environment is everything it and its functions get to see. It keeps its state and
// temporary files below dir. TRADEWIND_CALLS names a file for the calls of functions to
// AWS, see start/calls.py.
func Environment(dir string, port int) ([]string, error) {
	env, err := endpoint.Environment(dir, map[string]string{"STATE_DIR": "state", "S3_DATA_DIR": "s3", "TMPDIR": "tmp", "HOME": "home"})
	if calls := os.Getenv("TRADEWIND_CALLS"); calls != "" {
		env = append(env, "TRADEWIND_CALLS="+calls)
	}
	return append(env,
		"BIND_HOST=127.0.0.1",
		"GATEWAY_PORT="+strconv.Itoa(port),
		"MINISTACK_HOST=localhost",
		"MINISTACK_REGION="+endpoint.Region,
		"AWS_ENDPOINT_URL="+endpoint.URL(port),
		"IOT_MTLS_ENABLED=0", // it would listen on all interfaces
		"SFTP_ENABLED=0",
		"LAMBDA_EXECUTOR=local",
		// Calls wait for their turn, see start.py. Its own limit follows from the machine's
		// memory and would refuse them instead, messages of queues among them.
		"LAMBDA_ACCOUNT_CONCURRENCY=0",
		"PERSIST_STATE=0",
	), err
}

// Config is how to start it as a project's endpoint.
func Config(root, dir, log string, port int) (endpoint.Config, error) {
	env, err := Environment(dir, port)
	return endpoint.Config{
		Command: Command(root), Env: env, Dir: dir, Log: log, Port: port, Ready: Ready,
	}, err
}
