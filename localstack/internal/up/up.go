// Package up brings the whole platform up on this machine, step by step: tools,
// build, synth, endpoint, bootstrap, deploy, fixups, seed, order. It then stays,
// runs a command against the platform, or ends.
//
// Whatever happens, it leaves nothing running. The first interrupt ends the step at
// work and stops the endpoint in order; the second ends everything at once. An
// endpoint that dies ends the run, whichever step was at work, with its own story
// rather than the step's "connection refused".
package up

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"tradewind/localstack/internal/cdk"
	"tradewind/localstack/internal/endpoint"
	"tradewind/localstack/internal/endpoint/fixups"
	"tradewind/localstack/internal/fixtures"
	"tradewind/localstack/internal/network"
	"tradewind/localstack/internal/process"
	"tradewind/localstack/internal/shop"
	"tradewind/localstack/internal/usererr"
)

// What infra names, by which this package finds it.
const (
	app      = "cdk.out/local"
	stage    = "local"
	stacks   = "tradewind-" + stage + "-"
	balancer = "tradewind-" + stage
	albURL   = "/tradewind/" + stage + "/network/alb-url"
	dnsAt    = "/tradewind/" + stage + "/network/dns-server"
	domain   = stage + ".internal"
)

// lateDeath is how long a failed step waits to learn whether the endpoint died
// under it, which is then the better explanation.
const lateDeath = time.Second

// Options say what to do.
type Options struct {
	Endpoint  string // ministack or localstack; empty means the first
	Port      int
	Dir       string   // for the state of the run, relative to the project's root
	Discovery string   // how services find each other, as the stacks name it; empty is their default
	OneShot   bool     // end after the order
	Command   []string // to run against the platform, instead of staying
}

// run is one run on its way.
type run struct {
	Options
	kind     kind
	board    *board
	files    *workspace
	endpoint *endpoint.Endpoint
	who      endpoint.Identity
	zone     *network.Zone
	node     *network.Balancer
	stacks   cdk.Outputs
	outputs  shop.Outputs
	shop     *shop.Client
	seeded   fixtures.Seeded
	ordered  firstOrder
}

// Run does it all and returns the exit code. ctx ends with the cause why.
func Run(ctx context.Context, o Options) int {
	out := os.Stdout
	if len(o.Command) > 0 {
		out = os.Stderr // the command's output may be somebody's input
	}
	r := &run{Options: o, board: newBoard(out)}
	code, err := r.all(ctx)
	if err == nil {
		return code
	}
	r.board.Fail(err)
	if asked, ok := errors.AsType[*Interrupt](err); ok {
		return asked.ExitCode()
	}
	return 1
}

// all returns the exit code of a run that did what it should, or the reason why it
// did not. By then nothing of it is left running.
func (r *run) all(ctx context.Context) (code int, err error) {
	if r.kind, err = kindOf(r.Options.Endpoint); err != nil {
		return 0, err
	}
	here, err := os.Getwd()
	if err != nil {
		return 0, err
	}
	root, err := findRoot(here)
	if err != nil {
		return 0, err
	}
	if r.files, err = openWorkspace(root, r.Dir); err != nil {
		return 0, err
	}
	defer r.files.Close()
	if err := endpoint.Free(r.Port); err != nil { // now, and not after minutes of building
		return 0, err
	}

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer r.stop()
	if err := r.bringUp(ctx, cancel); err != nil {
		return 0, r.explain(ctx, err)
	}
	fmt.Fprintf(r.board, "ready in %s\n", r.board.Total())
	if len(r.Command) > 0 {
		code, err = r.command(ctx)
		if err != nil {
			err = r.explain(ctx, err)
		}
		return code, err
	}
	r.ordered.Print(r.board)
	if r.OneShot {
		return 0, nil
	}
	printSummary(r.board, r.outputs, r.seeded, r.files.Shown(r.files.Outputs()))
	fmt.Fprint(r.board, "\nrunning until Ctrl-C\n")
	r.stay(ctx)
	if cause := context.Cause(ctx); !errors.As(cause, new(*Interrupt)) {
		return 0, cause
	}
	r.stop()
	fmt.Fprint(r.board, "stopped; nothing is left running\n")
	return 0, nil
}

