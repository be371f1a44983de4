// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"

	"github.com/chattenant/chattenant/api/egressconfig"
	"github.com/chattenant/chattenant/api/naming"
)

// Where a cluster's DNS is found.
const (
	dnsNamespace = "kube-system"
	dnsLabel     = "k8s-app"
	dnsName      = "kube-dns"
	dnsPort      = 53
)

// internet are the public internet's addresses, each family less its special ranges. A NetworkPolicy is the second
// line: the gateway checks every address by the same list itself.
func internet() (blocks []*networkingv1ac.NetworkPolicyPeerApplyConfiguration) {
	for _, public := range egressconfig.PublicRanges() {
		block := networkingv1ac.IPBlock().WithCIDR(public.String())
		for _, special := range egressconfig.SpecialRanges() {
			if public.Overlaps(special.Prefix) {
				block.WithExcept(special.Prefix.String())
			}
		}
		blocks = append(blocks, networkingv1ac.NetworkPolicyPeer().WithIPBlock(block))
	}
	return blocks
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
				WithTo(internet()...).
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
