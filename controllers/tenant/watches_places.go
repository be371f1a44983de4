// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/policy"
)

// nodeMoved lets through what may change where tenants are: labels, the taint of dedicated nodes, and nodes that come
// or go. Heartbeats are none of it. Nor are the nodes that exist when the operator starts: every tenant gets a pass
// then.
func nodeMoved() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool { return !e.IsInInitialList },
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, ok := e.ObjectOld.(*corev1.Node)
			after, also := e.ObjectNew.(*corev1.Node)
			return !ok || !also || !apiequality.Semantic.DeepEqual(before.Labels, after.Labels) ||
				!apiequality.Semantic.DeepEqual(before.Spec.Taints, after.Spec.Taints)
		},
	}
}

// tenantsOfNode asks for a pass over the tenants that have a pod on a node, or a volume that is reached from it: no
// others. An update is asked about as it was before and as it is now.
func (r *Reconciler) tenantsOfNode(ctx context.Context, o client.Object) []reconcile.Request {
	node, ok := o.(*corev1.Node)
	if !ok {
		return nil
	}
	return append(r.tenantsWithPodsOn(ctx, node.Name), r.tenantsWithVolumesOn(ctx, node)...)
}

func (r *Reconciler) tenantsWithPodsOn(ctx context.Context, node string) []reconcile.Request {
	pods := &corev1.PodList{}
	err := r.Client.List(ctx, pods, client.MatchingFields{indexPodNode: node}, client.UnsafeDisableDeepCopy)
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "List pods for a watch")
		return nil
	}
	var requests []reconcile.Request
	for i := range pods.Items {
		requests = append(requests, tenantOfNamespaced(ctx, &pods.Items[i])...)
	}
	return requests
}

func (r *Reconciler) tenantsWithVolumesOn(ctx context.Context, node *corev1.Node) []reconcile.Request {
	volumes := &corev1.PersistentVolumeList{}
	if err := r.Client.List(ctx, volumes, client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "List volumes for a watch")
		return nil
	}
	var requests []reconcile.Request
	for i := range volumes.Items {
		if tenants := tenantOfVolume(ctx, &volumes.Items[i]); len(tenants) > 0 &&
			policy.VolumeReachableFrom(&volumes.Items[i], node) {
			requests = append(requests, tenants...)
		}
	}
	return requests
}

// podPlaced lets through pods that come to a node or leave it.
func podPlaced() predicate.Predicate {
	onNode := func(o client.Object) string {
		if pod, ok := o.(*corev1.Pod); ok {
			return pod.Spec.NodeName
		}
		return ""
	}
	return predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool { return !e.IsInInitialList && onNode(e.Object) != "" },
		UpdateFunc: func(e event.UpdateEvent) bool { return onNode(e.ObjectOld) != onNode(e.ObjectNew) },
		DeleteFunc: func(e event.DeleteEvent) bool { return onNode(e.Object) != "" },
	}
}

// tenantOfPodsNode asks for a pass over the tenant that a pod's node is dedicated to.
func (r *Reconciler) tenantOfPodsNode(ctx context.Context, o client.Object) []reconcile.Request {
	pod, ok := o.(*corev1.Pod)
	if !ok || pod.Spec.NodeName == "" {
		return nil
	}
	node, err := find[corev1.Node](ctx, r.Client, "", pod.Spec.NodeName)
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Read a node for a watch")
		return nil
	}
	if node == nil || node.Labels[v1alpha1.KeyDedicated] == "" {
		return nil
	}
	return []reconcile.Request{request(node.Labels[v1alpha1.KeyDedicated])}
}

// existence lets through objects that come or go.
func existence() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(event.UpdateEvent) bool { return false }}
}
