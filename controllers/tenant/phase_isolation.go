// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/isolation"
	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/desired"
	"github.com/chattenant/chattenant/controllers/probeplan"
)

// +kubebuilder:rbac:groups=batch,resources=jobs,verbs=get;list;watch

func (r *Reconciler) gatherProbes(ctx context.Context, s *scope) error {
	jobs := &batchv1.JobList{}
	if err := r.Client.List(ctx, jobs, client.InNamespace(s.namespace())); err != nil {
		return fmt.Errorf("list jobs: %w", err)
	}
	for i := range jobs.Items {
		if isProbe(jobs.Items[i].Labels) {
			s.jobs = append(s.jobs, jobs.Items[i])
		}
	}
	return r.gatherPolicies(ctx, s)
}

func isProbe(labels map[string]string) bool {
	return labels[v1alpha1.LabelName] == naming.IsolationProbe
}

// policiesDigest changes whenever a network policy of the namespace is added, changed or removed, by whomever.
func policiesDigest(s *scope) string {
	policies := make(map[string]string, len(s.policies))
	for i := range s.policies {
		p := &s.policies[i]
		policies[p.Name] = string(p.UID) + " " + strconv.FormatInt(p.Generation, 10)
	}
	return desired.PoliciesDigest(policies)
}

// isolationPhase starts probes when they are due, judges those that ended, and says what is known. It keeps nobody from
// working: only a hole that was found stalls the tenant, because a human has to close it.
func (r *Reconciler) isolationPhase(ctx context.Context, s *scope) (outcome, error) {
	if s.outcomes[v1alpha1.ConditionChatServerReady].progress != done {
		return isolationOutcome(s), nil
	}
	current, err := r.currentProbes(ctx, s)
	if err != nil {
		return outcome{}, err
	}
	if answered(s, current) {
		return isolationOutcome(s), r.deleteProbes(ctx, lastEndedLast(current))
	}
	if len(current) == 0 {
		if wait := r.untilProbe(s); wait > 0 {
			s.requeue(wait)
			return isolationOutcome(s), nil
		}
	}
	in := r.input(s)
	started, err := r.startProbes(ctx, s, in, current)
	if err != nil || started {
		return isolationOutcome(s), err
	}
	if err := r.judge(ctx, s, current); err != nil {
		return outcome{}, err
	}
	return isolationOutcome(s), nil
}

// currentProbes are those started under the network policies of now, by role. Others are removed: what they find is no
// answer any more.
func (r *Reconciler) currentProbes(ctx context.Context, s *scope) (map[isolation.End]*batchv1.Job, error) {
	current, digest := map[isolation.End]*batchv1.Job{}, policiesDigest(s)
	var stale []batchv1.Job
	for i := range s.jobs {
		job := &s.jobs[i]
		role := isolation.End(job.Spec.Template.Labels[v1alpha1.LabelNetworkRole])
		switch {
		case !job.DeletionTimestamp.IsZero():
		case job.Annotations[desired.AnnotationPolicies] != digest || current[role] != nil:
			stale = append(stale, *job)
		default:
			current[role] = job
		}
	}
	return current, r.deleteProbes(ctx, stale)
}

func (r *Reconciler) deleteProbes(ctx context.Context, jobs []batchv1.Job) error {
	for i := range jobs {
		if err := r.Applier.Delete(ctx, &jobs[i]); err != nil {
			return err
		}
	}
	return nil
}

// untilProbe is how long it is until the next probe is due.
func (r *Reconciler) untilProbe(s *scope) time.Duration {
	return probeplan.NextProbe(history(s), string(s.tenant.UID)).Sub(r.Clock.Now())
}

func history(s *scope) probeplan.History {
	h := probeplan.History{Period: period(s.facts.Class)}
	status := s.status.Isolation
	if status == nil {
		return h
	}
	h.Hole, h.SamePolicies, h.Failures = len(status.Holes) > 0, status.PoliciesDigest == policiesDigest(s), status.Failures
	if status.LastProbeTime != nil {
		h.Last = status.LastProbeTime.Time
	}
	if status.LastFailureTime != nil {
		h.LastFailure = status.LastFailureTime.Time
	}
	return h
}

func period(class *v1alpha1.ChatTenantClass) time.Duration {
	if i := class.Spec.Isolation; i != nil && i.ProbeEveryHours > 0 {
		return time.Duration(i.ProbeEveryHours) * time.Hour
	}
	return probeplan.DefaultPeriod
}

