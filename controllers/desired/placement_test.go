// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
)

// TestEveryPodRunsOnNodesOfItsRegionOnly asks the scheduler's own rules.
func TestEveryPodRunsOnNodesOfItsRegionOnly(t *testing.T) {
	forEachPod(t, func(t *testing.T, in Input, pod corev1.PodTemplateSpec) {
		required := nodeaffinity.GetRequiredNodeAffinity(&corev1.Pod{Spec: pod.Spec})
		inside := map[string]string{"unrelated": "label"}
		for key, value := range in.Region.Spec.NodeSelector {
			inside[key] = string(value)
		}
		if !accepts(t, required, inside) {
			t.Error("a node of the region is refused")
		}
		for key := range in.Region.Spec.NodeSelector {
			for _, value := range []string{"", "elsewhere"} {
				outside := mapWith(inside, key, value)
				if accepts(t, required, outside) {
					t.Errorf("a node with %s=%q is accepted", key, value)
				}
			}
		}
	})
}

func accepts(t *testing.T, required nodeaffinity.RequiredNodeAffinity, labels map[string]string) bool {
	t.Helper()
	match, err := required.Match(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node", Labels: labels}})
	if err != nil {
		t.Fatal(err)
	}
	return match
}

// mapWith returns a copy of m with key set to value, or without key if value is empty.
func mapWith(m map[string]string, key, value string) map[string]string {
	out := map[string]string{}
	for k, v := range m {
		out[k] = v
	}
	out[key] = value
	if value == "" {
		delete(out, key)
	}
	return out
}

func TestVolumesComeFromTheRegionsStorageClassInTheTenantsSize(t *testing.T) {
	for scenario, want := range map[string][2]string{
		"minimal-eu": {"local-eu-central", "1Gi"},
		"full-us":    {"local-us-east", "20Gi"},
	} {
		claim := find[appsv1.StatefulSet](t, named(t, scenario), "StatefulSet", "postgres").Spec.VolumeClaimTemplates[0]
		got := [2]string{*claim.Spec.StorageClassName, claim.Spec.Resources.Requests.Storage().String()}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", scenario, diff)
		}
	}
}

func TestNothingButItsOwnDeletionRemovesAVolume(t *testing.T) {
	set := find[appsv1.StatefulSet](t, named(t, "full-us"), "StatefulSet", "postgres")
	if owners := set.Spec.VolumeClaimTemplates[0].OwnerReferences; len(owners) != 0 {
		t.Errorf("volume claims are owned by %v", owners)
	}
	retain := appsv1.RetainPersistentVolumeClaimRetentionPolicyType
	want := &appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy{WhenDeleted: retain, WhenScaled: retain}
	if diff := cmp.Diff(want, set.Spec.PersistentVolumeClaimRetentionPolicy); diff != "" {
		t.Errorf("retention policy (-want +got):\n%s", diff)
	}
}
