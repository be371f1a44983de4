// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"fmt"
	"iter"
	"net/netip"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/chattenant/chattenant/api/isolation"
	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/test/netpol"
)

// party is one end of a connection and what package isolation calls it. Strangers have no name there.
type party struct {
	name string
	end  isolation.End
	// own says that the party is a pod of the tenant whose policies are looked at.
	own bool
	at  netpol.Endpoint
}

// specialAddresses has one address of every range where no recipient can be, and public ones beside them. They are
// written down here a second time, so that a range that is lost in the data is missed.
var specialAddresses = map[string]isolation.End{
	"0.0.0.1": "", "0.1.2.3": "", "10.0.0.0": "", "10.200.0.11": "", "10.255.255.255": "", "100.64.0.1": "",
	"100.127.255.255": "", "127.0.0.1": "", "168.63.129.16": "", "169.254.169.254": "", "172.16.0.1": "",
	"172.31.255.255": "", "192.0.0.8": "", "192.0.2.1": "", "192.31.196.1": "", "192.52.193.1": "",
	"192.88.99.1": "", "192.168.1.1": "", "192.175.48.1": "", "198.18.0.1": "", "198.19.255.255": "",
	"198.51.100.1": "", "203.0.113.1": "", "224.0.0.1": "", "240.0.0.1": "", "255.255.255.255": "", "::1": "",
	"fe80::1": "", "fd00:10:96::a": "", "fc00::1": "", "ff02::1": "", "64:ff9b::1": "", "64:ff9b::a00:1": "",
	"100::1": "", "2001::1": "", "2001:1ff::1": "", "2001:db8::1": "", "2002:a00:1::": "", "2620:4f:8000::1": "",
	"3fff::1": "", "4000::1": "",
	"9.255.255.255": isolation.Internet, "11.0.0.0": isolation.Internet, "1.1.1.1": isolation.Internet,
	"100.63.255.255": isolation.Internet, "100.128.0.0": isolation.Internet, "168.63.129.17": isolation.Internet,
	"172.15.255.255": isolation.Internet, "172.32.0.0": isolation.Internet, "198.17.255.255": isolation.Internet,
	"198.20.0.0": isolation.Internet, "223.255.255.255": isolation.Internet, "193.0.14.129": isolation.Internet,
	"2606:4700::1111": isolation.Internet, "2a00:1450::1": isolation.Internet, "2001:200::1": isolation.Internet,
	"2001:7fd::1": isolation.Internet, "3fff:1000::1": isolation.Internet,
}

func parties(in Input) []party {
	tenant, namespace := in.Tenant.Name, in.namespace()
	roleLabelsOf := func(tenant string, role isolation.End) map[string]string {
		return map[string]string{v1alpha1.LabelNetworkRole: string(role), v1alpha1.LabelTenant: tenant}
	}
	all := []party{
		{"stray pod", isolation.None, true, podAt(namespace, map[string]string{"app": "stray"})},
		{"probe without a role", isolation.None, true, podAt(namespace, roleLabelsOf(tenant, isolation.None))},
		{"named like a chat server", isolation.None, true, podAt(namespace,
			map[string]string{v1alpha1.LabelName: naming.ChatServer, v1alpha1.LabelTenant: tenant})},
		{"gateway", isolation.IngressGateway, false,
			podAt(in.System.Namespace, map[string]string{v1alpha1.LabelName: in.System.GatewayName})},
		{"operator", "", false, podAt(in.System.Namespace, map[string]string{v1alpha1.LabelName: "chattenant-operator"})},
		{"lookalike gateway", "", false, podAt("default", map[string]string{v1alpha1.LabelName: in.System.GatewayName})},
		{"DNS", isolation.ClusterDNS, false, podAt("kube-system", map[string]string{"k8s-app": "kube-dns"})},
		{"other pod of kube-system", "", false, podAt("kube-system", map[string]string{"k8s-app": "metrics-server"})},
		{"lookalike DNS", "", false, podAt("default", map[string]string{"k8s-app": "kube-dns"})},
		{"the pods' node", isolation.Nodes, false,
			netpol.Endpoint{Address: netip.MustParseAddr("10.200.0.12"), Node: true}},
	}
	for _, role := range []isolation.End{isolation.ChatServer, isolation.Postgres, isolation.Egress} {
		all = append(all,
			party{"own " + string(role), role, true, podAt(namespace, roleLabelsOf(tenant, role))},
			party{"other tenant's " + string(role), "", false, podAt("chat-other", roleLabelsOf("other", role))},
			party{"lookalike " + string(role), "", false, podAt("default", roleLabelsOf(tenant, role))},
			party{"smuggled " + string(role), isolation.None, true, podAt(namespace, roleLabelsOf("other", role))})
	}
	for address, end := range specialAddresses {
		all = append(all, party{name: address, end: end, at: netpol.Endpoint{Address: netip.MustParseAddr(address)}})
	}
	return all
}

