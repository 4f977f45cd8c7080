// Command scan runs the security scanners checkov and cdk-nag over templates, and fails
// on every finding for which accepted.yaml has no reason.
//
// It exists because each scanner has its own way to be told so, beside each resource or
// by rule alone, while a reason is nearly always one for a rule and a type of resource.
// A reason that no finding needs any more is a fault too.
//
//	go run ./infra/scan -checkov PROGRAM -nag NODE_MODULES templates...
//
// Run it in the project's top folder, or by make check-scan.
package main

import (
	"bytes"
	_ "embed" // of the reasons and the script
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed accepted.yaml
var reasons []byte

//go:embed nag.js
var script []byte

func main() {
	checkov := flag.String("checkov", "", "the `program` checkov")
	nag := flag.String("nag", "", "the `folder` node_modules in which cdk-nag is installed")
	flag.Parse()
	if err := run(*checkov, *nag, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "scan:", err)
		os.Exit(1)
	}
}

func run(checkov, nag string, templates []string) error {
	if len(templates) == 0 {
		return errors.New("no templates named; use `make check-scan`")
	}
	known, err := readAccepted(reasons)
	if err != nil {
		return err
	}
	var found []finding
	for _, scanner := range []func() ([]finding, error){
		func() ([]finding, error) { return runCheckov(checkov, templates) },
		func() ([]finding, error) { return runNag(nag, templates) },
	} {
		more, err := scanner()
		if err != nil {
			return err
		}
		found = append(found, more...)
	}
	faults, summary := judge(found, known)
	for _, line := range summary {
		fmt.Println(line)
	}
	if len(faults) > 0 {
		return fmt.Errorf("mend these, or say in infra/scan/accepted.yaml why they are right:\n%s", strings.Join(faults, "\n"))
	}
	return nil
}

// finding is a scanner's remark on one resource.
type finding struct {
	Scanner                   string
	Rule, Type                string
	Template, Resource, About string
}

// accepted has the reasons by rule and type of resource. An ellipsis in a rule stands for
// any text: cdk-nag's rules name resources.
type accepted map[string]map[string]string

// reason returns the rule and the type under which a finding is accepted.
func (a accepted) reason(f finding) (rule string, ok bool) {
	for pattern, types := range a {
		if types[f.Type] != "" && matches(pattern, f.Rule) {
			return pattern, true
		}
	}
	return "", false
}

func matches(pattern, rule string) bool {
	start, rest, any := strings.Cut(pattern, "…")
	if !any {
		return pattern == rule
	}
	if !strings.HasPrefix(rule, start) {
		return false
	}
	for i := len(start); i <= len(rule); i++ {
		if matches(rest, rule[i:]) {
			return true
		}
	}
	return false
}

func readAccepted(raw []byte) (accepted, error) {
	var known accepted
	if err := yaml.Unmarshal(raw, &known); err != nil {
		return nil, fmt.Errorf("accepted.yaml: %w", err)
	}
	for rule, types := range known {
		for kind, reason := range types {
			if strings.TrimSpace(reason) == "" {
				return nil, fmt.Errorf("accepted.yaml: %s of %s has no reason", rule, kind)
			}
		}
	}
	return known, nil
}

// judge returns the findings without a reason and the reasons without a finding, and a
// line of counts for each scanner.
func judge(found []finding, known accepted) (faults, summary []string) {
	used := map[string]bool{}
	type count struct{ all, accepted int }
	counts, open := map[string]*count{}, map[string][]string{}
	for _, f := range found {
		c := counts[f.Scanner]
		if c == nil {
			c = &count{}
			counts[f.Scanner] = c
		}
		c.all++
		if rule, ok := known.reason(f); ok {
			c.accepted++
			used[rule+" "+f.Type] = true
			continue
		}
		what := fmt.Sprintf("%s of %s: %s", f.Rule, f.Type, f.About)
		where := strings.TrimSuffix(filepath.Base(f.Template), ".template.json") + "/" + f.Resource
		if !slices.Contains(open[what], where) { // the ways of discovery repeat most stacks
			open[what] = append(open[what], where)
		}
	}
	for what, where := range open {
		faults = append(faults, fmt.Sprintf("%s\n  %s", what, strings.Join(where, "\n  ")))
	}
	for _, rule := range slices.Sorted(maps.Keys(known)) {
		for _, kind := range slices.Sorted(maps.Keys(known[rule])) {
			if !used[rule+" "+kind] {
				faults = append(faults, fmt.Sprintf("%s of %s is accepted and found nowhere: remove the reason", rule, kind))
			}
		}
	}
	for _, scanner := range slices.Sorted(maps.Keys(counts)) {
		c := counts[scanner]
		summary = append(summary, fmt.Sprintf("%s: %d findings, %d accepted", scanner, c.all, c.accepted))
	}
	slices.Sort(faults)
	return faults, append(summary, fmt.Sprintf("%d reasons", len(used)))
}

func runCheckov(program string, templates []string) ([]finding, error) {
	args := []string{"--skip-download", "--framework", "cloudformation", "--output", "json", "--quiet", "--compact", "--soft-fail"}
	for _, template := range templates {
		args = append(args, "--file", template)
	}
	out, err := output(exec.Command(program, args...))
	if err != nil {
		return nil, err
	}
	var report struct {
		Results struct {
			Failed []struct {
				Rule     string `json:"check_id"`
				About    string `json:"check_name"`
				Template string `json:"file_path"`
				Resource string
			} `json:"failed_checks"`
		}
		Summary struct {
			Errors int `json:"parsing_errors"`
			Passed int
		}
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return nil, fmt.Errorf("checkov's answer: %w", err)
	}
	if report.Summary.Errors > 0 || report.Summary.Passed == 0 {
		return nil, fmt.Errorf("checkov could not read %d templates, and passed %d checks", report.Summary.Errors, report.Summary.Passed)
	}
	var found []finding
	for _, f := range report.Results.Failed {
		kind, id, _ := strings.Cut(f.Resource, ".")
		found = append(found, finding{"checkov", f.Rule, kind, f.Template, id, f.About})
	}
	return found, nil
}

func runNag(modules string, templates []string) ([]finding, error) {
	dir, err := os.MkdirTemp("", "nag")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "nag.js")
	if err := os.WriteFile(path, script, 0o600); err != nil {
		return nil, err
	}
	if modules, err = filepath.Abs(modules); err != nil {
		return nil, err
	}
	node := exec.Command("node", append([]string{path}, templates...)...)
	node.Env = append(os.Environ(), "NODE_PATH="+modules)
	out, err := output(node)
	if err != nil {
		return nil, err
	}
	var found []finding
	if err := json.Unmarshal(out, &found); err != nil {
		return nil, fmt.Errorf("cdk-nag's answer: %w", err)
	}
	for i := range found {
		found[i].Scanner = "cdk-nag"
	}
	return found, nil
}

func output(cmd *exec.Cmd) ([]byte, error) {
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), err, log.Bytes())
	}
	return out.Bytes(), nil
}
