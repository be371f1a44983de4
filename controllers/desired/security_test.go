// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	podsecurity "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// TestEveryPodMeetsPodSecurityRestricted asks the API server's own rules.
func TestEveryPodMeetsPodSecurityRestricted(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restricted := podsecurity.LevelVersion{Level: podsecurity.LevelRestricted, Version: podsecurity.LatestVersion()}
	forEachPod(t, func(t *testing.T, _ Input, pod corev1.PodTemplateSpec) {
		for _, result := range evaluator.EvaluatePod(restricted, &pod.ObjectMeta, &pod.Spec) {
			if !result.Allowed {
				t.Errorf("%s: %s", result.ForbiddenReason, result.ForbiddenDetail)
			}
		}
	})
}

// TestEveryPodHasNoTokenAndNoShareInItsNode leaves tokens for key services to a test of their own.
func TestEveryPodHasNoTokenAndNoShareInItsNode(t *testing.T) {
	forEachPod(t, func(t *testing.T, _ Input, pod corev1.PodTemplateSpec) {
		spec := pod.Spec
		if spec.AutomountServiceAccountToken == nil || *spec.AutomountServiceAccountToken {
			t.Error("a service account token is mounted")
		}
		if spec.ServiceAccountName == "" || spec.ServiceAccountName == "default" {
			t.Errorf("service account = %q, want its own", spec.ServiceAccountName)
		}
		if spec.EnableServiceLinks == nil || *spec.EnableServiceLinks {
			t.Error("service links are on")
		}
		if spec.HostNetwork || spec.HostPID || spec.HostIPC || spec.ShareProcessNamespace != nil {
			t.Error("a host namespace is shared")
		}
		for _, volume := range spec.Volumes {
			if volume.HostPath != nil || volume.Projected != nil && volume.Name != keyTokenVolume {
				t.Errorf("volume %s reaches out of the pod", volume.Name)
			}
		}
	})
}

func TestOnlyTheGatewayResolvesNames(t *testing.T) {
	forEachPod(t, func(t *testing.T, _ Input, pod corev1.PodTemplateSpec) {
		want := corev1.DNSNone
		if pod.Spec.ServiceAccountName == "egress" {
			want = corev1.DNSClusterFirst
		}
		if pod.Spec.DNSPolicy != want {
			t.Errorf("DNS policy = %q, want %s", pod.Spec.DNSPolicy, want)
		}
	})
}

func TestEveryContainerHasAReadOnlyRootAndNoPrivileges(t *testing.T) {
	forEachPod(t, func(t *testing.T, _ Input, pod corev1.PodTemplateSpec) {
		p := pod.Spec.SecurityContext
		if *p.RunAsUser == 0 || *p.RunAsUser != *p.RunAsGroup || *p.RunAsUser != *p.FSGroup {
			t.Errorf("user %d, group %d, volumes' group %d: want one number, not 0", *p.RunAsUser, *p.RunAsGroup, *p.FSGroup)
		}
		if *p.FSGroupChangePolicy != corev1.FSGroupChangeOnRootMismatch {
			t.Errorf("volumes' group is applied %s: PostgreSQL refuses a directory its group can write", *p.FSGroupChangePolicy)
		}
		for _, c := range containersOf(pod) {
			s := c.SecurityContext
			if s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem {
				t.Errorf("%s: its root file system is writable", c.Name)
			}
		}
	})
}

func TestIsolationSetsTheRuntimeClassOfEveryPod(t *testing.T) {
	forEachPod(t, func(t *testing.T, in Input, pod corev1.PodTemplateSpec) {
		want := ""
		if in.Class.Spec.Isolation != nil {
			want = in.Class.Spec.Isolation.RuntimeClassName
		}
		got := ""
		if pod.Spec.RuntimeClassName != nil {
			got = *pod.Spec.RuntimeClassName
		}
		if got != want {
			t.Errorf("runtime class = %q, want %q", got, want)
		}
	})
}

func containersOf(pod corev1.PodTemplateSpec) []corev1.Container {
	return append(append([]corev1.Container{}, pod.Spec.InitContainers...), pod.Spec.Containers...)
}
