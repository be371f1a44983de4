// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/chattenant/chattenant/api/v1alpha1"
)

// TestATenantThatIsBeingDeletedHasLetItsHostGo as the gateway has it.
func TestATenantThatIsBeingDeletedHasLetItsHostGo(t *testing.T) {
	in, older := sound(), claimant("older", "uid-older", created.Add(-time.Hour))
	in.Claimants = append(in.Claimants, older)
	if v := FirstViolation(Prerequisites, in); v == nil || v.Reason != v1alpha1.ReasonHostTaken {
		t.Fatalf("with an older tenant: %v", v)
	}
	in.Claimants[1].DeletionTimestamp = new(metav1.NewTime(created))
	if v := FirstViolation(Prerequisites, in); v != nil {
		t.Errorf("with one on its way out: %v", v)
	}
}

func TestAClassWithoutItsRuntimeClassStalls(t *testing.T) {
	in := sound()
	in.Class.Spec.Isolation = &v1alpha1.Isolation{RuntimeClassName: "gvisor"}
	if v := FirstViolation(Prerequisites, in); v == nil || v.Reason != v1alpha1.ReasonRuntimeClassNotFound {
		t.Errorf("without it: %v", v)
	}
	in.RuntimeClass = &nodev1.RuntimeClass{}
	if v := FirstViolation(Prerequisites, in); v != nil {
		t.Errorf("with it: %v", v)
	}
}

func TestANodeIsDedicatedByLabelAndTaint(t *testing.T) {
	taint := func(value string, effect corev1.TaintEffect) []corev1.Taint {
		return []corev1.Taint{{Key: v1alpha1.KeyDedicated, Value: value, Effect: effect}}
	}
	for _, tc := range []struct {
		name   string
		owner  string
		taints []corev1.Taint
		want   bool
	}{
		{"both", "acme", taint("acme", corev1.TaintEffectNoSchedule), true},
		{"both, and it drives others out", "acme", taint("acme", corev1.TaintEffectNoExecute), true},
		{"no taint", "acme", nil, false},
		{"a mere preference", "acme", taint("acme", corev1.TaintEffectPreferNoSchedule), false},
		{"another's taint", "acme", taint("globex", corev1.TaintEffectNoSchedule), false},
		{"another's label", "globex", taint("acme", corev1.TaintEffectNoSchedule), false},
		{"no label", "", taint("acme", corev1.TaintEffectNoSchedule), false},
	} {
		node := &corev1.Node{Spec: corev1.NodeSpec{Taints: tc.taints}}
		node.Labels = map[string]string{v1alpha1.KeyDedicated: tc.owner}
		if got := NodeDedicated(node, "acme") == ""; got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
}

func TestLabelsThatKubeletsSetThemselvesAreKnown(t *testing.T) {
	for key, self := range map[string]bool{
		"topology.kubernetes.io/region": true, "node-restriction.kubernetes.io/region": false,
		"a.node-restriction.kubernetes.io/region": false, "my-node-restriction.kubernetes.io/region": true, "region": true,
	} {
		region := &v1alpha1.DataRegion{Spec: v1alpha1.DataRegionSpec{NodeSelector: map[string]v1alpha1.LabelValue{key: "x"}}}
		if got := len(SelfMadeLabels(region)) > 0; got != self {
			t.Errorf("%s: %v", key, got)
		}
	}
}

func TestAVolumeOfAnotherClaimIsNotTheTenants(t *testing.T) {
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "chat-acme", Name: "data", UID: "1"}}
	for ref, want := range map[corev1.ObjectReference]bool{
		{Namespace: "chat-acme", Name: "data", UID: "1"}:   true,
		{Namespace: "chat-acme", Name: "data", UID: "0"}:   false,
		{Namespace: "chat-globex", Name: "data", UID: "1"}: false,
		{Namespace: "chat-acme", Name: "other", UID: "1"}:  false,
	} {
		volume := &corev1.PersistentVolume{Spec: corev1.PersistentVolumeSpec{ClaimRef: &ref}}
		if got := VolumeOf(volume, claim); got != want {
			t.Errorf("%v: %v", ref, got)
		}
	}
	if VolumeOf(&corev1.PersistentVolume{}, claim) {
		t.Error("a volume that nobody claims is the tenant's")
	}
}
