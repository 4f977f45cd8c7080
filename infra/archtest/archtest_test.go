package archtest

import (
	"slices"
	"strings"
	"testing"
)

// graph makes a project out of lines "package imports…". Other modules and the
// standard library are told apart by their paths, as ever.
func graph(lines ...string) Graph {
	g := Graph{}
	for _, line := range lines {
		fields := strings.Fields(line)
		path := qualify(fields[0])
		p := &Package{ImportPath: path, Standard: !ours(path) && !strings.Contains(path, ".")}
		for _, imported := range fields[1:] {
			if test, ok := strings.CutPrefix(imported, "test:"); ok {
				p.TestImports = append(p.TestImports, qualify(test))
				continue
			}
			p.Imports = append(p.Imports, qualify(imported))
		}
		g[path] = p
	}
	return g
}

func qualify(path string) string {
	switch first, _, _ := strings.Cut(path, "/"); first {
	case "events", "functions", "infra", "localstack", "shared", "tools":
		return module + "/" + path
	}
	return path
}

// Each rule is shown to fail: a table that could only be green would prove nothing.
func TestLayersCatch(t *testing.T) {
	tests := map[string]struct {
		line string
		want string // part of the one breach; "" is none
	}{
		"a clean domain":                 {"functions/orders events events/orders shared/apperr errors time", ""},
		"AWS in the domain":              {"functions/orders github.com/aws/aws-sdk-go-v2/aws", "the domain is rules only"},
		"HTTP in the domain":             {"functions/orders net/http", "functions/orders imports net/http"},
		"os in the domain":               {"functions/orders os", "functions/orders imports os"},
		"the kit in the domain":          {"functions/orders shared/logs", "functions/orders imports shared/logs"},
		"a kit test in the domain":       {"functions/orders test:shared/logs", ""},
		"an adapter in the domain":       {"functions/orders functions/orders/internal/dynamo", "the domain is rules only"},
		"an adapter in a domain's test":  {"functions/orders test:functions/orders/internal/memory", ""},
		"an adapter of its own domain":   {"functions/orders/internal/dynamo functions/orders shared/logs github.com/x/y net/http", ""},
		"another service's domain":       {"functions/orders/internal/httpapi functions/users", "services meet in events and HTTP"},
		"another service in a test":      {"functions/orders/internal/httpapi test:functions/users", "a test of functions/orders/internal/httpapi imports functions/users"},
		"another service in a main":      {"functions/orders/cmd/api functions/users", "a main wires one service"},
		"the same prefix in a name":      {"functions/orders/cmd/api functions/orders2", "a main wires one service"},
		"a library in a contract":        {"events/orders github.com/x/y", "contracts need the standard library only"},
		"a library in a contract's test": {"events/orders test:github.com/x/y", ""},
		"the kit in a contract":          {"events/orders shared/apperr", "contracts need the standard library only"},
		"a service in the kit":           {"shared/outbox functions/orders", "nothing of the services"},
		"a service's events in the kit":  {"shared/outbox events/orders", "shared/outbox imports events/orders"},
		"events in a tool":               {"shared/cmd/tradewind/internal/replay events/orders shared/relay github.com/x/y net/http", ""},
		"a function in a tool":           {"shared/cmd/tradewind/internal/replay functions/orders", "by names, HTTP, events and AWS's APIs"},
		"the endpoint in a tool":         {"shared/cmd/tradewind localstack/storm", "by names, HTTP, events and AWS's APIs"},
		"HTTP in apperr":                 {"shared/apperr net/http", "as clean as the domain"},
		"the kit in apperr":              {"shared/apperr shared/logs", "as clean as the domain"},
		"the contracts in infra":         {"infra/stacks events/contracts", ""},
		"the names of replay rules":      {"infra/service shared/replayrule", ""},
		"a service's events in infra":    {"infra/stacks events/orders", "who consumes what from the contracts"},
		"a function in infra":            {"infra/stacks functions/orders", "infra names binaries by their path"},
		"a service lent for tests":       {"functions/orders/orderstest functions/orders/internal/dynamo shared/logs github.com/x/y testing", ""},
		"one lends another":              {"functions/orders/orderstest functions/users", "it lends one service"},
		"another's name":                 {"functions/orders/userstest functions/orders", "functions/orders/userstest is in no layer"},
		"the saga's tests":               {"functions/sagatest test:functions/orders/orderstest test:functions/users", ""},
		"the saga beyond tests":          {"functions/sagatest functions/orders", "holds tests only"},
		"the kit in infra":               {"infra/stacks shared/env", "infra names binaries by their path"},
		"a function in localstack":       {"localstack/suites/integration test:functions/orders", "by HTTP and events"},
		"a new folder at the top":        {"tools/lint fmt", "tools/lint is in no layer"},
	}
	// One package in every layer, so that none counts as empty.
	base := []string{"events", "shared/apperr", "shared/cmd/tradewind", "shared/logs", "functions/orders", "functions/orders/internal/dynamo", "functions/orders/cmd/api", "functions/orders/orderstest", "functions/sagatest", "infra", "localstack/storm"}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := graph(append(slices.Clone(base), test.line)...).Check(layers)
			expect(t, got, test.want)
		})
	}
	t.Run("a layer without packages", func(t *testing.T) {
		expect(t, graph(base[1:]...).Check(layers), "the layer events/... holds no package")
	})
}

