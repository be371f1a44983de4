// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"

	"github.com/chattenant/chattenant/api/naming"
)

// Where a cluster's DNS is found.
const (
	dnsNamespace = "kube-system"
	dnsLabel     = "k8s-app"
	dnsName      = "kube-dns"
	dnsPort      = 53
)

// internetIPv4 and internetIPv6 are the public internet: what is left of each family without the ranges that IANA's
// special-purpose registries, RFC 6890 and its updates, keep for other uses. Of IPv6 only 2000::/3 is allocated at all.
// A NetworkPolicy is the second line: the gateway checks every address itself.
var (
	internetIPv4 = ipBlock{"0.0.0.0/0", []string{
		"0.0.0.0/8",       // this network
		"10.0.0.0/8",      // private use
		"100.64.0.0/10",   // shared by carriers
		"127.0.0.0/8",     // loopback
		"169.254.0.0/16",  // link-local, with clouds' metadata
		"172.16.0.0/12",   // private use
		"192.0.0.0/24",    // protocol assignments
		"192.0.2.0/24",    // documentation
		"192.31.196.0/24", // AS112
		"192.52.193.0/24", // AMT
		"192.88.99.0/24",  // 6to4 relays
		"192.168.0.0/16",  // private use
		"192.175.48.0/24", // AS112
		"198.18.0.0/15",   // benchmarking
		"198.51.100.0/24", // documentation
		"203.0.113.0/24",  // documentation
		"224.0.0.0/4",     // multicast
		"240.0.0.0/4",     // reserved, with broadcast
	}}
	internetIPv6 = ipBlock{"2000::/3", []string{
		"2001::/23",     // protocol assignments, with Teredo, benchmarking and ORCHID
		"2001:db8::/32", // documentation
		"2002::/16",     // 6to4
		"2620:4f:8000::/48", // AS112
		"3fff::/20",         // documentation
	}}
)

type ipBlock struct {
	cidr   string
	except []string
}

func (b ipBlock) peer() *networkingv1ac.NetworkPolicyPeerApplyConfiguration {
	return networkingv1ac.NetworkPolicyPeer().
		WithIPBlock(networkingv1ac.IPBlock().WithCIDR(b.cidr).WithExcept(b.except...))
}

// allowEgress lets the chat server into the gateway, and the gateway out to the ports of what is effective.
func allowEgress(in Input) Object {
	spec := policyFor(selector(in, componentEgress)).
		WithIngress(networkingv1ac.NetworkPolicyIngressRule().
			WithFrom(podsOf(in, componentChatServer)).
			WithPorts(tcp(naming.EgressPort)))
	// A rule without ports would allow them all.
	if ports := declaredPorts(in); len(ports) > 0 {
		spec.WithEgress(
			networkingv1ac.NetworkPolicyEgressRule().
				WithTo(clusterDNS()).
				WithPorts(udp(dnsPort), tcp(dnsPort)),
			networkingv1ac.NetworkPolicyEgressRule().
				WithTo(internetIPv4.peer(), internetIPv6.peer()).
				WithPorts(ports...))
	}
	return own(in, componentEgress, networkingv1ac.NetworkPolicy(componentEgress, in.namespace())).WithSpec(spec)
}

// chatServerToEgress is what the chat server's own policy has besides, where there is a gateway.
func chatServerToEgress(in Input) []*networkingv1ac.NetworkPolicyEgressRuleApplyConfiguration {
	if in.Egress == nil {
		return nil
	}
	return []*networkingv1ac.NetworkPolicyEgressRuleApplyConfiguration{
		networkingv1ac.NetworkPolicyEgressRule().
			WithTo(podsOf(in, componentEgress)).
			WithPorts(tcp(naming.EgressPort)),
	}
}

func declaredPorts(in Input) (rules []*networkingv1ac.NetworkPolicyPortApplyConfiguration) {
	var ports []int
	for _, r := range openRecipients(in) {
		for _, e := range r.Endpoints {
			ports = append(ports, int(e.Port))
		}
	}
	slices.Sort(ports)
	for _, port := range slices.Compact(ports) {
		rules = append(rules, tcp(port))
	}
	return rules
}

// clusterDNS are the pods that answer for the cluster. Both selectors stand in one peer: either alone would let out to
// strangers.
func clusterDNS() *networkingv1ac.NetworkPolicyPeerApplyConfiguration {
	return networkingv1ac.NetworkPolicyPeer().
		WithNamespaceSelector(metav1ac.LabelSelector().
			WithMatchLabels(map[string]string{corev1.LabelMetadataName: dnsNamespace})).
		WithPodSelector(metav1ac.LabelSelector().WithMatchLabels(map[string]string{dnsLabel: dnsName}))
}

func udp(port int) *networkingv1ac.NetworkPolicyPortApplyConfiguration {
	return networkingv1ac.NetworkPolicyPort().WithProtocol(corev1.ProtocolUDP).WithPort(intstr.FromInt(port))
}
