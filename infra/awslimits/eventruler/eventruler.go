// Package eventruler asks EventBridge's own matcher, Amazon's open-source event-ruler,
// which events a pattern matches.
//
// It exists because the rules of patterns are many and quiet: a pattern with a wrong
// field is valid and matches nothing. The matcher is a Java library, so it is used by
// tests only, and only where it is installed: `make test-synth` does that if it finds a
// JDK 17 and Maven.
package eventruler

import (
	"bytes"
	"context"
	_ "embed" // of the Java program
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Case is a pattern and the events to try it on.
type Case struct {
	Pattern map[string]any
	Events  []map[string]any
}

// Verdict says which events match, in their order, or why the pattern is refused.
type Verdict struct {
	Matches []bool
	Refused string
}

//go:embed Judge.java
var program []byte

// Installed reports whether the library is in a folder. The Makefile puts it into
// .local/tools/event-ruler.
func Installed(folder string) bool {
	_, err := os.Stat(filepath.Join(folder, ".installed"))
	return err == nil
}

// Judge returns the verdict on each case.
func Judge(ctx context.Context, folder string, cases []Case) ([]Verdict, error) {
	dir, err := os.MkdirTemp("", "event-ruler")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	source := filepath.Join(dir, "Judge.java")
	if err := os.WriteFile(source, program, 0o600); err != nil {
		return nil, err
	}
	in, err := json.Marshal(cases)
	if err != nil {
		return nil, err
	}
	var out, log bytes.Buffer
	java := exec.CommandContext(ctx, "java", "-cp", filepath.Join(folder, "*"), source)
	java.Stdin, java.Stdout, java.Stderr = bytes.NewReader(in), &out, &log
	if err := java.Run(); err != nil {
		return nil, fmt.Errorf("event-ruler: %w: %s", err, log.Bytes())
	}
	var verdicts []Verdict
	if err := json.Unmarshal(out.Bytes(), &verdicts); err != nil {
		return nil, fmt.Errorf("event-ruler answered %q: %w", out.Bytes(), err)
	}
	if len(verdicts) != len(cases) {
		return nil, fmt.Errorf("event-ruler gave %d verdicts on %d cases", len(verdicts), len(cases))
	}
	return verdicts, nil
}
