// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"net/netip"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

var (
	web     = pod("shop", "web", "10.0.0.1")
	db      = pod("shop", "db", "10.0.0.2")
	foreign = pod("other", "web", "10.0.1.1")
	outside = Endpoint{Address: netip.MustParseAddr("198.51.100.7")}
	node    = Endpoint{Address: netip.MustParseAddr("10.9.0.1"), Node: true}
)

func pod(namespace, app, address string) Endpoint {
	return Endpoint{
		Namespace: namespace, NamespaceLabels: map[string]string{"name": namespace}, Labels: map[string]string{"app": app},
		Address: netip.MustParseAddr(address), Ports: map[string]int32{"sql": 5432},
	}
}

func app(name string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}}
}

func namespace(name string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{"name": name}}
}

func policy(spec networkingv1.NetworkPolicySpec) []networkingv1.NetworkPolicy {
	return []networkingv1.NetworkPolicy{{ObjectMeta: metav1.ObjectMeta{Namespace: "shop"}, Spec: spec}}
}

// from is a policy that lets the peers in to db, by the ports.
func from(
	peers []networkingv1.NetworkPolicyPeer, ports ...networkingv1.NetworkPolicyPort,
) []networkingv1.NetworkPolicy {
	return policy(networkingv1.NetworkPolicySpec{PodSelector: *app("db"), Ingress: []networkingv1.NetworkPolicyIngressRule{
		{From: peers, Ports: ports},
	}})
}

// to is a policy that lets web out to the peers.
func to(peers ...networkingv1.NetworkPolicyPeer) []networkingv1.NetworkPolicy {
	return policy(networkingv1.NetworkPolicySpec{PodSelector: *app("web"), Egress: []networkingv1.NetworkPolicyEgressRule{
		{To: peers},
	}})
}

func block(cidr string, except ...string) networkingv1.NetworkPolicyPeer {
	return networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: cidr, Except: except}}
}

func tcp(port intstr.IntOrString) networkingv1.NetworkPolicyPort {
	return networkingv1.NetworkPolicyPort{Port: &port}
}

func TestPoliciesMeanWhatTheAPISays(t *testing.T) {
	everyone := []networkingv1.NetworkPolicyPeer(nil)
	ranged := tcp(intstr.FromInt32(5000))
	ranged.EndPort = ptr.To[int32](5432)
	udp := tcp(intstr.FromInt32(5432))
	udp.Protocol = ptr.To(corev1.ProtocolUDP)
	for _, tc := range []struct {
		name     string
		policies []networkingv1.NetworkPolicy
		from, to Endpoint
		want     bool
	}{
		{"without policies everything is open", nil, foreign, db, true},
		{"a selector that selects nothing closes nothing",
			policy(networkingv1.NetworkPolicySpec{PodSelector: *app("none")}), foreign, db, true},
		{"an empty spec closes the way in", policy(networkingv1.NetworkPolicySpec{}), web, db, false},
		{"an empty spec leaves the way out", policy(networkingv1.NetworkPolicySpec{}), web, outside, true},
		{"a type without rules closes its direction", policy(networkingv1.NetworkPolicySpec{
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress}}), web, outside, false},
		{"a type that is not named leaves its direction", policy(networkingv1.NetworkPolicySpec{
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress}}), foreign, db, true},
		{"what is not selected stays open", from(everyone), foreign, web, true},
		{"another namespace is not selected", policy(networkingv1.NetworkPolicySpec{}), web, foreign, true},
		{"a rule without peers is for everyone", from(everyone), outside, db, true},
		{"an empty peer is for nobody", from([]networkingv1.NetworkPolicyPeer{{}}), web, db, false},
		{"pods alone mean the policy's own namespace",
			from([]networkingv1.NetworkPolicyPeer{{PodSelector: app("web")}}), foreign, db, false},
		{"pods alone include those of the own namespace",
			from([]networkingv1.NetworkPolicyPeer{{PodSelector: app("web")}}), web, db, true},
		{"namespaces alone mean every pod in them",
			from([]networkingv1.NetworkPolicyPeer{{NamespaceSelector: namespace("other")}}), foreign, db, true},
		{"namespaces and pods in one peer must both hold", from([]networkingv1.NetworkPolicyPeer{
			{NamespaceSelector: namespace("other"), PodSelector: app("db")}}), foreign, db, false},
		{"in two peers either is enough", from([]networkingv1.NetworkPolicyPeer{
			{NamespaceSelector: namespace("other")}, {PodSelector: app("db")}}), foreign, db, true},
		{"an outside address is no pod", from([]networkingv1.NetworkPolicyPeer{
			{NamespaceSelector: &metav1.LabelSelector{}}}), outside, db, false},
		{"expressions hold as well as labels", from([]networkingv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{
			MatchLabels: map[string]string{"app": "web"},
			MatchExpressions: []metav1.LabelSelectorRequirement{
				{Key: "app", Operator: metav1.LabelSelectorOpNotIn, Values: []string{"web"}},
			},
		}}}), web, db, false},
		{"a block has its addresses", to(block("198.51.100.0/24")), web, outside, true},
		{"a block lacks its exceptions", to(block("0.0.0.0/0", "198.51.100.0/24")), web, outside, false},
		{"a block of the other family has none", to(block("::/0")), web, outside, false},
		{"a block has pods, too", to(block("10.0.0.0/8")), web, db, true},
		{"both ends must agree", append(to(block("10.0.0.0/8")), from([]networkingv1.NetworkPolicyPeer{
			{PodSelector: app("db")}})...), web, db, false},
		{"policies add up", append(from([]networkingv1.NetworkPolicyPeer{{PodSelector: app("db")}}),
			from([]networkingv1.NetworkPolicyPeer{{PodSelector: app("web")}})...), web, db, true},
		{"egress rules make an egress policy", to(block("203.0.113.0/24")), web, outside, false},
		{"a pod's node reaches it", policy(networkingv1.NetworkPolicySpec{}), node, db, true},
		{"a port is one port", from(everyone, tcp(intstr.FromInt32(5431))), web, db, false},
		{"a port's protocol is TCP where none is named", from(everyone, tcp(intstr.FromInt32(5432))), web, db, true},
		{"another protocol is another port", from(everyone, udp), web, db, false},
		{"a range includes its end", from(everyone, ranged), web, db, true},
		{"a named port is the pod's", from(everyone, tcp(intstr.FromString("sql"))), web, db, true},
		{"a name that the pod lacks is no port", from(everyone, tcp(intstr.FromString("http"))), web, db, false},
		{"a protocol without port is all of its ports", from(everyone, networkingv1.NetworkPolicyPort{}), web, db, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := Connection{From: tc.from, To: tc.to, Protocol: corev1.ProtocolTCP, Port: 5432}
			if got := Allows(tc.policies, c); got != tc.want {
				t.Errorf("allowed = %t, want %t", got, tc.want)
			}
		})
	}
}
