// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/isolation"
	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/test/e2e/podnet"
)

// source is where connections of the matrix come from.
type source struct {
	peer
	// shape is that of the tenant it belongs to.
	shape isolation.Shape
	name  string
	net   *podnet.Namespace
	// own are the addresses of the source itself: what it says to itself crosses no border.
	own []netip.Addr
	// devices are the interfaces on which a link-local address is looked for.
	devices []string
}

// target is where they go to.
type target struct {
	peer
	// group is the line of the report that counts this target.
	group string
	// network is tcp, udp or dns, as netprobe knows them.
	network string
	address netip.AddrPort
}

func (to target) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s %s", to.tenant, to.component, to.network, to.address))
}

// tenantSources are all pods of the tenants.
func tenantSources(t *testing.T, tenants ...string) []source {
	t.Helper()
	var sources []source
	for _, tenant := range tenants {
		shape := shapeOf(t, tenant)
		for _, pod := range podsOf(t, tenant, shape) {
			from := podSource(t, &pod.Pod, pod.peer)
			from.shape = shape
			sources = append(sources, from)
		}
	}
	return sources
}

// tenantPod is a pod and what policies know it as.
type tenantPod struct {
	peer
	corev1.Pod
}

// podsOf are the pods of a tenant: of each component there must be some, and what the tests have put beside them.
func podsOf(t *testing.T, tenant string, shape isolation.Shape) []tenantPod {
	t.Helper()
	var pods []tenantPod
	for _, component := range componentsOf(shape) {
		for _, pod := range tenantPods(t, tenant, component) {
			pods = append(pods, tenantPod{peer{component, tenant}, pod})
		}
	}
	for _, pod := range runningPods(t, naming.Namespace(tenant), client.HasLabels{temporaryLabel}) {
		pods = append(pods, tenantPod{peer{unselected, tenant}, pod})
	}
	return pods
}

// strangerSources are the pods that serve the cluster or the product: none belongs to a tenant.
func strangerSources(t *testing.T) []source {
	t.Helper()
	var sources []source
	for _, pod := range strangers(t) {
		sources = append(sources, podSource(t, &pod, peer{component: componentOf(&pod)}))
	}
	return sources
}

// strangers lists the pods outside of tenants' namespaces.
func strangers(t *testing.T) []corev1.Pod {
	t.Helper()
	var pods []corev1.Pod
	for _, namespace := range []string{systemNamespace, "kube-system", "cert-manager"} {
		pods = append(pods, runningPods(t, namespace)...)
	}
	return pods
}

func componentOf(pod *corev1.Pod) string {
	for _, key := range []string{"app.kubernetes.io/name", "k8s-app", "app"} {
		if name := pod.Labels[key]; name != "" {
			return name
		}
	}
	return pod.Name
}

func podSource(t *testing.T, pod *corev1.Pod, as peer) source {
	t.Helper()
	return newSource(t, pod.Namespace+"/"+pod.Name, as, inside(t, pod))
}

func newSource(t *testing.T, name string, as peer, net *podnet.Namespace) source {
	t.Helper()
	own, err := net.Addresses()
	if err != nil {
		t.Fatalf("look at addresses of %s: %v", name, err)
	}
	s := source{peer: as, name: name, net: net}
	for _, address := range own {
		if address.Zone() != "" {
			s.devices = append(s.devices, address.Zone())
		}
		s.own = append(s.own, address.WithZone(""))
	}
	return s
}

// tenantTargets are what each tenant's pods listen on, by every address of the pod and by the Service's.
func tenantTargets(t *testing.T, tenants ...string) []target {
	t.Helper()
	var targets []target
	for _, tenant := range tenants {
		shape := shapeOf(t, tenant)
		for _, pod := range podsOf(t, tenant, shape) {
			targets = append(targets, podTargets(t, &pod.Pod, pod.peer, "pods", mustListen(pod.component)...)...)
		}
		for _, component := range componentsOf(shape) {
			for _, port := range service(t, naming.Namespace(tenant), component).Spec.Ports {
				address := service(t, naming.Namespace(tenant), component).Spec.ClusterIP
				targets = append(targets, tcpTarget(peer{component, tenant}, "Services", address, portOf(port.Port)))
			}
		}
	}
	return targets
}

// podTargets are all ports that something in the pod listens on, by each of its addresses, and those it must listen on.
func podTargets(t *testing.T, pod *corev1.Pod, as peer, group string, must ...uint16) []target {
	t.Helper()
	return namespaceTargets(t, pod.Namespace+"/"+pod.Name, inside(t, pod), as, group, must...)
}

func namespaceTargets(
	t *testing.T, name string, net *podnet.Namespace, as peer, group string, must ...uint16,
) []target {
	t.Helper()
	ports, err := net.ListeningTCP()
	if err != nil {
		t.Fatalf("look at sockets of %s: %v", name, err)
	}
	ports = slices.Compact(slices.Sorted(slices.Values(slices.Concat(ports, must))))
	addresses, err := net.Addresses()
	if err != nil {
		t.Fatalf("look at addresses of %s: %v", name, err)
	}
	var targets []target
	for _, address := range addresses {
		for _, port := range ports {
			targets = append(targets, tcpTarget(as, group+family(address), address.WithZone("").String(), port))
		}
		if slices.Contains(ports, echoPort) {
			targets = append(targets, udpTarget(as, group+" over UDP"+family(address), address.WithZone("").String(), echoPort))
		}
	}
	return targets
}

func family(address netip.Addr) string {
	if address.Is6() {
		return ", IPv6"
	}
	return ""
}

func tcpTarget(as peer, group, address string, port uint16) target {
	return target{as, group, "tcp", netip.AddrPortFrom(netip.MustParseAddr(address), port)}
}

// dnsTarget is asked a question, as only a name server answers.
func dnsTarget(as peer, group, address string, port uint16) target {
	return target{as, group, "dns", netip.AddrPortFrom(netip.MustParseAddr(address), port)}
}

func udpTarget(as peer, group, address string, port uint16) target {
	return target{as, group, "udp", netip.AddrPortFrom(netip.MustParseAddr(address), port)}
}
