// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/chattenant/chattenant/api/isolation"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

func jobsOf(t *testing.T, in Input) (jobs []batchv1.Job) {
	t.Helper()
	for _, probe := range probesOf(in) {
		jobs = append(jobs, decode[batchv1.Job](t, probe))
	}
	return jobs
}

func TestAProbeTakesARolesPlaceInTheNetworkAndNothingElseOfIt(t *testing.T) {
	in := fullInput()
	for i, job := range jobsOf(t, in) {
		pod := job.Spec.Template
		if got := pod.Labels[v1alpha1.LabelNetworkRole]; got != string(ProbeRoles(in)[i]) {
			t.Errorf("%s has the network role %q", job.Name, got)
		}
		if len(pod.Spec.Volumes) != 0 || len(pod.Spec.Containers) != 1 || len(pod.Spec.InitContainers) != 0 ||
			len(pod.Spec.Containers[0].EnvFrom) != 0 {
			t.Errorf("%s holds more than its plan", job.Name)
		}
		for _, service := range []string{"chatserver", "postgres"} {
			selector := find[corev1.Service](t, named(t, "full-us"), "Service", service).Spec.Selector
			if matches(t, &metav1.LabelSelector{MatchLabels: selector}, pod.Labels) {
				t.Errorf("Service %s leads to %s", service, job.Name)
			}
		}
	}
}

func TestAProbeIsTriedOnceAndEnds(t *testing.T) {
	for _, job := range jobsOf(t, fullInput()) {
		spec := job.Spec
		if *spec.BackoffLimit != 0 || spec.Template.Spec.RestartPolicy != corev1.RestartPolicyNever {
			t.Errorf("%s is tried again by Kubernetes", job.Name)
		}
		if *spec.ActiveDeadlineSeconds < 60 || *spec.ActiveDeadlineSeconds > 600 || *spec.TTLSecondsAfterFinished == 0 {
			t.Errorf("%s may take %d s and stays %d s", job.Name, *spec.ActiveDeadlineSeconds, *spec.TTLSecondsAfterFinished)
		}
	}
}

func TestAnotherProbeHasAnotherName(t *testing.T) {
	in, base := minimalInput(), Probe{Role: isolation.ChatServer, Plan: []byte("p"), PoliciesDigest: "d", After: "a"}
	names := map[string]bool{}
	for _, change := range []func(*Probe){
		func(*Probe) {}, func(p *Probe) { p.Role = isolation.None }, func(p *Probe) { p.Plan = []byte("q") },
		func(p *Probe) { p.PoliciesDigest = "e" }, func(p *Probe) { p.After = "b" },
	} {
		p := base
		change(&p)
		names[*IsolationProbe(in, p).GetName()] = true
	}
	if len(names) != 5 {
		t.Errorf("names = %v, want 5 different ones", names)
	}
}

func TestAProbesLimitsAreThoseThatTheQuotaAsksFor(t *testing.T) {
	for _, s := range everyScenario() {
		if len(policiesOf(t, s)) == 0 {
			continue
		}
		quota := find[corev1.ResourceQuota](t, s, "ResourceQuota", "tenant").Spec.Hard
		ranges := find[corev1.LimitRange](t, s, "LimitRange", "tenant").Spec.Limits[0]
		for _, job := range jobsOf(t, s.in) {
			limits := job.Spec.Template.Spec.Containers[0].Resources.Limits
			for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
				_, limited := limits[name]
				if _, asked := quota["limits."+name]; asked != limited {
					t.Errorf("%s: %s: the quota asks for a limit of %s = %t, there is one = %t",
						s.name, job.Name, name, asked, limited)
				}
				most, bounded := ranges.Max[name]
				if limit := limits[name]; bounded && limit.Cmp(most) > 0 {
					t.Errorf("%s: %s: limit of %s is %s, above %s", s.name, job.Name, name, limit.String(), most.String())
				}
			}
		}
	}
}
