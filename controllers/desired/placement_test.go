// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"k8s.io/klog/v2"
	"k8s.io/utils/ptr"

	"github.com/chattenant/chattenant/api/v1alpha1"
)

// TestEveryPodRunsOnNodesOfItsRegionOnly asks the scheduler's own rules.
func TestEveryPodRunsOnNodesOfItsRegionOnly(t *testing.T) {
	forEachPod(t, func(t *testing.T, in Input, pod corev1.PodTemplateSpec) {
		required := nodeaffinity.GetRequiredNodeAffinity(&corev1.Pod{Spec: pod.Spec})
		inside := map[string]string{"unrelated": "label"}
		for key, value := range in.Region.Spec.NodeSelector {
			inside[key] = string(value)
		}
		if dedicated(in) {
			inside[v1alpha1.KeyDedicated] = in.Tenant.Name
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

// TestPodsOfATenantWithDedicatedNodesRunOnThoseOnly asks the scheduler's own rules, about the label and the taint.
func TestPodsOfATenantWithDedicatedNodesRunOnThoseOnly(t *testing.T) {
	found := map[bool]int{}
	forEachPod(t, func(t *testing.T, in Input, pod corev1.PodTemplateSpec) {
		found[dedicated(in)]++
		required := nodeaffinity.GetRequiredNodeAffinity(&corev1.Pod{Spec: pod.Spec})
		for owner, own := range map[string]bool{in.Tenant.Name: true, "somebody": false, "": false} {
			node := mapWith(map[string]string{}, v1alpha1.KeyDedicated, owner)
			for key, value := range in.Region.Spec.NodeSelector {
				node[key] = string(value)
			}
			if got, want := accepts(t, required, node), own || !dedicated(in); got != want {
				t.Errorf("a node labelled for %q is accepted: %v, want %v", owner, got, want)
			}
			if got, want := tolerates(&pod.Spec, owner), own && dedicated(in); got != want {
				t.Errorf("a node tainted for %q is tolerated: %v, want %v", owner, got, want)
			}
		}
	})
	if found[true] == 0 || found[false] == 0 {
		t.Errorf("pods with and without dedicated nodes: %v", found)
	}
}

func tolerates(pod *corev1.PodSpec, owner string) bool {
	taints := []corev1.Taint{
		{Key: v1alpha1.KeyDedicated, Value: owner, Effect: corev1.TaintEffectNoSchedule},
		{Key: v1alpha1.KeyDedicated, Value: owner, Effect: corev1.TaintEffectNoExecute},
	}
	_, untolerated := corev1helpers.FindMatchingUntoleratedTaint(klog.Background(), taints, pod.Tolerations, nil, false)
	return !untolerated
}

// TestEveryPodRunsInTheClasssRuntime holds Jobs and whatever else has a pod template to the class's sandbox.
func TestEveryPodRunsInTheClasssRuntime(t *testing.T) {
	sandboxed := 0
	forEachPod(t, func(t *testing.T, in Input, pod corev1.PodTemplateSpec) {
		want := ""
		if in.Class.Spec.Isolation != nil {
			want = in.Class.Spec.Isolation.RuntimeClassName
			sandboxed++
		}
		if got := ptr.Deref(pod.Spec.RuntimeClassName, ""); got != want {
			t.Errorf("the runtime class is %q, want %q", got, want)
		}
	})
	if sandboxed == 0 {
		t.Error("no scenario has a runtime class")
	}
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
