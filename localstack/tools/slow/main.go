// Command slow shows what becomes of orders while the catalog takes five seconds to
// answer. It runs against a platform that `up` keeps, and fails when a bound is broken:
//
//	go run ./localstack/cmd/up -dir .local/slow -- go run ./localstack/tools/slow
//
// What it runs is what is deployed: the program and the environment of the orders api
// function are those of the endpoint's own process, ten times over, each with a
// circuit breaker of its own as on Lambda, and with a customer who sends it one order
// after the other. Two things are changed: the address of the load balancer, where a
// proxy can hold up what goes to the catalog; and the table, so that nothing comes of
// the orders.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"tradewind/localstack/internal/process"
	"tradewind/localstack/internal/shop"
	"tradewind/localstack/internal/usererr"
)

func main() {
	process.Main()
	p := plan{environments: 10, every: 500 * time.Millisecond, takes: 5 * time.Second, deadline: 4 * time.Second}
	flag.DurationVar(&p.healthy, "healthy", 15*time.Second, "how long all is well at first")
	flag.DurationVar(&p.slow, "slow", 45*time.Second, "how long the catalog is slow")
	flag.DurationVar(&p.recovered, "recovered", 40*time.Second, "how long all is well again")
	dir := flag.String("dir", filepath.Join(".local", "slow"), "`folder` for the plot, the table and the functions' log")
	readme := flag.String("readme", "", "`file` whose table is replaced by this run's; the plot goes beside it")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, p, *dir, *readme, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "slow:", err)
		os.Exit(1)
	}
}

// plan is what happens, and when.
type plan struct {
	environments             int
	every                    time.Duration // a customer orders so often, but waits for each answer
	takes                    time.Duration // the catalog, while it is slow
	deadline                 time.Duration // of an order: it is told the function as its timeout
	healthy, slow, recovered time.Duration
}

// end is when it is over, since it began.
func (p plan) end() time.Duration { return p.healthy + p.slow + p.recovered }

func run(ctx context.Context, p plan, dir, readme string, out io.Writer) error {
	file := os.Getenv("TRADEWIND_OUTPUTS")
	if file == "" {
		return usererr.New(nil, "run make slow, which starts one", "TRADEWIND_OUTPUTS is not set: there is no platform to try")
	}
	platform, err := shop.ReadOutputs(file)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	seen, err := try(ctx, p, platform, dir, out)
	if err != nil {
		return err
	}

	bounds := judge(p, seen)
	table := render(bounds)
	fmt.Fprint(out, "\n", table)
	plotted := plot(p, seen.seconds(p))
	if err := errors.Join(
		os.WriteFile(filepath.Join(dir, "slow.md"), []byte(table), 0o644),
		os.WriteFile(filepath.Join(dir, "slow.svg"), plotted, 0o644),
	); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nplot: %s\n", filepath.Join(dir, "slow.svg"))
	if readme != "" {
		if err := publish(readme, table, plotted); err != nil {
			return err
		}
	}
	return broken(bounds)
}

// try carries the plan out and returns what was seen.
func try(ctx context.Context, p plan, platform shop.Outputs, dir string, out io.Writer) (*record, error) {
	fn, err := deployed(ctx, platform, dir)
	if err != nil {
		return nil, err
	}
	defer fn.remove()
	table, err := newTable(ctx, platform)
	if err != nil {
		return nil, err
	}
	defer table.delete()
	log, err := os.Create(filepath.Join(dir, "orders.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()

	seen := &record{log: log}
	catalog := &dependency{balancer: platform.ALBURL, host: "catalog-service.", takes: p.takes, called: seen.call}
	defer catalog.close()
	customers := make([]*customer, p.environments)
	for i := range customers {
		address, err := catalog.listen(i)
		if err != nil {
			return nil, err
		}
		env, err := fn.start(ctx, p.deadline, seen.line(i), "ALB_URL="+address, "DISCOVERY_MODE=loadbalancer", "TABLE_NAME="+table.name)
		if err != nil {
			return nil, err
		}
		defer env.Stop()
		if customers[i], err = newCustomer(ctx, env, platform, p.every); err != nil {
			return nil, err
		}
	}

	seen.begin()
	ctx, cancel := context.WithTimeout(ctx, p.end())
	defer cancel()
	done := make(chan error, len(customers))
	for i, c := range customers {
		delay := p.every * time.Duration(i) / time.Duration(len(customers))
		go func() { done <- c.order(ctx, delay, func(a answer) { a.environment = i; seen.answer(a) }) }()
	}
	phases := []struct {
		after time.Duration
		slow  bool
		name  string
	}{{0, false, "all is well"}, {p.healthy, true, "the catalog answers after " + inSeconds(p.takes)}, {p.healthy + p.slow, false, "it has recovered"}}
	timers := make([]*time.Timer, len(phases))
	for i, phase := range phases {
		timers[i] = time.AfterFunc(phase.after, func() {
			catalog.slow.Store(phase.slow)
			fmt.Fprintf(out, "%4.0f s  %s\n", phase.after.Seconds(), phase.name)
		})
		defer timers[i].Stop()
	}
	var failed error
	for range customers {
		if err := <-done; err != nil {
			failed = errors.Join(failed, err)
			cancel()
		}
	}
	return seen, failed
}
