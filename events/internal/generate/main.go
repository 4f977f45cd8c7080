// Command generate makes what is derived from the contracts: the published JSON
// Schemas in events/published, and the documents events/asyncapi.json and
// events/catalogue.html. Run it in the project's top folder; `make generate`,
// `make publish-events` and `make check` do.
//
//	go run ./events/internal/generate            write the documents
//	go run ./events/internal/generate -publish   and make today's schemas the published ones
//	go run ./events/internal/generate -check     write nothing; fail if something is out of date
//
// In each way it refuses a change that breaks a consumer of what was published.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tradewind/events/contracts"
	"tradewind/events/internal/asyncapi"
	"tradewind/events/internal/book"
	"tradewind/events/internal/compat"
	"tradewind/events/internal/page"
	"tradewind/events/internal/schema"
)

func main() {
	check := flag.Bool("check", false, "write nothing; fail if something is out of date")
	publish := flag.Bool("publish", false, "make today's schemas the published ones")
	flag.Parse()
	if err := run("events", *check, *publish); err != nil {
		fmt.Fprintln(os.Stderr, "events:", err)
		os.Exit(1)
	}
}

// run works on the folder of package events.
func run(home string, check, publish bool) error {
	if _, err := os.Stat(filepath.Join(home, "contracts")); err != nil {
		return errors.New("no events/contracts here; run this in the project's top folder")
	}
	docs, err := schema.ReadDocs(os.DirFS(home))
	if err != nil {
		return err
	}
	folder := filepath.Join(home, "published")
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // of source files
		return err
	}
	verdict, err := compat.Judge(contracts.All(), docs, os.DirFS(folder))
	if err != nil {
		return err
	}
	if len(verdict.Broken) > 0 {
		return errors.New("contracts were changed in a way that is not allowed\n" + strings.Join(verdict.Broken, "\n"))
	}
	if check && len(verdict.Stale) > 0 {
		return fmt.Errorf("contracts were changed, which breaks nobody, and the change is not published: %s.\n"+
			"  When it is as it should stay, run `make publish-events`: from then on it cannot be taken back", strings.Join(verdict.Stale, ", "))
	}
	made, err := documents(home, docs)
	if err != nil {
		return err
	}
	if publish {
		for _, name := range verdict.Stale {
			if err := put(filepath.Join(folder, name), verdict.Files[name]); err != nil {
				return err
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(made)) {
		path := filepath.Join(home, name)
		if !check {
			if err := put(path, made[name]); err != nil {
				return err
			}
			continue
		}
		if have, err := os.ReadFile(path); err != nil || !bytes.Equal(have, made[name]) {
			return fmt.Errorf("%s is not what the contracts say: run `make generate`", path)
		}
	}
	return nil
}

// documents returns what is made of all contracts together, by the name of the file.
func documents(home string, docs *schema.Docs) (map[string][]byte, error) {
	b, err := book.Read(os.DirFS(home), contracts.All(), docs)
	if err != nil {
		return nil, err
	}
	document, err := asyncapi.Document(b)
	if err != nil {
		return nil, err
	}
	catalogue, err := page.Page(b)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{"asyncapi.json": document, "catalogue.html": catalogue}, nil
}

// put makes a file be as wanted; nil is none.
func put(path string, want []byte) error {
	if want == nil {
		fmt.Println("removed", path)
		return os.Remove(path)
	}
	have, err := os.ReadFile(path)
	if err == nil && bytes.Equal(have, want) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // of source files
		return err
	}
	fmt.Println("wrote", path)
	return os.WriteFile(path, want, 0o644) //nolint:gosec // a source file
}
