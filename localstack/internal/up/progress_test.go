package up

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tradewind/localstack/internal/usererr"
)

func TestPlainLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		b := newBoardFor(&out, false)
		err := b.Step("build", func() string { return "compiling orders" }, func() (string, error) {
			time.Sleep(25 * time.Second)
			return "15 functions", nil
		})
		if err != nil {
			t.Fatal(err)
		}
		want := "… build        20.0 s  compiling orders\n✓ build        25.0 s  15 functions\n"
		if out.String() != want {
			t.Errorf("got:\n%swant:\n%s", &out, want)
		}
		if b.Total() != "25.0 s" {
			t.Errorf("Total() = %s", b.Total())
		}
	})
}

func TestALiveLineIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Setenv("NO_COLOR", "1")
		var out bytes.Buffer
		b := newBoardFor(&out, true)
		err := b.Step("deploy", func() string { return strings.Repeat("long ", 40) }, func() (string, error) {
			time.Sleep(time.Second)
			return "9 stacks", nil
		})
		if err != nil {
			t.Fatal(err)
		}
		shown := strings.Split(out.String(), "\r\x1b[K")
		if last := shown[len(shown)-1]; last != "✓ deploy        1.0 s  9 stacks\n" {
			t.Errorf("last line: %q", last)
		}
		if len(shown) < 5 {
			t.Errorf("only %d frames", len(shown))
		}
		for _, line := range shown[:len(shown)-1] {
			if n := len([]rune(line)); n > 78 || strings.Contains(line, "\n") {
				t.Errorf("a live line of %d characters: %q", n, line)
			}
		}
	})
}

func TestAFailedStepReturnsItsError(t *testing.T) {
	var out bytes.Buffer
	b := newBoardFor(&out, false)
	cause := errors.New("cause")
	if err := b.Step("seed", nil, func() (string, error) { return "", cause }); err != cause {
		t.Errorf("Step: %v", err)
	}
	if !strings.HasPrefix(out.String(), "✗ seed ") {
		t.Errorf("shown: %q", &out)
	}
}

func TestFail(t *testing.T) {
	var out bytes.Buffer
	b := newBoardFor(&out, false)
	b.Fail(&usererr.Error{What: "port 4566 is taken", Do: "stop what uses it", Log: "up.log", Tail: []string{"one", "two"}})
	want := "\nerror: port 4566 is taken\n       stop what uses it\n  | one\n  | two\n  log: up.log\n"
	if out.String() != want {
		t.Errorf("got:\n%swant:\n%s", &out, want)
	}
}