func podAt(namespace string, labels map[string]string) netpol.Endpoint {
	return netpol.Endpoint{
		Namespace: namespace, NamespaceLabels: map[string]string{corev1.LabelMetadataName: namespace}, Labels: labels,
		Address: netip.MustParseAddr("10.244.1.7"),
	}
}

// triedPorts are everything that is open to someone, and what is not: neighbours of open ports, too.
var triedPorts = []int32{
	1, 22, 25, 52, 53, 54, 80, 442, 443, 444, 464, 465, 466, 586, 587, 588, 5431, 5432, 5433, 6443, 8442, 8443, 8444, 8445,
	9443, 10250, 65535,
}

// wantOpen is what the data says. Ends outside the tenant are open among themselves, and nobody asks.
func wantOpen(shape isolation.Shape, from, to party, c netpol.Connection) bool {
	named := from.end != "" && to.end != ""
	return named && shape.Allows(from.end, to.end, isolation.Protocol(c.Protocol), c.Port)
}

// difference is a connection that one end treats otherwise than the data says.
type difference struct {
	from, to string
	c        netpol.Connection
	end      string
	open     bool
}

func (d difference) String() string {
	return fmt.Sprintf("%s -> %s %s %d: the end it %s has it open = %t",
		d.from, d.to, d.c.Protocol, d.c.Port, d.end, d.open)
}

// differences are what the policies do otherwise than the data says. Each end is looked at by itself: where both
// ends of a connection are the tenant's, either must refuse what is not open, even if the other failed to.
func differences(in Input, policies []networkingv1.NetworkPolicy) iter.Seq[difference] {
	shape := in.shape()
	return func(yield func(difference) bool) {
		for from, to := range pairs(parties(in)) {
			for c := range tries(from, to) {
				if d := compare(policies, from, to, c, wantOpen(shape, from, to, c)); d != nil && !yield(*d) {
					return
				}
			}
		}
	}
}

func compare(policies []networkingv1.NetworkPolicy, from, to party, c netpol.Connection, want bool) *difference {
	if got := netpol.Leaves(policies, c); from.own && got != want {
		return &difference{from.name, to.name, c, "leaves", got}
	}
	// No network policy can refuse a pod's own node.
	if got := netpol.Enters(policies, c); to.own && got != (want || from.at.Node) {
		return &difference{from.name, to.name, c, "enters", got}
	}
	return nil
}

func pairs(all []party) iter.Seq2[party, party] {
	return func(yield func(party, party) bool) {
		for _, from := range all {
			for _, to := range all {
				if from.name != to.name && (from.own || to.own) && !yield(from, to) {
					return
				}
			}
		}
	}
}

func tries(from, to party) iter.Seq[netpol.Connection] {
	return func(yield func(netpol.Connection) bool) {
		for _, protocol := range []corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP} {
			for _, port := range triedPorts {
				if !yield(netpol.Connection{From: from.at, To: to.at, Protocol: protocol, Port: port}) {
					return
				}
			}
		}
	}
}

// TestPoliciesOpenWhatTheDataSaysAndNothingElse asks an evaluator that shares no code with the builders.
func TestPoliciesOpenWhatTheDataSaysAndNothingElse(t *testing.T) {
	decided := 0
	for _, s := range everyScenario() {
		policies := policiesOf(t, s)
		if len(policies) == 0 {
			continue
		}
		for range pairs(parties(s.in)) {
			decided += 3 * len(triedPorts)
		}
		for found := range differences(s.in, policies) {
			t.Errorf("%s: %s", s.name, found)
		}
	}
	if decided < 50_000 {
		t.Errorf("only %d connections were decided", decided)
	}
	t.Logf("%d connections decided", decided)
}