// startProbes makes a Job for each role that has none, and says whether there was one to make. None is started while
// the chat server's probe would have nothing that must be open, as when PostgreSQL restarts: what is known stands until
// the pod is ready, whose watch brings us back.
func (r *Reconciler) startProbes(
	ctx context.Context, s *scope, in desired.Input, current map[isolation.End]*batchv1.Job,
) (bool, error) {
	var missing []isolation.End
	for _, role := range desired.ProbeRoles(in) {
		if current[role] == nil {
			missing = append(missing, role)
		}
	}
	if len(missing) == 0 {
		return false, nil
	}
	facts, err := r.doors(ctx, s, in)
	if err != nil {
		return false, err
	}
	if s.uncontrolled = !probeplan.Controlled(probeplan.Plan(facts, isolation.ChatServer)); s.uncontrolled {
		return true, nil
	}
	for _, role := range missing {
		if err := r.startProbe(ctx, s, in, probeplan.Plan(facts, role)); err != nil {
			return false, err
		}
	}
	return true, nil
}

func (r *Reconciler) startProbe(ctx context.Context, s *scope, in desired.Input, plan isolation.Plan) error {
	encoded, err := plan.Encode()
	if err != nil {
		return err
	}
	return r.Applier.Create(ctx, desired.IsolationProbe(in, desired.Probe{
		Role: plan.Role, Plan: encoded, PoliciesDigest: policiesDigest(s), After: lastAttempt(s),
	}))
}

// lastAttempt distinguishes a probe from the one before it.
func lastAttempt(s *scope) string {
	status := s.status.Isolation
	if status == nil {
		return ""
	}
	return fmt.Sprint(status.LastProbeTime, status.LastFailureTime, status.Failures)
}

// isolationOutcome says what the status says.
func isolationOutcome(s *scope) outcome {
	status := s.status.Isolation
	switch {
	case status != nil && len(status.Holes) > 0 && status.PoliciesDigest == policiesDigest(s):
		return outcome{progress: stalled, reason: v1alpha1.ReasonHoleFound, message: fmt.Sprintf(
			"Open, and must be closed: %s. Look for network policies that nobody should have added, and whether the cluster's "+
				"network enforces them: kubectl -n %s get networkpolicies; it is probed again within 10 minutes",
			strings.Join(status.Holes, ", "), s.namespace())}
	case status != nil && status.Failures > 0:
		return outcome{progress: unproved, reason: v1alpha1.ReasonProbeFailed, message: fmt.Sprintf(
			"%d probes came to no verdict, the last because %s; it is tried again", status.Failures, status.LastFailure)}
	case (status == nil || status.LastProbeTime == nil) && s.uncontrolled:
		return outcome{progress: unproved, reason: v1alpha1.ReasonProbeWaiting, message: "The first probe waits until " +
			"PostgreSQL is ready: while nothing is open that must be, closed doors prove nothing"}
	case status == nil || status.LastProbeTime == nil:
		return outcome{progress: unproved, reason: v1alpha1.ReasonProbePending, message: "The first probe has not ended yet"}
	case status.PoliciesDigest != policiesDigest(s):
		return outcome{progress: unproved, reason: v1alpha1.ReasonProbePending,
			message: "Network policies changed since the last probe; it is repeated"}
	}
	return outcome{reason: v1alpha1.ReasonIsolated, message: fmt.Sprintf(
		"Of %d connections tried from inside the tenant, %d that must be closed were refused and %d that must be open were",
		status.Tried, status.Refused, status.Open)}
}

func conditionOf(job *batchv1.Job, kind batchv1.JobConditionType) *batchv1.JobCondition {
	for i := range job.Status.Conditions {
		if c := &job.Status.Conditions[i]; c.Type == kind && c.Status == corev1.ConditionTrue {
			return c
		}
	}
	return nil
}

// controlledBy finds the one pod of a Job. A pod that only bears the Job's name is none.
func controlledBy(pods []corev1.Pod, job *batchv1.Job) *corev1.Pod {
	for i := range pods {
		if ref := metav1.GetControllerOf(&pods[i]); ref != nil && ref.UID == job.UID {
			return &pods[i]
		}
	}
	return nil
}

func (r *Reconciler) gatherPolicies(ctx context.Context, s *scope) error {
	policies := &networkingv1.NetworkPolicyList{}
	if err := r.Client.List(ctx, policies, client.InNamespace(s.namespace())); err != nil {
		return fmt.Errorf("list network policies: %w", err)
	}
	s.policies = policies.Items
	return nil
}
