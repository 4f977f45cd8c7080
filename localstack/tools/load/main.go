// Command load places orders from several clients at a time on a running platform, and
// tells how fast they are accepted and decided:
//
//	make run    # in one terminal
//	make load   # in another
//
// Each client places one order after the other. All can be paid and nothing runs out, so
// an accepted order that does not end confirmed is a fault of the platform, and the
// command fails. How long a decision took is read from the orders' own times at the end:
// only the clients, and a question to /health each second, add to the load.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"tradewind/localstack/internal/usererr"
)

func main() {
	var p plan
	flag.IntVar(&p.clients, "clients", 20, "`number` of clients")
	seconds := flag.Int("seconds", 30, "for how many `seconds` they place orders")
	outputs := flag.String("outputs", filepath.Join(".local", "outputs.json"), "the `file` in which the run says where it is")
	flag.Parse()
	p.lasts = time.Duration(*seconds) * time.Second

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, p, *outputs, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", usererr.From(err))
		os.Exit(1)
	}
}
