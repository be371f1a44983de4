// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/chattenant/chattenant/api/v1alpha1"
)

// placed requires every label of the region, and the tenant's own where its nodes are dedicated, in one term: terms are
// alternatives.
func placed(in Input) *corev1ac.NodeAffinityApplyConfiguration {
	term := corev1ac.NodeSelectorTerm()
	if dedicated(in) {
		term.WithMatchExpressions(demand(v1alpha1.KeyDedicated, in.Tenant.Name))
	}
	for _, key := range slices.Sorted(maps.Keys(in.Region.Spec.NodeSelector)) {
		term.WithMatchExpressions(demand(key, string(in.Region.Spec.NodeSelector[key])))
	}
	return corev1ac.NodeAffinity().
		WithRequiredDuringSchedulingIgnoredDuringExecution(corev1ac.NodeSelector().WithNodeSelectorTerms(term))
}

func demand(key, value string) *corev1ac.NodeSelectorRequirementApplyConfiguration {
	return corev1ac.NodeSelectorRequirement().WithKey(key).WithOperator(corev1.NodeSelectorOpIn).WithValues(value)
}

// tolerations let pods onto the tenant's own nodes, whatever effect the taint has there, and onto no others.
func tolerations(in Input) []*corev1ac.TolerationApplyConfiguration {
	if !dedicated(in) {
		return nil
	}
	return []*corev1ac.TolerationApplyConfiguration{
		corev1ac.Toleration().WithKey(v1alpha1.KeyDedicated).WithOperator(corev1.TolerationOpEqual).
			WithValue(in.Tenant.Name),
	}
}

func dedicated(in Input) bool {
	isolation := in.Class.Spec.Isolation
	return isolation != nil && isolation.DedicatedNodes == v1alpha1.DedicatedNodesRequired
}
