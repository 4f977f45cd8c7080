package conformance

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"tradewind/localstack/suites/conformance/apidoc"
)

// row is a rule of the contract's first chapter.
type row struct {
	name    string
	applies func(*suite, *apidoc.Operation) bool
	check   func(*testing.T, *suite, *apidoc.Operation)
}

// rows are the contract's, in its order; its row of status codes is one for each code.
// The services' own health and names are not seen through the gateway.
var rows = []row{
	{"bodies", hasBody, bodies},
	{"errors", always, wholeProblems},
	{"400", malformable, status400},
	{"401", private, status401},
	{"403", forbiddable, status403},
	{"404", hasID, status404},
	{"405", always, status405},
	{"HEAD", reads, head},
	{"406", always, status406},
	{"409", conflicts, status409},
	{"412", hasHeader("If-Match"), status412},
	{"413", hasBody, status413},
	{"415", hasBody, status415},
	{"422", invalidable, status422},
	{"428", hasHeader("If-Match"), status428},
	{"429", never, nil},
	{"502/503/504", never, nil},
	{"answers", always, answers},
	{"bad bodies", hasBody, badBodies},
	{"money", answersWith("currency"), money},
	{"time", answersTimes, times},
	{"ids", answersWith("id"), ids},
	{"lists", isList, lists},
	{"concurrency", versioned, concurrency},
	{"idempotency", hasHeader("Idempotency-Key"), idempotency},
	{"tracing", always, tracing},
	{"caller", always, caller},
	{"docs", always, documented},
	{"balancer", reachable, behindBalancer},
}

// lastRow is looked at when all others are through, for it speaks of all answers.
const lastRow = "5xx"

// contract checks every row for every operation that it applies to.
func (s *suite) contract(t *testing.T) {
	s.walked = true
	results := newMatrix(s.docs.Operations)
	t.Run("row", func(t *testing.T) {
		for _, row := range rows {
			t.Run(row.name, func(t *testing.T) {
				t.Parallel()
				if why := unseen[row.name]; why != "" {
					t.Logf("not shown from outside: %s", why)
				}
				for _, op := range s.docs.Operations {
					if !row.applies(s, op) {
						results.set(row.name, op, "–")
						continue
					}
					ok := t.Run(op.Name(), func(t *testing.T) {
						if row.check == nil {
							t.Fatal("the row applies and has no check")
						}
						row.check(t, s, op)
					})
					results.set(row.name, op, mark(ok))
				}
			})
		}
	})
	t.Run("row/"+lastRow, func(t *testing.T) {
		for _, op := range s.docs.Operations {
			ok := t.Run(op.Name(), func(t *testing.T) {
				bad, all := s.seen.serverErrors(op.Name())
				if bad > 0 || all == 0 {
					t.Errorf("%d of %d answers", bad, all)
				}
			})
			results.set(lastRow, op, mark(ok))
		}
	})
	t.Log(results.table())
}

func mark(ok bool) string {
	if ok {
		return "✓"
	}
	return "✗"
}

// matrix is what became of each cell.
type matrix struct {
	mu    sync.Mutex
	ops   []*apidoc.Operation
	cells map[string]map[*apidoc.Operation]string
}

func newMatrix(ops []*apidoc.Operation) *matrix {
	return &matrix{ops: ops, cells: map[string]map[*apidoc.Operation]string{}}
}

func (m *matrix) set(row string, op *apidoc.Operation, result string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cells[row] == nil {
		m.cells[row] = map[*apidoc.Operation]string{}
	}
	m.cells[row][op] = result
}

// table prints the rows with a numbered column for each operation. A cell without a
// result, which a run of some rows only leaves, is empty.
func (m *matrix) table() string {
	var b strings.Builder
	b.WriteString("the contract's rules and the operations\n\n")
	for i, op := range m.ops {
		fmt.Fprintf(&b, "  %2d  %s\n", i+1, op.Name())
	}
	fmt.Fprintf(&b, "\n%-12s", "")
	for i := range m.ops {
		fmt.Fprintf(&b, "%3d", i+1)
	}
	count := map[string]int{}
	names := []string{}
	for _, row := range rows {
		names = append(names, row.name)
	}
	for _, name := range append(names, lastRow) {
		fmt.Fprintf(&b, "\n%-12s", name)
		for _, op := range m.ops {
			result := m.cells[name][op]
			count[result]++
			fmt.Fprintf(&b, "%3s", result)
		}
	}
	fmt.Fprintf(&b, "\n\n%d ✓, %d ✗, %d do not apply", count["✓"], count["✗"], count["–"])
	return b.String()
}

// Which operations a row applies to is read from their documents, but for what those
// do not say.

func always(*suite, *apidoc.Operation) bool { return true }

func never(*suite, *apidoc.Operation) bool { return false }

func reads(_ *suite, op *apidoc.Operation) bool { return op.Method == "GET" }

func hasBody(_ *suite, op *apidoc.Operation) bool { return op.Body() != nil }

func hasID(_ *suite, op *apidoc.Operation) bool { return len(op.PathParams()) > 0 }

func private(_ *suite, op *apidoc.Operation) bool { return !op.Public() }

func hasHeader(name string) func(*suite, *apidoc.Operation) bool {
	return func(_ *suite, op *apidoc.Operation) bool { return op.Parameter("header", name) != nil }
}

func isList(_ *suite, op *apidoc.Operation) bool { return op.Parameter("query", "limit") != nil }

// malformable says whether there is anything in a request that has a syntax.
func malformable(s *suite, op *apidoc.Operation) bool {
	return hasBody(s, op) || isList(s, op) || hasHeader("If-Match")(s, op) || hasHeader("Idempotency-Key")(s, op)
}

func invalidable(s *suite, op *apidoc.Operation) bool { return hasBody(s, op) || isList(s, op) }

// forbiddable says whether a customer may know of it and not do it.
func forbiddable(_ *suite, op *apidoc.Operation) bool {
	e := examples[op.Name()]
	return e.who == admin || op.Parameter("query", "userId") != nil || e.forbidden != nil
}

// conflicts says whether the present state may forbid it: any write, but for those
// that are excepted.
func conflicts(_ *suite, op *apidoc.Operation) bool {
	return op.Method != "GET" && noConflict[op.ID] == ""
}

// reachable says whether the internal load balancer can be called from here.
func reachable(s *suite, _ *apidoc.Operation) bool {
	return s.Outputs.Endpoint != "" && s.Outputs.ALBURL != ""
}

func versioned(s *suite, op *apidoc.Operation) bool {
	return op.Versioned() || hasHeader("If-Match")(s, op)
}

func answersWith(member string) func(*suite, *apidoc.Operation) bool {
	return func(_ *suite, op *apidoc.Operation) bool { return op.Answers()[member] }
}

func answersTimes(_ *suite, op *apidoc.Operation) bool {
	for name := range op.Answers() {
		if strings.HasSuffix(name, "At") {
			return true
		}
	}
	return false
}
