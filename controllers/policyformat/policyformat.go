// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package policyformat renders what is open to a tenant for networks that understand more than NetworkPolicy. The
// operator applies NetworkPolicies only; these are for platform teams to put beside them. They come from the same data
// (package isolation) and open nothing that NetworkPolicies do not: they add refusals that nobody's allow overrides.
package policyformat

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/chattenant/chattenant/api/isolation"
	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/desired"
)

// Format is a kind of policies.
type Format string

// Formats.
const (
	// NetworkPolicy is what the operator applies: networking.k8s.io/v1.
	NetworkPolicy Format = "networkpolicy"
	// Cilium is CiliumNetworkPolicy, cilium.io/v2. Beyond NetworkPolicy it refuses the API server and nodes by what they
	// are, wherever their addresses lie, and no other policy opens them again.
	Cilium Format = "cilium"
	// ClusterNetworkPolicy is policy.networking.k8s.io/v1alpha2. Beyond NetworkPolicy it is decided before them: what it
	// denies, no NetworkPolicy that someone adds to the namespace can open.
	ClusterNetworkPolicy Format = "clusternetworkpolicy"
)

// Formats are all of them.
var Formats = []Format{NetworkPolicy, Cilium, ClusterNetworkPolicy}

// object is a policy as YAML has it. Neither of the two kinds has a Go type worth its weight.
type object map[string]any

// Render answers the tenant's policies as YAML documents.
func Render(in desired.Input, format Format) (string, error) {
	var objects []any
	switch format {
	case NetworkPolicy:
		for _, policy := range desired.NetworkPolicies(in) {
			objects = append(objects, policy)
		}
	case Cilium:
		objects = ciliumPolicies(in)
	case ClusterNetworkPolicy:
		objects = clusterNetworkPolicies(in)
	default:
		return "", fmt.Errorf("format %q: use one of %v", format, Formats)
	}
	documents := make([]string, 0, len(objects))
	for _, o := range objects {
		data, err := yaml.Marshal(o)
		if err != nil {
			return "", fmt.Errorf("render policies: %w", err)
		}
		documents = append(documents, string(data))
	}
	return strings.Join(documents, "---\n"), nil
}

// way is what is open between a role and one peer, in one direction.
type way struct {
	peer  isolation.End
	ports []isolation.Connection
}

// ways are the peers of a role, each with its ports, in the order of the data.
func ways(shape isolation.Shape, role isolation.End, in bool) (all []way) {
	for _, c := range shape.Connections() {
		near, far := c.From, c.To
		if in {
			near, far = c.To, c.From
		}
		if near != role {
			continue
		}
		i := slices.IndexFunc(all, func(w way) bool { return w.peer == far })
		if i < 0 {
			all, i = append(all, way{peer: far}), len(all)
		}
		all[i].ports = append(all[i].ports, c)
	}
	return all
}

// podsOf are the namespace and the labels of the pods that an end stands for.
func podsOf(in desired.Input, end isolation.End) (namespace string, labels map[string]any) {
	switch end {
	case isolation.IngressGateway:
		return in.System.Namespace, map[string]any{v1alpha1.LabelName: in.System.GatewayName}
	case isolation.ClusterDNS:
		return "kube-system", map[string]any{"k8s-app": "kube-dns"}
	default:
		return desired.NamespaceOf(in), map[string]any{
			v1alpha1.LabelNetworkRole: string(end), v1alpha1.LabelTenant: in.Tenant.Name,
		}
	}
}

func inNamespace(name string) object {
	return object{"matchLabels": map[string]any{corev1.LabelMetadataName: name}}
}
