// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"

	"github.com/chattenant/chattenant/api/v1alpha1"
)

// NodeInRegion says whether a node carries every label of the region.
func NodeInRegion(node *corev1.Node, region *v1alpha1.DataRegion) bool {
	for key, value := range region.Spec.NodeSelector {
		if node.Labels[key] != string(value) {
			return false
		}
	}
	return true
}

// SelfMadeLabels are the region's labels if kubelets may set every one of them on their own nodes, none if one is
// protected: that a node is in the region is then more than its own word.
func SelfMadeLabels(region *v1alpha1.DataRegion) []string {
	keys := slices.Sorted(maps.Keys(region.Spec.NodeSelector))
	if slices.ContainsFunc(keys, protected) {
		return nil
	}
	return keys
}

// protected says whether the API server keeps kubelets from setting a label (its NodeRestriction plug-in).
func protected(key string) bool {
	prefix, _, found := strings.Cut(key, "/")
	return found && (prefix == corev1.LabelNamespaceNodeRestriction ||
		strings.HasSuffix(prefix, "."+corev1.LabelNamespaceNodeRestriction))
}

// NodeDedicated answers what keeps a node from being the tenant's own and its alone, empty if nothing does: the label,
// without which the tenant's pods would not come back there, and the taint, without which others come.
func NodeDedicated(node *corev1.Node, tenant string) string {
	if node.Labels[v1alpha1.KeyDedicated] != tenant {
		return fmt.Sprintf("is not labelled %s=%s", v1alpha1.KeyDedicated, tenant)
	}
	for _, taint := range node.Spec.Taints {
		if taint.Key == v1alpha1.KeyDedicated && taint.Value == tenant && taint.Effect != corev1.TaintEffectPreferNoSchedule {
			return ""
		}
	}
	return fmt.Sprintf("is not tainted %s=%s:%s", v1alpha1.KeyDedicated, tenant, corev1.TaintEffectNoSchedule)
}

// VolumeOf says whether a volume is bound to exactly this claim: a claim may name any volume.
func VolumeOf(volume *corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim) bool {
	ref := volume.Spec.ClaimRef
	return ref != nil && ref.Namespace == claim.Namespace && ref.Name == claim.Name && ref.UID == claim.UID
}

// VolumeReachableFrom says whether a volume's affinity lets a node reach it. A volume without affinity, or with one
// that cannot be understood, could be reached from anywhere.
func VolumeReachableFrom(volume *corev1.PersistentVolume, node *corev1.Node) bool {
	if volume.Spec.NodeAffinity == nil || volume.Spec.NodeAffinity.Required == nil {
		return true
	}
	reachable, err := nodeaffinity.NewNodeSelector(volume.Spec.NodeAffinity.Required)
	return err != nil || reachable.Match(node)
}

// VolumeInRegion says whether a volume can be reached from nodes of the region and from no others, judged by the
// nodes that exist. A volume without node affinity could be anywhere. An error means that the affinity cannot be
// understood.
func VolumeInRegion(volume *corev1.PersistentVolume, nodes []corev1.Node, region *v1alpha1.DataRegion) (bool, error) {
	if volume.Spec.NodeAffinity == nil || volume.Spec.NodeAffinity.Required == nil {
		return false, nil
	}
	reachable, err := nodeaffinity.NewNodeSelector(volume.Spec.NodeAffinity.Required)
	if err != nil {
		return false, fmt.Errorf("read node affinity of volume %s: %w", volume.Name, err)
	}
	found := false
	for i := range nodes {
		if !reachable.Match(&nodes[i]) {
			continue
		}
		if !NodeInRegion(&nodes[i], region) {
			return false, nil
		}
		found = true
	}
	return found, nil
}
