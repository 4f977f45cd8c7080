// Package localstack is the second local endpoint: LocalStack's open core,
// MiniStack for the APIs that the core lacks, and package front, which plays the
// gateway and the load balancer and passes every other call on. From outside it is
// one address, as the first endpoint is. README.md beside this file has the
// picture and the reasons.
//
// It runs as a program of its own, localstack/cmd/localstack.
//
// LocalStack would download its database and expects a Java installation beside
// it; prepare lays both out where it looks, from what `make tools` installed,
// below the run's own folder. Both programs listen on all interfaces and have no
// setting for it. The plugins keep them on loopback, and guard checks that they do.
package localstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"tradewind/localstack/internal/cdk"
	"tradewind/localstack/internal/endpoint"
	"tradewind/localstack/internal/endpoint/localstack/front"
	"tradewind/localstack/internal/endpoint/ministack"
	"tradewind/localstack/internal/process"
)

// Where make installs what is needed, below the project's root.
const (
	python   = ".local/tools/localstack/bin/python"
	database = ".local/tools/dynamodb"
	program  = ".local/bin/localstack"
	plugins  = "localstack/internal/endpoint/localstack/plugins"
)

const (
	host      = "127.0.0.1"
	mainReady = "/_localstack/health"
	grace     = time.Second // to end by itself; nothing is to be saved
)

// Options say what to serve.
type Options struct {
	Root string // of the project
	App  string // folder of the synthesised templates
	Dir  string // for state and temporary files
	Port int    // on 127.0.0.1
}

// Config is how to start it as a project's endpoint.
func Config(root, app, dir, log string, port int) (endpoint.Config, error) {
	// TMPDIR is not for this program but for what it starts.
	env, err := endpoint.Environment(dir, map[string]string{"TMPDIR": "tmp", "HOME": "home"})
	return endpoint.Config{
		Command: []string{
			filepath.Join(root, program), "-root", root, "-app", app, "-dir", dir, "-port", strconv.Itoa(port),
		},
		Env:   append(env, OpenPortsVar+"="+os.Getenv(OpenPortsVar)),
		Dir:   dir,
		Log:   log,
		Port:  port,
		Ready: front.ReadyPath,
	}, err
}

// Run serves until ctx is done or a part of it ends by itself.
func Run(ctx context.Context, o Options) error {
	for _, path := range []*string{&o.Root, &o.App, &o.Dir} {
		whole, err := filepath.Abs(*path)
		if err != nil {
			return err
		}
		*path = whole
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(o.Port)))
	if err != nil {
		return err
	}
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	mainURL, lenderURL := endpoint.URL(ports[0]), endpoint.URL(ports[1])
	env, err := prepare(o, ports[0], ports[2], lenderURL)
	if err != nil {
		return err
	}
	lentEnv, err := ministack.Environment(o.Dir, ports[1])
	if err != nil {
		return err
	}
	ended := make(chan error, 4)
	for name, spec := range map[string]process.Spec{
		"LocalStack": {Args: []string{filepath.Join(o.Root, python), "-m", "localstack.runtime.main"}, Env: env},
		"MiniStack":  {Args: ministack.Command(o.Root), Env: lentEnv},
	} {
		spec.Dir, spec.Stdout, spec.Stderr, spec.Grace = o.Dir, os.Stdout, os.Stderr, grace
		process, err := process.Start(spec)
		if err != nil {
			return fmt.Errorf("start %s: %w; make tools ENDPOINT=localstack installs it", name, err)
		}
		defer process.Stop()
		go func() {
			<-process.Done()
			ended <- errors.Join(errors.New(name+" ended by itself"), process.Err())
		}()
	}
	handler := front.New(front.Config{
		App:       o.App,
		Main:      must(mainURL),
		MainReady: mainReady,
		Database:  must(endpoint.URL(ports[2])),
		Lender:    must(lenderURL),
		LentReady: ministack.Ready,
		Region:    endpoint.Region,
		Account:   cdk.Account,
		Log:       log.New(os.Stdout, "front: ", log.LstdFlags),
		Now:       time.Now,
	})
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() { ended <- server.Serve(listener) }()
	go warm(ctx, mainURL)
	go func() {
		if err := guard(ctx); err != nil {
			ended <- err
		}
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return nil
	}
}

