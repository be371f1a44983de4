// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package netpol decides what network policies let through, by the words of the API's documentation alone. It shares
// nothing with what renders ChatTenant's policies, so the two can be compared.
//
// Where the documentation leaves a choice to the network's implementation, this one takes the more open reading: an
// ipBlock also matches addresses of pods, and nodes reach the pods on them whatever policies say.
package netpol

import (
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Endpoint is one end of a connection.
type Endpoint struct {
	// Namespace is that of a pod; empty for what is no pod.
	Namespace string
	// NamespaceLabels and Labels are those of the pod's namespace and of the pod.
	NamespaceLabels, Labels map[string]string
	// Address is the pod's, or that of what is no pod.
	Address netip.Addr
	// Ports are the pod's named ports.
	Ports map[string]int32
	// Node says that it is the node on which the other end runs.
	Node bool
}

func (e Endpoint) isPod() bool { return e.Namespace != "" }

// Connection is what is decided about.
type Connection struct {
	From, To Endpoint
	Protocol corev1.Protocol
	Port     int32
}

// Allows says whether the policies of all namespaces let a connection through. An end that no policy selects for a
// direction allows it.
func Allows(policies []networkingv1.NetworkPolicy, c Connection) bool {
	return Leaves(policies, c) && Enters(policies, c)
}

// Leaves says whether the end that a connection comes from may make it.
func Leaves(policies []networkingv1.NetworkPolicy, c Connection) bool {
	isolated := false
	for i := range policies {
		policy := &policies[i]
		if !selects(policy, c.From) || !hasType(policy, networkingv1.PolicyTypeEgress) {
			continue
		}
		isolated = true
		for _, rule := range policy.Spec.Egress {
			if anyPeer(rule.To, policy.Namespace, c.To) && anyPort(rule.Ports, c) {
				return true
			}
		}
	}
	return !isolated
}

// Enters says whether the end that a connection goes to lets it in.
func Enters(policies []networkingv1.NetworkPolicy, c Connection) bool {
	isolated := false
	for i := range policies {
		policy := &policies[i]
		if c.From.Node || !selects(policy, c.To) || !hasType(policy, networkingv1.PolicyTypeIngress) {
			continue
		}
		isolated = true
		for _, rule := range policy.Spec.Ingress {
			if anyPeer(rule.From, policy.Namespace, c.From) && anyPort(rule.Ports, c) {
				return true
			}
		}
	}
	return !isolated
}

// selects says whether the policy holds for the pod: an empty selector selects every pod of the policy's namespace.
func selects(policy *networkingv1.NetworkPolicy, e Endpoint) bool {
	return e.isPod() && e.Namespace == policy.Namespace && matches(&policy.Spec.PodSelector, e.Labels)
}

// hasType spells out the default: Ingress always, Egress if there are rules for it.
func hasType(policy *networkingv1.NetworkPolicy, direction networkingv1.PolicyType) bool {
	if len(policy.Spec.PolicyTypes) > 0 {
		return slices.Contains(policy.Spec.PolicyTypes, direction)
	}
	return direction == networkingv1.PolicyTypeIngress || len(policy.Spec.Egress) > 0
}

// anyPeer says whether a rule's list of peers has the end in it. No list means everyone.
func anyPeer(peers []networkingv1.NetworkPolicyPeer, namespace string, e Endpoint) bool {
	return len(peers) == 0 || slices.ContainsFunc(peers, func(p networkingv1.NetworkPolicyPeer) bool {
		if p.IPBlock != nil {
			return inBlock(p.IPBlock, e.Address)
		}
		return isPeer(p, namespace, e)
	})
}

// isPeer reads selectors: of pods alone, the policy's own namespace; of namespaces alone, every pod in them; both
// together, those pods in those namespaces. A peer without any is invalid and stands for nobody.
func isPeer(p networkingv1.NetworkPolicyPeer, namespace string, e Endpoint) bool {
	if !e.isPod() || p.PodSelector == nil && p.NamespaceSelector == nil {
		return false
	}
	if p.NamespaceSelector == nil && e.Namespace != namespace {
		return false
	}
	return (p.NamespaceSelector == nil || matches(p.NamespaceSelector, e.NamespaceLabels)) &&
		(p.PodSelector == nil || matches(p.PodSelector, e.Labels))
}

func inBlock(block *networkingv1.IPBlock, address netip.Addr) bool {
	in := func(cidr string) bool {
		prefix, err := netip.ParsePrefix(cidr)
		return err == nil && prefix.Contains(address)
	}
	return in(block.CIDR) && !slices.ContainsFunc(block.Except, in)
}

// anyPort says whether a rule's list of ports has the connection's in it. No list means every port of every protocol.
func anyPort(ports []networkingv1.NetworkPolicyPort, c Connection) bool {
	return len(ports) == 0 || slices.ContainsFunc(ports, func(p networkingv1.NetworkPolicyPort) bool {
		protocol := corev1.ProtocolTCP
		if p.Protocol != nil {
			protocol = *p.Protocol
		}
		return protocol == c.Protocol && isPort(p, c)
	})
}

// isPort reads a number, a range up to endPort, or the name of a port of the pod that is connected to.
func isPort(p networkingv1.NetworkPolicyPort, c Connection) bool {
	if p.Port == nil {
		return true
	}
	if p.Port.Type == intstr.String {
		number, found := c.To.Ports[p.Port.StrVal]
		return found && number == c.Port
	}
	last := p.Port.IntVal
	if p.EndPort != nil {
		last = *p.EndPort
	}
	return p.Port.IntVal <= c.Port && c.Port <= last
}

// matches is false for a selector that the API server would refuse.
func matches(selector *metav1.LabelSelector, set map[string]string) bool {
	for key, want := range selector.MatchLabels {
		if got, found := set[key]; !found || got != want {
			return false
		}
	}
	if len(selector.MatchExpressions) == 0 {
		return true
	}
	s, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && s.Matches(labels.Set(set))
}
