// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"context"
	"fmt"
	"slices"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/v1alpha1"
)

// writeStatus computes every condition from the scope and writes once, if anything changed.
func (r *Reconciler) writeStatus(ctx context.Context, s *scope) error {
	s.status.ObservedGeneration = s.tenant.Generation
	r.setConditions(s)
	if apiequality.Semantic.DeepEqual(&s.tenant.Status, s.status) {
		return nil
	}
	changed := s.tenant.DeepCopy()
	changed.Status = *s.status
	err := r.Client.Status().Patch(ctx, changed,
		client.MergeFromWithOptions(s.tenant, client.MergeFromWithOptimisticLock{}))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("patch: %w", err)
	}
	r.announce(s)
	r.announceRecipients(s)
	return nil
}

// setConditions writes every condition on every branch, so that each is present from the first pass on.
func (r *Reconciler) setConditions(s *scope) {
	r.setPaused(s)
	r.setDeleting(s)
	for _, p := range phases {
		r.setPhase(s, p.condition)
	}
	if s.paused || s.deleting != nil {
		r.setWhileNotRunning(s)
		return
	}
	verdict := s.verdict()
	r.set(s, v1alpha1.ConditionReady, status(verdict.progress == done), verdict)
	r.setProgress(s, verdict)
}

func (r *Reconciler) setPaused(s *scope) {
	result := outcome{reason: v1alpha1.ReasonActive, message: "The operator acts on this tenant"}
	if s.paused {
		result = outcome{reason: v1alpha1.ReasonPausedBySpec, message: "Nothing is created, repaired or deleted until " +
			"spec.reconciliation is Active"}
	}
	r.set(s, v1alpha1.ConditionPaused, status(s.paused), result)
}

func (r *Reconciler) setDeleting(s *scope) {
	if s.deleting != nil {
		r.set(s, v1alpha1.ConditionDeleting, metav1.ConditionTrue, *s.deleting)
		return
	}
	r.set(s, v1alpha1.ConditionDeleting, metav1.ConditionFalse,
		outcome{reason: v1alpha1.ReasonNotRequested, message: "The tenant is not being deleted"})
}

// setPhase reports a phase that was evaluated. What was found earlier stands while a pass does not get to a phase.
func (r *Reconciler) setPhase(s *scope, condition string) {
	if result, evaluated := s.outcomes[condition]; evaluated {
		value := status(result.progress == done)
		if result.progress == unproved || result.reason == v1alpha1.ReasonNotEvaluated ||
			result.reason == v1alpha1.ReasonInternalError {
			value = metav1.ConditionUnknown
		}
		r.set(s, condition, value, result)
		return
	}
	if meta.FindStatusCondition(s.status.Conditions, condition) == nil {
		r.set(s, condition, metav1.ConditionUnknown,
			outcome{reason: v1alpha1.ReasonNotEvaluated, message: "Not evaluated yet"})
	}
}

// setWhileNotRunning reports a tenant that is paused or on its way out: nothing is known to be ready any more once it
// is being taken down.
func (r *Reconciler) setWhileNotRunning(s *scope) {
	idle := outcome{reason: v1alpha1.ReasonIdle, message: "The operator is not acting on the spec"}
	r.set(s, v1alpha1.ConditionReconciling, metav1.ConditionFalse, idle)
	r.set(s, v1alpha1.ConditionStalled, metav1.ConditionFalse, idle)
	switch {
	case s.deleting != nil:
		r.set(s, v1alpha1.ConditionReady, metav1.ConditionFalse, *s.deleting)
	case s.outcomes[v1alpha1.ConditionPlacementVerified].progress == stalled:
		r.set(s, v1alpha1.ConditionReady, metav1.ConditionFalse, s.outcomes[v1alpha1.ConditionPlacementVerified])
	case meta.FindStatusCondition(s.status.Conditions, v1alpha1.ConditionReady) == nil:
		r.set(s, v1alpha1.ConditionReady, metav1.ConditionUnknown,
			outcome{reason: v1alpha1.ReasonNotEvaluated, message: "Paused before the tenant was created"})
	}
}

// setProgress reports the pair that kstatus reads.
func (r *Reconciler) setProgress(s *scope, verdict outcome) {
	idle := outcome{reason: v1alpha1.ReasonIdle, message: "Nothing is under way"}
	under := outcome{reason: v1alpha1.ReasonProgressing, message: verdict.message}
	reconciling, stall := idle, outcome{reason: v1alpha1.ReasonIdle, message: "Nothing waits for a human"}
	switch verdict.progress {
	case waiting:
		reconciling = under
	case stalled:
		stall = verdict
	case done, unproved:
	}
	r.set(s, v1alpha1.ConditionReconciling, status(verdict.progress == waiting), reconciling)
	r.set(s, v1alpha1.ConditionStalled, status(verdict.progress == stalled), stall)
}

// verdict sums the pass up: the first thing in the order of phases that is not done. What waits for a human goes
// before what waits by itself.
func (s *scope) verdict() outcome {
	if s.violation != nil {
		progress := stalled
		if s.violation.Reason == v1alpha1.ReasonNamespaceTerminating {
			progress = waiting
		}
		return outcome{progress, s.violation.Reason, s.violation.Message}
	}
	var first *outcome
	for _, p := range phases {
		result, evaluated := s.outcomes[p.condition]
		if !evaluated || !result.progress.holdsUp() {
			continue
		}
		if first == nil || (first.progress == waiting && result.progress == stalled) {
			first = &result
		}
	}
	if first != nil {
		return *first
	}
	return outcome{done, v1alpha1.ReasonReady, "Every phase is done; serving " + s.status.Endpoint.URL}
}

func (r *Reconciler) set(s *scope, condition string, value metav1.ConditionStatus, o outcome) {
	meta.SetStatusCondition(&s.status.Conditions, metav1.Condition{
		Type: condition, Status: value, Reason: o.reason, Message: o.message,
		ObservedGeneration: s.tenant.Generation, LastTransitionTime: metav1.NewTime(r.Clock.Now()),
	})
	slices.SortStableFunc(s.status.Conditions, byDisplayOrder)
}

func status(holds bool) metav1.ConditionStatus {
	if holds {
		return metav1.ConditionTrue
	}
	return metav1.ConditionFalse
}
