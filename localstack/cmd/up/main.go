// Command up runs the whole platform on this machine: it builds and deploys it to a
// local AWS endpoint, fills it, and places one order.
//
//	go run ./localstack/cmd/up [-endpoint ministack] [-port 4566] [-dir .local] [-discovery loadbalancer] [-oneshot] [-- command args…]
//
// -discovery says how services find each other: loadbalancer, registry or dns.
//
// It then stays until Ctrl-C. With -oneshot it ends after the order, with success
// only if that was confirmed. With a command it runs that against the platform, told
// by TRADEWIND_OUTPUTS and DYNAMODB_ENDPOINT where it is and by TRADEWIND_ENDPOINT what
// it runs on, by name and version, and ends with its exit code.
package main

import (
	"context"
	"flag"
	"os"

	"tradewind/localstack/internal/process"
	"tradewind/localstack/internal/up"
)

func main() {
	process.Main()
	var o up.Options
	flag.StringVar(&o.Endpoint, "endpoint", up.DefaultEndpoint, "the local `endpoint`: ministack or localstack")
	flag.IntVar(&o.Port, "port", 4566, "`port` of the endpoint on 127.0.0.1")
	flag.StringVar(&o.Dir, "dir", ".local", "`folder` for logs, state and outputs.json")
	flag.StringVar(&o.Discovery, "discovery", "loadbalancer", "how services find each other: loadbalancer, registry or dns")
	flag.BoolVar(&o.OneShot, "oneshot", false, "end after the order")
	flag.Parse()
	o.Command = flag.Args()
	os.Exit(up.Run(up.Interruptible(context.Background()), o))
}
