package archtest

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

const root = "../.."

// load lists the module once for all tests: it is most of their time.
var load = sync.OnceValues(func() (Graph, error) {
	return Load(root, "./events/...", "./functions/...", "./infra/...", "./localstack/...", "./shared/...")
})

func project(t *testing.T) Graph {
	t.Helper()
	g, err := load()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestLayers(t *testing.T) {
	for _, breach := range project(t).Check(layers) {
		t.Error(breach)
	}
}

func TestBans(t *testing.T) {
	for _, breach := range project(t).CheckBans(bans) {
		t.Error(breach)
	}
}

// A main that grows is wiring that no test builds: it belongs in a package.
func TestMainsAreShort(t *testing.T) {
	const limit = 40
	mains := project(t).sorted("functions/.../cmd/...")
	if len(mains) == 0 {
		t.Fatal("functions/*/cmd/* holds no package")
	}
	for _, p := range mains {
		if p.Name != "main" || !slices.Equal(p.GoFiles, []string{"main.go"}) {
			t.Errorf("%s: package %s of %v, want package main of main.go alone", short(p.ImportPath), p.Name, p.GoFiles)
			continue
		}
		source, err := os.ReadFile(filepath.Join(p.Dir, "main.go"))
		if err != nil {
			t.Fatal(err)
		}
		if lines := bytes.Count(source, []byte("\n")); lines > limit {
			t.Errorf("%s/main.go has %d lines, %d are allowed", short(p.ImportPath), lines, limit)
		}
	}
}

// Two comments are as bad as none: godoc joins them in the order of file names.
func TestPackageComments(t *testing.T) {
	for _, p := range project(t).sorted("...") {
		if !ours(p.ImportPath) {
			continue
		}
		files := p.GoFiles
		if len(files) == 0 { // a package of tests only
			files = slices.Concat(p.TestGoFiles, p.XTestGoFiles)
		}
		var comments []string
		for _, name := range files {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			if text := strings.TrimSpace(doc(file)); text != "" {
				comments = append(comments, text)
			}
		}
		switch {
		case len(comments) != 1:
			t.Errorf("%s has %d package comments, want 1", short(p.ImportPath), len(comments))
		case p.Name == "main":
			if !strings.HasPrefix(comments[0], "Command ") {
				t.Errorf("%s: the comment of a program begins with %q, not %q", short(p.ImportPath), "Command …", firstLine(comments[0]))
			}
		case !strings.HasPrefix(comments[0], "Package "+strings.TrimSuffix(p.Name, "_test")+" "):
			t.Errorf("%s: the comment begins with %q, not %q", short(p.ImportPath), "Package "+p.Name+" …", firstLine(comments[0]))
		}
	}
}

func doc(file *ast.File) string {
	if file.Doc == nil {
		return ""
	}
	return file.Doc.Text()
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// A tag can be moved to other code, a commit cannot. The comment says which release the
// commit is, for people and for tools that propose updates.
func TestActionsArePinned(t *testing.T) {
	pinned := regexp.MustCompile(`^[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
	workflows, err := filepath.Glob(filepath.Join(root, ".github/workflows/*"))
	if err != nil || len(workflows) == 0 {
		t.Fatal("no workflows: ", err)
	}
	found := 0
	for _, file := range workflows {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			_, action, uses := strings.Cut(strings.TrimSpace(line), "uses: ")
			if !uses {
				continue
			}
			found++
			if !pinned.MatchString(action) {
				t.Errorf("%s: %s: pin it to a commit, with its release as the comment", filepath.Base(file), action)
			}
		}
	}
	if found == 0 {
		t.Error("no workflow uses an action")
	}
}
