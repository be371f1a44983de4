// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/version"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/test/podsecurity"
)

// TestThePodSecurityFixturesAreRefused creates, without effect, the pods by which Kubernetes tests level restricted.
// They come in the way that all pods of tenants come, and with all that our own policies ask for.
func TestThePodSecurityFixturesAreRefused(t *testing.T) {
	controller := as(t, replicaSets)
	t.Run("refused", func(t *testing.T) {
		r := record(t, sectionPodSecurity, "fixtures that level restricted refuses")
		for name, pod := range fixtures(t, podsecurity.Refused, 50) {
			err := controller.Create(t.Context(), pod, client.DryRunAll)
			// Some contradict themselves, which the API server says first.
			if apierrors.IsForbidden(err) && strings.Contains(err.Error(), string(byPodSecurity)) ||
				apierrors.IsInvalid(err) && strings.Contains(err.Error(), "procMount") {
				r.refused("by Pod Security")
				continue
			}
			r.otherwise("not by Pod Security")
			t.Errorf("%s: want a refusal by Pod Security, got: %v", name, err)
		}
	})
	t.Run("admitted", func(t *testing.T) {
		r := record(t, sectionPodSecurity, "fixtures that it admits")
		for name, pod := range fixtures(t, podsecurity.Admitted, 10) {
			err := controller.Create(t.Context(), pod, client.DryRunAll)
			if err == nil {
				r.opened("the way leads to Pod Security, and through")
				continue
			}
			r.otherwise("not admitted")
			t.Errorf("%s: %v", name, err)
		}
	})
}

// fixtures are pods of acme's namespace, of which there must be some.
func fixtures(t *testing.T, says podsecurity.Verdict, atLeast int) map[string]*corev1.Pod {
	t.Helper()
	info, err := live.kube.Discovery().ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	server, err := version.ParseGeneric(info.GitVersion)
	if err != nil {
		t.Fatal(err)
	}
	found, err := podsecurity.Fixtures(t.Context(), server, says)
	if err != nil || len(found) < atLeast {
		t.Fatalf("%d fixtures, error %v", len(found), err)
	}
	pods := make(map[string]*corev1.Pod, len(found))
	for name, fixture := range found {
		pods[name] = asATenants(t, fixture)
	}
	return pods
}

// asATenants gives a pod what our policies and quotas ask for, and takes away what they alone refuse.
func asATenants(t *testing.T, fixture *unstructured.Unstructured) *corev1.Pod {
	t.Helper()
	pod, like := &corev1.Pod{}, placedPod()
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(fixture.Object, pod); err != nil {
		t.Fatal(err)
	}
	pod.Namespace, pod.Name = naming.Namespace(acme), ownPrefix+"fixture"
	pod.Spec.ServiceAccountName = like.Spec.ServiceAccountName
	pod.Spec.AutomountServiceAccountToken = like.Spec.AutomountServiceAccountToken
	pod.Spec.Affinity = like.Spec.Affinity
	for i := range pod.Spec.Containers {
		pod.Spec.Containers[i].Resources = like.Spec.Containers[0].Resources
	}
	for i := range pod.Spec.InitContainers {
		pod.Spec.InitContainers[i].Resources = like.Spec.Containers[0].Resources
	}
	pod.Spec.Volumes = slices.DeleteFunc(pod.Spec.Volumes, func(v corev1.Volume) bool {
		return v.CSI != nil || v.Ephemeral != nil || v.Image != nil || v.Projected != nil
	})
	return pod
}
