// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"net/netip"
	"slices"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	dnsPort     = 53
	kubeletPort = 10250
)

// sharedTargets are what a tenant's pods have no business with: the cluster's own parts and everything beyond.
func sharedTargets(t *testing.T) []target {
	t.Helper()
	var targets []target
	for _, collect := range []func(*testing.T) []target{
		apiServerTargets, nodeTargets, nodePortTargets, strangerTargets, dnsTargets, outsideTargets,
	} {
		targets = append(targets, collect(t)...)
	}
	return targets
}

// apiServerTargets are the API server by its Service and by the address behind it.
func apiServerTargets(t *testing.T) []target {
	t.Helper()
	as := peer{component: "kube-apiserver"}
	targets := []target{
		tcpTarget(as, "API server", service(t, corev1.NamespaceDefault, "kubernetes").Spec.ClusterIP, 443),
	}
	published := &discoveryv1.EndpointSliceList{}
	err := live.List(t.Context(), published, client.InNamespace(corev1.NamespaceDefault),
		client.MatchingLabels{discoveryv1.LabelServiceName: "kubernetes"})
	if err != nil {
		t.Fatalf("find the API server: %v", err)
	}
	for _, slice := range published.Items {
		for _, endpoint := range slice.Endpoints {
			for _, port := range slice.Ports {
				targets = append(targets, tcpTarget(as, "API server", endpoint.Addresses[0], portOf(*port.Port)))
			}
		}
	}
	return targets
}

// nodeTargets are the kubelet and whatever else listens on a node, by every address that the node has. Datagrams to its
// other addresses are answered from the first one, which is no answer to whoever asked: they would prove nothing.
func nodeTargets(t *testing.T) []target {
	t.Helper()
	nodes := &corev1.NodeList{}
	if err := live.List(t.Context(), nodes); err != nil {
		t.Fatalf("list nodes: %v", err)
	}
	var targets []target
	for i := range nodes.Items {
		name, first := nodes.Items[i].Name, internalIP(&nodes.Items[i])
		found := namespaceTargets(t, name, insideNode(t, name), peer{component: "node " + name}, "nodes and kubelets")
		targets = append(targets, slices.DeleteFunc(found, func(to target) bool {
			return to.network == "udp" && to.address.Addr().String() != first
		})...)
	}
	return targets
}

// nodePortTargets are the Services that every node answers for.
func nodePortTargets(t *testing.T) []target {
	t.Helper()
	services, nodes := &corev1.ServiceList{}, &corev1.NodeList{}
	if err := live.List(t.Context(), services); err != nil {
		t.Fatalf("list services: %v", err)
	}
	if err := live.List(t.Context(), nodes); err != nil {
		t.Fatalf("list nodes: %v", err)
	}
	var targets []target
	for _, s := range services.Items {
		as := peer{component: s.Name}
		for _, port := range s.Spec.Ports {
			if s.Spec.ClusterIP != corev1.ClusterIPNone && s.Namespace == systemNamespace {
				targets = append(targets, tcpTarget(as, "Services of the product", s.Spec.ClusterIP, portOf(port.Port)))
			}
			for i := range nodes.Items {
				if address := internalIP(&nodes.Items[i]); port.NodePort != 0 {
					targets = append(targets, tcpTarget(as, "NodePorts", address, portOf(port.NodePort)))
				}
			}
		}
	}
	return targets
}

func internalIP(node *corev1.Node) string {
	for _, address := range node.Status.Addresses {
		if address.Type == corev1.NodeInternalIP {
			return address.Address
		}
	}
	return ""
}

// strangerTargets are the pods of the operator, the gateway, cert-manager and the cluster's DNS, by all they listen on.
func strangerTargets(t *testing.T) []target {
	t.Helper()
	var targets []target
	for _, pod := range strangers(t) {
		as := peer{component: componentOf(&pod)}
		targets = append(targets, podTargets(t, &pod, as, "pods of cluster and product")...)
		if as.component == "kube-dns" {
			targets = append(targets, dnsTarget(as, "DNS over UDP", pod.Status.PodIP, dnsPort))
		}
	}
	return targets
}

// dnsTargets are the cluster's name service, which would be a way out for data.
func dnsTargets(t *testing.T) []target {
	t.Helper()
	as, address := peer{component: "kube-dns"}, service(t, "kube-system", "kube-dns").Spec.ClusterIP
	return []target{
		dnsTarget(as, "DNS over UDP", address, dnsPort),
		tcpTarget(as, "DNS over TCP", address, dnsPort),
	}
}

// outside is what the local cluster has in place of the internet.
type outside struct {
	DNS struct {
		Address string
		Port    uint16
		LogFile string
	}
	CAFile   string
	Servers  []outsideServer
	Metadata outsideServer
}

type outsideServer struct {
	Name, Address                string
	TLSPorts, TCPPorts, UDPPorts []uint16
}

// outsideFacts asks the local cluster, which does not change while the tests run.
func outsideFacts(t *testing.T) outside {
	t.Helper()
	facts, err := askOutside()
	if err != nil {
		t.Fatalf("ask for the outside: %v", err)
	}
	return facts
}

var askOutside = sync.OnceValues(func() (facts outside, err error) {
	printed, err := localCluster(context.Background(), "outside")
	if err != nil {
		return facts, err
	}
	return facts, json.Unmarshal([]byte(printed), &facts)
})

// outsideTargets are every server of the internet, as the local cluster plays it, and a cloud's metadata service.
func outsideTargets(t *testing.T) []target {
	t.Helper()
	facts := outsideFacts(t)
	as := peer{component: beyond}
	targets := []target{
		dnsTarget(as, "the outside over UDP", facts.DNS.Address, facts.DNS.Port),
		tcpTarget(as, "the outside", facts.DNS.Address, facts.DNS.Port),
	}
	targets = append(targets, facts.Metadata.targets(peer{component: "metadata"}, "metadata address")...)
	for _, server := range facts.Servers {
		targets = append(targets, server.targets(as, "the outside")...)
	}
	return targets
}

func (s outsideServer) targets(as peer, group string) []target {
	var targets []target
	for _, port := range append(s.TLSPorts, s.TCPPorts...) {
		targets = append(targets, tcpTarget(as, group, s.Address, port))
	}
	for _, port := range s.UDPPorts {
		targets = append(targets, udpTarget(as, group+" over UDP", s.Address, port))
	}
	return targets
}

// otherForms are targets in forms of IPv6: what a socket of that family may be told. The local cluster has no IPv6, so
// nobody answers to the last three; that a pod has no address of that family is why.
func otherForms(targets []target) []target {
	var forms []target
	for _, to := range targets {
		switch to.group {
		case "API server", "metadata address", "Services", "the outside":
			mapped := netip.AddrFrom16(to.address.Addr().As16())
			to.group, to.address = to.group+", mapped to IPv6", netip.AddrPortFrom(mapped, to.address.Port())
			forms = append(forms, to)
		}
	}
	as := peer{component: "nobody"}
	for _, address := range []string{"fd00:ec2::254", "64:ff9b::a9fe:a9fe", "2001:db8::1"} {
		forms = append(forms, tcpTarget(as, "IPv6 addresses", address, 80))
	}
	return forms
}

// portOf is a port as sockets know it: the API server has seen to its range.
func portOf(port int32) uint16 { return uint16(port & 0xffff) }
