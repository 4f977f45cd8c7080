package process_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tradewind/localstack/internal/process"
	"tradewind/localstack/internal/usererr"
)

func TestRunKeepsALog(t *testing.T) {
	log := filepath.Join(t.TempDir(), "step.log")
	for _, word := range []string{"one", "two"} {
		err := process.RunLogged(t.Context(), process.Logged{Args: []string{"sh", "-c", "echo " + word + "; echo $WORD >&2"}, Env: []string{"WORD=env-" + word}, Log: log})
		if err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"one\nenv-one\n", "two\nenv-two\n", "  sh -c echo one"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the log lacks %q:\n%s", want, text)
		}
	}
}

func TestAFailureTellsWhatToDo(t *testing.T) {
	log := filepath.Join(t.TempDir(), "step.log")
	err := process.RunLogged(t.Context(), process.Logged{
		Args: []string{"sh", "-c", `printf '\033[31mred\033[0m\n\n'; exit 3`},
		Log:  log,
		Do:   "mend it",
	})
	got, ok := errors.AsType[*usererr.Error](err)
	if !ok {
		t.Fatalf("Run: %v", err)
	}
	if got.Do != "mend it" || got.Log != log || !strings.Contains(got.What, "exit status 3") {
		t.Errorf("%+v", got)
	}
	if len(got.Tail) == 0 || got.Tail[len(got.Tail)-1] != "red" {
		t.Errorf("tail: %q", got.Tail)
	}
}

func TestAnInterruptIsNotAFailureOfTheProgram(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("interrupted")
	time.AfterFunc(50*time.Millisecond, func() { cancel(cause) })
	err := process.RunLogged(ctx, process.Logged{Args: []string{"sleep", "100"}, Log: filepath.Join(t.TempDir(), "step.log")})
	if err != cause {
		t.Errorf("Run: %v, want %v", err, cause)
	}
}

func TestTailAndLastLine(t *testing.T) {
	tests := map[string]struct {
		text string
		tail []string
		last string
	}{
		"empty":             {"", nil, ""},
		"blank lines":       {"one\n\n  \n", []string{"one"}, "one"},
		"decoration":        {"one\n!!!!\n-----\n", []string{"one"}, "one"},
		"heading":           {"one\n--- 2026-01-01T00:00:00Z  make build\n", []string{"one"}, "one"},
		"carriage return":   {"10 %\r50 %\r", []string{"10 %50 %"}, "50 %"},
		"no newline at end": {"one\ntwo", []string{"one", "two"}, "two"},
		"colour":            {"\x1b[1;32mdone\x1b[0m\tnow\n", []string{"done now"}, "done now"},
		"long":              {strings.Repeat("x\n", 40), slices.Repeat([]string{"x"}, 12), "x"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.tail, process.Tail(path)); diff != "" {
				t.Error(diff)
			}
			if got := process.LastLine(path); got != tt.last {
				t.Errorf("LastLine = %q, want %q", got, tt.last)
			}
		})
	}
	if got := process.Tail("/absent"); got != nil {
		t.Errorf("Tail of an absent file: %q", got)
	}
}
