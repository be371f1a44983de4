// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package policyformat

import (
	"net/netip"
	"strconv"

	"github.com/chattenant/chattenant/api/isolation"
	"github.com/chattenant/chattenant/controllers/desired"
)

// neverReached are what no pod of a tenant has any business with. Denials go before whatever is allowed.
var neverReached = []any{"kube-apiserver", "host", "remote-node"}

// ciliumPolicies deny everything to every pod of the namespace, then allow what each role needs.
func ciliumPolicies(in desired.Input) []any {
	objects := []any{ciliumPolicy(in, "default-deny", object{}, object{
		// A rule without peers allows nobody, and makes everything else refused.
		"ingress": []any{object{}}, "egress": []any{object{}},
		"egressDeny": []any{object{"toEntities": neverReached}},
	})}
	shape := desired.Shape(in)
	for _, role := range shape.Roles() {
		_, labels := podsOf(in, role)
		rules := object{"ingress": ciliumRules(in, ways(shape, role, true), "fromEndpoints"), "egress": []any{object{}}}
		if out := ciliumRules(in, ways(shape, role, false), "toEndpoints"); len(out) > 0 {
			rules["egress"] = out
		}
		objects = append(objects, ciliumPolicy(in, string(role), object{"matchLabels": labels}, rules))
	}
	return objects
}

func ciliumPolicy(in desired.Input, name string, pods, rules object) object {
	rules["endpointSelector"] = pods
	return object{
		"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy",
		"metadata": object{"name": name, "namespace": desired.NamespaceOf(in)},
		"spec":     rules,
	}
}

func ciliumRules(in desired.Input, all []way, peers string) (rules []any) {
	for _, w := range all {
		rule := object{"toPorts": []any{object{"ports": ciliumPorts(w)}}}
		if w.peer == isolation.Internet {
			var blocks []any
			for _, block := range isolation.InternetBlocks() {
				blocks = append(blocks, ciliumBlock(block.Range, block.Except))
			}
			rule["toCIDRSet"] = blocks
		} else {
			rule[peers] = []any{object{"matchLabels": ciliumLabels(in, w.peer)}}
		}
		rules = append(rules, rule)
	}
	return rules
}

// ciliumLabels names the namespace as well: without it a peer is one of the policy's own.
func ciliumLabels(in desired.Input, end isolation.End) map[string]any {
	namespace, labels := podsOf(in, end)
	all := map[string]any{"k8s:io.kubernetes.pod.namespace": namespace}
	for key, value := range labels {
		all["k8s:"+key] = value
	}
	return all
}

func ciliumPorts(w way) (ports []any) {
	for _, c := range w.ports {
		ports = append(ports, object{"port": strconv.Itoa(int(c.Port)), "protocol": string(c.Protocol)})
	}
	return ports
}

func ciliumBlock(all netip.Prefix, except []netip.Prefix) object {
	return object{"cidr": all.String(), "except": texts(except)}
}

func texts(prefixes []netip.Prefix) (out []any) {
	for _, p := range prefixes {
		out = append(out, p.String())
	}
	return out
}
