// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"context"
	"slices"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/apply"
	"github.com/chattenant/chattenant/controllers/desired"
)

// removals counts deletions; anything else would be a nil pointer.
type removals struct {
	client.Writer

	of []string
}

func (r *removals) Delete(_ context.Context, o client.Object, _ ...client.DeleteOption) error {
	r.of = append(r.of, o.GetName())
	return nil
}

// ended is a probe of a role that ended some seconds after noon.
func ended(role string, seconds int, policies string) batchv1.Job {
	job := batchv1.Job{ObjectMeta: metav1.ObjectMeta{
		Name: role, Annotations: map[string]string{desired.AnnotationPolicies: policies},
	}}
	job.Spec.Template.Labels = map[string]string{v1alpha1.LabelNetworkRole: role}
	job.Status.Conditions = []batchv1.JobCondition{{
		Type: batchv1.JobComplete, Status: corev1.ConditionTrue, LastTransitionTime: *secondsAfterNoon(seconds),
	}}
	return job
}

func secondsAfterNoon(seconds int) *metav1.Time {
	return &metav1.Time{Time: time.Date(2026, time.March, 1, 12, 0, seconds, 0, time.UTC)}
}

// A watch tells of three deletions one after the other: what is left in between is no reason for another probe.
func TestProbesThatWereAnsweredAreRemovedAndNotRepeated(t *testing.T) {
	s := &scope{
		tenant: &v1alpha1.ChatTenant{ObjectMeta: metav1.ObjectMeta{Name: "probed"}},
		outcomes: map[string]outcome{
			v1alpha1.ConditionChatServerReady: {progress: done},
		},
	}
	policies := policiesDigest(s)
	s.status = &v1alpha1.ChatTenantStatus{Isolation: &v1alpha1.IsolationStatus{
		LastProbeTime: secondsAfterNoon(3), PoliciesDigest: policies,
	}}
	s.jobs = []batchv1.Job{
		ended(naming.ChatServer, 3, policies), ended("none", 1, policies), ended(naming.Postgres, 2, policies),
	}
	gone := []string{}
	for _, want := range []string{"none", naming.Postgres, naming.ChatServer} {
		seen := &removals{}
		r := &Reconciler{Applier: &apply.Applier{Writer: seen}}
		if _, err := r.isolationPhase(t.Context(), s); err != nil {
			t.Fatalf("without %v: %v", gone, err)
		}
		if len(seen.of) != len(s.jobs) || seen.of[0] != want {
			t.Fatalf("without %v it removed %v, want all that are left, %s first", gone, seen.of, want)
		}
		gone = append(gone, want)
		s.jobs = slices.DeleteFunc(s.jobs, func(job batchv1.Job) bool { return job.Name == want })
	}
}
