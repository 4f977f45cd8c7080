// Command differences writes the page on how the local endpoints differ from AWS, from
// what the tests of this package saw on each.
//
//	go run ./localstack/suites/differences .local/test-ministack/differences.json .local/test-localstack/differences.json
//
// `make test` runs these tests beside each endpoint, and leaves what they saw in those
// files. The tests fail if an endpoint does what the table here does not know of it, and
// if the page is not what the table says.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
)

// page is where the page is, from the project's root.
const page = "localstack/differences.md"

// seen is what one endpoint was seen to do.
type seen struct {
	Endpoint string            `json:"endpoint"` // its name
	Version  string            `json:"version"`
	Outcomes map[string]string `json:"outcomes"` // by the behaviour's id
}

func main() {
	if err := write(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "differences:", err)
		os.Exit(1)
	}
}

func write(files []string) error {
	if len(files) == 0 {
		return errors.New("no results; name the files that make test left")
	}
	var runs []seen
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("%w; make test leaves it", err)
		}
		var s seen
		if err := json.Unmarshal(text, &s); err != nil {
			return fmt.Errorf("read %s: %w", file, err)
		}
		runs = append(runs, s)
	}
	return os.WriteFile(page, []byte(render(runs)), 0o644)
}

// render makes the page.
func render(runs []seen) string {
	var b strings.Builder
	b.WriteString("# How the local endpoints differ from AWS\n\n" +
		"Made by `go run ./localstack/suites/differences` from what `make test-full` saw; do not edit. A green local test proves nothing of AWS where a cell\n" +
		"is **bold**: those cases are injected in unit tests or asserted in templates. Each row is shown by the test\n" +
		"`TestBehaviours/of/<name>` of `localstack/suites/differences`, but for those with a dash: they are expensive to observe here.\n\n" +
		"A date says that AWS was recorded doing so on that day: LocalStack's public repository (Apache-2.0) holds the answers that AWS gave to its\n" +
		"tests. The function is the one that rests on it, and the test behind it holds the function to it, with an answer or an event as AWS sends it.\n\n| behaviour |")
	rule := "|---|"
	for _, r := range runs {
		fmt.Fprintf(&b, " %s %s |", r.Endpoint, r.Version)
		rule += "---|"
	}
	b.WriteString(" AWS | recorded | rests on it | name |\n" + rule + "---|---|---|---|\n")
	for _, x := range behaviours {
		fmt.Fprintf(&b, "| %s |", x.question)
		for _, r := range runs {
			outcome := r.Outcomes[x.id]
			switch outcome {
			case "":
				outcome = "–"
			case x.aws:
			default:
				outcome = "**" + outcome + "**"
			}
			fmt.Fprintf(&b, " %s |", outcome)
		}
		fmt.Fprintf(&b, " [%s](%s) | %s | %s | `%s` |\n", x.aws, x.source, x.recorded, x.rests(), x.id)
	}
	return b.String()
}

// rests names the function that rests on b, and the test that holds it to it.
func (b behaviour) rests() string {
	if b.line == "" {
		return ""
	}
	return "`" + b.line + "`, `" + b.test + "`"
}
