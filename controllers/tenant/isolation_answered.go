// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/chattenant/chattenant/api/isolation"
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
