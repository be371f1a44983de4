// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"net/netip"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/chattenant/chattenant/api/isolation"
	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/desired"
)

// Jobs and pods are heard of by two watches: that a probe has ended can be known before what it said.
func TestAVerdictCountsThoughTheCacheHasNotHeardOfItsPod(t *testing.T) {
	job, pod := verdictOf(t, naming.Postgres)
	running := *pod.DeepCopy()
	running.Status = corev1.PodStatus{Phase: corev1.PodRunning}
	for name, cached := range map[string][]corev1.Pod{
		"of the pod": nil, "of how it ended": {running}, "of nothing less": {*pod},
	} {
		t.Run("heard "+name, func(t *testing.T) {
			s := &scope{
				tenant: &v1alpha1.ChatTenant{ObjectMeta: metav1.ObjectMeta{Name: "acme"}},
				status: &v1alpha1.ChatTenantStatus{}, pods: cached,
			}
			r := &Reconciler{Live: fake.NewClientBuilder().WithScheme(podScheme(t)).WithObjects(pod.DeepCopy()).Build()}
			if err := r.judge(t.Context(), s, map[isolation.End]*batchv1.Job{naming.Postgres: job}); err != nil {
				t.Fatal(err)
			}
			if got := s.status.Isolation; got == nil || got.Failures != 0 || got.Tried != 1 || got.Refused != 1 {
				t.Errorf("status = %+v, want one refusal and no failure", got)
			}
		})
	}
}

func TestAVerdictIsMissedWhereThereIsNoPodAtAll(t *testing.T) {
	job, _ := verdictOf(t, naming.Postgres)
	s := &scope{
		tenant: &v1alpha1.ChatTenant{ObjectMeta: metav1.ObjectMeta{Name: "acme"}}, status: &v1alpha1.ChatTenantStatus{},
	}
	r := &Reconciler{Live: fake.NewClientBuilder().WithScheme(podScheme(t)).Build()}
	if err := r.judge(t.Context(), s, map[isolation.End]*batchv1.Job{naming.Postgres: job}); err != nil {
		t.Fatal(err)
	}
	got := s.status.Isolation
	if got == nil || got.Failures != 1 || !strings.Contains(got.LastFailure, "its pod is gone") {
		t.Errorf("status = %+v, want a failure because the pod is gone", got)
	}
}

func podScheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	s := runtime.NewScheme()
	if err := corev1.AddToScheme(s); err != nil {
		t.Fatal(err)
	}
	return s
}

// verdictOf is a probe of one door, which it found shut, with its pod.
func verdictOf(t *testing.T, role string) (*batchv1.Job, *corev1.Pod) {
	t.Helper()
	plan := isolation.Plan{Version: isolation.Version, Role: isolation.End(role), Targets: []isolation.Target{{
		Network: isolation.NetworkTCP, Address: netip.MustParseAddrPort("10.0.0.1:443"), Want: isolation.WantClosed,
	}}}
	encoded, err := plan.Encode()
	if err != nil {
		t.Fatal(err)
	}
	digest := isolation.Digest(encoded)
	verdict, err := isolation.Verdict{Version: isolation.Version, Plan: digest, Tried: 1, Refused: 1}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	job := ended(role, 1, "")
	job.UID, job.Annotations[desired.AnnotationPlan] = "11111111-2222-3333-4444-555555555555", digest
	job.Spec.Template.Spec.Containers = []corev1.Container{{Name: desired.ProbeContainer,
		Env: []corev1.EnvVar{{Name: isolation.PlanVariable, Value: string(encoded)}}}}
	return &job, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: naming.Namespace("acme"), Name: role + "-x",
			Labels:          map[string]string{v1alpha1.LabelName: naming.IsolationProbe},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(&job, batchv1.SchemeGroupVersion.WithKind("Job"))},
		},
		Status: corev1.PodStatus{Phase: corev1.PodSucceeded, ContainerStatuses: []corev1.ContainerStatus{{
			Name: desired.ProbeContainer, State: corev1.ContainerState{
				Terminated: &corev1.ContainerStateTerminated{Message: string(verdict)}},
		}}},
	}
}
