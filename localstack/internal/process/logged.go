package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"

	"tradewind/localstack/internal/usererr"
)

// heading begins the line above what one program says.
const heading = "--- "

// tailLines is how much of a log is shown with a failure.
const tailLines = 12

// Logged is a program to run.
type Logged struct {
	Args []string
	Dir  string
	Env  []string // the whole environment; nil means this process's
	Log  string   // what it says is appended to this file
	Do   string   // the advice if it fails
}

// RunLogged runs a program to its end. A failure is a *usererr.Error with the end of the
// log; the end of ctx is its cause, as it is.
func RunLogged(ctx context.Context, spec Logged) error {
	log, err := os.OpenFile(spec.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	defer log.Close()
	fmt.Fprintf(log, heading+"%s  %s\n", time.Now().UTC().Format(time.RFC3339), strings.Join(spec.Args, " "))

	err = Run(ctx, Spec{Args: spec.Args, Dir: spec.Dir, Env: spec.Env, Stdout: log, Stderr: log})
	if err == nil || context.Cause(ctx) != nil {
		return err
	}
	failure := usererr.New(err, spec.Do, "%s failed (%v)", strings.Join(spec.Args, " "), err)
	failure.Log, failure.Tail = spec.Log, Tail(spec.Log)
	return failure
}

// Tail returns the last lines of a log that say something.
func Tail(path string) []string {
	text, err := end(path, 16<<10)
	if err != nil {
		return nil
	}
	var lines []string
	for line := range strings.Lines(text) {
		if line = printable(line); line != "" && !strings.HasPrefix(line, heading) {
			lines = append(lines, line)
		}
	}
	return lines[max(0, len(lines)-tailLines):]
}

// LastLine returns the last line of a log that says something, for the line on
// the screen that shows a step at work.
func LastLine(path string) string {
	text, err := end(path, 2<<10)
	if err != nil {
		return ""
	}
	for text = strings.TrimSpace(text); text != ""; {
		at := strings.LastIndexAny(text, "\r\n")
		if line := printable(text[at+1:]); line != "" && !strings.HasPrefix(line, heading) {
			return line
		}
		text = strings.TrimSpace(text[:max(at, 0)])
	}
	return ""
}

// end reads at most n bytes from a file's end.
func end(path string, n int64) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	buf := make([]byte, min(n, info.Size()))
	read, err := f.ReadAt(buf, info.Size()-int64(len(buf)))
	if err != nil && !errors.Is(err, io.EOF) { // it may have been cut meanwhile
		return "", err
	}
	return string(bytes.ToValidUTF8(buf[:read], nil)), nil
}

// printable drops colours and other control sequences, which would disturb the
// terminal when a part of them is shown, and lines that only decorate.
func printable(line string) string {
	var b strings.Builder
	escaped := false
	for _, r := range strings.TrimSpace(line) {
		switch {
		case r == '\x1b':
			escaped = true
		case escaped:
			escaped = r == '[' || r < '@' || r > '~'
		case r >= ' ' && r != 0x7f:
			b.WriteRune(r)
		case r == '\t':
			b.WriteByte(' ')
		}
	}
	if !strings.ContainsFunc(b.String(), func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) {
		return ""
	}
	return strings.TrimSpace(b.String())
}
