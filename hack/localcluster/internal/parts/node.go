// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package parts

import (
	"fmt"

	"github.com/chattenant/chattenant/hack/localcluster/internal/machine"
	"github.com/chattenant/chattenant/hack/localcluster/internal/topology"
)

const (
	containerdSocket = "/run/containerd/containerd.sock"
	// PauseImage holds a Pod's namespaces open. It is loaded before the first Pod, there is nowhere to pull it from.
	PauseImage = "chattenant.local/pause:local"
	// maxPods is what a node's range of addresses has room for.
	maxPods = 240
)

func nodeProcesses(node topology.Node) []machine.Process {
	return []machine.Process{
		{Name: "containerd", Argv: []string{"/usr/bin/containerd", "--config", config("containerd.toml")}},
		{Name: "kubelet", Argv: kubelet(node), WaitFor: "unix:" + containerdSocket},
		{Name: "kube-proxy", Argv: kubeProxy()},
		{Name: "netpol", Argv: []string{
			program("netpol"), "--kubeconfig=" + pkiFile("netpol.kubeconfig"), "--node=" + node.Name,
			"--pod-cidr=" + node.PodCIDR(), "--service-cidr=" + topology.ServiceCIDR,
		}},
	}
}

// nodeSysctls let a node route, and show its firewall the packets between two Pods of the node, which its bridge
// would otherwise switch unseen.
func nodeSysctls() map[string]string {
	sysctls := forwarding()
	sysctls["net/bridge/bridge-nf-call-iptables"] = "1"
	// No policy looks at IPv6, so there is none.
	sysctls["net/ipv6/conf/all/disable_ipv6"] = "1"
	sysctls["net/ipv6/conf/default/disable_ipv6"] = "1"
	return sysctls
}

// nodeFirewall closes a Pod until its policies are in force, and IPv6 for good. netpol accepts, explicitly, what the
// policies of the Pods it knows allow; what reaches the end of a chain is of a Pod it has not seen yet.
func nodeFirewall(node topology.Node) [][]string {
	return [][]string{
		{"iptables", "-P", "FORWARD", "DROP"},
		{"iptables", "-A", "FORWARD", "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED", "-j", "ACCEPT"},
		{"iptables", "-A", "INPUT", "-s", node.PodCIDR(), "-m", "conntrack", "--ctstate", "NEW", "-j", "DROP"},
		{"sh", "-c", "! [ -d /proc/sys/net/ipv6 ] || { ip6tables -P FORWARD DROP && ip6tables -P INPUT DROP; }"},
	}
}

func kubelet(node topology.Node) []string {
	return []string{
		program("kubelet"),
		"--config=" + config("kubelet.json"),
		"--kubeconfig=" + pkiFile("kubelet-"+node.Name+".kubeconfig"),
		"--hostname-override=" + node.Name,
		"--node-ip=" + node.Address(),
		fmt.Sprintf("--node-labels=topology.kubernetes.io/region=%s,topology.kubernetes.io/zone=%s-a",
			node.Region, node.Region),
		"--housekeeping-interval=30s",
	}
}

// kubeletConfig is the node's KubeletConfiguration; group is the control group of its Pods.
func kubeletConfig(node topology.Node, group string) map[string]any {
	return map[string]any{
		"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
		"authentication": map[string]any{
			"anonymous": map[string]any{"enabled": false},
			"webhook":   map[string]any{"enabled": true},
			"x509":      map[string]any{"clientCAFile": pkiFile("ca.crt")},
		},
		"authorization":            map[string]any{"mode": "Webhook"},
		"tlsCertFile":              pkiFile("kubelet-" + node.Name + ".crt"),
		"tlsPrivateKeyFile":        pkiFile("kubelet-" + node.Name + ".key"),
		"clusterDNS":               []string{topology.DNSServiceAddress},
		"clusterDomain":            "cluster.local",
		"containerRuntimeEndpoint": "unix://" + containerdSocket,
		"resolvConf":               config("resolv.conf"),
		"maxPods":                  maxPods,
		"seccompDefault":           true,
		// Of its own: two kubelets that share a group end each other's Pods as orphans.
		"cgroupRoot":   group,
		"cgroupDriver": "cgroupfs",
		"failCgroupV1": false,
		"failSwapOn":   false,
		// The host may withhold CAP_SYS_RESOURCE, without which no score can be lowered.
		"oomScoreAdj": 0,
		// Images are loaded by hand and the disk is the developer's: neither is cleaned nor guarded.
		"imageGCHighThresholdPercent": 100,
		"evictionHard": map[string]string{
			"memory.available": "100Mi", "nodefs.available": "0%", "nodefs.inodesFree": "0%", "imagefs.available": "0%",
			"imagefs.inodesFree": "0%",
		},
		"serializeImagePulls":  false,
		"volumeStatsAggPeriod": "10m",
	}
}

// containerdConfig is the node's containerd configuration. Everything not said lies in the node's own /run and /var.
func containerdConfig() string {
	return fmt.Sprintf(`version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = %q
[plugins."io.containerd.internal.v1.opt"]
  path = "/var/lib/containerd/opt"
`, PauseImage, config("cni"))
}

// cniConfig connects Pods to a bridge of the node; what leaves the node is routed and keeps its address. IPv6 is off in
// them as well: every interface would have a link-local address, by which the Pods of a node reach each other.
func cniConfig(node topology.Node) map[string]any {
	return map[string]any{
		"cniVersion": "1.0.0", "name": "pods",
		"plugins": []any{
			map[string]any{
				"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
				"ipam": map[string]any{
					"type": "host-local", "ranges": []any{[]any{map[string]string{"subnet": node.PodCIDR()}}},
					"routes": []any{map[string]string{"dst": "0.0.0.0/0"}},
				},
			},
			map[string]any{"type": "tuning", "sysctl": map[string]string{
				"net.ipv6.conf.all.disable_ipv6": "1", "net.ipv6.conf.default.disable_ipv6": "1",
			}},
			map[string]any{"type": "portmap", "capabilities": map[string]bool{"portMappings": true}},
		},
	}
}

func kubeProxy() []string {
	return []string{program("kube-proxy"), "--config=" + config("kube-proxy.json")}
}

// kubeProxyConfig is a machine's KubeProxyConfiguration. The control plane is no node: its proxy, which only serves
// calls to webhooks, borrows a node's name, or it would look for its Node object for half a minute before it starts.
func kubeProxyConfig(name string) map[string]any {
	if name == topology.ControlPlane {
		name = topology.Nodes()[0].Name
	}
	return map[string]any{
		"apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
		"mode": "iptables", "clusterCIDR": topology.PodCIDR, "hostnameOverride": name,
		"iptables":         map[string]any{"localhostNodePorts": false},
		"clientConnection": map[string]any{"kubeconfig": pkiFile("proxy.kubeconfig")},
		// The table of connections belongs to the host.
		"conntrack": map[string]any{"maxPerCore": 0, "min": 0},
	}
}
