// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

// denyAll selects every pod of the namespace, also those that nobody thought of. Nothing here opens DNS: the few names
// that pods need are in their hosts file.
func denyAll(in Input) *networkingv1ac.NetworkPolicyApplyConfiguration {
	return own(in, componentGuardrails, networkingv1ac.NetworkPolicy("default-deny", in.namespace())).
		WithSpec(policyFor(metav1ac.LabelSelector()))
}

// allowChatServer lets the ingress gateway in, and the chat server out to its own database and its own egress gateway.
func allowChatServer(in Input) *networkingv1ac.NetworkPolicyApplyConfiguration {
	return own(in, componentChatServer, networkingv1ac.NetworkPolicy(componentChatServer, in.namespace())).
		WithSpec(policyFor(selector(in, componentChatServer)).
			WithIngress(networkingv1ac.NetworkPolicyIngressRule().
				WithFrom(gatewayPods(in)).
				WithPorts(tcp(naming.ChatServerPort))).
			WithEgress(networkingv1ac.NetworkPolicyEgressRule().
				WithTo(podsOf(in, componentPostgres)).
				WithPorts(tcp(naming.PostgresPort))).
			WithEgress(chatServerToEgress(in)...))
}

// allowPostgres lets the chat server in, and nothing out.
func allowPostgres(in Input) *networkingv1ac.NetworkPolicyApplyConfiguration {
	return own(in, componentPostgres, networkingv1ac.NetworkPolicy(componentPostgres, in.namespace())).
		WithSpec(policyFor(selector(in, componentPostgres)).
			WithIngress(networkingv1ac.NetworkPolicyIngressRule().
				WithFrom(podsOf(in, componentChatServer)).
				WithPorts(tcp(naming.PostgresPort))))
}

// policyFor holds for both directions even where no rule follows: a direction that is not named would be open.
func policyFor(pods *metav1ac.LabelSelectorApplyConfiguration) *networkingv1ac.NetworkPolicySpecApplyConfiguration {
	return networkingv1ac.NetworkPolicySpec().
		WithPodSelector(pods).
		WithPolicyTypes(networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress)
}

// gatewayPods are the ingress gateway's pods. Both selectors stand in one peer: either alone would let in strangers.
func gatewayPods(in Input) *networkingv1ac.NetworkPolicyPeerApplyConfiguration {
	return networkingv1ac.NetworkPolicyPeer().
		WithNamespaceSelector(metav1ac.LabelSelector().
			WithMatchLabels(map[string]string{corev1.LabelMetadataName: in.System.Namespace})).
		WithPodSelector(metav1ac.LabelSelector().
			WithMatchLabels(map[string]string{v1alpha1.LabelName: in.System.GatewayName}))
}

// podsOf are pods of the same namespace: a peer without namespaceSelector reaches no further.
func podsOf(in Input, component string) *networkingv1ac.NetworkPolicyPeerApplyConfiguration {
	return networkingv1ac.NetworkPolicyPeer().WithPodSelector(selector(in, component))
}

func tcp(port int) *networkingv1ac.NetworkPolicyPortApplyConfiguration {
	return networkingv1ac.NetworkPolicyPort().WithProtocol(corev1.ProtocolTCP).WithPort(intstr.FromInt(port))
}
