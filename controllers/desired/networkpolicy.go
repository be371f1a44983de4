// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"

	"github.com/chattenant/chattenant/api/isolation"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

// denyAllPolicy is the name of the policy that selects every pod.
const denyAllPolicy = "default-deny"

// dnsLabels are those that every distribution of Kubernetes puts on the pods of its name service.
var dnsLabels = map[string]string{"k8s-app": "kube-dns"}

// NetworkPolicies close the tenant's namespace and open what package isolation says is open: one policy per role, named
// after it. The one that denies everything comes first.
func NetworkPolicies(in Input) []Object {
	objects := []Object{denyAll(in)}
	for _, role := range in.shape().Roles() {
		objects = append(objects, allow(in, role))
	}
	return objects
}

// shape is what the tenant's connections depend on.
func (in Input) shape() isolation.Shape {
	shape := isolation.Shape{Egress: in.Egress != nil}
	for _, r := range openRecipients(in) {
		for _, e := range r.Endpoints {
			shape.EgressPorts = append(shape.EgressPorts, e.Port)
		}
	}
	return shape
}

// Shape is what the connections of a tenant depend on.
func Shape(in Input) isolation.Shape { return in.shape() }

// denyAll selects every pod of the namespace, also those that nobody thought of. Nothing here opens DNS: the few names
// that pods need are in their hosts file.
func denyAll(in Input) Object {
	return own(in, componentGuardrails, networkingv1ac.NetworkPolicy(denyAllPolicy, in.namespace())).
		WithSpec(policyFor(metav1ac.LabelSelector()))
}

// allow opens what is open to the pods of one role, and from them.
func allow(in Input, role isolation.End) Object {
	spec := policyFor(roleSelector(in, role))
	for _, peer := range peersOf(in, role) {
		if ports := portsOf(in, peer, role); len(ports) > 0 {
			spec.WithIngress(networkingv1ac.NetworkPolicyIngressRule().WithFrom(ends(in, peer)...).WithPorts(ports...))
		}
		if ports := portsOf(in, role, peer); len(ports) > 0 {
			spec.WithEgress(networkingv1ac.NetworkPolicyEgressRule().WithTo(ends(in, peer)...).WithPorts(ports...))
		}
	}
	return own(in, string(role), networkingv1ac.NetworkPolicy(string(role), in.namespace())).WithSpec(spec)
}

// peersOf are those that a role has to do with, in the order of the data and each once.
func peersOf(in Input, role isolation.End) (peers []isolation.End) {
	seen := map[isolation.End]bool{}
	for _, c := range in.shape().Connections() {
		peer := c.To
		if c.To == role {
			peer = c.From
		}
		if (c.From == role || c.To == role) && !seen[peer] {
			seen[peer], peers = true, append(peers, peer)
		}
	}
	return peers
}

func portsOf(in Input, from, to isolation.End) (ports []*networkingv1ac.NetworkPolicyPortApplyConfiguration) {
	for _, c := range in.shape().Connections() {
		if c.From == from && c.To == to {
			ports = append(ports, networkingv1ac.NetworkPolicyPort().
				WithProtocol(corev1.Protocol(c.Protocol)).WithPort(intstr.FromInt32(c.Port)))
		}
	}
	return ports
}

// policyFor holds for both directions even where no rule follows: a direction that is not named would be open.
func policyFor(pods *metav1ac.LabelSelectorApplyConfiguration) *networkingv1ac.NetworkPolicySpecApplyConfiguration {
	return networkingv1ac.NetworkPolicySpec().
		WithPodSelector(pods).
		WithPolicyTypes(networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress)
}

// ends are the peers of a rule that stand for one end of a connection.
func ends(in Input, end isolation.End) []*networkingv1ac.NetworkPolicyPeerApplyConfiguration {
	switch end {
	case isolation.IngressGateway:
		return one(podsElsewhere(in.System.Namespace, map[string]string{v1alpha1.LabelName: in.System.GatewayName}))
	case isolation.ClusterDNS:
		return one(podsElsewhere(metav1.NamespaceSystem, dnsLabels))
	case isolation.Internet:
		return internet()
	default:
		// Pods of the same namespace: a peer without namespaceSelector reaches no further.
		return one(networkingv1ac.NetworkPolicyPeer().WithPodSelector(roleSelector(in, end)))
	}
}

func one[T any](only T) []T { return []T{only} }

// podsElsewhere has both selectors in one peer: either alone would let in strangers.
func podsElsewhere(namespace string, pods map[string]string) *networkingv1ac.NetworkPolicyPeerApplyConfiguration {
	return networkingv1ac.NetworkPolicyPeer().
		WithNamespaceSelector(metav1ac.LabelSelector().
			WithMatchLabels(map[string]string{corev1.LabelMetadataName: namespace})).
		WithPodSelector(metav1ac.LabelSelector().WithMatchLabels(pods))
}

func internet() (peers []*networkingv1ac.NetworkPolicyPeerApplyConfiguration) {
	for _, b := range isolation.InternetBlocks() {
		block := networkingv1ac.IPBlock().WithCIDR(b.Range.String())
		for _, p := range b.Except {
			block.WithExcept(p.String())
		}
		peers = append(peers, networkingv1ac.NetworkPolicyPeer().WithIPBlock(block))
	}
	return peers
}

// NamespaceOf is the tenant's namespace.
func NamespaceOf(in Input) string { return in.namespace() }
