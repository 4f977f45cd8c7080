package execenv_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"tradewind/localstack/internal/process"
	"tradewind/localstack/tools/slow/execenv"
)

// The test binary stands in for functions; a variable says for which.
func TestMain(m *testing.M) {
	process.Main()
	switch os.Getenv("EXECENV_TEST") {
	case "function":
		lambda.Start(function)
	case "broken":
		fmt.Println("TABLE_NAME is missing")
		os.Exit(3)
	case "idle":
		time.Sleep(time.Minute)
	}
	os.Exit(m.Run())
}

var calls int

func function(ctx context.Context, event string) (map[string]any, error) {
	calls++
	fmt.Println("a line about", event)
	switch event {
	case "fail":
		return nil, errors.New("as asked")
	case "die":
		os.Exit(7)
	case "hang":
		time.Sleep(300 * time.Millisecond)
	}
	deadline, _ := ctx.Deadline()
	lc, _ := lambdacontext.FromContext(ctx)
	return map[string]any{"event": event, "calls": calls, "id": lc.AwsRequestID, "left": time.Until(deadline).Milliseconds(), "own": os.Getenv("OWN")}, nil
}

func start(t *testing.T, which string, log func([]byte)) (*execenv.Environment, error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return execenv.Start(t.Context(), execenv.Config{
		Program: self, Env: []string{"EXECENV_TEST=" + which, "OWN=here"}, Timeout: 200 * time.Millisecond, Log: log,
	})
}

func TestInvoke(t *testing.T) {
	var log []string
	e, err := start(t, "function", func(line []byte) { log = append(log, string(line)) })
	if err != nil {
		t.Fatal(err)
	}
	invoke := func(id, event string) (map[string]any, error) {
		payload, err := json.Marshal(event)
		if err != nil {
			t.Fatal(err)
		}
		text, err := e.Invoke(t.Context(), id, payload)
		if err != nil {
			return nil, err
		}
		var got map[string]any
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		return got, nil
	}
	for n, id := range []string{"one", "two"} {
		got, err := invoke(id, "x")
		if err != nil || got["id"] != id || got["event"] != "x" || got["own"] != "here" || got["calls"] != float64(n+1) {
			t.Errorf("got %v, %v", got, err)
		}
		if left, _ := got["left"].(float64); left < 50 || left > 200 {
			t.Errorf("%v ms of 200 left", left)
		}
	}
	if _, err := invoke("three", "fail"); err == nil || !strings.Contains(err.Error(), "as asked") {
		t.Errorf("got %v, want the function's error", err)
	}
	if _, err := invoke("four", "hang"); err == nil || !strings.Contains(err.Error(), "timeout of 200ms") {
		t.Errorf("got %v, want a timeout", err)
	}
	if got, err := invoke("five", "x"); err != nil || got["id"] != "five" {
		t.Errorf("after a timeout: %v, %v; want the answer to this event", got, err)
	}
	if _, err := invoke("six", "die"); err == nil || !strings.Contains(err.Error(), "ended") {
		t.Errorf("got %v, want an error about the process", err)
	}
	e.Stop()
	log = slices.DeleteFunc(log, func(line string) bool { return !strings.HasPrefix(line, "a line about ") }) // the library has some
	if want := "a line about x,a line about x,a line about fail,a line about hang,a line about x,a line about die"; strings.Join(log, ",") != want {
		t.Errorf("log %q", log)
	}
}

func TestStartOfNoFunction(t *testing.T) {
	var log []string
	if _, err := start(t, "broken", func(line []byte) { log = append(log, string(line)) }); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("got %v, want the exit code", err)
	}
	if strings.Join(log, "") != "TABLE_NAME is missing" {
		t.Errorf("log %q", log)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := execenv.Start(ctx, execenv.Config{Program: self, Env: []string{"EXECENV_TEST=idle"}, Timeout: time.Second, Log: func([]byte) {}}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v of a program that asks for nothing", err)
	}
	if _, err := execenv.Start(t.Context(), execenv.Config{Program: "/no/such/bootstrap", Log: func([]byte) {}}); err == nil {
		t.Error("a program that is not there is started")
	}
}
