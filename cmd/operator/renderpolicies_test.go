// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPoliciesAreRenderedFromAFile(t *testing.T) {
	write := func(text string) string {
		file := filepath.Join(t.TempDir(), "tenant.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	const tenant = "apiVersion: chattenant.io/v1alpha1\nkind: ChatTenant\nmetadata: {name: acme}\n"
	for name, tc := range map[string]struct{ file, format, says string }{
		"NetworkPolicies":        {write(tenant), "networkpolicy", "namespace: chat-acme"},
		"Cilium's":               {write(tenant), "cilium", "kind: CiliumNetworkPolicy"},
		"ClusterNetworkPolicies": {write(tenant), "clusternetworkpolicy", "name: chat-acme-chatserver"},
		"an unknown format":      {write(tenant), "calico", ""},
		"another kind":           {write("kind: Pod\nmetadata: {name: acme}\n"), "cilium", ""},
		"no file":                {filepath.Join(t.TempDir(), "missing"), "cilium", ""},
	} {
		cmd := newCommand()
		var out strings.Builder
		cmd.SetOut(&out)
		cmd.SetArgs([]string{"render-policies", "--tenant", tc.file, "--format", tc.format})
		err := cmd.ExecuteContext(t.Context())
		if (err == nil) != (tc.says != "") || !strings.Contains(out.String(), tc.says) {
			t.Errorf("%s: error %v, output %q", name, err, out.String())
		}
	}
}