// prepare lays out what LocalStack looks for and returns its environment.
func prepare(o Options, port, data int, lender string) ([]string, error) {
	library, err := javaLibrary()
	if err != nil {
		return nil, err
	}
	files := filepath.Join(o.Dir, "localstack")
	lib := filepath.Join(files, "var/lib/localstack/lib")
	jars := filepath.Join(o.Root, database)
	dynamodb := filepath.Join(lib, "dynamodb-local/2")
	bin := filepath.Join(lib, "java/21/bin")
	err = errors.Join(os.MkdirAll(dynamodb, 0o700), os.MkdirAll(bin, 0o700))
	if err != nil {
		return nil, err
	}
	// The file by which LocalStack knows that it is installed; it is never opened.
	if err := os.WriteFile(filepath.Join(dynamodb, "DynamoDBLocal.jar"), nil, 0o600); err != nil {
		return nil, err
	}
	if err := os.Symlink(jars, filepath.Join(dynamodb, "DynamoDBLocal_lib")); err != nil {
		return nil, err
	}
	instead := "#!/bin/sh\nexec '" + filepath.Join(o.Root, python) + "' -m tradewind_plugins.dynamodb \"$@\"\n"
	if err := os.WriteFile(filepath.Join(bin, "java"), []byte(instead), 0o700); err != nil {
		return nil, err
	}
	env, err := endpoint.Environment(o.Dir, map[string]string{"TMPDIR": "tmp", "HOME": "home"})
	if err != nil {
		return nil, err
	}
	return append(env,
		"PYTHONPATH="+filepath.Join(o.Root, plugins),
		"FILESYSTEM_ROOT="+files,
		"DYNAMODB_JARS="+jars,
		"DYNAMODB_JVM="+library,

		"GATEWAY_LISTEN="+net.JoinHostPort(host, strconv.Itoa(port)),
		"LOCALSTACK_HOST="+net.JoinHostPort(host, strconv.Itoa(o.Port)), // in addresses it makes
		"SQS_ENDPOINT_STRATEGY=path",                                    // no names that must resolve
		"DNS_ADDRESS=0",
		"SKIP_SSL_CERT_DOWNLOAD=1",
		"DISABLE_EVENTS=1", // it would report its use
		"OVERRIDE_IN_DOCKER=0",
		"EAGER_SERVICE_LOADING=0",
		"IN_MEMORY_CLIENT=1", // its services call each other without HTTP
		"LS_LOG=warning",
		"SQS_DISABLE_CLOUDWATCH_METRICS=1", // they cost more than what they count

		// As it is without being told, but with a warning: TestEveryResourceIsMade looks.
		"CFN_IGNORE_UNSUPPORTED_RESOURCE_TYPES=1",

		"PROVIDER_OVERRIDE_DYNAMODB=v2", // with the database's own streams
		"DYNAMODB_IN_MEMORY=1",
		"DYNAMODB_LOCAL_PORT="+strconv.Itoa(data),
		"LAMBDA_RUNTIME_EXECUTOR=process",
		// It polls queues and streams; AWS would not keep a message waiting for long.
		"LAMBDA_EVENT_SOURCE_MAPPING_POLL_INTERVAL_SEC=0.2",
		"LAMBDA_EVENT_SOURCE_MAPPING_MAX_BACKOFF_ON_EMPTY_POLL_SEC=0.5",

		"TRADEWIND_LENDER="+lender,
		"TRADEWIND_FUNCTION_ENDPOINT="+endpoint.URL(o.Port),
	), nil
}

// javaLibrary finds the library of the system's Java. Where its command is depends on
// who installed it, so it is asked itself.
func javaLibrary() (string, error) {
	settings, err := exec.Command("java", "-XshowSettings:properties", "-version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("java: %w: install Java 17 or newer", err)
	}
	for line := range strings.Lines(string(settings)) {
		if name, home, _ := strings.Cut(strings.TrimSpace(line), " = "); name == "java.home" {
			return filepath.Join(home, "lib/server/libjvm.so"), nil
		}
	}
	return "", errors.New("java does not say where it is installed")
}

// warm has the database started while the account is being prepared.
func warm(ctx context.Context, main string) {
	for ctx.Err() == nil {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, main, strings.NewReader("{}"))
		if err != nil {
			return
		}
		req.Header.Set("Content-Type", "application/x-amz-json-1.0")
		req.Header.Set("X-Amz-Target", "DynamoDB_20120810.ListTables")
		req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/"+endpoint.Region+"/dynamodb/aws4_request, SignedHeaders=host, Signature=0")
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// freePorts finds ports that are nobody's.
func freePorts(n int) ([]int, error) {
	ports := make([]int, n)
	for i := range ports {
		l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}

func must(address string) *url.URL {
	u, err := url.Parse(address)
	if err != nil {
		panic(err) // it was made here
	}
	return u
}