func TestBansCatch(t *testing.T) {
	ban := Ban{From: "functions/...", To: "github.com/cdk/...", Reason: "too large"}
	schemas := Ban{From: "functions/...", To: "github.com/sdk/.../schemas", Exists: "github.com/sdk/service/...", Reason: "too slow"}
	cdk, sdk := "github.com/cdk/core", "github.com/sdk/service/dynamodb github.com/sdk/service/dynamodb/types"

	tests := map[string]struct {
		ban   Ban
		graph Graph
		want  string
	}{
		"kept":              {ban, graph("functions/a/cmd/api shared/x", "shared/x", cdk), ""},
		"broken directly":   {ban, graph("functions/a/cmd/api github.com/cdk/core", cdk), "functions/a/cmd/api -> github.com/cdk/core: too large"},
		"broken far off":    {ban, graph("functions/a shared/x", "shared/x shared/y", "shared/y github.com/cdk/core", cdk), "functions/a -> shared/x -> shared/y -> github.com/cdk/core: too large"},
		"target gone":       {ban, graph("functions/a/cmd/api"), "lost its target"},
		"subject gone":      {ban, graph("shared/x", cdk), "no subject"},
		"meant to be away":  {schemas, graph("functions/a github.com/sdk/service/dynamodb", sdk), ""},
		"came back":         {schemas, graph("functions/a github.com/sdk/service/dynamodb", "github.com/sdk/service/dynamodb github.com/sdk/service/dynamodb/schemas"), "dynamodb/schemas: too slow"},
		"its world is gone": {schemas, graph("functions/a"), "lost its target"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			expect(t, test.graph.CheckBans([]Ban{test.ban}), test.want)
		})
	}
}

func TestDecode(t *testing.T) {
	g, err := decode(strings.NewReader(`{"ImportPath":"a","Imports":["b"]}` + "\n" + `{"ImportPath":"b","Standard":true}`))
	if err != nil || len(g) != 2 || !g["b"].Standard || g["a"].Imports[0] != "b" {
		t.Errorf("decode = %v, %v", g, err)
	}
	if _, err := decode(strings.NewReader(`{"ImportPath":`)); err == nil {
		t.Error("a truncated list is accepted")
	}
}

func expect(t *testing.T, got []string, want string) {
	t.Helper()
	switch {
	case want == "" && len(got) > 0:
		t.Errorf("breaches %q, want none", got)
	case want != "" && (len(got) != 1 || !strings.Contains(got[0], want)):
		t.Errorf("breaches %q, want one with %q", got, want)
	}
}
