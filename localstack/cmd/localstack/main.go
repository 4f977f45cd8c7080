// Command localstack is the second local endpoint: LocalStack's open core and what
// makes up for the rest, behind one port of this machine. `make run
// ENDPOINT=localstack` starts and ends it; by hand it is good for a look inside.
//
//	.local/bin/localstack -root . -app cdk.out/local -dir .local/by-hand [-port 4566]
//
// It needs what `make tools ENDPOINT=localstack` installs, and leaves files in its folder.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"tradewind/localstack/internal/endpoint/localstack"
	"tradewind/localstack/internal/process"
)

func main() {
	process.Main()
	var o localstack.Options
	flag.StringVar(&o.Root, "root", "", "the project's `folder`")
	flag.StringVar(&o.App, "app", "", "`folder` of the synthesised templates")
	flag.StringVar(&o.Dir, "dir", "", "`folder` for state and temporary files")
	flag.IntVar(&o.Port, "port", 4566, "`port` on 127.0.0.1")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(o localstack.Options) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return localstack.Run(ctx, o)
}
