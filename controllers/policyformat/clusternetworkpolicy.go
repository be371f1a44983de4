// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package policyformat

import (
	"github.com/chattenant/chattenant/api/isolation"
	"github.com/chattenant/chattenant/controllers/desired"
)

// Priorities within the tier Admin: lower ones are looked at first. Tenants do not meet, so all have the same two.
const (
	rolePriority = 500
	restPriority = 501
)

// clusterNetworkPolicies hand what a role needs on to the NetworkPolicies (Pass) and deny the rest for good. They never
// accept: with an Accept, taking a NetworkPolicy away would close nothing any more.
func clusterNetworkPolicies(in desired.Input) (objects []any) {
	shape := desired.Shape(in)
	for _, role := range shape.Roles() {
		namespace, labels := podsOf(in, role)
		objects = append(objects, clusterNetworkPolicy(in, string(role), rolePriority,
			object{"pods": object{"namespaceSelector": inNamespace(namespace), "podSelector": object{"matchLabels": labels}}},
			clusterIngress(in, ways(shape, role, true)), clusterEgress(in, ways(shape, role, false))))
	}
	return append(objects, clusterNetworkPolicy(in, "rest", restPriority,
		object{"namespaces": inNamespace(desired.NamespaceOf(in))}, []any{denyPods()}, []any{denyEverywhere()}))
}

func clusterNetworkPolicy(in desired.Input, name string, priority int, subject object, ingress, egress []any) object {
	return object{
		"apiVersion": "policy.networking.k8s.io/v1alpha2", "kind": "ClusterNetworkPolicy",
		"metadata": object{"name": desired.NamespaceOf(in) + "-" + name},
		"spec": object{
			"tier": "Admin", "priority": priority, "subject": subject, "ingress": ingress, "egress": egress,
		},
	}
}

// clusterIngress ends with all pods: what is no pod cannot be named on the way in, and stays with the NetworkPolicies.
func clusterIngress(in desired.Input, all []way) (rules []any) {
	for _, w := range all {
		rules = append(rules, object{
			"name": "from-" + string(w.peer), "action": "Pass",
			"from": []any{clusterPods(in, w.peer)}, "protocols": protocols(w),
		})
	}
	return append(rules, denyPods())
}

func denyPods() object {
	return object{"name": "from-others", "action": "Deny", "from": []any{object{"namespaces": object{}}}}
}

// clusterEgress knows no exceptions from a block, so special ranges are denied before the internet is passed.
func clusterEgress(in desired.Input, all []way) (rules []any) {
	for _, w := range all {
		if w.peer != isolation.Internet {
			rules = append(rules, object{
				"name": "to-" + string(w.peer), "action": "Pass", "to": []any{clusterPods(in, w.peer)}, "protocols": protocols(w),
			})
			continue
		}
		var all, special []any
		for _, block := range isolation.InternetBlocks() {
			all, special = append(all, block.Range.String()), append(special, texts(block.Except)...)
		}
		rules = append(rules,
			object{"name": "to-special-ranges", "action": "Deny", "to": []any{object{"networks": special}}},
			object{"name": "to-internet", "action": "Pass", "protocols": protocols(w), "to": []any{object{
				"networks": all,
			}}})
	}
	return append(rules, denyEverywhere())
}

// denyEverywhere names networks: they match pods and nodes as well.
func denyEverywhere() object {
	return object{"name": "to-others", "action": "Deny", "to": []any{object{"networks": []any{"0.0.0.0/0", "::/0"}}}}
}

func clusterPods(in desired.Input, end isolation.End) object {
	namespace, labels := podsOf(in, end)
	return object{"pods": object{
		"namespaceSelector": inNamespace(namespace), "podSelector": object{"matchLabels": labels},
	}}
}

func protocols(w way) (all []any) {
	for _, c := range w.ports {
		name := map[isolation.Protocol]string{isolation.TCP: "tcp", isolation.UDP: "udp"}[c.Protocol]
		all = append(all, object{name: object{"destinationPort": object{"number": c.Port}}})
	}
	return all
}
