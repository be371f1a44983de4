// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/desired"
	"github.com/chattenant/chattenant/controllers/policyformat"
)

// newRenderPolicies prints what is open to a tenant as policies. It asks no cluster.
func newRenderPolicies() *cobra.Command {
	var (
		file, format string
		ports        []int32
	)
	in := desired.Input{Class: &v1alpha1.ChatTenantClass{}, Region: &v1alpha1.DataRegion{}}
	cmd := &cobra.Command{
		Use:   "render-policies",
		Short: "Print a tenant's network policies, also for networks that understand more than NetworkPolicy",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			tenant, err := readTenant(file)
			if err != nil {
				return err
			}
			in.Tenant = tenant
			if len(ports) > 0 {
				in.Egress = desired.EgressTo(ports...)
			}
			rendered, err := policyformat.Render(in, policyformat.Format(format))
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), rendered)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&file, "tenant", "", "file with the ChatTenant")
	f.StringVar(&format, "format", string(policyformat.NetworkPolicy), "networkpolicy, cilium or clusternetworkpolicy")
	f.Int32SliceVar(&ports, "egress-ports", nil, "TCP ports on which the tenant's effective recipients listen")
	f.StringVar(&in.System.Namespace, "system-namespace", "chattenant-system", "namespace of the ingress gateway")
	f.StringVar(&in.System.GatewayName, "gateway-name", "chattenant-gateway",
		"value of app.kubernetes.io/name on the ingress gateway's pods")
	return cmd
}

func readTenant(file string) (*v1alpha1.ChatTenant, error) {
	data, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		return nil, fmt.Errorf("read the ChatTenant: %w", err)
	}
	tenant := &v1alpha1.ChatTenant{}
	if err := yaml.UnmarshalStrict(data, tenant); err != nil {
		return nil, fmt.Errorf("read the ChatTenant: %w", err)
	}
	if tenant.Kind != "ChatTenant" || tenant.Name == "" {
		return nil, fmt.Errorf("%s holds no ChatTenant with a name", file)
	}
	return tenant, nil
}
