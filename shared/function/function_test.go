package function_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/google/go-cmp/cmp"

	"tradewind/shared/function"
	"tradewind/shared/logs"
)

// handler is a lambda.Handler of one func.
type handler func(ctx context.Context, payload []byte) ([]byte, error)

func (h handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) { return h(ctx, payload) }

func getenv(name string) string {
	return map[string]string{"SERVICE_NAME": "orders", "AWS_LAMBDA_FUNCTION_NAME": "orders-api"}[name]
}

// lines decodes what was logged.
func lines(t *testing.T, out *bytes.Buffer) []map[string]any {
	t.Helper()
	var all []map[string]any
	for line := range strings.Lines(out.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("log line %s: %v", line, err)
		}
		all = append(all, m)
	}
	return all
}

func TestPanic(t *testing.T) {
	var out bytes.Buffer
	h := function.Guard(handler(func(context.Context, []byte) ([]byte, error) { panic("at the disco") }), logs.New(&out, getenv))
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "req-1"})
	answer, err := h.Invoke(ctx, nil)
	if answer != nil || err == nil || err.Error() != "panic: at the disco" {
		t.Errorf("got %s, %v; want an error that says what", answer, err)
	}
	all := lines(t, &out)
	if len(all) != 1 {
		t.Fatalf("%d lines, want one: a stack over many lines cannot be searched for", len(all))
	}
	line := all[0]
	if stack, _ := line["stack"].(string); !strings.Contains(stack, "TestPanic") {
		t.Errorf("stack does not say where it happened: %v", line["stack"])
	}
	delete(line, "stack")
	delete(line, "time")
	want := map[string]any{
		"level": "ERROR", "msg": "panic", "panic": "at the disco",
		"service": "orders", "function": "orders-api", "requestId": "req-1", "coldStart": true,
	}
	if diff := cmp.Diff(want, line); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}

	// The environment lives on.
	if _, err := h.Invoke(ctx, nil); err == nil {
		t.Error("the second invocation did not run")
	}
}

func TestColdStart(t *testing.T) {
	var out bytes.Buffer
	log := logs.New(&out, getenv)
	h := function.Guard(handler(func(ctx context.Context, _ []byte) ([]byte, error) {
		log.InfoContext(ctx, "work")
		return nil, nil
	}), log)
	for i := range 3 {
		ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: fmt.Sprint("req-", i)})
		if _, err := h.Invoke(ctx, nil); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, line := range lines(t, &out) {
		got = append(got, fmt.Sprint(line["requestId"], " ", line["coldStart"]))
	}
	if diff := cmp.Diff([]string{"req-0 true", "req-1 false", "req-2 false"}, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestPassesThrough(t *testing.T) {
	failure := errors.New("failure")
	h := function.Guard(handler(func(_ context.Context, payload []byte) ([]byte, error) {
		return append([]byte("got "), payload...), failure
	}), logs.Discard())
	if answer, err := h.Invoke(t.Context(), []byte("this")); string(answer) != "got this" || !errors.Is(err, failure) {
		t.Errorf("got %s, %v", answer, err)
	}
}

// TestMain lets the test binary stand in for a function in TestFailedBuild.
func TestMain(m *testing.M) {
	if os.Getenv("FUNCTION_TEST_BUILD_FAILS") != "" {
		function.Main(nil, errors.New("TABLE_NAME is not set\nBUS_NAME is not set"))
	}
	os.Exit(m.Run())
}

// TestFailedBuild starts a binary whose wiring fails.
func TestFailedBuild(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), "FUNCTION_TEST_BUILD_FAILS=1", "SERVICE_NAME=orders")
	var out bytes.Buffer
	cmd.Stdout = &out
	exit, ok := errors.AsType[*exec.ExitError](cmd.Run())
	if !ok || exit.ExitCode() != 1 {
		t.Errorf("got %v, want exit code 1", exit)
	}
	all := lines(t, &out)
	if len(all) != 1 || all[0]["level"] != "ERROR" || all[0]["service"] != "orders" || !strings.Contains(fmt.Sprint(all[0]["error"]), "BUS_NAME") {
		t.Errorf("logged %v, want one line with all that is wrong", all)
	}
}

// Main does the same around what a function's build step returns.
func ExampleGuard() {
	h := function.Guard(handler(func(context.Context, []byte) ([]byte, error) {
		var orders []string
		return []byte(orders[0]), nil
	}), logs.Discard())
	_, err := h.Invoke(context.Background(), nil)
	fmt.Println(err)

	// Output: panic: runtime error: index out of range [0] with length 0
}
