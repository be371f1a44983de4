// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"log/slog"
	"net/netip"
	"os"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/chattenant/chattenant/controllers/desired"
)

// options are the operator's flags; docs/operator.md lists them.
type options struct {
	system         desired.System
	publicPort     int32
	workers        int
	leaderElect    bool
	metricsAddress string
	healthAddress  string
	logLevel       slog.Level
	// outside is what outsideTexts say.
	outsideTexts []string
	outside      []netip.AddrPort
}

func newCommand() *cobra.Command {
	o := options{}
	cmd := &cobra.Command{
		Use:           "operator",
		Short:         "Make ChatTenants true and keep them so",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.validate(); err != nil {
				return err
			}
			ctrl.SetLogger(logr.FromSlogHandler(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: o.logLevel})))
			return run(cmd.Context(), o)
		},
	}
	o.addTo(cmd.Flags())
	cmd.AddCommand(newRenderPolicies())
	return cmd
}

func (o *options) addTo(f *pflag.FlagSet) {
	f.StringVar(&o.system.Namespace, "system-namespace", "chattenant-system",
		"namespace in which the operator and the ingress gateway run")
	f.StringVar(&o.system.OperatorServiceAccount, "service-account", "chattenant-operator",
		"the operator's own ServiceAccount, which is bound in tenant namespaces")
	f.StringVar(&o.system.GatewayName, "gateway-name", "chattenant-gateway",
		"value of app.kubernetes.io/name on the ingress gateway's pods, the only ones that tenants admit")
	f.StringVar(&o.system.TenantClusterRole, "tenant-cluster-role", "chattenant-tenant",
		"ClusterRole that the operator binds to itself in tenant namespaces")
	f.Int32Var(&o.publicPort, "public-port", 443, "port under which the ingress gateway is reached from outside")
	f.StringSliceVar(&o.outsideTexts, "isolation-outside", []string{"193.0.14.129:53", "[2001:7fd::1]:53"},
		"addresses, as IP:PORT, that stand for the internet: isolation probes try to connect and must not get through; the "+
			"default is a root server of the DNS")
	f.IntVar(&o.workers, "workers", 4, "number of tenants worked on at the same time")
	f.BoolVar(&o.leaderElect, "leader-elect", true, "act only while holding the Lease chattenant-operator")
	f.StringVar(&o.metricsAddress, "metrics-bind-address", ":8443",
		"address of /metrics over TLS, for callers that may get it; 0 turns it off")
	f.StringVar(&o.healthAddress, "health-probe-bind-address", ":8081", "address of /livez and /readyz over TLS")
	f.TextVar(&o.logLevel, "log-level", slog.LevelInfo, "lowest level that is logged: DEBUG, INFO, WARN or ERROR")
}

func (o *options) validate() error {
	if o.workers < 1 {
		return fmt.Errorf("--workers is %d: use at least 1", o.workers)
	}
	if o.publicPort < 1 || o.publicPort > 65535 {
		return fmt.Errorf("--public-port is %d: use 1 to 65535", o.publicPort)
	}
	for _, text := range o.outsideTexts {
		address, err := netip.ParseAddrPort(text)
		if err != nil {
			return fmt.Errorf("--isolation-outside: %q is not IP:PORT", text)
		}
		o.outside = append(o.outside, address)
	}
	return nil
}
