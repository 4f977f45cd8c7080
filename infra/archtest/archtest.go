// Package archtest states what may import what in this module, and fails a build
// that breaks it. The compiler seals internal/ and forbids cycles; the rest of the
// architecture is the two tables in rules.go.
//
// It exists because a layering that is only written down is gone within a year:
// one convenient import of a service by another, or of the deployment code by a
// function, costs nothing on the day it is made.
//
// Run it with -count=1. The test cache does not see what the child process
// `go list` read, so a cached run stays green after a violation.
package archtest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

// Package is what the rules look at in one package. Its fields are those of
// `go list -json`.
type Package struct {
	ImportPath   string
	Name         string
	Dir          string
	Standard     bool
	GoFiles      []string
	Imports      []string
	TestGoFiles  []string
	TestImports  []string
	XTestGoFiles []string
	XTestImports []string
}

// Graph holds packages by their import path: those of this module and, for every
// ban that looks further, all they depend on.
type Graph map[string]*Package

// Load lists the packages that patterns name in dir, with all their dependencies,
// as the functions are built: for Linux, with the tags of a Lambda binary.
func Load(dir string, patterns ...string) (Graph, error) {
	fields := "-json=ImportPath,Name,Dir,Standard,GoFiles,Imports,TestGoFiles,TestImports,XTestGoFiles,XTestImports"
	cmd := exec.Command("go", append([]string{"list", "-deps", "-tags", "lambda.norpc,nethttpomithttp2", fields}, patterns...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=linux", "CGO_ENABLED=0")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, stderr.Bytes())
	}
	return decode(&stdout)
}

func decode(r io.Reader) (Graph, error) {
	g := Graph{}
	for dec := json.NewDecoder(r); ; {
		var p Package
		switch err := dec.Decode(&p); {
		case errors.Is(err, io.EOF):
			return g, nil
		case err != nil:
			return nil, fmt.Errorf("decode go list's answer: %w", err)
		}
		g[p.ImportPath] = &p
	}
}

// sorted returns the packages whose path, without the module's name, matches
// pattern: the same order at every run.
func (g Graph) sorted(pattern string) []*Package {
	var found []*Package
	for _, path := range slices.Sorted(maps.Keys(g)) {
		if match(pattern, short(path)) {
			found = append(found, g[path])
		}
	}
	return found
}

// Check returns every breach of the layers, each as one line with its reason. A
// package that no layer holds is a breach, and so is a layer that holds none: a
// table that has lost touch with the folders protects nothing.
func (g Graph) Check(layers []Layer) []string {
	var broken []string
	used := make([]bool, len(layers))
	for _, p := range g.sorted("...") {
		if !ours(p.ImportPath) {
			continue
		}
		i, service := layerOf(layers, short(p.ImportPath))
		if i < 0 {
			broken = append(broken, fmt.Sprintf("%s is in no layer: add it to the table in infra/archtest/rules.go, or move it", short(p.ImportPath)))
			continue
		}
		used[i] = true
		layer := layers[i].forService(service)
		for _, imported := range p.Imports {
			if !g.allows(layer, imported) {
				broken = append(broken, fmt.Sprintf("%s imports %s: %s", short(p.ImportPath), short(imported), layer.Reason))
			}
		}
		// What a test of a package needs from elsewhere never reaches a binary, so
		// other modules are free; the borders inside this one stay.
		layer.Project = append(slices.Clone(layer.Project), layer.Tests...)
		for _, imported := range slices.Concat(p.TestImports, p.XTestImports) {
			if ours(imported) && imported != p.ImportPath && !g.allows(layer, imported) {
				broken = append(broken, fmt.Sprintf("a test of %s imports %s: %s", short(p.ImportPath), short(imported), layer.Reason))
			}
		}
	}
	for i, layer := range layers {
		if !used[i] {
			broken = append(broken, fmt.Sprintf("the layer %s holds no package: the rule guards nothing", layer.From))
		}
	}
	return broken
}

// CheckBans returns, for every forbidden package that can be reached, one import
// chain to it and the reason. A ban whose subject or target no longer exists is
// reported too: it would stay green for ever.
func (g Graph) CheckBans(bans []Ban) []string {
	var broken []string
	for _, ban := range bans {
		subjects := g.sorted(ban.From)
		if len(subjects) == 0 {
			broken = append(broken, fmt.Sprintf("the ban of %s has no subject: no package matches %s", ban.To, ban.From))
		}
		if exists := cmp.Or(ban.Exists, ban.To); len(g.sorted(exists)) == 0 {
			broken = append(broken, fmt.Sprintf("the ban of %s has lost its target: no package matches %s any more", ban.To, exists))
		}
		for _, p := range subjects {
			if chain := g.chain(p.ImportPath, ban.To); chain != nil {
				broken = append(broken, fmt.Sprintf("%s: %s", strings.Join(chain, " -> "), ban.Reason))
			}
		}
	}
	return broken
}

// chain returns the shortest way along imports from a package to one that matches
// target, or nil.
func (g Graph) chain(from, target string) []string {
	before := map[string]string{from: ""}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if at != from && match(target, short(at)) {
			var chain []string
			for ; at != ""; at = before[at] {
				chain = append(chain, short(at))
			}
			slices.Reverse(chain)
			return chain
		}
		p := g[at]
		if p == nil {
			continue
		}
		for _, next := range p.Imports {
			if _, seen := before[next]; !seen {
				before[next] = at
				queue = append(queue, next)
			}
		}
	}
	return nil
}

func (g Graph) allows(layer Layer, imported string) bool {
	switch {
	case ours(imported):
		return matchAny(layer.Project, short(imported))
	case g.standard(imported):
		return !matchAny(layer.NotStandard, imported)
	default:
		return layer.Others
	}
}

// standard tells whether path is in the standard library. Test imports are not
// dependencies, so they may be missing from the graph: there the form of the path
// decides, as it does for the go command.
func (g Graph) standard(path string) bool {
	if p := g[path]; p != nil {
		return p.Standard
	}
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

// layerOf finds the layer that holds path, and the service whose name stands in it.
func layerOf(layers []Layer, path string) (index int, service string) {
	for i, layer := range layers {
		pattern := strings.ReplaceAll(regexp.QuoteMeta(layer.From), regexp.QuoteMeta(anyService), `([^/.]+)`)
		names := compile(pattern).FindStringSubmatch(path)
		if names == nil {
			continue
		}
		names = slices.Compact(names[1:])
		switch len(names) {
		case 0:
			return i, ""
		case 1:
			return i, names[0]
		}
	}
	return -1, ""
}

// match tells whether path fits pattern, which reads as the go command's patterns
// do: "..." is any text, and "/..." at the end fits the folder itself too.
func match(pattern, path string) bool {
	return compile(regexp.QuoteMeta(pattern)).MatchString(path)
}

func matchAny(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return match(p, path) })
}

func compile(quoted string) *regexp.Regexp {
	dots := regexp.QuoteMeta("...")
	if rest, ok := strings.CutSuffix(quoted, "/"+dots); ok {
		quoted = rest + `(?:/.*)?`
	}
	return regexp.MustCompile(`^` + strings.ReplaceAll(quoted, dots, `.*`) + `$`)
}

func ours(path string) bool { return path == module || strings.HasPrefix(path, module+"/") }

func short(path string) string { return strings.TrimPrefix(path, module+"/") }
