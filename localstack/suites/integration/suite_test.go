package integration

import (
	"cmp"
	"flag"
	"os"
	"testing"
	"time"

	"tradewind/localstack/internal/audit"
	"tradewind/localstack/internal/endpoint"
	"tradewind/localstack/internal/fnproc"
	"tradewind/localstack/internal/process"
)

// atOnce is how many tests run at a time, for an endpoint by its name. The default, one
// for each core, suits tests that compute; these wait. LocalStack is one Python that
// does everything itself: what waits for it for long is tried again, which makes it worse.
var atOnce = map[string]string{endpoint.LocalStack: "4"}

func TestMain(m *testing.M) {
	process.Main() // deployments are its children
	flag.Parse()
	if err := flag.Set("test.parallel", cmp.Or(atOnce[whoAnswers()], "8")); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// flows are what the contract promises, by what each shows.
type flows map[string]func(*testing.T, *platform)

var (
	// In these an order is placed, and its service calls others for it.
	orderFlows = flows{
		"a paid order is confirmed":                  confirmed,
		"an order is priced by the catalog":          pricedByCatalog,
		"an order without stock reserves nothing":    outOfStock,
		"a declined card gives the stock back":       declined,
		"a provider that fails twice is asked again": flakyProvider,
		"a confirmed order can be cancelled":         cancelConfirmed,
		"nothing is oversold":                        oversell,
		"another customer's things are not there":    foreign,
		"bad orders are refused":                     badOrders,
		"a repeated order is the same order":         replay,
		"concurrent repeats make one order":          concurrentReplay,
		"lists have pages":                           pages,
		"a discontinued product cannot be ordered":   discontinued,
	}
	// So it is in these, which then wait for a slow provider.
	slowOrderFlows = flows{
		"a slow provider is waited for":              slowProvider,
		"an order can be cancelled while it is paid": cancelPending,
	}
	// In these nobody calls but the client.
	otherFlows = flows{
		"tokens":                                      tokens,
		"roles":                                       roles,
		"an idempotency key is needed":                keyNeeded,
		"unknown routes and methods":                  unknownRoutes,
		"media types":                                 mediaTypes,
		"stale writes are refused":                    staleWrites,
		"a stock adjustment":                          adjustment,
		"an e-mail address registers once":            emailTaken,
		"an erased user is nobody":                    erasedUser,
		"the correlation id is returned":              correlation,
		"every service publishes its document":        documents,
		"a browser of any origin may ask":             crossOrigin,
		"the load balancer answers for every service": balancer,
	}
)

// shows runs flows, as many at a time as the suite allows, and waits for them.
func (p *platform) shows(t *testing.T, what string, all ...flows) {
	t.Run(what, func(t *testing.T) {
		for _, some := range all {
			for name, test := range some {
				t.Run(name, func(t *testing.T) {
					p.possible(t)
					t.Parallel()
					test(t, p)
				})
			}
		}
	})
}

// TestPlatform has eight parts, and their order matters: what is killed in the second
// would delay the tests of the first, the tests of the third have to themselves what
// stands between the services, what waits in the fourth and what is taken away in the
// fifth is probed in peace, the sixth looks at all events there were, the seventh is what
// an operator does after such a day, one thing at a time, and with events that break their contract on purpose, and the
// last looks at the whole once nothing moves any more.
func TestPlatform(t *testing.T) {
	p := connect(t)
	p.listen(t)
	began := time.Now()
	var sales *projection
	if p.outputs.Endpoint != "" {
		sales = p.project(t, "sales")
	}

	p.shows(t, "contract", orderFlows, slowOrderFlows, otherFlows)

	t.Run("killed", func(t *testing.T) {
		p.inTier(t)
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
		p.inTier(t)
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

	t.Run("orders that wait", func(t *testing.T) {
		if p.outputs.Endpoint == "" {
			t.Skip("the prober is not ours to run")
		}
		waitingOrders(t, p)
	})

	t.Run("a lost service", func(t *testing.T) {
		p.inTier(t)
		if p.outputs.Endpoint == "" {
			t.Skip("the load balancer is not ours to break")
		}
		lostService(t, p)
	})

	t.Run("events keep their contracts", p.judgeEvents)

	t.Run("operated", func(t *testing.T) {
		p.inTier(t)
		if p.outputs.Endpoint == "" {
			t.Skip("the queues and tables are ours to look at only here")
		}
		o := newOperator(t, p)
		for _, does := range []struct {
			what string
			test func(*testing.T)
		}{
			{"a replay of the day changes nothing, and fills what is new", func(t *testing.T) { replayed(t, o, began, sales) }},
			{"a replay reaches whom it names", func(t *testing.T) { reaches(t, o, began) }},
			{"what a bus has lost is published again", func(t *testing.T) { reconciled(t, o) }},
			{"an event that finds no place holds nothing up", func(t *testing.T) { undone(t, o) }},
			{"poison is put away, mended and sent back", func(t *testing.T) { poison(t, o) }},
		} {
			t.Run(does.what, func(t *testing.T) {
				p.possible(t)
				does.test(t)
			})
		}
	})

	t.Run("invariants", p.audit)
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
	cfg := endpoint.AWS(p.outputs.Endpoint, p.outputs.Region)
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
