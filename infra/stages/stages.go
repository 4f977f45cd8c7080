// Package stages reads the settings of a stage of the platform from its file,
// infra/stages/<stage>.yaml.
//
// It exists so that a deployment depends on files alone, which are committed and
// reviewed: a setting that a command line holds is forgotten by the next command, and
// nothing tells that payments have gone back to the sandbox.
//
// Rules for callers:
//   - Settings that Load returns are complete and agree with each other: nothing checks
//     them again.
//   - A file is refused with every fault that it has, each with its line and what is
//     allowed there.
package stages

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// name leaves room for the longest name made from it, a target group's.
var name = regexp.MustCompile(`^[a-z][a-z0-9]{0,7}$`)

// reserved are names that mean something else already.
var reserved = map[string]string{
	"local":   "the run on this machine is called so",
	"ec2":     "AWS names machines <address>.ec2.internal, and the stage's private zone would hide them",
	"compute": "AWS names machines <address>.<region>.compute.internal, and the stage's private zone would hide them",
}

// Check refuses what a stage cannot be called.
func Check(stage string) error {
	if !name.MatchString(stage) {
		return fmt.Errorf("a stage cannot be called %q: a name is a letter, then at most 7 letters or digits, all lower case", stage)
	}
	if reason, ok := reserved[stage]; ok {
		return fmt.Errorf("a stage on AWS cannot be called %q: %s", stage, reason)
	}
	return nil
}

// Load reads a stage's file. The stage has the file's name.
func Load(file string) (stage string, s Settings, err error) {
	stage = strings.TrimSuffix(filepath.Base(file), ".yaml")
	if err := Check(stage); err != nil {
		return "", Settings{}, err
	}
	f, err := os.Open(file)
	if errors.Is(err, os.ErrNotExist) {
		return "", Settings{}, fmt.Errorf("there is no stage %q: copy %s to %s and change what differs", stage, filepath.Join(filepath.Dir(file), "dev.yaml"), file)
	}
	if err != nil {
		return "", Settings{}, err
	}
	defer f.Close()
	s, err = read(f, file, stage)
	return stage, s, err
}

func read(from io.Reader, file, stage string) (Settings, error) {
	var document yaml.Node
	decoder := yaml.NewDecoder(from)
	if err := decoder.Decode(&document); err != nil {
		if errors.Is(err, io.EOF) {
			return Settings{}, fmt.Errorf("%s is empty: dev.yaml beside it shows what a stage needs", file)
		}
		return Settings{}, fmt.Errorf("%s is not YAML: %w", file, err)
	}
	r := &reader{lines: map[string]int{}}
	s := Defaults()
	r.value(document.Content[0], "", "", reflect.ValueOf(&s).Elem())
	if !errors.Is(decoder.Decode(&yaml.Node{}), io.EOF) {
		r.fault(1, "the file has more than one document: a stage is one")
	}
	r.check(s, stage)
	if len(r.faults) > 0 {
		return Settings{}, errors.New(r.message(file))
	}
	return s, nil
}
