// A module of a Logos node: it counts words. Package node joins the node; what is here is particular to it.
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"time"

	"google.golang.org/grpc"

	tallyv1 "logos.example/tally/gen/tally/v1"
	"logos.example/tally/node"
)

func main() {
	probe := flag.Bool("probe", false, "say by the exit code whether the module at LOGOS_LISTEN serves")
	flag.Parse()
	log.SetFlags(0) // the kernel and engines add the time
	run := serve
	if *probe {
		run = check
	}
	if err := run(); err != nil {
		log.Print(err)
		os.Exit(1)
	}
}

func serve() error {
	module := node.Module{
		Name: "tally", Version: "0.1.0", Services: []string{"tally.v1.Tally"}, Watchdog: 5 * time.Second,
	}
	return node.Run(module, func(joined *node.Node, server *grpc.Server) {
		tallyv1.RegisterTallyServer(server, &tally{node: joined})
	})
}

func check() error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	return node.Probe(ctx, os.Getenv("LOGOS_LISTEN"))
}
