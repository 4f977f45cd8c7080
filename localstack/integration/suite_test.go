package integration

import (
	"flag"
	"os"
	"slices"
	"testing"

	"tradewind/localstack/internal/audit"
	"tradewind/localstack/internal/fnproc"
	"tradewind/localstack/internal/localaws"
)

// atOnce is how many tests run at a time. The default, one for each core, suits tests
// that compute; these wait.
const atOnce = "8"

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", atOnce); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// contract are the flows that clients rely on.
var contract = map[string]func(*testing.T, *platform){
	"a paid order is confirmed":                   confirmed,
	"an order is priced by the catalog":           pricedByCatalog,
	"an order without stock reserves nothing":     outOfStock,
	"a declined card gives the stock back":        declined,
	"a provider that fails twice is asked again":  flakyProvider,
	"a slow provider is waited for":               slowProvider,
	"a confirmed order can be cancelled":          cancelConfirmed,
	"an order can be cancelled while it is paid":  cancelPending,
	"nothing is oversold":                         oversell,
	"tokens":                                      tokens,
	"roles":                                       roles,
	"another customer's things are not there":     foreign,
	"bad orders are refused":                      badOrders,
	"a repeated order is the same order":          replay,
	"concurrent repeats make one order":           concurrentReplay,
	"an idempotency key is needed":                keyNeeded,
	"unknown routes and methods":                  unknownRoutes,
	"media types":                                 mediaTypes,
	"lists have pages":                            pages,
	"stale writes are refused":                    staleWrites,
	"a stock adjustment":                          adjustment,
	"a discontinued product cannot be ordered":    discontinued,
	"an e-mail address registers once":            emailTaken,
	"an erased user is nobody":                    erasedUser,
	"the correlation id is returned":              correlation,
	"every service publishes its document":        documents,
	"a browser of any origin may ask":             crossOrigin,
	"the load balancer answers for every service": balancer,
}

// flows runs some of the contract's, at a time what the machine takes.
func (p *platform) flows(t *testing.T, without ...string) {
	for name, test := range contract {
		if slices.Contains(without, name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			p.possible(t)
			t.Parallel()
			test(t, p)
		})
	}
}

// TestPlatform has six parts, and their order matters: what is killed in the second
// would delay the tests of the first, the tests of the third have to themselves what
// stands between the services, what is taken away in the fourth is probed in peace, the
// fifth is what an operator does after such a day, one thing at a time, and the last
// looks at the whole, and at all events, once nothing moves any more.
func TestPlatform(t *testing.T) {
	p := connect(t)
	p.listen(t)

	t.Run("contract", func(t *testing.T) { p.flows(t) })

	t.Run("killed", func(t *testing.T) {
		if p.outputs.Endpoint == "" || !fnproc.Supported() {
			t.Skip("functions can be killed only where they are processes of this machine")
		}
		p.comesBackSooner(t)
		for name, test := range map[string]func(*testing.T, *platform){
			"inventory's consumer":                 func(t *testing.T, p *platform) { killedConsumer(t, p, "inventory") },
			"orders' consumer":                     func(t *testing.T, p *platform) { killedConsumer(t, p, "orders") },
			"notifications' consumer":              func(t *testing.T, p *platform) { killedConsumer(t, p, "notifications") },
			"payments' consumer during the charge": killedDuringCharge,
			"a relay":                              killedRelay,
		} {
			t.Run(name, func(t *testing.T) {
				p.possible(t)
				t.Parallel()
				test(t, p)
			})
		}
	})

	t.Run("between the services", func(t *testing.T) {
		if p.inside == nil {
			t.Skip("the load balancer is reached, and led astray, from inside its network only")
		}
		lb := findBalancer(t, p)
		t.Run("both modes of headers", func(t *testing.T) { headerModes(t, p, lb) })
		for _, service := range []string{"users", "catalog"} {
			t.Run("orders without "+service, func(t *testing.T) { outage(t, p, lb, service) })
			t.Run("orders with a slow "+service, func(t *testing.T) { slowness(t, p, lb, service) })
		}
		t.Run("orders while others are killed", func(t *testing.T) { killedNeighbours(t, p) })
	})

	t.Run("a lost service", func(t *testing.T) {
		if p.outputs.Endpoint == "" {
			t.Skip("the load balancer is not ours to break")
		}
		lostService(t, p)
	})

	t.Run("operated", func(t *testing.T) {
		if p.outputs.Endpoint == "" {
			t.Skip("the queues and tables are ours to look at only here")
		}
		o := newOperator(t, p)
		t.Run("poison is put away, mended and sent back", func(t *testing.T) { poison(t, o) })
	})

	t.Run("invariants", p.audit)
	t.Run("events keep their contracts", p.judgeEvents)
}

// audit looks at everything that the tests made, and waits until it is at rest.
func (p *platform) audit(t *testing.T) {
	ctx := within(t, redelivered)
	if p.outputs.Endpoint == "" { // the queues are not ours to look at
		if err := audit.AtRest(ctx, p.scope()); err != nil {
			t.Error(err)
		}
		return
	}
	cfg := localaws.Config(p.outputs.Endpoint, p.outputs.Region)
	if err := audit.Quiet(ctx, cfg, p.outputs.Queues); err != nil {
		t.Error(err)
	}
	if err := audit.AtRest(within(t, soon), p.scope()); err != nil {
		t.Error(err)
	}
	dead, err := audit.DeadLetters(ctx, cfg, p.outputs.Queues)
	if err != nil || len(dead) > 0 {
		t.Errorf("dead letters: %v, %v", dead, err)
	}
}
