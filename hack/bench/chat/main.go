// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Command chat measures the chat server and other ways to do the same, on one PostgreSQL with the product's settings.
//
// Messages leave at times fixed beforehand; latencies count from then. Targets take turns in mirrored order (A-B-B-A),
// and after each turn the database must hold exactly what was acknowledged.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/utils/clock"

	"github.com/chattenant/chattenant/hack/bench/chat/child"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	o, err := parse(args, os.Stderr)
	if err != nil {
		return err
	}
	if o.serve != "" {
		server, ok := local[o.serve]
		if !ok {
			return fmt.Errorf("there is no server %q", o.serve)
		}
		return child.Serve(ctx, server, os.Stdin, os.Stdout)
	}
	if o.crowd != "" {
		t, err := o.find(o.crowd)
		if err != nil {
			return err
		}
		return child.ServeCrowd(ctx, t, os.Stdin, os.Stdout)
	}
	return measure(ctx, o, clock.RealClock{}.Now, os.Stdout, os.Stderr)
}
