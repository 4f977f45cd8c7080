package conformance

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"tradewind/localstack/internal/await"
	"tradewind/localstack/internal/fixtures"
	"tradewind/localstack/internal/shop"
	"tradewind/localstack/suites/conformance/apidoc"
)

const (
	// atOnce is how many cells are checked at a time. They wait more than they compute.
	atOnce = "6"

	soon = 2 * time.Minute        // for what takes a second on an idle machine
	look = 250 * time.Millisecond // how often to look
)

// collections are those of the contract; each publishes a document, and so does the
// platform's health.
var collections = []string{"users", "products", "stock", "orders", "payments", "notifications"}

func documents() []string {
	paths := []string{"/health/openapi.json"}
	for _, collection := range collections {
		paths = append(paths, "/api/"+collection+"/openapi.json")
	}
	return paths
}

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", atOnce); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// suite is the platform under test and what is known of it.
type suite struct {
	*fixtures.Platform
	docs   *apidoc.Documents
	seen   *witness
	world  *world
	walked bool // every operation
}

// TestConformance has parts that need quiet and parts that make noise, so they run
// one after the other.
func TestConformance(t *testing.T) {
	s := open(t)
	t.Run("contract", s.contract)
	t.Run("bad input", s.badInput)
	t.Run("idempotency", s.idempotency)
	t.Run("scarce stock", s.scarceStock)
	t.Run("linearizability", s.linearizability)
	t.Run("every answer", s.everyAnswer)
}

func open(t *testing.T) *suite {
	t.Helper()
	seen := newWitness()
	platform, err := fixtures.ConnectAlone(t.Context(), seen.see)
	if errors.Is(err, fixtures.ErrNoPlatform) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(platform.Close)
	s := &suite{Platform: platform, seen: seen}
	var texts [][]byte
	for _, path := range documents() {
		answer := ask(t, s.Anyone, shop.Request{Method: http.MethodGet, Path: path})
		if answer.Status != http.StatusOK {
			t.Fatalf("GET %s: %d %s", path, answer.Status, answer.Body)
		}
		texts = append(texts, answer.Body)
	}
	if s.docs, err = apidoc.Parse(texts...); err != nil {
		t.Fatal(err)
	}
	seen.docs.Store(s.docs)
	s.world = newWorld(t, s)
	return s
}

// ask makes a call whose answer is to be looked at itself.
func ask(t *testing.T, c *shop.Client, r shop.Request) *shop.Response {
	t.Helper()
	answer, err := c.Do(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// read gets a resource that must be there.
func read(t *testing.T, c *shop.Client, path string) *shop.Response {
	t.Helper()
	answer := ask(t, c, shop.Request{Method: http.MethodGet, Path: path})
	if answer.Status != http.StatusOK {
		t.Fatalf("GET %s: %d %s", path, answer.Status, answer.Body)
	}
	return answer
}

func within(t *testing.T, patience time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// rate says how fast a number of things went.
func rate(n int, what string, took time.Duration) string {
	return fmt.Sprintf("%d %s in %s, %.0f a second", n, what, took.Round(100*time.Millisecond), float64(n)/took.Seconds())
}

// eventually waits for what events bring about.
func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	if err := await.Until(within(t, soon), look, what, func(context.Context) error { return check() }); err != nil {
		t.Fatal(err)
	}
}
