// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"

	"github.com/spf13/pflag"

	"github.com/chattenant/chattenant/gateway/ingress"
)

// ingressOptions are the flags of the subcommand. docs/gateway.md explains how to choose them.
type ingressOptions struct {
	kubeconfig    string
	listen        string
	healthListen  string
	healthCertDir string
	clusterDomain string
	dialTimeout   time.Duration
	config        ingress.Config
}

func defaultIngressOptions() *ingressOptions {
	return &ingressOptions{
		listen:        ":8443",
		healthListen:  ":9443",
		clusterDomain: "cluster.local",
		dialTimeout:   5 * time.Second,
		config:        ingress.DefaultConfig(),
	}
}

func (o *ingressOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.kubeconfig, "kubeconfig", o.kubeconfig, "kubeconfig file; in-cluster credentials when empty")
	flags.StringVar(&o.listen, "listen", o.listen, "address for clients, host:port")
	flags.StringVar(&o.healthListen, "health-listen", o.healthListen,
		"address for /livez, /readyz and /metrics over TLS, host:port")
	flags.StringVar(&o.healthCertDir, "health-cert-dir", o.healthCertDir,
		"directory with tls.crt and tls.key for the health address, reread on change; a self-signed pair when empty")
	flags.StringVar(&o.clusterDomain, "cluster-domain", o.clusterDomain, "DNS domain that Services resolve under")
	flags.DurationVar(&o.dialTimeout, "dial-timeout", o.dialTimeout, "limit for reaching a tenant's chat server")
	o.addLimitFlags(flags)
}

func (o *ingressOptions) addLimitFlags(flags *pflag.FlagSet) {
	c := &o.config
	flags.DurationVar(&c.HandshakeTimeout, "handshake-timeout", c.HandshakeTimeout,
		"limit for a client's whole ClientHello")
	flags.IntVar(&c.MaxHelloBytes, "max-hello-bytes", c.MaxHelloBytes, "largest ClientHello")
	flags.DurationVar(&c.IdleTimeout, "idle-timeout", c.IdleTimeout, "close a connection without a byte for so long")
	flags.DurationVar(&c.HalfClosedTimeout, "half-closed-timeout", c.HalfClosedTimeout,
		"the same once one side has finished sending")
	flags.IntVar(&c.MaxConnections, "max-connections", c.MaxConnections, "cap of all connections, 0 for none")
	flags.IntVar(&c.MaxConnectionsPerSource, "max-connections-per-source", c.MaxConnectionsPerSource,
		"cap of one IPv4 address or IPv6 /64, 0 for none (where a load balancer hides client addresses)")
	flags.IntVar(&c.MaxConnectionsPerTenant, "max-connections-per-tenant", c.MaxConnectionsPerTenant,
		"cap of one tenant, 0 for none")
	flags.DurationVar(&c.DrainDelay, "drain-delay", c.DrainDelay,
		"go on accepting for so long after SIGTERM, not ready")
	flags.DurationVar(&c.DrainTimeout, "drain-timeout", c.DrainTimeout, "then let open connections end for so long")
}
