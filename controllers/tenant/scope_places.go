// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/policy"
)

// +kubebuilder:rbac:groups="",resources=nodes;persistentvolumes;persistentvolumeclaims,verbs=get;list;watch

func (r *Reconciler) gatherPlaces(ctx context.Context, s *scope) error {
	nodes, claims := &corev1.NodeList{}, &corev1.PersistentVolumeClaimList{}
	// A tenant looks at every node there is. Copying them for every pass of every tenant would be most of its work.
	if err := r.Client.List(ctx, nodes, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list nodes: %w", err)
	}
	if err := r.Client.List(ctx, claims, client.InNamespace(s.namespace())); err != nil {
		return fmt.Errorf("list claims: %w", err)
	}
	s.nodes, s.claims, s.volumes = nodes.Items, claims.Items, map[string]*corev1.PersistentVolume{}
	for i := range s.claims {
		name := s.claims[i].Spec.VolumeName
		if name == "" {
			continue
		}
		volume, err := find[corev1.PersistentVolume](ctx, r.Client, "", name)
		if err != nil {
			return err
		}
		if volume != nil {
			s.volumes[name] = volume
		}
	}
	if s.facts.Class == nil || !dedicates(s.facts.Class) {
		return nil
	}
	return r.gatherNeighbours(ctx, s)
}

// gatherNeighbours looks for pods of other tenants. Pods that are no tenant's are not watched, so nothing is known of
// them here; the node's taint keeps them off.
func (r *Reconciler) gatherNeighbours(ctx context.Context, s *scope) error {
	s.neighbours = map[string][]string{}
	for i := range s.pods {
		node := s.pods[i].Spec.NodeName
		if _, seen := s.neighbours[node]; seen || node == "" {
			continue
		}
		pods := &corev1.PodList{}
		if err := r.Client.List(ctx, pods, client.MatchingFields{indexPodNode: node}); err != nil {
			return fmt.Errorf("list pods on a node: %w", err)
		}
		s.neighbours[node] = []string{}
		for j := range pods.Items {
			other, _ := naming.TenantOf(pods.Items[j].Namespace)
			if other != s.tenant.Name && !slices.Contains(s.neighbours[node], other) {
				s.neighbours[node] = append(s.neighbours[node], other)
			}
		}
	}
	return nil
}

// +kubebuilder:rbac:groups=node.k8s.io,resources=runtimeclasses,verbs=get;list;watch

func (r *Reconciler) findRuntimeClass(
	ctx context.Context, class *v1alpha1.ChatTenantClass,
) (*nodev1.RuntimeClass, error) {
	name := policy.RuntimeClassName(class)
	if name == "" {
		return nil, nil //nolint:nilnil // The class names none.
	}
	return find[nodev1.RuntimeClass](ctx, r.Client, "", name)
}

func dedicates(class *v1alpha1.ChatTenantClass) bool {
	isolation := class.Spec.Isolation
	return isolation != nil && isolation.DedicatedNodes == v1alpha1.DedicatedNodesRequired
}
