// Command generate turns each service's openapi.yaml, which people write, into
// the openapi.json beside it, which the service embeds and serves: reading YAML
// would make every function start later.
//
//	go run ./shared/openapi/generate          write them
//	go run ./shared/openapi/generate -check   fail if one is out of date
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

func main() {
	check := flag.Bool("check", false, "write nothing; fail if a document is out of date")
	flag.Parse()
	if err := run(*check); err != nil {
		fmt.Fprintln(os.Stderr, "openapi:", err)
		os.Exit(1)
	}
}

func run(check bool) error {
	sources, err := filepath.Glob("functions/*/openapi.yaml")
	if err != nil {
		return err
	}
	if len(sources) == 0 {
		return fmt.Errorf("no functions/*/openapi.yaml here; run this in the project's top folder")
	}
	var stale []string
	for _, source := range sources {
		text, err := os.ReadFile(source)
		if err != nil {
			return err
		}
		var doc any
		if err := yaml.Unmarshal(text, &doc); err != nil {
			return fmt.Errorf("%s: %w", source, err)
		}
		want, err := json.Marshal(doc)
		if err != nil {
			return fmt.Errorf("%s: %w", source, err)
		}
		want = append(want, '\n')
		target := strings.TrimSuffix(source, ".yaml") + ".json"
		have, err := os.ReadFile(target)
		if err == nil && bytes.Equal(have, want) {
			continue
		}
		if check {
			stale = append(stale, target)
			continue
		}
		if err := os.WriteFile(target, want, 0o644); err != nil { //nolint:gosec // a source file
			return err
		}
		fmt.Println("wrote", target)
	}
	if len(stale) > 0 {
		return fmt.Errorf("out of date, run `go generate ./shared/openapi`: %s", strings.Join(stale, " "))
	}
	return nil
}
