// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func node(name, place string) corev1.Node {
	labels := map[string]string{"place": place, corev1.LabelHostname: name}
	return corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
}

func TestNodeIsInARegionOnlyWithAllItsLabels(t *testing.T) {
	inside, outside := node("n1", "eu"), node("n2", "us")
	if !NodeInRegion(&inside, region("DE")) {
		t.Error("a node with the region's label is in it")
	}
	if NodeInRegion(&outside, region("DE")) {
		t.Error("a node with another value is not in it")
	}
}

func TestVolumeIsInARegionOnlyIfNoOtherNodeReachesIt(t *testing.T) {
	nodes := []corev1.Node{node("n1", "eu"), node("n2", "us")}
	on := func(key string, values ...string) *corev1.VolumeNodeAffinity {
		return &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
			MatchExpressions: []corev1.NodeSelectorRequirement{{Key: key, Operator: corev1.NodeSelectorOpIn, Values: values}},
		}}}}
	}
	for _, tc := range []struct {
		name     string
		affinity *corev1.VolumeNodeAffinity
		want     bool
	}{
		{"pinned to a node of the region", on(corev1.LabelHostname, "n1"), true},
		{"pinned to the region", on("place", "eu"), true},
		{"pinned elsewhere", on("place", "us"), false},
		{"reachable from two places", on(corev1.LabelHostname, "n1", "n2"), false},
		{"reachable from no node that exists", on(corev1.LabelHostname, "gone"), false},
		{"reachable from anywhere", nil, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			volume := &corev1.PersistentVolume{Spec: corev1.PersistentVolumeSpec{NodeAffinity: tc.affinity}}
			got, err := VolumeInRegion(volume, nodes, region("DE"))
			if err != nil {
				t.Fatal(err)
			}
			if got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}
