// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package parts

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/chattenant/chattenant/hack/localcluster/internal/machine"
	"github.com/chattenant/chattenant/hack/localcluster/internal/topology"
)

const (
	etcdAddress = "127.0.0.1:2379"
	apiAddress  = "tcp:127.0.0.1:6443"
	self        = "/proc/self/exe"
)

// Ports are the ports on the host's loopback interface through which the cluster is reached.
type Ports struct{ API, Ingress int }

// program is the path of a program inside a machine.
func program(name string) string { return filepath.Join(machine.ProgramsDir, name) }

// pkiFile is the path of a key, certificate or kubeconfig inside a machine.
func pkiFile(name string) string { return filepath.Join(machine.ClusterDir, "pki", name) }

// config is the path, inside a machine, of one of its configuration files.
func config(file string) string { return filepath.Join(machine.ConfigDir, file) }

// forwarding are the sysctls of a machine that routes. Strict reverse path filters would drop what Services redirect.
func forwarding() map[string]string {
	return map[string]string{"net/ipv4/ip_forward": "1", "net/ipv4/conf/all/rp_filter": "0"}
}

func controlPlaneProcesses() []machine.Process {
	return []machine.Process{
		{Name: "etcd", Argv: etcd()},
		{Name: "kube-apiserver", Argv: kubeAPIServer(), WaitFor: "tcp:" + etcdAddress},
		{Name: "kube-controller-manager", Argv: controllerManager(), WaitFor: apiAddress},
		{Name: "kube-scheduler", Argv: scheduler(), WaitFor: apiAddress},
		{Name: "kube-proxy", Argv: kubeProxy(), WaitFor: apiAddress},
		{Name: "forward", Argv: forward(), Listeners: true},
		{Name: "volumes", Argv: []string{self, "volumes"}, WaitFor: apiAddress},
	}
}

// etcd trades durability, which a cluster for an afternoon does not need, for speed on slow disks.
func etcd() []string {
	return []string{
		program("etcd"), "--data-dir=/var/lib/etcd", "--unsafe-no-fsync", "--log-level=warn",
		"--listen-client-urls=http://" + etcdAddress, "--advertise-client-urls=http://" + etcdAddress,
		"--listen-peer-urls=http://127.0.0.1:2380", "--quota-backend-bytes=4294967296",
	}
}

func kubeAPIServer() []string {
	return append([]string{
		program("kube-apiserver"),
		"--etcd-servers=http://" + etcdAddress,
		fmt.Sprintf("--secure-port=%d", topology.APIPort),
		"--advertise-address=" + topology.ControlPlaneAddress,
		"--service-cluster-ip-range=" + topology.ServiceCIDR,
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--allow-privileged",
		"--profiling=false",
		"--kubelet-preferred-address-types=InternalIP",
		// Written before the request is answered, so that a test may count what it caused.
		"--audit-log-mode=blocking",
		"--audit-log-path=" + filepath.Join(machine.ClusterDir, "log", topology.ControlPlane, "audit.log"),
		"--audit-policy-file=" + config("audit-policy.json"),
		"--audit-log-maxsize=500", "--audit-log-maxbackup=2",
	}, apiServerKeys()...)
}

func apiServerKeys() []string {
	return []string{
		"--tls-cert-file=" + pkiFile("apiserver.crt"),
		"--tls-private-key-file=" + pkiFile("apiserver.key"),
		"--client-ca-file=" + pkiFile("ca.crt"),
		"--kubelet-certificate-authority=" + pkiFile("ca.crt"),
		"--kubelet-client-certificate=" + pkiFile("apiserver-kubelet-client.crt"),
		"--kubelet-client-key=" + pkiFile("apiserver-kubelet-client.key"),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + pkiFile("service-accounts.pub"),
		"--service-account-signing-key-file=" + pkiFile("service-accounts.key"),
		"--requestheader-client-ca-file=" + pkiFile("front-proxy-ca.crt"),
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + pkiFile("front-proxy-client.crt"),
		"--proxy-client-key-file=" + pkiFile("front-proxy-client.key"),
	}
}

func controllerManager() []string {
	return append(withKubeconfig("kube-controller-manager", "controller-manager"),
		"--use-service-account-credentials",
		"--service-account-private-key-file="+pkiFile("service-accounts.key"),
		"--root-ca-file="+pkiFile("ca.crt"),
		"--cluster-signing-cert-file="+pkiFile("ca.crt"),
		"--cluster-signing-key-file="+pkiFile("ca.key"),
		// It starts before the API server has granted it anything, and would give up.
		"--authentication-tolerate-lookup-failure",
		// Nodes are given their ranges by the administrator, the routes to them exist before they do.
		"--allocate-node-cidrs=false",
		"--horizontal-pod-autoscaler-sync-period=5m",
		"--disable-attach-detach-reconcile-sync",
	)
}

func scheduler() []string { return withKubeconfig("kube-scheduler", "scheduler") }

// withKubeconfig starts the command line of a component of which one instance runs, and so need not elect a leader.
func withKubeconfig(name, identity string) []string {
	path := pkiFile(identity + ".kubeconfig")
	return []string{
		program(name), "--kubeconfig=" + path, "--authentication-kubeconfig=" + path,
		"--authorization-kubeconfig=" + path, "--leader-elect=false", "--profiling=false",
	}
}

// forward connects the host's two ports. Any node serves a NodePort, so the second port goes to whichever answers.
func forward() []string {
	var nodes []string
	for _, node := range topology.Nodes() {
		nodes = append(nodes, fmt.Sprintf("%s:%d", node.Address(), topology.IngressNodePort))
	}
	return []string{self, "forward", fmt.Sprintf("127.0.0.1:%d", topology.APIPort), strings.Join(nodes, ",")}
}

// auditPolicy records who did what to which object, for every request, and nobody's data.
func auditPolicy() map[string]any {
	return map[string]any{
		"apiVersion": "audit.k8s.io/v1", "kind": "Policy",
		"omitStages": []string{"RequestReceived"},
		"rules":      []any{map[string]any{"level": "Metadata"}},
	}
}
