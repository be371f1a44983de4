// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/chattenant/chattenant/api/isolation"
	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/desired"
)

// Bounds of the status. One hole is enough to act; failures are counted as far as anybody would read.
const (
	maxHoles    = 16
	maxFailures = 1_000_000
	maxMessage  = 400
)

// probeReport is what one role's probe found.
type probeReport struct {
	role    isolation.End
	plan    isolation.Plan
	digest  string
	verdict isolation.Verdict
	// failure says why there is no verdict.
	failure error
}

// judge waits until every role's probe has ended and writes what they found together into the status. The Jobs go in a
// later pass, when that is seen to be written (see [answered]): until then there is no reason for another.
func (r *Reconciler) judge(ctx context.Context, s *scope, jobs map[isolation.End]*batchv1.Job) error {
	pods, err := r.podsOfProbes(ctx, s, jobs)
	if err != nil {
		return err
	}
	var reports []probeReport
	var ended time.Time
	for _, role := range slices.Sorted(maps.Keys(jobs)) {
		at, found := endedAt(jobs[role])
		if !found {
			return nil // its watch brings us back
		}
		if at.After(ended) {
			ended = at
		}
		report := reportOf(pods, jobs[role])
		report.role = role
		reports = append(reports, report)
	}
	s.requeue(soon)
	return r.conclude(ctx, s, reports, ended)
}

func endedAt(job *batchv1.Job) (time.Time, bool) {
	for _, kind := range []batchv1.JobConditionType{batchv1.JobComplete, batchv1.JobFailed} {
		if c := conditionOf(job, kind); c != nil {
			return c.LastTransitionTime.Time, true
		}
	}
	return time.Time{}, false
}

// reportOf reads the verdict. Whatever is not the verdict of this Job's own pod on this Job's own plan is none.
func reportOf(pods []corev1.Pod, job *batchv1.Job) (report probeReport) {
	encoded := planOf(job)
	report.digest = isolation.Digest([]byte(encoded))
	if report.plan, report.failure = isolation.DecodePlan([]byte(encoded)); report.failure != nil {
		return report
	}
	if report.digest != job.Annotations[desired.AnnotationPlan] {
		report.failure = errors.New("its plan is not the one that it was given")
		return report
	}
	pod := controlledBy(pods, job)
	if failed := conditionOf(job, batchv1.JobFailed); failed != nil {
		report.failure = whyFailed(failed, pod)
		return report
	}
	if pod == nil {
		report.failure = errors.New("its pod is gone, and the verdict with it")
		return report
	}
	report.verdict, report.failure = isolation.DecodeVerdict(messageOf(pod), report.plan, report.digest)
	if report.failure == nil {
		report.failure = conclusive(report)
	}
	return report
}

func planOf(job *batchv1.Job) string {
	for _, c := range job.Spec.Template.Spec.Containers {
		for _, e := range c.Env {
			if c.Name == desired.ProbeContainer && e.Name == isolation.PlanVariable {
				return e.Value
			}
		}
	}
	return ""
}

func messageOf(pod *corev1.Pod) string {
	for _, c := range pod.Status.ContainerStatuses {
		if c.Name == desired.ProbeContainer && c.State.Terminated != nil && c.State.Terminated.ExitCode == 0 {
			return c.State.Terminated.Message
		}
	}
	return ""
}

func whyFailed(failed *batchv1.JobCondition, pod *corev1.Pod) error {
	if pod == nil {
		return fmt.Errorf("its Job failed (%s) and left no pod", failed.Reason)
	}
	if message, found := unschedulable(pod); found {
		return fmt.Errorf("its pod found no node: %s", message)
	}
	if _, reason, found := failingContainer(pod); found {
		return fmt.Errorf("its container did not start: %s", reason)
	}
	return fmt.Errorf("its Job failed: %s", failed.Reason)
}

// conclusive says why a verdict proves nothing. Where what must be open is shut, the pod may have had no network at
// all, and every closed door would be an accident.
func conclusive(report probeReport) error {
	if n := len(report.verdict.Failed); n > 0 {
		return fmt.Errorf("%d connections could not even be tried", n)
	}
	for _, i := range report.verdict.Otherwise {
		if target := report.plan.Targets[i]; target.Want == isolation.WantOpen && !holes(report) {
			return fmt.Errorf("%s was refused, which must be open", target.Address)
		}
	}
	return nil
}

// holes says whether something is open that must not be: that is so, whatever else is not.
func holes(report probeReport) bool {
	return slices.ContainsFunc(report.verdict.Otherwise, func(i int) bool {
		return report.plan.Targets[i].Want != isolation.WantOpen
	})
}

// conclude turns the reports of all roles into one status. A hole is one even if another role came to no verdict.
func (r *Reconciler) conclude(ctx context.Context, s *scope, reports []probeReport, ended time.Time) error {
	status := &v1alpha1.IsolationStatus{PoliciesDigest: policiesDigest(s)}
	digests := map[string]string{}
	var failure error
	for _, report := range reports {
		if report.failure != nil {
			failure = errors.Join(failure, fmt.Errorf("%s: %w", report.role, report.failure))
			continue
		}
		digests[string(report.role)] = report.digest
		status.Tried += int32(report.verdict.Tried)     //nolint:gosec // at most isolation.MaxTargets
		status.Refused += int32(report.verdict.Refused) //nolint:gosec // at most isolation.MaxTargets
		status.Open += int32(report.verdict.Open)       //nolint:gosec // at most isolation.MaxTargets
		named, err := r.nameHoles(ctx, report)
		if err != nil {
			return err
		}
		status.Holes = append(status.Holes, named...)
	}
	at := metav1.NewTime(ended)
	if failure != nil && len(status.Holes) == 0 {
		s.noteFailure(&at, failure)
		return nil
	}
	status.LastProbeTime, status.PlanDigest = &at, desired.PoliciesDigest(digests)
	status.Holes = status.Holes[:min(len(status.Holes), maxHoles)]
	s.status.Isolation = status
	return nil
}

// noteFailure counts a probe without verdict.
func (s *scope) noteFailure(at *metav1.Time, why error) {
	if s.status.Isolation == nil {
		s.status.Isolation = &v1alpha1.IsolationStatus{}
	}
	status := s.status.Isolation
	message := []rune(why.Error())
	status.Failures = min(status.Failures+1, maxFailures)
	status.LastFailureTime, status.LastFailure = at, string(message[:min(len(message), maxMessage)])
}

func (r *Reconciler) nameHoles(ctx context.Context, report probeReport) (named []string, err error) {
	for _, i := range report.verdict.Otherwise {
		target := report.plan.Targets[i]
		if target.Want == isolation.WantOpen {
			continue
		}
		whose, err := r.whose(ctx, target.Address.Addr())
		if err != nil {
			return nil, err
		}
		named = append(named, fmt.Sprintf("%s -> %s (%s)", report.role, target.Address, whose))
	}
	return named, nil
}
