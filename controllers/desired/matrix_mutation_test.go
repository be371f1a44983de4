// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// mutation is a change to one policy that must be noticed.
type mutation struct {
	name  string
	apply func(*networkingv1.NetworkPolicy)
}

// TestEveryChangeToAPolicyIsNoticed removes and widens every part of every policy, one at a time.
func TestEveryChangeToAPolicyIsNoticed(t *testing.T) {
	tried := 0
	for _, name := range []string{"minimal-eu", "full-us"} {
		s := named(t, name)
		policies := policiesOf(t, s)
		for i := range policies {
			without := slices.Delete(slices.Clone(policies), i, i+1)
			if !noticed(s.in, without) {
				t.Errorf("%s: nobody notices that policy %s is gone", name, policies[i].Name)
			}
			for _, m := range mutations(&policies[i]) {
				tried++
				changed := slices.Clone(policies)
				changed[i] = *policies[i].DeepCopy()
				m.apply(&changed[i])
				if !noticed(s.in, changed) {
					t.Errorf("%s: nobody notices in policy %s: %s", name, policies[i].Name, m.name)
				}
			}
		}
	}
	if tried < 50 {
		t.Errorf("only %d changes were tried", tried)
	}
	t.Logf("%d changes noticed", tried)
}

func noticed(in Input, policies []networkingv1.NetworkPolicy) bool {
	for range differences(in, policies) {
		return true
	}
	return false
}

func mutations(policy *networkingv1.NetworkPolicy) (all []mutation) {
	all = append(all, selectorMutations("selects", &policy.Spec.PodSelector,
		func(p *networkingv1.NetworkPolicy) *metav1.LabelSelector { return &p.Spec.PodSelector })...)
	if policy.Name == denyAllPolicy {
		for i, direction := range policy.Spec.PolicyTypes {
			all = append(all, mutation{"no " + string(direction), func(p *networkingv1.NetworkPolicy) {
				p.Spec.PolicyTypes = slices.Delete(p.Spec.PolicyTypes, i, i+1)
			}})
		}
	}
	all = append(all, mutation{"everyone may come in", func(p *networkingv1.NetworkPolicy) {
		p.Spec.Ingress = append(p.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{})
	}}, mutation{"all may leave", func(p *networkingv1.NetworkPolicy) {
		p.Spec.Egress = append(p.Spec.Egress, networkingv1.NetworkPolicyEgressRule{})
	}})
	for i := range policy.Spec.Ingress {
		all = append(all, mutation{fmt.Sprintf("ingress %d removed", i), func(p *networkingv1.NetworkPolicy) {
			p.Spec.Ingress = slices.Delete(p.Spec.Ingress, i, i+1)
		}})
		rule := policy.Spec.Ingress[i]
		all = append(all, ruleMutations(fmt.Sprintf("ingress %d", i), rule.From, rule.Ports,
			func(p *networkingv1.NetworkPolicy) (*[]networkingv1.NetworkPolicyPeer, *[]networkingv1.NetworkPolicyPort) {
				return &p.Spec.Ingress[i].From, &p.Spec.Ingress[i].Ports
			})...)
	}
	for i := range policy.Spec.Egress {
		all = append(all, mutation{fmt.Sprintf("egress %d removed", i), func(p *networkingv1.NetworkPolicy) {
			p.Spec.Egress = slices.Delete(p.Spec.Egress, i, i+1)
		}})
		all = append(all, ruleMutations(fmt.Sprintf("egress %d", i), policy.Spec.Egress[i].To, policy.Spec.Egress[i].Ports,
			func(p *networkingv1.NetworkPolicy) (*[]networkingv1.NetworkPolicyPeer, *[]networkingv1.NetworkPolicyPort) {
				return &p.Spec.Egress[i].To, &p.Spec.Egress[i].Ports
			})...)
	}
	return all
}

// within finds the part of a policy that a mutation changes, in whatever copy it is given.
type within func(*networkingv1.NetworkPolicy) (*[]networkingv1.NetworkPolicyPeer, *[]networkingv1.NetworkPolicyPort)

