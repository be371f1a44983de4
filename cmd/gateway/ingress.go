// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/clock"
	crmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/chattenant/chattenant/gateway/ingress"
	"github.com/chattenant/chattenant/gateway/routes"
	"github.com/chattenant/chattenant/gateway/socket"
)

func newIngressCommand() *cobra.Command {
	options := defaultIngressOptions()
	cmd := &cobra.Command{
		Use:   "ingress",
		Short: "Route TLS connections to tenants by server name, without terminating TLS",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return options.run(cmd.Context())
		},
	}
	options.addFlags(cmd.Flags())
	return cmd
}

// ingressGateway is the process: three parts that live and end together.
type ingressGateway struct {
	server  *ingress.Server
	table   *routes.Table
	watcher *routes.Watcher
	health  metricsserver.Server
	listen  string
}

func (o *ingressOptions) run(ctx context.Context) error {
	gateway, err := o.assemble(logr.FromContextOrDiscard(ctx))
	if err != nil {
		return err
	}
	return gateway.run(ctx)
}

func (o *ingressOptions) assemble(logger logr.Logger) (*ingressGateway, error) {
	config, err := clientcmd.BuildConfigFromFlags("", o.kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("find the API server: %w", err)
	}
	gateway := &ingressGateway{listen: o.listen}
	gateway.table = routes.NewTable(func(tenant string) { gateway.server.Recheck(tenant) })
	gateway.table.Register(crmetrics.Registry)
	gateway.server, err = ingress.New(ingress.Options{
		Config:  o.config,
		Routes:  gateway.table,
		Dial:    ingress.ClusterDial(o.clusterDomain, o.dialTimeout),
		Metrics: ingress.NewMetrics(crmetrics.Registry),
		Clock:   clock.RealClock{},
		Log:     logger,
	})
	if err != nil {
		return nil, err
	}
	if gateway.watcher, err = routes.NewWatcher(config, gateway.table, logger); err != nil {
		return nil, err
	}
	gateway.health, err = newHealthServer(o.healthListen, o.healthCertDir, gateway.server.Ready)
	return gateway, err
}

// run ends after ctx has ended and connections are drained. Health and routes outlive the drain: probes want an answer,
// and a name that moves meanwhile must still end its connections.
func (g *ingressGateway) run(ctx context.Context) error {
	return serveBeside(ctx, g.health.Start, g.watcher.Run, g.serve)
}

// serve opens the listener only when the routes are known: until then nobody could be told apart.
func (g *ingressGateway) serve(ctx context.Context) error {
	log := logr.FromContextOrDiscard(ctx)
	log.Info("waiting for the first list of ChatTenants")
	if !g.watcher.WaitForRoutes(ctx) {
		return nil
	}
	log.Info("routes are known", "hosts", g.table.Hosts())
	listener, err := socket.Listen(ctx, g.listen)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	return g.server.Serve(ctx, listener)
}
