// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"cmp"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/chattenant/chattenant/api/v1alpha1"
)

// announced are the conditions whose changes are events; the others would only repeat them.
var announced = []string{v1alpha1.ConditionReady, v1alpha1.ConditionPaused, v1alpha1.ConditionDeleting}

// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// announce emits an event for each announced condition whose status or reason changed: never for a mere repetition.
func (r *Reconciler) announce(s *scope) {
	for _, condition := range announced {
		before := meta.FindStatusCondition(s.tenant.Status.Conditions, condition)
		now := meta.FindStatusCondition(s.status.Conditions, condition)
		if now == nil || now.Reason == v1alpha1.ReasonActive || now.Reason == v1alpha1.ReasonNotRequested ||
			(before != nil && before.Status == now.Status && before.Reason == now.Reason) {
			continue
		}
		r.Recorder.Eventf(s.tenant, nil, eventType(s, now), now.Reason, "Reconcile", "%s", now.Message)
	}
}

func eventType(s *scope, c *metav1.Condition) string {
	if c.Type == v1alpha1.ConditionReady && meta.IsStatusConditionTrue(s.status.Conditions, v1alpha1.ConditionStalled) {
		return corev1.EventTypeWarning
	}
	return corev1.EventTypeNormal
}

// byDisplayOrder puts the summary first and the phases in their order, so that kubectl describe reads as a story.
func byDisplayOrder(a, b metav1.Condition) int {
	return cmp.Compare(displayOrder[a.Type], displayOrder[b.Type])
}

var displayOrder = func() map[string]int {
	types := []string{v1alpha1.ConditionReady, v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled}
	for _, p := range phases {
		types = append(types, p.condition)
	}
	types = append(types, v1alpha1.ConditionPaused, v1alpha1.ConditionDeleting)
	order := make(map[string]int, len(types))
	for i, t := range types {
		order[t] = i
	}
	return order
}()
