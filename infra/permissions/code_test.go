package permissions

import (
	_ "embed"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// recorded are the calls of each function, "service/function operation" in a line, in a
// run of the integration suite on MiniStack:
//
//	TRADEWIND_CALLS=$PWD/infra/permissions/recorded.txt go run ./localstack/cmd/up -discovery registry -dir .local/calls -- \
//	  go test ./localstack/suites/integration -run TestPlatform
//
// It adds to the file, in which a call that is made no more has to be deleted first.
//
//go:embed recorded.txt
var recorded string

func TestRecordedCalls(t *testing.T) {
	functions, seen := map[string]bool{}, map[string]bool{}
	for call := range strings.Lines(recorded) {
		function, operation, _ := strings.Cut(strings.TrimSpace(call), " ")
		functions[function], seen[function+operation] = true, true
		if !slices.Contains(Code[function], operation) {
			t.Errorf("%s was seen calling %s, which its entry in Code lacks", function, operation)
		}
	}
	listed := 0
	for _, operations := range Code {
		listed += len(operations)
	}
	t.Logf("%d of the %d calls were recorded, of %d functions", len(seen), listed, len(functions))
	if len(functions) < 20 {
		t.Error("too few")
	}
}

// Every operation of AWS in the functions' code has its permissions here, and none has
// them without being in the code.
func TestOperationsOfTheCode(t *testing.T) {
	found := map[string]bool{}
	for _, root := range []string{"../../functions", "../../shared"} {
		err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if entry.IsDir() && (file == "../../shared/cmd" || strings.HasSuffix(file, "test")) {
				return fs.SkipDir // tools, and doubles for tests
			}
			if strings.HasSuffix(file, ".go") && !strings.HasSuffix(file, "_test.go") {
				return operationsIn(file, found)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	known := map[string]bool{}
	for name := range Operations {
		name, _, _ = strings.Cut(name, " ")
		known[name] = true
		if !found[name] {
			t.Errorf("no function's code calls %s", name)
		}
	}
	for name := range found {
		if !known[name] {
			t.Errorf("the code calls %s, whose permissions are not known: add it to Operations, and to Code where it is called", name)
		}
	}
	t.Logf("%d operations", len(found))
}

// target is the header by which a client without the SDK names an operation.
var target = regexp.MustCompile(`^(AWSCognitoIdentityProviderService|Route53AutoNaming_v20170314)\.$`)

// operationsIn adds the operations that a file names: by the input of an SDK's client, or
// by the first argument of the method call of one of the clients without it.
func operationsIn(file string, found map[string]bool) error {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		return err
	}
	services := map[string]string{}
	for _, spec := range parsed.Imports {
		imported, _ := strconv.Unquote(spec.Path.Value)
		if service, ok := strings.CutPrefix(imported, "github.com/aws/aws-sdk-go-v2/service/"); ok && !strings.Contains(service, "/") {
			services[path.Base(service)] = service
		}
	}
	bare, called := "", map[string]bool{}
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			pkg, _ := n.X.(*ast.Ident)
			if pkg == nil || services[pkg.Name] == "" {
				return true
			}
			if operation, ok := strings.CutSuffix(n.Sel.Name, "Input"); ok {
				found[services[pkg.Name]+"."+operation] = true
			}
		case *ast.BasicLit:
			text, _ := strconv.Unquote(n.Value)
			if m := target.FindStringSubmatch(text); m != nil {
				bare = map[string]string{"AWSCognitoIdentityProviderService": "cognitoidentityprovider", "Route53AutoNaming_v20170314": "servicediscovery"}[m[1]]
			}
		case *ast.CallExpr:
			method, _ := n.Fun.(*ast.SelectorExpr)
			if method == nil || method.Sel.Name != "call" || len(n.Args) < 2 {
				return true
			}
			if operation, ok := n.Args[1].(*ast.BasicLit); ok {
				name, _ := strconv.Unquote(operation.Value)
				called[name] = true
			}
		}
		return true
	})
	if bare != "" {
		for name := range called {
			found[bare+"."+name] = true
		}
	}
	return nil
}
