// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"

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
