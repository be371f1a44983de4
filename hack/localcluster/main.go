// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Command localcluster is a real two-node Kubernetes on one Debian machine, without Docker.
//
//	go -C hack/localcluster run . up
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"

	"k8s.io/utils/clock"

	"github.com/chattenant/chattenant/hack/localcluster/internal/cluster"
	"github.com/chattenant/chattenant/hack/localcluster/internal/parts"
	"github.com/chattenant/chattenant/hack/localcluster/internal/state"
)

// command is something the program can be asked to do.
type command struct {
	name, help string
	run        func(ctx context.Context, c *cluster.Cluster, argv []string) error
	// changes says that no other such command may run at the same time.
	changes bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, argv []string) error {
	if len(argv) == 0 {
		return usage(os.Stderr)
	}
	for _, each := range append(commands(), machineCommands()...) {
		if each.name != argv[0] {
			continue
		}
		c, err := newCluster()
		if err != nil {
			return err
		}
		if each.changes {
			return exclusively(c.Layout, func() error { return each.run(ctx, c, argv[1:]) })
		}
		return each.run(ctx, c, argv[1:])
	}
	return errors.Join(fmt.Errorf("there is no command %q", argv[0]), usage(os.Stderr))
}

// exclusively runs a command that changes the cluster.
func exclusively(layout state.Layout, work func() error) error {
	if os.Geteuid() != 0 {
		return errors.New("namespaces and control groups need root: run it with sudo")
	}
	lock, err := layout.Lock(func() { fmt.Fprintln(os.Stderr, "waiting for another command of the local cluster") })
	if err != nil {
		return err
	}
	return errors.Join(work(), lock.Release())
}

func newCluster() (*cluster.Cluster, error) {
	source, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	api, err := port("CHATTENANT_API_PORT", 6443)
	if err != nil {
		return nil, err
	}
	ingress, err := port("CHATTENANT_HTTPS_PORT", 8443)
	if err != nil {
		return nil, err
	}
	return &cluster.Cluster{
		Layout: state.FromEnvironment(os.Getenv), Ports: parts.Ports{API: api, Ingress: ingress}, Source: source,
		Out: os.Stdout, Log: os.Stderr, Now: clock.RealClock{}.Now,
	}, nil
}

// port reads a port from the environment.
func port(name string, fallback int) (int, error) {
	value := os.Getenv(name)
	if value == "" {
		return fallback, nil
	}
	number, err := strconv.ParseUint(value, 10, 16)
	if err != nil || number == 0 {
		return 0, fmt.Errorf("%s is %q, which is no port", name, value)
	}
	return int(number), nil
}

func usage(out io.Writer) error {
	_, _ = fmt.Fprintln(out, "A local two-node Kubernetes. Commands:")
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, each := range commands() {
		_, _ = fmt.Fprintf(table, "  %s\t%s\n", each.name, strings.TrimSpace(each.help))
	}
	return table.Flush()
}