// bringUp takes the steps. Each one's log is named after it.
func (r *run) bringUp(ctx context.Context, cancel context.CancelCauseFunc) error {
	tools := r.make("tools", "ENDPOINT="+cmp.Or(r.Options.Endpoint, DefaultEndpoint))
	steps := []struct {
		name string
		work func(ctx context.Context, log string, note func(string)) (remark string, err error)
	}{
		{"tools", tools},
		{"build", r.make("build")},
		{"synth", r.make("synth-local", "DISCOVERY="+r.Discovery)},
		{"endpoint", func(ctx context.Context, log string, _ func(string)) (string, error) {
			return r.startEndpoint(ctx, cancel, log)
		}},
		{"bootstrap", r.bootstrap},
		{"deploy", r.deploy},
		{"fixups", r.fixups},
		{"seed", r.seed},
		{"order", r.order},
	}
	for _, s := range steps {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		log := r.files.Log(s.name)
		var heard latest
		err := r.board.Step(s.name, func() string { return heard.or(process.LastLine(log)) }, func() (string, error) {
			return s.work(ctx, log, heard.note)
		})
		if err != nil {
			return r.advise(s.name, err)
		}
	}
	return nil
}

// advise adds to a failure that comes without advice where to look: what the
// platform answered wrongly, the endpoint's log explains.
func (r *run) advise(step string, err error) error {
	if _, ok := errors.AsType[*usererr.Error](err); ok || r.endpoint == nil {
		return err
	}
	return usererr.New(err, "see what the functions logged, in "+r.files.Shown(r.files.Log("endpoint")), "step %s failed: %v", step, err)
}

// make is a step that is a target of the Makefile, with variables behind it.
func (r *run) make(target ...string) func(context.Context, string, func(string)) (string, error) {
	return func(ctx context.Context, log string, _ func(string)) (string, error) {
		return "", process.RunLogged(ctx, process.Logged{
			Args: append([]string{"make"}, target...),
			Dir:  r.files.Root,
			Log:  log,
			Do:   "fix the cause and run again",
		})
	}
}

func (r *run) startEndpoint(ctx context.Context, cancel context.CancelCauseFunc, log string) (string, error) {
	cfg, err := r.kind.config(r.files, log, r.Port)
	if err != nil {
		return "", err
	}
	e, err := endpoint.Start(ctx, cfg)
	if err != nil {
		return "", err
	}
	r.endpoint = e
	go func() {
		<-e.Done()
		if err := e.Err(); err != nil {
			cancel(err)
		}
	}()
	who, err := endpoint.Identify(ctx, e.URL())
	if err != nil {
		return "", err
	}
	r.who = who
	return fmt.Sprintf("%s at %s", who, e.URL()), nil
}

// bootstrap prepares the account, and puts into it what the stacks will look for.
func (r *run) bootstrap(ctx context.Context, log string, _ func(string)) (string, error) {
	if err := r.cdk().Bootstrap(ctx, log); err != nil {
		return "", err
	}
	address := fixups.BalancerURL(r.endpoint.URL(), balancer)
	if err := fixups.BalancerAddress(ctx, r.aws(), albURL, address); err != nil {
		return "", err
	}
	if r.Discovery != "dns" {
		return "", nil
	}
	if err := r.serveZone(address); err != nil {
		return "", err
	}
	return "zone served at " + r.zone.Addr(), fixups.NameServer(ctx, r.aws(), dnsAt, r.zone.Addr())
}

// serveZone stands in for the network's name server: every name of the private zone is
// the balancer, as it is on AWS.
func (r *run) serveZone(address string) error {
	var err error
	if r.node, err = network.ListenBalancer(address); err != nil {
		return err
	}
	if r.zone, err = network.ListenZone(domain); err != nil {
		return err
	}
	r.zone.Set(network.Any, time.Minute, r.node.Addr())
	return nil
}

