// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"
	"k8s.io/utils/clock"

	"github.com/chattenant/chattenant/hack/localcluster/internal/cluster"
	"github.com/chattenant/chattenant/hack/localcluster/internal/forward"
	"github.com/chattenant/chattenant/hack/localcluster/internal/kubeapi"
	"github.com/chattenant/chattenant/hack/localcluster/internal/machine"
	"github.com/chattenant/chattenant/hack/localcluster/internal/outside"
	"github.com/chattenant/chattenant/hack/localcluster/internal/pki"
	"github.com/chattenant/chattenant/hack/localcluster/internal/state"
	"github.com/chattenant/chattenant/hack/localcluster/internal/topology"
	"github.com/chattenant/chattenant/hack/localcluster/internal/volumes"
)

// firstListener is the file descriptor of the first listener that a machine hands to a process.
const firstListener = 3

// machineCommands are what this program does inside the machines; no user asks for them.
func machineCommands() []command {
	return []command{
		{name: "init", run: initialise},
		{name: "forward", run: forwardAll},
		{name: "volumes", run: keepVolumes},
		{name: "outside-servers", run: serveOutside},
		{name: "resolve", run: resolve},
	}
}

func initialise(ctx context.Context, _ *cluster.Cluster, argv []string) error {
	if len(argv) != 1 {
		return errors.New("init takes the path of a spec")
	}
	return machine.Init(ctx, argv[0], clock.RealClock{}.Now)
}

// forwardAll serves the nth inherited listener with the nth argument's targets.
func forwardAll(ctx context.Context, _ *cluster.Cluster, targets []string) error {
	group, ctx := errgroup.WithContext(ctx)
	for i, list := range targets {
		listener, err := net.FileListener(os.NewFile(uintptr(firstListener+i), list))
		if err != nil {
			return fmt.Errorf("taking over a listener: %w", err)
		}
		group.Go(func() error { return forward.New(strings.Split(list, ",")).Serve(ctx, listener) })
	}
	return group.Wait()
}

func keepVolumes(ctx context.Context, _ *cluster.Cluster, _ []string) error {
	layout := state.Layout{Root: machine.ClusterDir}
	client, err := kubeapi.New(filepath.Join(layout.PKI(), "volumes.kubeconfig"))
	if err != nil {
		return err
	}
	return volumes.New(client, layout.Volumes).Run(ctx)
}

func serveOutside(ctx context.Context, _ *cluster.Cluster, _ []string) error {
	layout := state.Layout{Root: machine.ClusterDir}
	authority, err := pki.Open(layout.PKI(), "outside-ca", clock.RealClock{}.Now)
	if err != nil {
		return err
	}
	return outside.Serve(ctx, authority)
}

// resolve asks the cluster's DNS for a name and fails if there is no answer.
func resolve(ctx context.Context, _ *cluster.Cluster, names []string) error {
	resolver := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, network, net.JoinHostPort(topology.DNSServiceAddress, "53"))
	}}
	for _, name := range names {
		if _, err := resolver.LookupHost(ctx, name); err != nil {
			return err
		}
	}
	return nil
}
