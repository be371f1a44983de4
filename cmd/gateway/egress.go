// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"net"
	"path/filepath"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/utils/clock"
	crmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/chattenant/chattenant/gateway/egress"
	"github.com/chattenant/chattenant/gateway/socket"
)

// egressOptions are the flags of the subcommand. docs/gateway.md explains them. There is none that widens what may be
// reached.
type egressOptions struct {
	config       string
	tlsDir       string
	listen       string
	healthListen string
	drainDelay   time.Duration
	drainTimeout time.Duration
}

func newEgressCommand() *cobra.Command {
	options := &egressOptions{
		config:       "/etc/chattenant/egress/egress.yaml",
		tlsDir:       "/etc/chattenant/tls",
		listen:       ":8444",
		healthListen: ":9443",
		drainDelay:   5 * time.Second,
		drainTimeout: 20 * time.Second,
	}
	cmd := &cobra.Command{
		Use:   "egress",
		Short: "Let one tenant's chat server reach its declared recipients, and nothing else",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return options.run(cmd.Context())
		},
	}
	options.addFlags(cmd.Flags())
	return cmd
}

func (o *egressOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.config, "config", o.config, "file that says what is declared, reread on change")
	flags.StringVar(&o.tlsDir, "tls-dir", o.tlsDir,
		"directory with tls.crt and tls.key of both addresses, and ca.crt that clients are judged by; reread on change")
	flags.StringVar(&o.listen, "listen", o.listen, "address for the chat server, host:port")
	flags.StringVar(&o.healthListen, "health-listen", o.healthListen,
		"address for /livez, /readyz and /metrics over TLS, host:port")
	flags.DurationVar(&o.drainDelay, "drain-delay", o.drainDelay,
		"go on accepting for so long after SIGTERM, not ready")
	flags.DurationVar(&o.drainTimeout, "drain-timeout", o.drainTimeout, "then let open connections end for so long")
}

// egressGateway is the process: three parts that live and end together.
type egressGateway struct {
	server *egress.Server
	files  *egress.Files
	health metricsserver.Server
	listen string
}

func (o *egressOptions) run(ctx context.Context) error {
	gateway, err := o.assemble(logr.FromContextOrDiscard(ctx))
	if err != nil {
		return err
	}
	return gateway.run(ctx)
}

// assemble reads every file once: what cannot be used now is said at once, and not to the first client.
func (o *egressOptions) assemble(logger logr.Logger) (*egressGateway, error) {
	credentials, err := egress.NewCredentials(egress.CredentialFiles{
		CertFile: filepath.Join(o.tlsDir, "tls.crt"),
		KeyFile:  filepath.Join(o.tlsDir, "tls.key"),
		CAFile:   filepath.Join(o.tlsDir, "ca.crt"),
	})
	if err != nil {
		return nil, err
	}
	metrics := egress.NewMetrics(crmetrics.Registry)
	server := egress.New(egress.Options{
		TLS:          credentials.TLS,
		Resolver:     &net.Resolver{PreferGo: true},
		Dial:         egress.Direct(),
		Metrics:      metrics,
		Clock:        clock.RealClock{},
		Log:          logger,
		DrainDelay:   o.drainDelay,
		DrainTimeout: o.drainTimeout,
	})
	files := &egress.Files{
		Server: server, ConfigFile: o.config, Credentials: credentials, Metrics: metrics,
		Clock: clock.RealClock{}, Log: logger,
	}
	if err := files.Load(); err != nil {
		return nil, err
	}
	health, err := newHealthServer(o.healthListen, o.tlsDir, server.Ready)
	return &egressGateway{server, files, health, o.listen}, err
}

// run ends after ctx has ended and connections are drained. Health and files outlive the drain: probes want an answer,
// and a recipient withdrawn meanwhile must still lose its connections.
func (g *egressGateway) run(ctx context.Context) error {
	return serveBeside(ctx, g.health.Start, g.files.Run, g.serve)
}

func (g *egressGateway) serve(ctx context.Context) error {
	listener, err := socket.Listen(ctx, g.listen)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	return g.server.Serve(ctx, listener)
}