func (r *run) deploy(ctx context.Context, log string, _ func(string)) (string, error) {
	var err error
	r.stacks, err = r.cdk().Deploy(ctx, app, r.files.StackOutputs(), log)
	return fmt.Sprintf("%d stacks", len(r.stacks)), err
}

func (r *run) fixups(ctx context.Context, _ string, _ func(string)) (string, error) {
	platform := r.stacks[stacks+"platform"]
	if r.kind.forgets {
		if err := fixups.CORS(ctx, r.aws(), r.files.Root+"/"+app, stacks+"platform", platform["ApiId"]); err != nil {
			return "", err
		}
	}
	if err := fixups.Archive(ctx, r.aws(), platform["BusName"]); err != nil {
		return "", err
	}
	n, err := fixups.Targets(ctx, r.aws(), r.stacks)
	return fmt.Sprintf("%d balancer targets registered", n), err
}

func (r *run) seed(ctx context.Context, _ string, note func(string)) (string, error) {
	r.outputs = describe(r.endpoint.URL(), r.stacks)
	r.shop = shop.New(r.outputs.APIURL)
	users := shop.NewPool(r.aws(), r.outputs.UserPoolID, r.outputs.ClientID)
	var err error
	if r.seeded, err = fixtures.Seed(ctx, r.shop, users, note); err != nil {
		return "", err
	}
	r.outputs.Admin = shop.Identity{UserID: r.seeded.Admin.UserID, Token: r.seeded.Admin.Token}
	r.outputs.Customer = shop.Identity{UserID: r.seeded.Customer.UserID, Token: r.seeded.Customer.Token}
	for _, p := range r.seeded.Products {
		r.outputs.Products = append(r.outputs.Products, p.ID)
	}
	return fmt.Sprintf("2 users, %d products", len(r.seeded.Products)), shop.WriteOutputs(r.files.Outputs(), r.outputs)
}

func (r *run) order(ctx context.Context, _ string, note func(string)) (string, error) {
	var err error
	r.ordered, err = placeFirstOrder(ctx, r.shop.As(r.seeded.Customer.Token), r.seeded.Products, note)
	if err != nil {
		return "", fmt.Errorf("no confirmed order: %w", err)
	}
	return fmt.Sprintf("confirmed after %d ms", r.ordered.Took.Milliseconds()), nil
}

// command runs what was given after "--" with the platform's whereabouts in its
// environment, and returns its exit code.
func (r *run) command(ctx context.Context) (int, error) {
	err := process.Run(ctx, process.Spec{
		Args: r.Command,
		Env: append(os.Environ(),
			"TRADEWIND_OUTPUTS="+r.files.Outputs(),
			"DYNAMODB_ENDPOINT="+r.endpoint.URL(),
			"TRADEWIND_ENDPOINT="+r.who.String(),
		),
		Stdout: os.Stdout,
		Stderr: os.Stderr,
	})
	if exit, ok := errors.AsType[*process.ExitError](err); ok && context.Cause(ctx) == nil {
		if exit.Signal != 0 {
			return 128 + int(exit.Signal), nil
		}
		return exit.Code, nil
	}
	return 0, err
}

// explain finds the reason behind a failure: what ended the run, if something did.
func (r *run) explain(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if r.endpoint == nil {
		return err
	}
	select {
	case <-r.endpoint.Done():
		if died := r.endpoint.Err(); died != nil {
			return died
		}
	case <-time.After(lateDeath):
	}
	return err
}

func (r *run) stop() {
	if r.shop != nil {
		r.shop.Close()
	}
	if r.endpoint != nil {
		r.endpoint.Stop()
	}
	if r.zone != nil {
		r.zone.Close()
	}
	if r.node != nil {
		r.node.Close()
	}
}

func (r *run) cdk() cdk.Tool {
	return cdk.Tool{Root: r.files.Root, Endpoint: r.endpoint.URL(), Region: endpoint.Region}
}