func ruleMutations(
	rule string, peers []networkingv1.NetworkPolicyPeer, ports []networkingv1.NetworkPolicyPort, at within,
) []mutation {
	all := []mutation{
		{rule + ": every peer", func(p *networkingv1.NetworkPolicy) { peers, _ := at(p); *peers = nil }},
		{rule + ": every port", func(p *networkingv1.NetworkPolicy) { _, ports := at(p); *ports = nil }},
	}
	for i := range ports {
		all = append(all, portMutations(fmt.Sprintf("%s: port %d", rule, i), i, at)...)
	}
	for i := range peers {
		all = append(all, peerMutations(fmt.Sprintf("%s: peer %d", rule, i), i, peers[i], at)...)
	}
	return all
}

func portMutations(name string, i int, at within) []mutation {
	change := func(apply func(*networkingv1.NetworkPolicyPort)) func(*networkingv1.NetworkPolicy) {
		return func(p *networkingv1.NetworkPolicy) { _, ports := at(p); apply(&(*ports)[i]) }
	}
	return []mutation{
		{name + " any number", change(func(p *networkingv1.NetworkPolicyPort) { p.Port = nil })},
		{name + " and the next", change(func(p *networkingv1.NetworkPolicyPort) { p.EndPort = ptr.To(p.Port.IntVal + 1) })},
		{name + " by SCTP", change(func(p *networkingv1.NetworkPolicyPort) { p.Protocol = ptr.To(corev1.ProtocolSCTP) })},
		{name + " one less", change(func(p *networkingv1.NetworkPolicyPort) { p.Port.IntVal-- })},
	}
}

func peerMutations(name string, i int, peer networkingv1.NetworkPolicyPeer, at within) (all []mutation) {
	part := func(p *networkingv1.NetworkPolicy) *networkingv1.NetworkPolicyPeer {
		peers, _ := at(p)
		return &(*peers)[i]
	}
	all = append(all, mutation{name + " is nobody", func(p *networkingv1.NetworkPolicy) {
		*part(p) = networkingv1.NetworkPolicyPeer{}
	}})
	if peer.PodSelector != nil {
		all = append(all, selectorMutations(name+" pods", peer.PodSelector,
			func(p *networkingv1.NetworkPolicy) *metav1.LabelSelector { return part(p).PodSelector })...)
	}
	if peer.NamespaceSelector != nil {
		all = append(all, selectorMutations(name+" namespaces", peer.NamespaceSelector,
			func(p *networkingv1.NetworkPolicy) *metav1.LabelSelector { return part(p).NamespaceSelector })...)
		all = append(all, mutation{name + " of every namespace's pods", func(p *networkingv1.NetworkPolicy) {
			part(p).PodSelector = nil
		}})
	} else if peer.PodSelector != nil {
		all = append(all, mutation{name + " in every namespace", func(p *networkingv1.NetworkPolicy) {
			part(p).NamespaceSelector = &metav1.LabelSelector{}
		}})
	}
	if peer.IPBlock != nil {
		all = append(all, mutation{name + " all of IPv6", func(p *networkingv1.NetworkPolicy) {
			part(p).IPBlock.CIDR = "::/0"
		}})
		for k, cidr := range peer.IPBlock.Except {
			all = append(all, mutation{name + " with " + cidr, func(p *networkingv1.NetworkPolicy) {
				part(p).IPBlock.Except = slices.Delete(part(p).IPBlock.Except, k, k+1)
			}})
		}
	}
	return all
}

// selectorMutations leave out each label that the selector demands: it then selects more.
func selectorMutations(
	name string, selector *metav1.LabelSelector, at func(*networkingv1.NetworkPolicy) *metav1.LabelSelector,
) (all []mutation) {
	for _, label := range slices.Sorted(maps.Keys(selector.MatchLabels)) {
		all = append(all, mutation{name + " without label " + label, func(p *networkingv1.NetworkPolicy) {
			delete(at(p).MatchLabels, label)
		}})
	}
	return all
}
