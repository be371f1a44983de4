// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package parts

import (
	"fmt"
	"path/filepath"

	"github.com/chattenant/chattenant/hack/localcluster/internal/machine"
	"github.com/chattenant/chattenant/hack/localcluster/internal/state"
	"github.com/chattenant/chattenant/hack/localcluster/internal/topology"
)

// Programs are the folders of the built programs.
type Programs struct {
	// Kubernetes holds the components, Addons what runs in Pods and in the outside.
	Kubernetes, Addons string
}

// Specs returns every machine of the cluster, in the order in which they start.
func Specs(layout state.Layout, programs Programs, ports Ports) []machine.Spec {
	controlPlane := newSpec(layout, topology.ControlPlane, programs.Kubernetes)
	controlPlane.Sysctls = forwarding()
	controlPlane.Listen = []string{
		fmt.Sprintf("127.0.0.1:%d", ports.API), fmt.Sprintf("127.0.0.1:%d", ports.Ingress),
	}
	controlPlane.Files = map[string]any{
		"audit-policy.json": auditPolicy(),
		"kube-proxy.json":   kubeProxyConfig(topology.ControlPlane),
	}
	controlPlane.Processes = controlPlaneProcesses()
	outside := newSpec(layout, topology.Outside, programs.Addons)
	outside.Files = map[string]any{"Corefile": outsideCorefile()}
	outside.Processes = outsideProcesses()
	specs := []machine.Spec{controlPlane, outside}
	for _, node := range topology.Nodes() {
		specs = append(specs, nodeSpec(layout, programs, node))
	}
	return specs
}

func nodeSpec(layout state.Layout, programs Programs, node topology.Node) machine.Spec {
	spec := newSpec(layout, node.Name, programs.Kubernetes)
	spec.Sysctls = nodeSysctls()
	spec.Setup = nodeFirewall(node)
	spec.Files = map[string]any{
		"kubelet.json":         kubeletConfig(node, machineCgroup(layout, node.Name)),
		"kube-proxy.json":      kubeProxyConfig(node.Name),
		"cni/10-pods.conflist": cniConfig(node),
		"containerd.toml":      containerdConfig(),
		"resolv.conf":          "nameserver " + topology.OutsideDNS + "\n",
	}
	spec.Processes = nodeProcesses(node)
	return spec
}

func machineCgroup(layout state.Layout, name string) string { return layout.Cgroup() + "/" + name }

func newSpec(layout state.Layout, name, programs string) machine.Spec {
	return machine.Spec{
		Name: name, Cgroup: machineCgroup(layout, name) + "/system", State: layout.Root, Programs: programs,
		Var: filepath.Join("machines", name, "var"),
	}
}
