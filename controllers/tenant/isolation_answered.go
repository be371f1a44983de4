// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"context"
	"fmt"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/isolation"
	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

// answered says whether the status already speaks of these probes: it bears the time of the one that ended last. While
// they are removed, one after the other, that one is there until the end, so the rest is never taken for a probe of
// which some roles are missing.
func answered(s *scope, jobs map[isolation.End]*batchv1.Job) bool {
	for _, job := range jobs {
		if ended, found := endedAt(job); found && judged(s, ended) {
			return true
		}
	}
	return false
}

// judged says whether the status speaks of the probes of which the last ended then.
func judged(s *scope, ended time.Time) bool {
	status, at := s.status.Isolation, metav1.NewTime(ended)
	if status == nil {
		return false
	}
	return status.LastFailureTime.Equal(&at) ||
		status.LastProbeTime.Equal(&at) && status.PoliciesDigest == policiesDigest(s)
}

// podsOfProbes are those that the cache knows. Jobs and pods are heard of by two watches: of a Job that ended, it may
// not know yet what the pod said. Then the API server is asked, for silence would count as a failure.
func (r *Reconciler) podsOfProbes(
	ctx context.Context, s *scope, jobs map[isolation.End]*batchv1.Job,
) ([]corev1.Pod, error) {
	unheard := false
	for _, job := range jobs {
		_, ended := endedAt(job)
		pod := controlledBy(s.pods, job)
		unheard = unheard || ended && (pod == nil || conditionOf(job, batchv1.JobComplete) != nil && messageOf(pod) == "")
	}
	if !unheard {
		return s.pods, nil
	}
	pods := &corev1.PodList{}
	err := r.Live.List(ctx, pods, client.InNamespace(s.namespace()),
		client.MatchingLabels{v1alpha1.LabelName: naming.IsolationProbe})
	if err != nil {
		return nil, fmt.Errorf("list the pods of probes: %w", err)
	}
	return pods.Items, nil
}

// lastEndedLast orders probes for their removal. A watch tells of deletions in the order in which they happened.
func lastEndedLast(jobs map[isolation.End]*batchv1.Job) []batchv1.Job {
	ordered := make([]batchv1.Job, 0, len(jobs))
	for _, job := range jobs {
		ordered = append(ordered, *job)
	}
	slices.SortFunc(ordered, func(a, b batchv1.Job) int {
		endOfA, _ := endedAt(&a)
		endOfB, _ := endedAt(&b)
		return endOfA.Compare(endOfB)
	})
	return ordered
}
